import hashlib
import os
from datetime import timedelta
from pathlib import Path

import pytest

import lineal
from lineal import Artifact
from lineal.core import errors


def logged(artifact: Artifact) -> Artifact:
    with lineal.init() as run:
        return run.log_artifact(artifact)


def paths(artifact: Artifact) -> list[str]:
    return [entry.path for entry in artifact.files()]


# ---- adding --------------------------------------------------------------------------------------------------


def test_a_file_is_named_by_its_own_name_or_the_one_given(write):
    folder = write({"a.csv": "1\n"})
    draft = Artifact("digits", "dataset")
    assert draft.add_file(folder / "a.csv").path == "a.csv"
    assert draft.add_file(folder / "a.csv", "train/b.csv").size == 2
    assert paths(draft) == ["a.csv", "train/b.csv"]


def test_a_folder_is_added_whole_but_for_what_is_ignored(write):
    folder = write({"a.csv": "1", "a.tmp": "x", ".git/config": "x", "deep/b.csv": "2", "deep/c.tmp": "x"})
    draft = Artifact("digits", "dataset")
    draft.add_dir(folder, ignore=["*.tmp", ".git/"])
    assert paths(draft) == ["a.csv", "deep/b.csv"]


def test_a_folder_can_be_added_below_a_name(write):
    draft = Artifact("digits", "dataset")
    draft.add_dir(write({"a.csv": "1"}), "raw/2026")
    assert paths(draft) == ["raw/2026/a.csv"]


def test_what_is_not_there_or_of_the_wrong_kind_is_refused(write):
    folder = write({"a.csv": "1"})
    draft = Artifact("digits", "dataset")
    with pytest.raises(errors.InvalidSource, match="can't be read"):
        draft.add_file("nowhere.csv")
    with pytest.raises(errors.InvalidSource, match="use add_dir"):
        draft.add_file(folder)
    with pytest.raises(errors.InvalidSource, match="use add_file"):
        draft.add_dir(folder / "a.csv")
    assert draft.file_count == 0


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "", "a\x00b", ".", "a//b"])
def test_no_way_of_adding_takes_a_path_that_leads_elsewhere(write, name):
    folder = write({"a.csv": "1"})
    draft = Artifact("digits", "dataset")
    if name:
        with pytest.raises(errors.InvalidPath):
            draft.add_file(folder / "a.csv", name)
    with pytest.raises(errors.InvalidPath):
        draft.add(b"1", name)
    with pytest.raises(errors.InvalidPath), draft.new_file(name):
        pytest.fail("the block must not run")
    assert draft.file_count == 0


def test_a_reference_copies_no_bytes_and_knows_their_digest(write, place):
    file = write({"big.bin": "bytes that stay"}) / "big.bin"
    draft = Artifact("raw", "dataset")
    (entry,) = draft.add_reference(file.as_uri())
    assert entry.ref == file.as_uri()
    assert entry.digest == f"sha256:{hashlib.sha256(b'bytes that stay').hexdigest()}"
    artifact = logged(draft)
    assert artifact.get_entry("big.bin").ref == file.as_uri()
    kept = [p for p in place.store.rglob("*") if p.is_file() and b"bytes that stay" in p.read_bytes()]
    assert kept == []
    assert Path(artifact.download("out"), "big.bin").read_text() == "bytes that stay"


def test_a_reference_whose_bytes_changed_is_not_passed_off_as_the_logged_one(write):
    file = write({"big.bin": "before"}) / "big.bin"
    draft = Artifact("raw", "dataset")
    draft.add_reference(file.as_uri())
    artifact = logged(draft)
    file.write_text("after!")
    with pytest.raises(errors.DigestMismatch, match=r"big\.bin"):
        artifact.download("out")
    assert not Path("out/big.bin").exists()


def test_a_reference_without_checksum_has_no_digest(write):
    file = write({"big.bin": "before"}) / "big.bin"
    (entry,) = Artifact("raw", "dataset").add_reference(file.as_uri(), "b", checksum=False)
    assert (entry.path, entry.digest, entry.size) == ("b", None, 6)


def test_a_file_can_be_written_in_place():
    draft = Artifact("digits", "dataset")
    with draft.new_file("notes/résumé.txt") as file:
        file.write("grüße")
    with draft.new_file("raw.bin", "wb") as file:
        file.write(b"\x00\xff")
    folder = logged(draft).download("out")
    assert Path(folder, "notes/résumé.txt").read_text(encoding="utf-8") == "grüße"
    assert Path(folder, "raw.bin").read_bytes() == b"\x00\xff"


def test_a_file_whose_writing_failed_is_not_added():
    draft = Artifact("digits", "dataset")
    with pytest.raises(ZeroDivisionError), draft.new_file("a"):
        raise ZeroDivisionError
    assert draft.file_count == 0


def test_a_second_writing_that_failed_leaves_the_first():
    draft = Artifact("digits", "dataset")
    draft.add("first", "a")
    with pytest.raises(ZeroDivisionError), draft.new_file("a") as file:
        file.write("half of the sec")
        raise ZeroDivisionError
    assert Path(logged(draft).file("out")).read_text() == "first"


def test_bytes_texts_and_entries_are_added_as_files(log):
    before = log("digits", {"a.csv": "1\n"})
    draft = Artifact("mixed", "dataset")
    assert draft.add(b"\x00\x01", "raw.bin").size == 2
    assert draft.add("grüße", "note.txt").size == len("grüße".encode())
    assert draft.add(before.get_entry("a.csv"), "again.csv").digest == before.get_entry("a.csv").digest
    folder = Path(logged(draft).download("out"))
    assert (folder / "note.txt").read_text(encoding="utf-8") == "grüße"
    assert (folder / "again.csv").read_text() == "1\n"


def test_only_bytes_texts_and_logged_entries_can_be_added(write):
    draft = Artifact("mixed", "dataset")
    with pytest.raises(errors.InvalidArgument, match="can't add a dict"):
        draft.add({"a": 1}, "a.json")
    of_draft = Artifact("other", "dataset").add_file(write({"a": "1"}) / "a")
    with pytest.raises(errors.InvalidArgument, match="logged artifact only"):
        draft.add(of_draft, "a")


def test_the_last_of_two_files_of_one_name_stands(log):
    entry = log("digits", {"a": "old"}).get_entry("a")
    draft = Artifact("mixed", "dataset")
    draft.add(entry, "a")
    draft.add("new", "a")
    assert draft.file_count == 1
    assert Path(logged(draft).file("out")).read_text() == "new"


def test_a_file_and_a_folder_of_one_name_are_refused_as_a_collision():
    draft = Artifact("mixed", "dataset")
    draft.add("1", "a")
    draft.add("2", "a/b")
    with pytest.raises(errors.PathCollision):
        logged(draft)


def test_files_are_removed_by_whole_segments():
    draft = Artifact("digits", "dataset")
    for name in ("a/1", "a/2", "ab", "c"):
        draft.add("x", name)
    draft.remove("a")
    assert paths(draft) == ["ab", "c"]
    draft.remove(draft.get_entry("c"))
    assert paths(draft) == ["ab"]


@pytest.mark.parametrize("name", ["b", "", "/", "a/b"])
def test_removing_what_is_not_there_is_refused(name):
    draft = Artifact("digits", "dataset")
    draft.add("x", "a")
    with pytest.raises(errors.EntryNotFound):
        draft.remove(name)
    assert draft.file_count == 1


def test_names_that_a_shell_would_read_are_only_names(place):
    odd = ["$(touch pwned)", "`id`; ls", "a b", "-rf", "'q\"", "*.csv", "~", "%2e%2e", "grüße/日本.txt", "a|b&c"]
    draft = Artifact("odd", "dataset")
    for name in odd:
        draft.add(name, name)
    folder = Path(logged(draft).download("out"))
    assert {name: (folder / name).read_text(encoding="utf-8") for name in odd} == {name: name for name in odd}
    assert sorted(p.name for p in place.work.iterdir()) == ["out"]


# ---- what it is ----------------------------------------------------------------------------------------------


def test_a_draft_says_what_it_is_and_what_it_is_not_yet(write):
    draft = Artifact("digits", "dataset", "Digits", {"n": 1}, "30d")
    draft.add_dir(write({"a.csv": "12345", "b.csv": "123"}))
    assert (draft.name, draft.type, draft.size, draft.file_count) == ("digits", "dataset", 8, 2)
    assert draft.ttl == timedelta(days=30)
    assert not draft.logged
    assert "digits" in repr(draft)
    for ask in (lambda: draft.version, lambda: draft.entity, draft.history, draft.download, draft.delete):
        with pytest.raises(errors.InvalidArgument, match="log it first"):
            ask()


def test_the_digest_is_the_same_before_and_after_logging(write):
    draft = Artifact("digits", "dataset")
    draft.add_dir(write({"a.csv": "1", "b.csv": "2"}))
    draft.add("3", "c.csv")
    before, entries = draft.digest, draft.manifest
    artifact = logged(draft)
    assert artifact.digest == before
    assert artifact.manifest == entries
    assert (artifact.name, artifact.version, artifact.version_number) == ("digits:v0", "v0", 0)
    assert artifact.qualified_name == artifact.source_qualified_name == "local/default/digits:v0"
    assert artifact.size == 3
    assert artifact.created_at.endswith("Z")
    assert repr(artifact) == "<Artifact local/default/digits:v0 (dataset)>"


def test_entries_are_listed_by_path_and_found_by_name(log):
    artifact = log("digits", {"b": "22", "a": "1"})
    assert paths(artifact) == ["a", "b"]
    assert [entry.path for entry in artifact.files(["b", "z"])] == ["b"]
    assert artifact.get_entry("b").size == 2
    assert "b of digits:v0" in repr(artifact.get_entry("b"))
    with pytest.raises(errors.EntryNotFound, match="has no file 'z'"):
        artifact.get_entry("z")


@pytest.mark.parametrize("name", ["", "../x", "a b", "prоd", "con", "a" * 129, ".git", "$(id)", "a/b", "x\n"])
def test_names_are_plain_ascii(name):
    with pytest.raises(errors.InvalidName):
        Artifact(name, "dataset")
    with pytest.raises(errors.InvalidName):
        Artifact("digits", name)


# ---- logging -------------------------------------------------------------------------------------------------


def test_an_artifact_without_files_is_refused():
    with pytest.raises(errors.EmptyArtifact, match="add some"):
        logged(Artifact("digits", "dataset"))
    assert lineal.Api().artifact_collections() == []


def test_a_logged_artifact_never_changes(log, write):
    artifact = log("digits", {"a": "1"})
    file = write({"b": "2"}) / "b"
    changes = (
        lambda: artifact.add_file(file),
        lambda: artifact.add_dir(file.parent),
        lambda: artifact.add_reference(file.as_uri()),
        lambda: artifact.add("x", "x"),
        lambda: artifact.remove("a"),
        lambda: artifact.new_file("x").__enter__(),
    )
    for change in changes:
        with pytest.raises(errors.ArtifactLogged, match="new_draft"):
            change()
    assert paths(lineal.Api().artifact("digits:v0")) == ["a"]


def test_a_file_that_changed_between_adding_and_logging_is_refused(write):
    file = write({"a": "as added"}) / "a"
    draft = Artifact("digits", "dataset")
    draft.add_file(file)
    file.write_text("changed since")
    with pytest.raises(errors.SourceChanged, match="add it again") as refusal:
        logged(draft)
    assert refusal.value.code == "conflict.source_changed"
    assert not lineal.Api().artifact_exists("digits")
    draft.add_file(file)
    assert Path(logged(draft).file("out")).read_text() == "changed since"


def test_a_file_that_vanished_between_adding_and_logging_is_refused(write):
    file = write({"a": "as added"}) / "a"
    draft = Artifact("digits", "dataset")
    draft.add_file(file)
    file.unlink()
    with pytest.raises(errors.InvalidSource, match="nothing was logged"):
        logged(draft)
    assert not lineal.Api().artifact_exists("digits")


def test_logging_the_same_content_again_is_the_same_version(log):
    first = log("digits", {"a": "1"}, aliases=["one"])
    again = log("digits", {"a": "1"}, aliases=["two"])
    assert (first.version, again.version) == ("v0", "v0")
    assert sorted(again.aliases) == ["one", "two"]
    assert log("digits", {"a": "2"}).version == "v1"


def test_bytes_that_went_missing_from_the_store_are_read_and_pushed_again(write, place):
    folder = write({f"{n}.csv": f"row {n}" for n in range(3)})
    os.utime(folder / "0.csv", (1, 1))
    draft = Artifact("digits", "dataset")
    draft.add_dir(folder)
    first = logged(draft)
    first.delete()
    store = lineal.Api()._connection.backend.store
    store.gc(store.plan_gc(grace_s=0))
    again = Artifact("digits", "dataset")
    again.add_dir(folder)
    assert Path(logged(again).download("out"), "2.csv").read_text() == "row 2"


def test_nothing_but_store_and_cache_is_written(write, place):
    draft = Artifact("digits", "dataset")
    draft.add_dir(write({"a": "1"}))
    with draft.new_file("b") as file:
        file.write("2")
    logged(draft)
    assert sorted(p.name for p in place.work.iterdir()) == ["data"]
    assert list(place.home.iterdir()) == []
    assert list((place.cache / "runs").iterdir()) == []
    assert sorted(p.name for p in place.work.parent.iterdir()) == ["cache", "home", "store", "work"]
