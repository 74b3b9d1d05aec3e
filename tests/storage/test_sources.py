"""Sources: every regular file is found and named; what leads out, in circles or nowhere is refused."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core.errors import Error, InvalidPath, InvalidSource
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.sources import Source, find_file, find_files, state_of
from tests.processes import RunChild
from tests.stores import digest_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a few files."""
    root = tmp_path / "tree"
    for path in ("a.txt", "b.tmp", "sub/c.txt", "sub/deep/d.txt", ".git/config"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def paths(found: list[Source]) -> list[str]:
    return sorted(source.path for source in found)


# ---- one file ------------------------------------------------------------------------------------------------


def test_a_file_is_named_by_its_own_name_or_the_given_one(tree: Path) -> None:
    file = tree / "a.txt"
    assert find_file(file) == Source("a.txt", str(file), state_of(file.stat()))
    assert find_file(str(file), "x/y").path == "x/y"


def test_a_link_to_a_file_is_the_file_under_the_links_name(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree / "a.txt")
    found = find_file(tmp_path / "link")
    assert (found.path, found.file) == ("link", str(tree / "a.txt"))


@pytest.mark.parametrize("name", ["sub", "none", "a.txt/x", "a\x00b", "/dev/null"])
def test_what_is_no_regular_file_is_refused(tree: Path, name: str) -> None:
    with pytest.raises(InvalidSource):
        find_file(tree / name)


def test_a_circle_of_links_is_refused(tree: Path) -> None:
    (tree / "one").symlink_to("two")
    (tree / "two").symlink_to("one")
    for act in (lambda: find_file(tree / "one"), lambda: find_files(tree)):
        with pytest.raises(InvalidSource):
            act()


@pytest.mark.parametrize("path", ["../x", "/x", "a\\b", "a//b"])
def test_a_name_that_leads_elsewhere_is_refused(tree: Path, path: str) -> None:
    with pytest.raises(InvalidPath):
        find_file(tree / "a.txt", path)


# ---- folders -------------------------------------------------------------------------------------------------


def test_every_file_is_found_and_named_from_the_folder(tree: Path) -> None:
    found = find_files(tree)
    assert paths(found) == [".git/config", "a.txt", "b.tmp", "sub/c.txt", "sub/deep/d.txt"]
    assert all(Path(source.file).read_text() == source.path for source in found)
    assert all(source.state == state_of(os.stat(source.file)) for source in found)


@pytest.mark.parametrize("prefix", ["x/y", "/x/y/", "x/y/"])
def test_a_prefix_goes_before_every_name(tree: Path, prefix: str) -> None:
    assert paths(find_files(tree / "sub", prefix)) == ["x/y/c.txt", "x/y/deep/d.txt"]


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    assert find_files(tmp_path / "empty") == []


@pytest.mark.parametrize("name", ["a.txt", "none", "a\x00b", "/dev/null"])
def test_what_is_no_folder_is_refused(tree: Path, name: str) -> None:
    with pytest.raises(InvalidSource):
        find_files(tree / name)


def test_a_link_to_the_folder_itself_may_be_given(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert paths(find_files(tmp_path / "link")) == paths(find_files(tree))


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["*.tmp"], [".git/config", "a.txt", "sub/c.txt", "sub/deep/d.txt"]),
        ([".git/"], ["a.txt", "b.tmp", "sub/c.txt", "sub/deep/d.txt"]),
        ([".git"], ["a.txt", "b.tmp", "sub/c.txt", "sub/deep/d.txt"]),
        (["sub/*"], [".git/config", "a.txt", "b.tmp"]),
        (["deep/"], [".git/config", "a.txt", "b.tmp", "sub/c.txt"]),
        (["a.txt/"], [".git/config", "a.txt", "b.tmp", "sub/c.txt", "sub/deep/d.txt"]),
        (["[ab].t*", ".git/"], ["sub/c.txt", "sub/deep/d.txt"]),
        (["sub/deep/d.txt"], [".git/config", "a.txt", "b.tmp", "sub/c.txt"]),
        (["*"], []),
    ],
)
def test_ignored_files_and_folders_are_left_out(tree: Path, ignore: list[str], left: list[str]) -> None:
    assert paths(find_files(tree, ignore=ignore)) == left


def test_patterns_see_the_path_below_the_folder_not_the_prefix(tree: Path) -> None:
    assert paths(find_files(tree / "sub", "x", ignore=["x/*"])) == ["x/c.txt", "x/deep/d.txt"]


def test_a_tree_as_deep_as_the_system_lets_it_be_is_walked(tmp_path: Path) -> None:
    depth = (4000 - len(str(tmp_path))) // 2
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    finally:
        os.close(here)
    try:
        assert paths(find_files(tmp_path)) == ["d/" * depth + "f"]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # too deep for shutil


# ---- links and strange things --------------------------------------------------------------------------------


def test_links_that_stay_inside_are_followed(tree: Path) -> None:
    (tree / "file").symlink_to("sub/c.txt")
    (tree / "folder").symlink_to(tree / "sub" / "deep")
    found = {source.path: source.file for source in find_files(tree)}
    assert found["file"] == str(tree / "sub/c.txt")
    assert found["folder/d.txt"] == str(tree / "sub/deep/d.txt")


@pytest.mark.parametrize("target", ["/etc/passwd", "/etc", "../outside", "../tree-2", "../outside.txt"])
def test_links_that_lead_out_are_refused(tree: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "tree-2").mkdir()
    (tmp_path / "outside.txt").write_text("x")
    (tree / "sub" / "link").symlink_to(f"../{target}" if target.startswith("..") else target)
    with pytest.raises(InvalidSource, match="leads out"):
        find_files(tree)
    assert "sub/link" not in paths(find_files(tree, ignore=["link"]))


def test_a_link_to_nothing_is_refused(tree: Path) -> None:
    (tree / "link").symlink_to("nothing")
    with pytest.raises(InvalidSource, match="nothing"):
        find_files(tree)


@pytest.mark.parametrize("target", [".", "..", "../..", "../../sub"])
def test_a_link_to_a_folder_around_it_is_refused(tree: Path, target: str) -> None:
    (tree / "sub" / "deep" / "link").symlink_to(target)
    with pytest.raises(InvalidSource, match="around it"):
        find_files(tree)


def test_two_folders_that_link_to_each_other_are_refused(tree: Path) -> None:
    (tree / "one").mkdir()
    (tree / "two").mkdir()
    (tree / "one" / "x").symlink_to("../two")
    (tree / "two" / "y").symlink_to("../one")
    with pytest.raises(InvalidSource, match="around it"):
        find_files(tree)


def test_a_pipe_is_refused_and_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(InvalidSource, match="pipe"):
        find_files(tree)
    with pytest.raises(InvalidSource):
        find_file(tree / "pipe")
    assert "pipe" not in paths(find_files(tree, ignore=["pipe"]))


def test_a_socket_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(InvalidSource, match="socket"):
            find_files(tree)


def test_a_name_that_is_no_text_is_refused_before_anything_is_read(tree: Path) -> None:
    with open(os.fsencode(tree) + b"/caf\xe9", "wb"):
        pass
    with pytest.raises(InvalidPath):
        find_files(tree)


@pytest.mark.parametrize("name", ["a\\b", "a\nb", "a\x1bb"])
def test_a_name_that_would_not_be_safe_elsewhere_is_refused(tree: Path, name: str) -> None:
    (tree / name).write_text("x")
    with pytest.raises(InvalidPath):
        find_files(tree)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    name=st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="/\x00"), min_size=1, max_size=30
    ).filter(lambda n: n not in (".", "..") and len(n.encode()) < 256)
)
def test_what_is_found_can_be_an_entry_or_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_text("x")
    try:
        (found,) = find_files(folder)
    except Error as problem:
        assert problem.code == "invalid.path"
    else:
        assert found.path == name
        assert Manifest([Entry(found.path, digest_of(b"x"), 1)]).by_path[name]


def test_what_may_not_be_read_is_refused(open_path: Path, run_child: RunChild) -> None:
    (open_path / "tree" / "closed").mkdir(parents=True)
    os.chmod(open_path / "tree" / "closed", 0)
    code = """
from lineal.core.errors import InvalidSource
from lineal.storage.sources import find_file, find_files
drop()
for act in (lambda: find_files(sys.argv[1]), lambda: find_file(sys.argv[1] + "/closed/x")):
    try:
        act()
    except InvalidSource as problem:
        print("closed" in problem.message)
"""
    folder = open_path / "tree"
    os.chmod(folder, 0o755)
    if os.getuid() == 0:
        os.chown(folder / "closed", 0, 0)
    assert run_child(code, folder).split() == ["True", "True"]
