import os
import subprocess
from pathlib import Path

import pytest

import lineal
from lineal.client.capture.git import code_facts, without_password


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
