import subprocess
import sys
from pathlib import Path

import pytest

import lineal
from lineal.client.connection import connection
from lineal.tracking.model import Batch

TRAIN = "import sys, lineal\nwith lineal.init(settings={'system': False}) as run:\n    run.log({'sum': 6})\n"


@pytest.fixture
def repo(place):
    """A checkout with a program, which is the working folder."""
    folder = place.work / "repo"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    options = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *options, *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def run_id(repo, monkeypatch):
    """A run whose record says that it ran that program, in this environment."""
    monkeypatch.chdir(repo)
    with lineal.init(settings={"system": False, "console": False}) as run:
        run.log({"sum": 6})
    command = ["python", "train.py"]
    amend(run.id, command=command)
    return run.id


def amend(run_id, **facts):
    """Sets facts of what is recorded of the run's environment."""
    runs = connection().backend.runs
    amend.count = getattr(amend, "count", 0) + 1
    facts = {**runs.get(run_id).environment, **facts}
    runs.append(run_id, f"amend-{amend.count}", 1, Batch(environment=facts))


def test_the_steps_are_printed(cli, run_id):
    said = cli("reproduce", run_id)
    assert said.code == 0, said.err
    assert said.out.startswith("#!/bin/sh\n")
    assert "worktree add" in said.out
    assert f"LINEAL_REPRODUCES={run_id}" in said.out
    assert not Path(f"reproduce-{run_id}").exists()


def test_the_steps_are_written_to_a_file_that_is_not_there(cli, run_id):
    assert "sh 'my steps.sh'" in cli("reproduce", run_id, "-o", "my steps.sh").out
    assert Path("my steps.sh").read_text().startswith("#!/bin/sh\n")
    said = cli("reproduce", run_id, "-o", "my steps.sh")
    assert (said.code, "can't be written" in said.err) == (2, True)


def test_a_run_is_carried_out_and_compared(cli, run_id, place):
    said = cli("reproduce", run_id, "--execute", "--yes", "--this-environment", "--into", "../again")
    assert said.code == 0, said.out + said.err
    assert "  " + sys.executable + " train.py" in said.out
    assert "1 of 1 metrics are equal" in said.out
    assert (place.work / "again" / "code" / "train.py").read_text() == TRAIN


def test_without_a_terminal_nothing_is_run_that_was_not_agreed_to(cli, run_id, monkeypatch):
    with open("/dev/null") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        said = cli("reproduce", run_id, "--execute", "--this-environment")
    assert said.code == 2
    assert "train.py" in said.out
    assert "--yes" in said.err
    assert not Path(f"reproduce-{run_id}").exists()


def test_what_can_not_be_the_same_is_not_carried_out_without_force(cli, run_id):
    amend(run_id, packages=["nosuch==1.0"])
    said = cli("reproduce", run_id, "--execute", "--yes", "--this-environment")
    assert (said.code, "conflict.not_reproducible" in said.err) == (4, True)
    assert "Can't be the same: no nosuch is here, was nosuch==1.0." in said.out
    assert not Path(f"reproduce-{run_id}").exists()
    said = cli("reproduce", run_id, "--execute", "--yes", "--this-environment", "--force")
    assert said.code == 0, said.err
    assert "not expected to be the same" in said.out


def test_a_recorded_command_is_shown_harmless_and_run_as_words(cli, run_id, place):
    word = "; touch pwned $(touch pwned) \x1b[31m"
    amend(run_id, command=["python", "-c", "import sys; open('words', 'w').write(sys.argv[1])", word])
    said = cli("reproduce", run_id, "--execute", "--yes", "--this-environment", "--into", "../again")
    assert said.code == 0, said.err
    assert "\x1b" not in said.out
    assert "recorded no run" in said.out
    assert (place.work / "again" / "code" / "words").read_text() == word
    assert not list(place.work.rglob("pwned"))


def test_a_command_that_fails_is_told(cli, run_id):
    amend(run_id, command=["python", "-c", "raise SystemExit(3)"])
    said = cli("reproduce", run_id, "--execute", "--yes", "--this-environment")
    assert said.code == 4
    assert "exit code 3" in said.err


def test_a_run_without_a_commit_is_refused(cli, place):
    with lineal.init(settings={"git": False}) as run:
        pass
    said = cli("reproduce", run.id)
    assert (said.code, "no commit on record" in said.err) == (4, True)


def test_a_run_that_is_not_there_is_told(cli):
    assert cli("reproduce", "nosuchrn").code == 3


def test_output_and_execute_exclude_each_other(cli, run_id):
    assert cli("reproduce", run_id, "--execute", "--output", "x").code == 2
