import logging
import subprocess
from pathlib import Path

import pytest

import lineal
from lineal.client import recording
from lineal.client.capture import environment, packages
from tests.client import told

OFF = {"console": False, "system": False, "packages": False, "environment": False, "git": False, "notebook": False}


def only(**choices):
    return lineal.Settings(**OFF | choices)


def stream(run_id, name):
    return told.rows(run_id, stream=name)


@pytest.fixture
def repository(place):
    """The working folder as a git repository with one commit and a change since."""

    def git(*words):
        subprocess.run(["git", *words], check=True, capture_output=True)

    git("init", "-b", "main")
    git("config", "user.email", "ada@example.org")
    git("config", "user.name", "ada")
    Path("train.py").write_text("lr = 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    git("remote", "add", "origin", "https://ada:secret-token@example.org/ada/project.git")
    Path("train.py").write_text("lr = 2\n")


def test_the_checkout_and_what_is_not_committed_are_recorded(repository):
    with lineal.init(settings=only(git=True)) as run:
        pass
    code = told.record(run.id).code
    assert (len(code["commit"]), code["branch"], code["dirty"]) == (40, "main", True)
    assert "secret-token" not in str(told.record(run.id))
    assert set(told.files(run.id)) == {"diff.patch"}
    assert told.files(run.id)["diff.patch"] > 50


def test_nothing_of_the_checkout_is_recorded_where_that_is_switched_off(repository):
    with lineal.init(settings=only()) as run:
        pass
    assert (told.record(run.id).code, told.files(run.id), told.record(run.id).environment) == ({}, {}, {})


def test_the_machine_and_the_packages_are_recorded_and_secrets_are_not(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("MY_TOKEN", "hush-hush")
    monkeypatch.setenv("MY_SEED", "17")
    chosen = only(environment=True, packages=True, variables=("MY_SEED",))
    with lineal.init(settings=chosen) as run:
        pass
    facts = told.record(run.id).environment
    assert "hush-hush" not in str(facts)
    assert "'MY_SEED': '17'" in str(facts)
    assert [name for name in facts["packages"] if "numpy" in str(name)]


@pytest.mark.parametrize("part", ["environment", "packages"])
def test_each_part_is_switched_by_itself(part):
    with lineal.init(settings=only(**{part: True})) as run:
        pass
    facts = told.record(run.id).environment
    assert ("packages" in facts) == (part == "packages")
    assert bool(set(facts) - {"packages", "conda_packages"}) == (part == "environment")


CONSOLE = """
import lineal, sys, time
run = lineal.init(id="run", settings=lineal.Settings(system=False))
print("to stdout")
print("to stderr", file=sys.stderr)
for n in range(101):
    print(f"\\r{n}%", end="")
print()
print("no end", end="")
"""


def test_the_console_is_recorded_by_stream_with_progress_bars_folded(installation):
    code, out, err = told.said(told.start(installation, CONSOLE))
    assert (code, err) == (0, "to stderr\n")
    assert out.endswith("no end")
    lines = [next(iter(row.items())) for row in stream("run", "console")]
    assert sorted(lines) == sorted(
        [("stdout", "to stdout"), ("stderr", "to stderr"), ("stdout", "100%"), ("stdout", "no end")]
    )


def test_the_console_is_not_recorded_where_that_is_switched_off(installation):
    program = CONSOLE.replace("system=False", "system=False, console=False")
    assert told.said(told.start(installation, program))[0] == 0
    assert stream("run", "console") == []


def test_the_system_is_sampled_at_every_interval(installation):
    program = """
        import lineal, time
        run = lineal.init(id="run", settings=lineal.Settings(console=False, system_interval_s=0.2))
        time.sleep(2.5)
        """
    assert told.said(told.start(installation, program))[0] == 0
    rows = stream("run", "system")
    assert 3 <= len(rows) <= 14
    assert {"system.memory", "system.proc.memory.rss"} & {key for row in rows for key in row} or rows[-1]
    with lineal.init(settings=only()) as quiet:
        pass
    assert stream(quiet.id, "system") == []


def test_a_part_that_fails_is_dropped_and_said_at_debug_level_and_the_rest_is_recorded(monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("the disk of the packages is gone")

    monkeypatch.setattr(packages, "packages", fail)
    caplog.set_level(logging.DEBUG, logger="lineal")
    with lineal.init(settings=only(environment=True, packages=True)) as run:
        run.log({"a": 1})
    assert told.record(run.id).environment
    assert told.rows(run.id) == [{"a": 1}]
    assert caplog.text.count("is not recorded any more") == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_source_that_fails_is_asked_no_more():
    asked = []

    def source(final):
        asked.append(final)
        raise RuntimeError("no")

    ask = recording._guarded(source)
    assert [ask(False), ask(False), ask(True)] == [{}, {}, {}]
    assert asked == [False]


def test_what_is_recorded_by_default_is_everything_but_the_code(repository):
    with lineal.init() as run:
        print("hello")
    record = told.record(run.id)
    assert record.code["commit"]
    assert record.environment["packages"]
    assert set(environment.VARIABLES)
    assert "diff.patch" in told.files(run.id)
    assert {"stdout": "hello"} in stream(run.id, "console")
    assert list(lineal.Api().run(run.id).logged_artifacts()) == []
