import os
import shutil
from pathlib import Path

import pytest

import lineal
from lineal.client.journal import read
from lineal.core import errors
from lineal.storage import digest as digests

from .leavings import left, offline, python


def draft(name: str = "model", files: dict[str, str] | None = None) -> lineal.Artifact:
    made = lineal.Artifact(name, "model")
    for path, text in (files or {"w.bin": "weights"}).items():
        made.add(text, path)
    return made


@pytest.fixture
def no_store(place):
    """From here on the store can't be reached at all."""

    def take_away() -> None:
        lineal.finish()
        from lineal.client import connection as connections

        connections.close_all()
        shutil.move(place.store, place.store.with_name("away"))
        place.store.write_text("no folder any more")

    return take_away


# ---- using ---------------------------------------------------------------------------------------------------


def test_a_version_in_the_cache_is_used_without_the_store(log, no_store):
    log("digits", {"a/b.csv": "1,2", "c.bin": b"\0" * 300_000}, project="p", metadata={"n": 2})
    cached = lineal.download("p/digits")
    no_store()
    with offline(project="p") as run:
        used = run.use_artifact("digits:latest", type="dataset", use_as="training")
        assert (used.name, used.type, used.metadata, used.file_count) == ("digits:v0", "dataset", {"n": 2}, 2)
        where = used.download()
        assert where == os.path.abspath("artifacts/digits:v0")
        assert Path(where, "a/b.csv").read_text() == "1,2"
        assert Path(where, "c.bin").stat().st_size == 300_000
        used.verify(where)
        assert [entry.path for entry in used.files()] == ["a/b.csv", "c.bin"]
        assert used.get_entry("a/b.csv").download().endswith("b.csv")
    frames = [frame for frame in read(left()[0]) if frame.kind == "use"]
    assert [(f.facts["ref"], f.facts["version"], f.facts["digest"], f.facts["role"]) for f in frames] == [
        ("digits:latest", "local/p/digits:v0", used.digest, "training")
    ]
    assert Path(cached).is_dir()


def test_download_offline_finds_what_was_got_before(log, no_store, monkeypatch):
    log("digits", {"a.csv": "1,2"}, project="p")
    cached = lineal.download("p/digits")
    no_store()
    monkeypatch.setenv("LINEAL_MODE", "offline")
    assert lineal.download("p/digits") == cached
    assert Path(lineal.download("p/digits:v0", "out"), "a.csv").read_text() == "1,2"
    with pytest.raises(errors.VersionNotFound, match="lineal lock"):
        lineal.download("p/other")


def test_what_was_never_got_is_refused_and_says_what_to_do(log, no_store):
    log("digits", {"a": "1"}, project="p")
    no_store()
    with offline(project="p") as run:
        with pytest.raises(errors.VersionNotFound, match="lineal lock digits"):
            run.use_artifact("digits")
        with pytest.raises(errors.InvalidRef):
            run.use_artifact("a/b/c/d")
        with pytest.raises(errors.InvalidName):
            run.use_artifact("digits", use_as="a/b")
    assert [frame.kind for frame in read(left()[0]) if frame.kind == "use"] == []


def test_files_that_have_left_the_cache_are_told(log, place):
    log("digits", {"a": "1"}, project="p")
    tree = lineal.download("p/digits")
    shutil.rmtree(tree)
    with offline(project="p") as run, pytest.raises(errors.BlobNotFound, match="cache"):
        run.use_artifact("digits")


def test_a_file_that_was_tampered_with_in_the_cache_is_not_handed_out(log):
    log("digits", {"a": "1234"}, project="p")
    Path(lineal.download("p/digits"), "a").write_text("4321")
    with offline(project="p") as run:
        used = run.use_artifact("digits")
        with pytest.raises(errors.DigestMismatch):
            used.download()
    assert not Path("artifacts/digits:v0/a").exists()


def test_a_version_of_another_type_is_refused(log):
    log("digits", {"a": "1"}, project="p")
    lineal.download("p/digits")
    with offline(project="p") as run, pytest.raises(errors.InvalidArgument, match="dataset"):
        run.use_artifact("digits", type="model")


def test_what_needs_the_store_says_so(log):
    log("digits", {"a": "1"}, project="p")
    lineal.download("p/digits")
    with offline(project="p") as run:
        used = run.use_artifact("digits")
        for ask in (used.logged_by, used.delete, used.history, lambda: used.link("registry/x"), used.lineage):
            with pytest.raises(errors.StoreUnavailable, match="offline"):
                ask()
        with pytest.raises(errors.StoreUnavailable, match="offline"):
            run.link_artifact(used, "registry/x")
        with pytest.raises(errors.StoreUnavailable, match="offline"):
            run.link_artifact(draft(), "registry/x")


# ---- logging -------------------------------------------------------------------------------------------------


def test_what_is_logged_is_settled_and_has_no_version_yet():
    with offline() as run:
        model = run.log_artifact(draft(), aliases=["best"])
        assert not model.logged
        assert (model.name, model.file_count, model.size) == ("model", 1, 7)
        assert model.manifest.by_path["w.bin"].digest == digests.of_bytes(b"weights")
        for ask in (lambda: model.version, lambda: model.version_number, model.download, model.delete):
            with pytest.raises(errors.InvalidArgument, match="logged offline"):
                ask()
        for again in (lambda: run.log_artifact(model), lambda: model.add("x", "x"), model.save):
            with pytest.raises(errors.ArtifactLogged, match="offline"):
                again()
        with pytest.raises(errors.InvalidArgument, match="logged offline"):
            run.use_artifact(model)


def test_files_are_kept_as_they_were_when_they_were_logged(write):
    folder = write({"a.txt": "one", "b/c.txt": "one", "big.bin": b"\1" * (20 << 20)})
    with offline() as run:
        run.log_artifact(folder, name="data", type="dataset")
        (folder / "a.txt").write_text("two")
        shutil.rmtree(folder / "b")
        with open(folder / "big.bin", "r+b") as file:
            file.write(b"\2" * 100)
    kept = {file.name: file.stat().st_size for file in (left()[0] / "artifacts").iterdir()}
    big = digests.of_bytes(b"\1" * (20 << 20))
    assert kept == {digests.of_bytes(b"one").hex(): 3, big.hex(): 20 << 20}


def test_a_file_that_changed_after_it_was_added_is_refused(write):
    folder = write({"a.txt": "one"})
    made = lineal.Artifact("data", "dataset")
    made.add_dir(folder)
    (folder / "a.txt").write_text("other")
    with offline() as run:
        with pytest.raises(errors.SourceChanged):
            run.log_artifact(made)
        assert list((left()[0] / "artifacts").iterdir()) == []
    assert [frame.kind for frame in read(left()[0]) if frame.kind == "log"] == []


def test_what_could_never_be_logged_is_refused_at_once():
    with offline() as run:
        with pytest.raises(errors.EmptyArtifact):
            run.log_artifact(lineal.Artifact("model", "model"))
        with pytest.raises(errors.InvalidAlias):
            run.log_artifact(draft(), aliases=["v3"])
        with pytest.raises(errors.InvalidName):
            run.log_artifact(draft(), tags=["a/b"])
        bad = draft()
        bad.metadata["x"] = object()
        with pytest.raises(errors.InvalidMetadata):
            run.log_artifact(bad)
    with pytest.raises(errors.RunFinished):
        run.log_artifact(draft())
    with pytest.raises(errors.RunFinished):
        run.use_artifact("digits")


def test_a_version_in_the_cache_can_be_changed_and_logged_anew(log):
    log("digits", {"a": "1", "b": "2"}, project="p")
    lineal.download("p/digits")
    with offline(id="r1", project="p") as run:
        changed = run.use_artifact("digits").new_draft()
        changed.add("3", "b")
        run.log_artifact(changed)
    from lineal.client.connection import connection
    from lineal.client.sync import sync

    sync(left(), connection())
    assert Path(lineal.download("p/digits:v1"), "b").read_text() == "3"
    assert Path(lineal.download("p/digits:v1"), "a").read_text() == "1"


def test_code_is_logged_offline_too(write):
    Path("train.py").write_text("print(1)")
    with offline() as run:
        run.log_code()
    (frame,) = [frame for frame in read(left()[0]) if frame.kind == "log"]
    assert frame.facts["type"] == "code"


def test_what_is_said_while_the_outbox_is_at_work_never_waits_for_ever():
    code = """
import faulthandler
faulthandler.dump_traceback_later(60, exit=True)
with offline(id="r1") as run:
    for number in range(3000):
        run.log({"a": number})
        run._outbox._wake.put(None)
        run.notes = f"note {number}"
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    names = [frame.facts["notes"] for frame in read(left()[0]) if frame.kind == "change"]
    assert names == [f"note {number}" for number in range(3000)]
    seqs = [frame.facts["seq"] for frame in read(left()[0]) if frame.kind != "start"]
    assert seqs == list(range(1, len(seqs) + 1))
