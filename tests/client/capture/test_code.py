import os
import subprocess
from pathlib import Path

import pytest

from lineal.client.capture import code
from lineal.client.capture.code import EXCLUDE, INCLUDE, MAX_FILE_BYTES, code_files
from tests.client.capture.test_git import git


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def found(root: str = ".", **how: object) -> list[str]:
    return [path.relative_to(root).as_posix() for path in code_files(Path(root), **how)]  # type: ignore[arg-type]


@pytest.fixture
def repository():
    """An empty repository in the working folder."""
    git("init", "-q")


def test_in_a_repository_the_source_that_git_does_not_ignore_is_found(repository):
    make("train.py", "src/model.py", "conf/a.yaml", "notes.ipynb", "data.csv", "out/made.py", ".ci/steps.yml")
    Path(".gitignore").write_text("out/\n")
    git("add", "train.py", "data.csv")
    expected = [".ci/steps.yml", ".gitignore", "conf/a.yaml", "notes.ipynb", "src/model.py", "train.py"]
    assert found() == expected
    assert found("src") == ["model.py"]


def test_a_tracked_file_that_was_deleted_is_passed_over(repository):
    make("gone.py", "here.py")
    git("add", "-A")
    Path("gone.py").unlink()
    assert found() == ["here.py"]


def test_files_in_conflict_are_found_once(repository):
    make("a.py")
    git("add", "-A")
    git("commit", "-qm", "One")
    git("checkout", "-qb", "side")
    Path("a.py").write_text("side")
    git("commit", "-qam", "Side")
    git("checkout", "-q", "main")
    Path("a.py").write_text("main")
    git("commit", "-qam", "Main")
    subprocess.run(["git", "merge", "-q", "side"], capture_output=True, check=False)
    assert found() == ["a.py"]


def test_a_repository_within_is_not_ours(repository):
    make("a.py", "other/b.py")
    git("init", "-q", "other")
    git("-C", "other", "add", "-A")
    git("-C", "other", "commit", "-qm", "One")
    assert found() == ["a.py"]


def test_outside_of_a_repository_environments_caches_and_hidden_folders_are_passed_over():
    make("train.py", "src/a.py", ".hidden/b.py", "__pycache__/c.py", "my-env/lib/d.py", "my-env/pyvenv.cfg")
    make("node_modules/e.js", "x.egg-info/f.toml", "conda/conda-meta/g", "conda/h.py", "env/gym.py", "picture.png")
    assert found() == ["env/gym.py", "src/a.py", "train.py"]


@pytest.mark.parametrize("in_git", [True, False])
def test_files_that_tend_to_hold_secrets_are_left_out(in_git):
    if in_git:
        git("init", "-q")
    make("a.py", ".env", "secrets.py", "secrets.yaml", "my_credentials.toml", "server.pem", "id.key", "prod.env")
    assert found() == ["a.py", "secrets.py"]
    assert found(include=["*"], exclude=EXCLUDE) == ["a.py", "secrets.py"]


@pytest.mark.parametrize("in_git", [True, False])
def test_links_never_lead_out_of_the_root(in_git, tmp_path):
    if in_git:
        git("init", "-q")
    make("src/a.py")
    (tmp_path / "private.py").write_text("private")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "b.py").write_text("private")
    Path("out.py").symlink_to(tmp_path / "private.py")
    Path("up.py").symlink_to("../private.py")
    Path("folder").symlink_to(tmp_path / "folder")
    Path("loop.py").symlink_to("loop.py")
    Path("broken.py").symlink_to("nowhere.py")
    Path("inside.py").symlink_to("src/a.py")
    assert found() == ["inside.py", "src/a.py"]


def test_a_root_that_is_a_link_itself_is_followed(tmp_path):
    make("a.py")
    (tmp_path / "link").symlink_to(Path.cwd())
    assert found(str(tmp_path / "link")) == ["a.py"]


def test_what_is_no_regular_file_or_too_large_is_left_out():
    make("a.py")
    os.mkfifo("pipe.py")
    Path("folder.py").mkdir()
    with Path("big.ipynb").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with Path("full.ipynb").open("wb") as file:
        file.truncate(MAX_FILE_BYTES)
    assert found() == ["a.py", "full.ipynb"]


def test_what_is_source_can_be_chosen_by_patterns_and_by_functions():
    make("a.py", "src/b.py", "src/deep/c.py", "d.txt")
    assert found(include=["*.txt"]) == ["d.txt"]
    assert found(include=["src/*"]) == ["src/b.py", "src/deep/c.py"]
    assert found(exclude=["src/deep/*", "a.*"]) == ["src/b.py"]
    assert found(include=lambda path: path.endswith("b.py")) == ["src/b.py"]
    assert found(include=[*INCLUDE, "d.txt"], exclude=lambda path: "deep" in path) == ["a.py", "d.txt", "src/b.py"]


def test_odd_names_are_only_names(repository):
    make("-x.py", "a b.py", "$(touch pwned).py", "ü\n.py")
    assert found() == ["$(touch pwned).py", "-x.py", "a b.py", "ü\n.py"]


def test_beyond_the_limit_files_are_left_out_with_a_warning(monkeypatch, caplog):
    monkeypatch.setattr(code, "MAX_FILES", 2)
    make("a.py", "b.py")
    assert found() == ["a.py", "b.py"]
    assert caplog.text == ""
    make("c.py")
    assert found() == ["a.py", "b.py"]
    assert "up to 2 files" in caplog.text


def test_a_root_that_is_not_there_holds_nothing():
    assert found("nowhere") == []
