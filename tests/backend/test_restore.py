"""A backup becomes the same store on any engine, in an empty place, whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.backend.archive import HEAD, SEAL, Archive, ArchiveWriter
from lineal.backend.backup import backup, open_local
from lineal.backend.restore import restore
from lineal.core import settings
from lineal.core.errors import BlobNotFound, CorruptBackup, Error, NewerFormat, OlderFormat, StoreNotEmpty
from lineal.core.settings import Settings
from lineal.db import schema
from lineal.storage.cache import Cache
from lineal.storage.pull import pull
from tests.backend.stores import MakeStore, make_store, rows_of
from tests.formats import fill

__all__ = ["make_store"]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(tmp_path / "cache")
    yield cache
    cache.close()


def filled(where: Settings, cache: Cache) -> Settings:
    here = open_local(where)
    fill(here, cache)
    here.close()
    return where


@pytest.fixture
def saved(make_store: MakeStore, cache: Cache, tmp_path: Path) -> Path:
    """A backup of a folder, with bytes."""
    backup(filled(make_store("folder"), cache), tmp_path / "saved.tar", with_bytes=True)
    return tmp_path / "saved.tar"


# ---- the same store ------------------------------------------------------------------------------------------


def assert_same(one: Settings, two: Settings, cache: Cache, work: Path) -> None:
    """Both hold the same: all rows, and what the port answers about versions, aliases, runs and lineage."""
    assert rows_of(one) == rows_of(two)
    answers = []
    for number, where in enumerate((one, two)):
        here = open_local(where)
        assert here.store.fsck().problems == ()
        best = here.artifacts.resolve("digits:best")
        pull(here.artifacts.manifest(best.digest).entries, here.blobs, work / f"out{number}", cache)
        assert (work / f"out{number}/a.txt").read_bytes() == b"from the former format"
        runs = here.runs.list().runs
        answers.append(
            (
                [here.artifacts.list_versions(name, deleted=True) for name in ("digits", "registry/digits")],
                here.artifacts.resolve("registry/digits:production"),
                list(runs),
                [here.runs.rows(run.id) for run in runs if run.id != "r2"],
                here.runs.list(filters={"config.lr": 0.5}).runs,
            )
        )
        here.close()
    assert answers[0] == answers[1]


@pytest.mark.parametrize("to", ["folder", "postgres"])
@pytest.mark.parametrize("start", ["folder", "postgres"])
def test_a_store_goes_from_any_engine_to_any_other(
    start: str, to: str, make_store: MakeStore, cache: Cache, tmp_path: Path
) -> None:
    one, two = filled(make_store(start), cache), make_store(to)
    told = backup(one, tmp_path / "b.tar", with_bytes=True)
    assert restore(two, tmp_path / "b.tar") == told
    assert_same(one, two, cache, tmp_path)
    here = open_local(two)
    here.runs.start("new")  # ids go on after those that were restored
    assert here.runs.get("new").state == "running"
    here.artifacts.log(
        "digits", "dataset", here.artifacts.resolve("digits:v0").digest, run_id="new", aliases=["again"]
    )
    here.artifacts.restore("digits:v1")
    assert here.artifacts.resolve("digits:v1").deleted_at is None
    here.close()


def test_there_and_back_again_is_the_same(make_store: MakeStore, cache: Cache, tmp_path: Path) -> None:
    one, two, three = filled(make_store("folder"), cache), make_store("postgres"), make_store("folder")
    backup(one, tmp_path / "1.tar", with_bytes=True)
    restore(two, tmp_path / "1.tar")
    backup(two, tmp_path / "2.tar", with_bytes=True)
    restore(three, tmp_path / "2.tar")
    assert_same(one, three, cache, tmp_path)


def test_rows_alone_are_restored_beside_the_bytes_that_are_there(
    make_store: MakeStore, cache: Cache, tmp_path: Path
) -> None:
    where = filled(make_store("folder"), cache)
    backup(where, tmp_path / "b.tar")
    rows = rows_of(where)
    for file in Path(where.url).glob("lineal.db*"):
        file.unlink()
    assert not restore(where, tmp_path / "b.tar").with_bytes
    assert rows_of(where) == rows


def test_bytes_that_no_one_has_are_told_and_nothing_is_restored(
    make_store: MakeStore, cache: Cache, tmp_path: Path
) -> None:
    one, two = filled(make_store("folder"), cache), make_store("folder")
    backup(one, tmp_path / "b.tar")
    with pytest.raises(BlobNotFound, match="--bytes"):
        restore(two, tmp_path / "b.tar")
    for room in ("objects", "packs"):
        shutil.copytree(Path(one.url) / room, Path(two.url) / room, dirs_exist_ok=True)
    file = next((Path(two.url) / "packs").glob("*"))
    file.chmod(0o600)
    os.truncate(file, 10)
    with pytest.raises(BlobNotFound, match="packs/"):
        restore(two, tmp_path / "b.tar")
    shutil.copy(Path(one.url) / "packs" / file.name, file)
    restore(two, tmp_path / "b.tar")
    assert_same(one, two, cache, tmp_path)


def test_nothing_is_restored_over_something(make_store: MakeStore, cache: Cache, saved: Path) -> None:
    for kind in ("folder", "postgres"):
        where = filled(make_store(kind), cache)
        rows = rows_of(where)
        with pytest.raises(StoreNotEmpty):
            restore(where, saved)
        assert rows_of(where) == rows


def test_what_is_restored_once_is_not_restored_twice(make_store: MakeStore, saved: Path) -> None:
    where = make_store("folder")
    restore(where, saved)
    with pytest.raises(StoreNotEmpty):
        restore(where, saved)


# ---- made by hand --------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], None]


def changed(saved: Path, target: Path, change: Change) -> Path:
    """The backup written anew, sealed as it should be, after `change` had its way with its parts by name."""
    parts: dict[str, Any] = {}
    with Archive(saved) as archive:
        for member in archive.members():
            data = b"".join(archive.chunks(member))
            if member.table:
                parts[member.table] = [json.loads(line) for line in gzip.decompress(data).splitlines()]
            else:
                parts[member.name] = json.loads(data) if member.name in (HEAD, SEAL) else data
    change(parts)
    writer = ArchiveWriter(target)
    for name, value in parts.items():
        if name == HEAD:
            writer.add_object(name, value)
        elif name.startswith("bytes/"):
            writer.add(name, value)
        elif name != SEAL:
            writer.add_lines(name, iter([json.dumps(row).encode() + b"\n" for row in value]))
    writer.commit({key: value for key, value in parts[SEAL].items() if key != "sha256"})
    return target


def set_in(name: str, *path: Any, to: Any) -> Change:
    def change(parts: dict[str, Any]) -> None:
        place = parts[name]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


def drop(name: str, at: Any = None) -> Change:
    return lambda parts: parts.pop(name) if at is None else parts[name].pop(at)


def last(name: str) -> Change:
    return lambda parts: parts.update({name: parts.pop(name)})


def without_bytes(parts: dict[str, Any]) -> None:
    for name in [name for name in parts if name.startswith("bytes/")][:1]:
        del parts[name]


def longer_bytes(parts: dict[str, Any]) -> None:
    for name in [name for name in parts if name.startswith("bytes/")][:1]:
        parts[name] += b"x"


def add_table(parts: dict[str, Any]) -> None:
    parts["secrets"] = [[1]]


CHANGES: dict[str, tuple[Change, type[Error]]] = {
    "another kind": (set_in(HEAD, "backup", to=2), NewerFormat),
    "no kind": (drop(HEAD, "backup"), NewerFormat),
    "a newer format": (set_in(HEAD, "format", to=schema.FORMAT + 1), NewerFormat),
    "an older format": (set_in(HEAD, "format", to=schema.FORMAT - 1), OlderFormat),
    "a format that is none": (set_in(HEAD, "format", to="3"), NewerFormat),
    "other columns": (set_in(HEAD, "columns", "runs", 0, to="id); DROP TABLE runs; --"), CorruptBackup),
    "another format in the rows": (set_in("meta", 0, 1, to="1"), CorruptBackup),
    "a table that is none": (add_table, CorruptBackup),
    "a table out of order": (last("collections"), CorruptBackup),
    "a table gone": (drop("edges"), CorruptBackup),
    "a row gone": (drop("versions", 0), CorruptBackup),
    "a row that is none": (set_in("runs", 0, to={}), CorruptBackup),
    "a row too short": (set_in("runs", 0, to=[1]), CorruptBackup),
    "a text for a number": (set_in("runs", 0, 0, to="1"), CorruptBackup),
    "a key that leads out": (set_in("objects", 0, 1, to="../../lineal.db"), CorruptBackup),
    "an absolute key": (set_in("objects", 0, 1, to="/etc/passwd"), CorruptBackup),
    "a size below zero": (set_in("objects", 0, 2, to=-1), CorruptBackup),
    "bytes missing": (without_bytes, CorruptBackup),
    "bytes too long": (longer_bytes, CorruptBackup),
    "no counts": (drop(SEAL, "rows"), CorruptBackup),
    "counters of no table": (set_in(SEAL, "counters", to={"x'; DROP TABLE runs": 1}), CorruptBackup),
    "counters that are none": (set_in(SEAL, "counters", to={"runs": -1}), CorruptBackup),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_backup_made_by_hand_is_refused_with_nothing_written(
    what: str, saved: Path, tmp_path: Path, make_store: MakeStore
) -> None:
    change, kind = CHANGES[what]
    where = make_store("folder")
    with pytest.raises(kind):
        restore(where, changed(saved, tmp_path / "hand.tar", change))
    assert not Path(where.url).exists()


@pytest.mark.parametrize("kind", ["folder", "postgres"])
@pytest.mark.parametrize(
    "change",
    [
        set_in("versions", 0, 1, to=99),  # a collection that isn't there
        set_in("runs", 1, 1, to="r1"),  # a run's id twice
        set_in("runs", 0, 3, to=None),  # nothing where something has to be
    ],
)
def test_rows_that_do_not_go_together_leave_no_row(
    change: Change, kind: str, saved: Path, tmp_path: Path, make_store: MakeStore
) -> None:
    where = make_store(kind)
    empty = rows_of(where)
    with pytest.raises(CorruptBackup, match="go together"):
        restore(where, changed(saved, tmp_path / "hand.tar", change))
    assert rows_of(where) == empty
    restore(where, saved)


@pytest.mark.parametrize(("at", "value"), [(6, 2**40), (1, 2**62), (5, "0" * 7)])
def test_a_value_that_the_database_refuses_leaves_no_row(
    at: int, value: Any, saved: Path, tmp_path: Path, make_store: MakeStore
) -> None:
    where = make_store("postgres")
    empty = rows_of(where)
    with pytest.raises(CorruptBackup):
        restore(where, changed(saved, tmp_path / "hand.tar", set_in("blobs", 0, at, to=value)))
    assert rows_of(where) == empty


def test_what_was_only_written_again_is_restored(saved: Path, tmp_path: Path, make_store: MakeStore) -> None:
    one, two = make_store("folder"), make_store("folder")
    restore(one, changed(saved, tmp_path / "hand.tar", lambda parts: None))
    restore(two, saved)
    assert rows_of(one) == rows_of(two)


def test_a_file_that_is_no_backup_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(b"no tar at all" * 1000)
    with pytest.raises(CorruptBackup):
        restore(settings.load(tmp_path, url=str(tmp_path / "new")), tmp_path / "b.tar")
    assert not (tmp_path / "new").exists()
