"""Getting an artifact's files: downloaded, verified, checked out."""

import os
import stat
from pathlib import Path

import pytest

import lineal
from lineal import Api, Artifact
from lineal.core import errors


def tree(folder: str | Path) -> dict[str, str]:
    base = Path(folder)
    return {str(p.relative_to(base)): p.read_text() for p in sorted(base.rglob("*")) if p.is_file()}


def test_files_go_to_a_folder_named_by_the_version_unless_told_otherwise(log, place):
    artifact = log("digits", {"a": "1", "b/c": "2"})
    assert artifact.download() == str(place.work / "artifacts" / "digits:v0")
    assert tree("artifacts/digits:v0") == {"a": "1", "b/c": "2"}
    assert artifact.download(root=Path("elsewhere")) == str(place.work / "elsewhere")
    assert tree("elsewhere") == {"a": "1", "b/c": "2"}


def test_a_path_prefix_picks_whole_segments(log):
    artifact = log("digits", {"a/1": "1", "ab/2": "2", "a.txt": "3"})
    artifact.download("folder", path_prefix="a")
    assert tree("folder") == {"a/1": "1"}
    artifact.download("slash", path_prefix="a/")
    assert tree("slash") == {"a/1": "1"}
    artifact.download("file", path_prefix="a.txt")
    assert tree("file") == {"a.txt": "3"}
    with pytest.raises(errors.EntryNotFound, match="no file or folder 'b'"):
        artifact.download("none", path_prefix="b")
    with pytest.raises(errors.EntryNotFound):
        artifact.download("none", path_prefix="../a")
    assert not Path("none").exists()


@pytest.mark.parametrize("size", [10, 300_000])
def test_links_are_read_only_and_the_store_stays_whole(log, size):
    artifact = log("digits", {"a": b"x" * size})
    path = Path(artifact.download("out", mode="link"), "a")
    assert path.read_bytes() == b"x" * size
    assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    artifact.verify("out")
    assert Api()._connection.backend.store.fsck().problems == ()


def test_an_unwritten_copy_is_writable_and_its_change_stays_out_of_the_store(log):
    artifact = log("digits", {"a": b"x" * 300_000})
    Path(artifact.download("out"), "a").write_text("mine")
    assert Path(artifact.download("other"), "a").read_bytes() == b"x" * 300_000


def test_a_changed_file_is_made_right_again_even_with_its_times_set_back(log):
    artifact = log("digits", {"a": "1", "b": "2"})
    path = Path(artifact.download("out"), "a")
    before = path.stat()
    path.write_text("9")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    artifact.download("out")
    assert tree("out") == {"a": "1", "b": "2"}


def test_the_file_of_an_artifact_with_one(log):
    assert Path(log("model", {"w.bin": "weights"}).file("out")).read_text() == "weights"
    with pytest.raises(errors.InvalidArgument, match="has 2 files"):
        log("digits", {"a": "1", "b": "2"}).file()


def test_one_entry_is_downloaded_alone(log, place):
    artifact = log("digits", {"a/1": "1", "b": "2"})
    assert artifact.get_entry("a/1").download("out") == str(place.work / "out/a/1")
    assert tree("out") == {"a/1": "1"}
    assert artifact.get_entry("b").download() == str(place.work / "artifacts/digits:v0/b")


def test_verify_names_what_changed_is_missing_or_is_too_much(log):
    artifact = log("digits", {"a": "1", "b": "2", "c": "3"})
    folder = Path(artifact.download("out"))
    artifact.verify("out")
    (folder / "a").write_text("9")
    (folder / "b").unlink()
    (folder / "deep").mkdir()
    (folder / "deep/extra").write_text("x")
    with pytest.raises(errors.DigestMismatch) as refusal:
        artifact.verify("out")
    assert refusal.value.details["paths"] == ["a", "b", "deep/extra"]


def test_verify_of_a_folder_that_is_not_there_misses_every_file(log):
    with pytest.raises(errors.DigestMismatch, match="a"):
        log("digits", {"a": "1"}).verify("nowhere")


def test_a_checkout_holds_exactly_the_version(log):
    first = log("digits", {"a": "1", "old/x": "x"})
    second = log("digits", {"a": "2"})
    first.checkout("out")
    Path("out/mine").write_text("unlogged")
    Path("out/link").symlink_to("/")
    second.checkout("out")
    assert tree("out") == {"a": "2"}
    assert sorted(p.name for p in Path("out").iterdir()) == ["a"]
    first.checkout("out")
    assert tree("out") == {"a": "1", "old/x": "x"}


def test_a_checkout_may_turn_a_folder_into_a_file_and_back(log):
    first = log("digits", {"a/b": "1"})
    second = log("digits", {"a": "2"})
    first.checkout("out")
    second.checkout("out")
    assert tree("out") == {"a": "2"}
    first.checkout("out")
    assert tree("out") == {"a/b": "1"}


def test_a_checkout_never_follows_a_link_out(log, place):
    kept = place.work.parent / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    Path("out").mkdir()
    Path("out/there").symlink_to(kept)
    log("digits", {"a": "1"}).checkout("out")
    assert (kept / "file").read_text() == "mine"
    assert tree("out") == {"a": "1"}


def test_a_checkout_refuses_home_the_working_folder_and_those_above(log, place):
    artifact = log("digits", {"a": "1"})
    (place.home / "letter").write_text("dear")
    for folder in (place.home, place.work, place.home.parent, Path("/"), Path()):
        with pytest.raises(errors.InvalidTarget, match="folder of its own"):
            artifact.checkout(folder)
    assert (place.home / "letter").read_text() == "dear"


def test_links_in_the_target_are_never_followed(log, place):
    outside = place.work.parent / "outside"
    outside.mkdir()
    Path("out").mkdir()
    Path("out/sub").symlink_to(outside)
    artifact = log("digits", {"sub/x": "1", "y": "2"})
    with pytest.raises(errors.InvalidTarget, match="is a link or a file"):
        artifact.download("out")
    (outside / "y").write_text("mine")
    Path("out/sub").unlink()
    Path("out/y").unlink(missing_ok=True)
    Path("out/y").symlink_to(outside / "y")
    artifact.download("out")
    assert (outside / "y").read_text() == "mine"
    assert sorted(p.name for p in outside.iterdir()) == ["y"]


def test_a_file_where_the_folder_should_be_is_a_clear_refusal(log):
    Path("taken").write_text("a file")
    artifact = log("digits", {"a": "1"})
    with pytest.raises(errors.InvalidTarget, match="taken"):
        artifact.download("taken")
    with pytest.raises(errors.InvalidTarget, match="taken"):
        artifact.download("taken/deeper")
    assert Path("taken").read_text() == "a file"


def test_a_flipped_byte_in_the_store_is_never_handed_out(log, place):
    artifact = log("digits", {"a": b"x" * 300_000, "b": "small"})
    (big,) = (p for p in place.store.rglob("objects/*/*") if p.stat().st_size == 300_000)
    big.chmod(0o600)
    content = bytearray(big.read_bytes())
    content[1000] ^= 1
    big.write_bytes(content)
    with pytest.raises(errors.DigestMismatch, match="'a'"):
        artifact.download("out")
    assert not Path("out/a").exists()
    assert [p for p in Path("out").iterdir() if p.name.startswith(".lineal")] == []
    with pytest.raises(errors.DigestMismatch, match="'a'"):
        artifact.download("linked", mode="link")


def test_references_are_fetched_with_the_rest(write):
    draft = Artifact("mixed", "dataset")
    draft.add_reference((write({"far": "away"}) / "far").as_uri())
    draft.add("here", "near")
    with lineal.init() as run:
        artifact = run.log_artifact(draft)
    assert tree(artifact.download("out")) == {"far": "away", "near": "here"}
    artifact.verify("out")
