import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import lineal
from lineal.client.capture import git as module
from lineal.client.capture.git import code_facts, git_root, streamed, untracked_facts, without_password


def git(*words: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository() -> str:
    """A repository in the working folder, and its commit."""
    git("init", "-q")
    Path("train.py").write_text("print('hello')\n")
    git("add", "train.py")
    git("commit", "-qm", "One")
    return git("rev-parse", "HEAD")


def test_commit_branch_and_a_clean_tree_are_told(repository):
    facts = code_facts()
    assert (facts["commit"], facts["branch"], facts["dirty"]) == (repository, "main", False)
    assert "remote" not in facts


def test_a_changed_file_makes_the_tree_dirty_and_an_untracked_one_does_not(repository):
    Path("notes.txt").write_text("untracked")
    assert code_facts()["dirty"] is False
    Path("train.py").write_text("print('changed')\n")
    assert code_facts()["dirty"] is True


def test_facts_are_those_of_the_folder_asked_for(repository, tmp_path):
    Path("deep").mkdir()
    assert code_facts(Path("deep"))["commit"] == repository
    assert "commit" not in code_facts(tmp_path)


def test_a_detached_head_has_a_commit_and_no_branch(repository):
    git("checkout", "-q", "--detach")
    facts = code_facts()
    assert facts["commit"] == repository
    assert "branch" not in facts


def test_a_repository_without_commits_has_no_facts():
    git("init", "-q")
    assert code_facts().keys() <= {"program"}


def test_no_password_of_a_remote_is_ever_recorded(repository):
    git("remote", "add", "origin", "https://ada:s3cret@example.org:8443/team/digits.git")
    assert code_facts()["remote"] == "https://example.org:8443/team/digits.git"
    with lineal.init() as run:
        pass
    assert "s3cret" not in repr(lineal.Api().run(run.id))


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("https://token@example.org/a.git", "https://example.org/a.git"),
        ("https://u:p@ss@example.org/a.git", "https://example.org/a.git"),
        ("ssh://git@example.org/a.git", "ssh://example.org/a.git"),
        ("git@example.org:team/a.git", "git@example.org:team/a.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("https://[broken", ""),
    ],
)
def test_addresses_of_remotes_lose_who_logs_in(remote, shown):
    assert without_password(remote) == shown


def test_odd_branch_names_are_only_texts(repository):
    git("checkout", "-q", "-b", "$(touch-pwned);--upload-pack=x")
    assert code_facts()["branch"] == "$(touch-pwned);--upload-pack=x"
    assert sorted(os.listdir()) == [".git", "train.py"]


def test_without_git_on_the_path_runs_start_all_the_same(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "commit" not in code_facts()
    with lineal.init() as run:
        pass
    assert lineal.Api().run(run.id).state == "finished"
    assert "commit" not in lineal.Api().run(run.id).code


def test_a_run_records_the_code_it_ran_with(repository):
    with lineal.init() as run:
        pass
    assert lineal.Api().run(run.id).code["commit"] == repository


@pytest.fixture
def trap(tmp_path) -> Path:
    """A program that leaves a mark when it is run: the mark's path, beside the program `trap`."""
    program, mark = tmp_path / "trap", tmp_path / "mark"
    program.write_text(f'#!/bin/sh\necho ran >> "{mark}"\ncat\n')
    program.chmod(0o755)
    return mark


def test_nothing_that_the_repository_names_is_run(repository, trap):
    program = str(trap.with_name("trap"))
    git("config", "core.fsmonitor", program)
    git("config", "core.hooksPath", str(trap.parent))
    (trap.parent / "post-index-change").write_text(f"#!/bin/sh\necho ran >> '{trap}'\n")
    (trap.parent / "post-index-change").chmod(0o755)
    git("config", "diff.external", program)
    git("config", "core.pager", program)
    Path("train.py").write_text("print('changed')\n")
    trap.unlink(missing_ok=True)
    assert code_facts()["dirty"] is True
    assert untracked_facts(Path())["untracked_count"] == 0
    assert not trap.exists()


def test_a_program_is_told_by_its_place_in_the_checkout(repository, monkeypatch, tmp_path):
    Path("src").mkdir()
    Path("src", "deep.py").write_text("")
    monkeypatch.setattr("sys.argv", ["src/deep.py"])
    assert code_facts()["program"] == "src/deep.py"
    (tmp_path / "outside.py").write_text("")
    monkeypatch.setattr("sys.argv", [str(tmp_path / "outside.py")])
    assert code_facts()["program"] == "outside.py"
    monkeypatch.setattr("sys.argv", ["-c"])
    assert "program" not in code_facts()


def test_the_checkout_is_found_from_within_and_not_from_outside(repository, tmp_path):
    Path("a/b").mkdir(parents=True)
    assert git_root(Path("a/b")) == Path.cwd()
    assert git_root(tmp_path) is None


def test_a_worktree_has_facts_of_its_own(repository, tmp_path):
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    facts = code_facts(tmp_path / "side")
    assert (facts["commit"], facts["branch"]) == (repository, "side")


def test_of_several_remotes_origin_is_told_else_the_first(repository):
    git("remote", "add", "upstream", "https://example.org/up.git")
    git("remote", "add", "another", "https://example.org/another.git")
    assert code_facts()["remote"] == "https://example.org/up.git"
    git("remote", "add", "origin", "https://example.org/mine.git")
    assert code_facts()["remote"] == "https://example.org/mine.git"


def test_untracked_files_are_counted_and_named_and_ignored_ones_are_not(repository):
    Path(".gitignore").write_text("*.log\n")
    Path("a.log").write_text("")
    Path("süß\n.py").write_text("")
    Path("new").mkdir()
    for number in range(3):
        Path("new", f"{number}.py").write_text("")
    facts = untracked_facts(Path("new"))
    assert facts == {"untracked_count": 3, "untracked": [".gitignore", "new/", "süß\n.py"]}


def test_names_of_untracked_files_are_limited_and_their_count_is_not(repository):
    for number in range(150):
        Path(f"{number:03}.txt").write_text("")
    facts = untracked_facts(Path())
    assert facts["untracked_count"] == 150
    assert facts["untracked"] == [f"{number:03}.txt" for number in range(100)]


def test_outside_of_a_checkout_nothing_is_untracked(tmp_path):
    assert untracked_facts(tmp_path) == {}


def test_git_that_takes_too_long_is_stopped(repository, tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    began = time.monotonic()
    with streamed(Path(), "status", timeout_s=0.2) as running:
        assert running.stream.read() == b""
    assert running.late and not running.succeeded
    assert time.monotonic() - began < 10


def test_a_checkout_that_takes_too_long_to_look_through_has_a_commit_all_the_same(repository, tmp_path, monkeypatch):
    git("remote", "add", "origin", "https://example.org/a.git")
    real = shutil.which("git")
    (tmp_path / "git").write_text(f'#!/bin/sh\ncase "$*" in *" status "*) exec sleep 60;; esac\nexec {real} "$@"\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(module, "_TIMEOUT_S", 1.0)
    facts = code_facts()
    assert facts["commit"] == repository
    assert facts["remote"] == "https://example.org/a.git"
    assert not facts.keys() & {"dirty", "branch"}


def test_git_is_stopped_when_the_block_is_left(repository, tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), streamed(Path(), "status"):
        raise KeyboardInterrupt
    assert time.monotonic() - began < 4
