"""The house rules that no other tool checks."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from lineal.backend import port
from lineal.backend.local.access import LocalAccess
from lineal.backend.local.artifacts import LocalArtifacts
from lineal.backend.local.lineage import LocalLineage
from lineal.backend.local.runs import LocalRuns
from lineal.backend.local.upkeep import LocalStores
from lineal.backend.port_access import Access
from lineal.core.errors import Error

ROOT = Path(__file__).resolve().parent.parent
LINEAL = ROOT / "lineal"
MODULES = sorted(LINEAL.rglob("*.py"))
MAX_LINES = 450

# Where the tests of a module are, if not in its mirror.
ELSEWHERE = {
    "api/worker": "journeys/test_server.py",  # processes: started, killed and stopped there
    "backend/local/": "contract/",  # one suite that every backend obeys, by noun
    "core/error.py": "core/test_errors.py",
    "backend/port.py": "test_house.py",  # declarations only: what they promise is tested where they are kept
    "backend/port_access.py": "test_house.py",
    "backend/port_runs.py": "test_house.py",
    "backend/port_sweeps.py": "test_house.py",
    "backend/operation.py": "test_house.py",
    "access/": "contract/test_access.py",  # what its own tests leave out
    "registry/": "contract/test_artifacts.py",  # functions on a session that only the use cases call
    "tracking/": "contract/test_runs.py",
    "sweeps/sweeps.py": "contract/test_sweeps.py",
    "sweeps/trials.py": "contract/test_sweeps.py",
    "sweeps/agents.py": "contract/test_sweeps.py",
    "sweeps/model.py": "contract/test_sweeps.py",  # records, filled and answered there
    "lineage/edges.py": "contract/test_lineage.py",
    "lineage/walks.py": "contract/test_lineage.py",
    "lineage/model.py": "lineage/test_exchange.py",  # records, made and read back there
    "lineage/report.py": "lineage/test_records.py",
    "__main__.py": "cli/test_main.py",
    "db/migrations/": "db/test_upgrade.py",
    "db/tables/": "contract/",  # tables: what they hold is what the operations answer
}


def name(path: Path) -> str:
    return str(path.relative_to(LINEAL))


def elsewhere(module: str) -> Path | None:
    found = next((tests for start, tests in ELSEWHERE.items() if module.startswith(start)), None)
    return ROOT / "tests" / found if found else None


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "__init__.py"], ids=name)
def test_every_module_has_its_tests(path):
    mirror = (ROOT / "tests" / name(path)).with_name(f"test_{path.name}")
    assert mirror.exists() or ((other := elsewhere(name(path))) and other.exists()), f"{mirror} is missing"


def test_exceptions_to_the_mirror_are_needed_and_lead_to_tests():
    for start, tests in ELSEWHERE.items():
        assert any(name(path).startswith(start) for path in MODULES), start
        assert (ROOT / "tests" / tests).exists(), tests


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_file_is_at_most_450_lines_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py" and p.parent != LINEAL], ids=name)
def test_the_init_of_a_room_is_a_paragraph_and_no_code(path):
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def calls(path: Path) -> set[str]:
    """The dotted names that the module calls or reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}


def test_the_environment_is_read_in_one_place():
    readers = {name(p) for p in MODULES if calls(p) & {"os.environ", "os.getenv", "os.environb"}}
    assert readers == {"core/settings.py"}


def test_transactions_are_begun_only_by_use_cases():
    beginners = {name(p).split("/")[0] for p in MODULES if any(c.endswith("database.begin") for c in calls(p))}
    assert beginners <= {"backend", "db"}
    assert "backend" in beginners


UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "extractall", "yaml.load"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_nothing_unpickles_evaluates_or_asks_a_shell(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & UNSAFE_MODULES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in UNSAFE_MODULES
        elif isinstance(node, ast.Call):
            constant = all(isinstance(argument, ast.Constant) for argument in node.args)
            assert ast.unparse(node.func) not in UNSAFE_CALLS or constant
            for keyword in node.keywords:
                unsafe = keyword.arg in ("shell", "allow_pickle") and ast.unparse(keyword.value) != "False"
                assert not unsafe, f"line {node.lineno}"


# ---- what users are told -------------------------------------------------------------------------------------


def error_classes() -> list[type[Error]]:
    found, waiting = [], [Error]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return found


def test_codes_of_errors_are_unique_and_start_with_their_family():
    codes = [kind.code for kind in error_classes()]
    assert len(codes) == len(set(codes))
    for kind in error_classes():
        for above in kind.__bases__:
            if above not in (Error, Exception):
                assert kind.code.startswith(f"{above.code}.")  # type: ignore[attr-defined]


def test_every_error_is_documented_as_it_is():
    rows = re.findall(
        r"^\| `([\w.]+)` \| (\d+) \| (\d+) \| (.+) \| (.+) \|$", (ROOT / "docs/errors.md").read_text(), re.M
    )
    documented = {code: (int(status), int(exit_)) for code, status, exit_, _, _ in rows}
    assert documented == {kind.code: (kind.http_status, kind.exit_code) for kind in error_classes()}


def test_every_setting_is_documented():
    page = (ROOT / "docs/settings.md").read_text()
    source = (LINEAL / "core/settings.py").read_text()
    variables = set(re.findall(r"(?<!_)LINEAL_[A-Z_]+[A-Z]", "".join(p.read_text() for p in MODULES)))
    assert {"LINEAL_URL", "LINEAL_USER", "LINEAL_DEBUG"} <= variables
    assert [v for v in sorted(variables) if f"`{v}`" not in page and v not in page] == []
    keys = re.search(r"_FILE_KEYS = (\{.+?\})", source)
    assert keys is not None
    assert [key for key in ast.literal_eval(keys[1]) if f"`{key}`" not in page] == []


def test_changes_are_told():
    assert list((ROOT / "changes").glob("*.md"))


# ---- the port ------------------------------------------------------------------------------------------------

NOUNS = {
    port.Artifacts: LocalArtifacts,
    port.Runs: LocalRuns,
    port.Lineage: LocalLineage,
    port.Stores: LocalStores,
    Access: LocalAccess,
}
OPERATIONS = [(noun, op) for noun in NOUNS for op in vars(noun) if not op.startswith("_")]


@pytest.mark.parametrize(("noun", "op"), OPERATIONS, ids=lambda value: getattr(value, "__name__", value))
def test_every_operation_is_declared_whole_and_kept(noun, op):
    declared = getattr(noun, op)
    assert declared.__doc__
    assert declared.operation.method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    assert declared.operation.path.startswith("/")
    assert declared.operation.needs in ("read", "write", "promote", "delete", "admin")
    kept = getattr(NOUNS[noun], op)
    assert kept is not declared
    assert [*kept.__annotations__] == [*declared.__annotations__]


def test_no_two_operations_share_a_place():
    places = [(f.operation.method, f.operation.path) for noun, op in OPERATIONS if (f := getattr(noun, op))]
    assert len(places) == len(set(places))


# ---- the checkout --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["registry", "storage", "lineage", "cli", "api"])
def test_the_rooms_of_the_brief_are_links_into_the_package(room):
    link = ROOT / room
    if not (ROOT / ".git").exists():
        pytest.skip("links are part of the checkout, not of the sdist")
    assert link.is_symlink()
    assert link.readlink() == Path("lineal", room)
    assert (link / "__init__.py").is_file()


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    if not (ROOT / ".git").exists():
        pytest.skip("only a checkout knows which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    machine = re.compile(r"(?<![\w.~}])/(?:home|root|work)/\w")
    found = []
    for tracked in filter(None, listed.decode().split("\0")):
        path = ROOT / tracked
        if path.is_symlink() or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{tracked}: {match[0]}" for match in machine.finditer(text)]
    assert found == []
