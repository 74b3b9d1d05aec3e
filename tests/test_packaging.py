"""The distribution: built as for PyPI, installed in an environment of its own, and whole there."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.installation import Installation, install

pytest.importorskip("build")
pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
        timeout=240,
    )
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory) -> Installation:
    made = install(tmp_path_factory.mktemp("wheel"))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", made.python, "install", "--no-deps", "--no-index", "-q",
         "--disable-pip-version-check", "--no-warn-script-location", distributions[1]],
        check=True,
        capture_output=True,
        timeout=240,
    )  # fmt: skip
    return made


def python(installed: Installation, code: str) -> str:
    done = subprocess.run(
        [installed.python, "-I", "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=installed.environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_sdist_holds_what_is_needed_to_build_and_test(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for wanted in ("pyproject.toml", "README.md", "LICENSE", "Makefile", "lineal/py.typed", "tests/conftest.py",
                   "examples/digits/demo.py", "docs/errors.md"):  # fmt: skip
        assert wanted in names
    assert not [name for name in names if "__pycache__" in name or (name.startswith((".", "demo-out", "artifacts"))
                and name not in (".gitignore", ""))]  # fmt: skip


def test_the_wheel_holds_the_package_and_nothing_else(distributions):
    with zipfile.ZipFile(distributions[1]) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        names = set(archive.namelist())
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lineal"}
    for data in ("lineal/py.typed", "lineal/lineage/page.html", "lineal/lineage/audit_page.html"):
        assert data in names


def test_it_is_the_wheel_that_is_imported_and_its_command_runs(installed):
    where = Path(python(installed, "import lineal; print(lineal.__file__)"))
    assert where.is_relative_to(installed.site_packages)
    done = subprocess.run(
        [installed.bin / "lineal", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env=installed.environment(),
    )
    version = python(installed, "import lineal; print(lineal.__version__)")
    assert done.stdout == f"lineal, version {version}\n"
    assert python(installed, "from importlib.metadata import version; print(version('lineal'))") == version


def test_every_module_can_be_imported(installed):
    code = """
import importlib, pkgutil, lineal
names = [m.name for m in pkgutil.walk_packages(lineal.__path__, "lineal.")]
names = [name for name in names if not name.startswith("lineal.client.integrations.")]  # need their frameworks
for name in names:
    importlib.import_module(name)
print(len(names))
"""
    assert int(python(installed, code)) > 60


def test_no_name_that_a_user_may_have_is_taken(installed):
    for name in ("api", "cli", "registry", "storage", "lineage", "tests", "docs", "examples"):
        assert not (installed.site_packages / name).exists()


def test_a_version_is_logged_and_drawn_from_the_wheel_alone(installed, place):
    code = """
import lineal
from lineal.lineage import render
draft = lineal.Artifact("digits", "dataset")
draft.add("1", "a")
with lineal.init() as run:
    artifact = run.log_artifact(draft)
print(render.html(artifact.lineage(), "t")[:15].lower())
"""
    assert python(installed, code) == "<!doctype html>"
    audit = subprocess.run(
        [installed.bin / "lineal", "audit", "digits", "-o", "audit.html"],
        check=False,
        capture_output=True,
        text=True,
        env=installed.environment(),
    )
    assert audit.returncode == 0, audit.stderr
    assert (place.work / "audit.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_importing_lineal_costs_next_to_nothing(installed):
    code = "import sys; before = {*sys.modules}; import lineal; print(*{*sys.modules} - before)"
    loaded = {module.partition(".")[0] for module in python(installed, code).split()}
    assert not loaded & {"sqlalchemy", "rich", "pydantic", "networkx", "fsspec", "click", "graphviz", "numpy"}
    assert "lineal" in loaded
