import os
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from lineal.client.capture.patch import patch
from tests.client.capture.test_git import git


@pytest.fixture
def repository() -> Path:
    """A checkout of three texts, a binary and a link in the working folder."""
    git("init", "-q")
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("".join(f"{name} {number}\n" for number in range(50)))
    Path("data.bin").write_bytes(bytes(range(256)) * 4)
    Path("link").symlink_to("a.txt")
    git("add", "-A")
    git("commit", "-qm", "One")
    return Path.cwd()


@pytest.fixture
def applied(repository, tmp_path):
    """Applies a patch to a fresh clone, which it gives."""

    def apply(data: bytes) -> Path:
        clone = tmp_path / "clone"
        git("clone", "-q", str(repository), str(clone))
        if data:
            subprocess.run(["git", "apply", "--index", "-"], input=data, cwd=clone, check=True)
        return clone

    return apply


def contents(folder: Path) -> dict[str, object]:
    return {
        path.relative_to(folder).as_posix(): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if ".git" not in path.parts and (path.is_file() or path.is_symlink())
    }


def change_everything() -> None:
    Path("a.txt").write_text("no end of line")
    Path("b.txt").unlink()
    Path("sub/c.txt").rename('sub/süß "d".txt')
    git("add", "-A", "sub")
    Path('sub/süß "d".txt').chmod(0o755)
    Path("data.bin").write_bytes(os.urandom(5000))
    Path("link").unlink()
    Path("link").write_text("a file now\n")
    Path("empty").write_text("")
    Path("windows.txt").write_bytes(b"a\r\nb\r\n")
    git("add", "-N", "empty", "windows.txt")


def test_a_patch_brings_every_kind_of_change_back(repository, applied):
    change_everything()
    found = patch(Path())
    assert found is not None
    assert (found.cut, found.left_out_bytes) == (False, 0)
    clone = applied(found.data)
    assert contents(clone) == contents(repository)
    assert os.access(clone / 'sub/süß "d".txt', os.X_OK)


def test_settings_of_the_user_change_nothing(repository, applied):
    for setting in ("diff.noprefix", "diff.mnemonicPrefix", "diff.relative", "color.ui", "diff.renames"):
        git("config", setting, "always" if setting == "color.ui" else "true")
    git("config", "diff.external", "false")
    git("config", "diff.shout.textconv", "tr a-z A-Z <")
    git("config", "diff.shout.command", "false")
    Path(".git/info/attributes").write_text("*.txt diff=shout\n")
    change_everything()
    found = patch(Path("sub"))
    assert found is not None
    assert contents(applied(found.data)) == contents(repository)


def test_untracked_files_are_not_in_it(repository):
    Path("new.txt").write_text("new")
    assert patch(Path()) is None


def test_there_is_none_of_a_clean_tree_without_a_commit_and_without_git(repository, tmp_path, monkeypatch):
    assert patch(Path()) is None
    git("init", "-q", str(tmp_path / "none"))
    assert patch(tmp_path / "none") is None
    assert patch(tmp_path) is None
    Path("a.txt").write_text("changed")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert patch(Path()) is None


@pytest.mark.parametrize("limit", [0, 100, 250, 1000, 2500, 5000, 9000])
def test_whatever_the_limit_what_is_kept_applies_and_the_rest_is_counted(repository, applied, limit):
    change_everything()
    whole = patch(Path())
    found = patch(Path(), limit_bytes=limit)
    assert whole is not None and found is not None
    assert len(found.data) <= limit
    assert found.left_out_bytes == len(whole.data) - len(found.data)
    assert found.cut is (found.left_out_bytes > 0)
    applied(found.data)


def test_a_large_file_does_not_push_out_small_ones(repository, applied):
    Path("a.txt").write_text("x" * 100_000)
    Path("b.txt").write_text("small\n")
    found = patch(Path(), limit_bytes=10_000)
    assert found is not None and found.cut
    assert found.left_out_bytes > 100_000
    clone = applied(found.data)
    assert (clone / "b.txt").read_text() == "small\n"
    assert (clone / "a.txt").read_text() != Path("a.txt").read_text()


@pytest.mark.parametrize("folder_first", [True, False])
def test_nothing_is_made_where_a_file_stands_whose_deletion_is_left_out(repository, applied, folder_first):
    big, small = ("dir/big.txt", "dir") if folder_first else ("dir", "dir/small.txt")
    Path(big).parent.mkdir(exist_ok=True)
    Path(big).write_text("x" * 50_000)
    git("add", "-A")
    git("commit", "-qm", "Two")
    Path(big).unlink()
    if folder_first:
        Path("dir").rmdir()
    Path(small).parent.mkdir(exist_ok=True)
    Path(small).write_text("small\n")
    git("add", "-A")
    Path("b.txt").write_text("changed\n")
    found = patch(Path(), limit_bytes=10_000)
    assert found is not None and found.cut
    clone = applied(found.data)
    assert (clone / "b.txt").read_text() == "changed\n"
    assert (clone / big).is_file()


def test_lines_that_look_like_headers_are_only_lines(repository, applied):
    Path("a.txt").write_text("diff --git a/x b/x\ndeleted file mode 100644\n" * 20)
    git("add", "-A")
    git("commit", "-qm", "Two")
    Path("a.txt").write_text("diff --git a/y b/y\nnew file mode 100644\n" * 20)
    found = patch(Path())
    assert found is not None and not found.cut
    assert contents(applied(found.data)) == contents(repository)


def test_an_endless_change_does_not_fill_memory(repository):
    with Path("a.txt").open("w") as file:
        for _ in range(64):
            file.write("x" * (1 << 20))  # one line
    Path("data.bin").write_bytes(os.urandom(16 << 20))
    tracemalloc.start()
    found = patch(Path(), limit_bytes=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is not None and found.cut
    assert found.left_out_bytes > 64 << 20
    assert peak < 8 << 20


def test_when_time_is_over_it_is_cut(repository, tmp_path, monkeypatch):
    Path("a.txt").write_text("changed\n")
    Path("b.txt").write_text("changed\n")
    whole = patch(Path())
    assert whole is not None
    first = whole.data[: whole.data.index(b"diff --git a/b.txt")]
    (tmp_path / "out").write_bytes(whole.data[:-10])
    (tmp_path / "git").write_text(f'#!/bin/sh\ncat "{tmp_path}/out"\nexec sleep 60\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = patch(Path(), timeout_s=0.5)
    assert found is not None and found.cut
    assert found.data == first
    assert found.left_out_bytes == len(whole.data) - 10 - len(first)
