"""Backups hold one moment, whoever writes and collects meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.backend import backup as module
from lineal.backend.archive import Archive
from lineal.backend.backup import backup, open_local
from lineal.backend.local.backend import LocalBackend
from lineal.backend.restore import restore
from lineal.core import settings
from lineal.core.errors import BlobNotFound, DigestMismatch, InvalidSettings, InvalidTarget
from lineal.core.settings import Settings
from lineal.db import dump, schema
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from tests.backend.stores import MakeStore, make_store, rows_of
from tests.formats import fill
from tests.processes import Child, RunChild, run_child, start_child

__all__ = ["make_store", "run_child", "start_child"]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    cache = Cache(tmp_path / "cache")
    yield cache
    cache.close()


@pytest.fixture
def where(make_store: MakeStore, cache: Cache) -> Settings:
    """A folder with something in every table."""
    where = make_store("folder")
    here = open_local(where)
    fill(here, cache)
    here.close()
    return where


def log(here: LocalBackend, cache: Cache, data: bytes, name: str = "extra") -> None:
    with Push(here.blobs, cache) as push:
        digest = digests.format(push.manifest(Manifest([push.data("a", data)])))
    here.artifacts.log(name, "dataset", digest)


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Any, name: str, act: Callable[[], object]) -> None:
    """Has `act` done once, before `what.name` is called next."""
    original, waiting = getattr(what, name), [act]

    def called(*args: Any, **more: Any) -> Any:
        if waiting:
            waiting.pop()()
        return original(*args, **more)

    monkeypatch.setattr(what, name, called)


def test_a_backup_says_what_it_holds(where: Settings, tmp_path: Path) -> None:
    told = backup(where, tmp_path / "b.tar")
    assert told.rows == sum(map(len, rows_of(where).values()))
    assert (told.format, told.with_bytes, told.objects > 0, told.size_bytes > 0) == (schema.FORMAT, False, True, True)
    with Archive(tmp_path / "b.tar") as archive:
        assert not [member for member in archive.members() if member.key]
    assert backup(where, tmp_path / "c.tar", with_bytes=True).with_bytes
    with Archive(tmp_path / "c.tar") as archive:
        assert len([member for member in archive.members() if member.key]) == told.objects


def test_the_same_store_is_the_same_backup_but_for_its_time(where: Settings, tmp_path: Path) -> None:
    members = []
    for name in ("b.tar", "c.tar"):
        backup(where, tmp_path / name)
        with Archive(tmp_path / name) as archive:
            members.append([(m.name, b"".join(archive.chunks(m))) for m in archive.members() if m.table])
    assert members[0] == members[1]


def test_a_backup_that_fails_leaves_nothing(where: Settings, tmp_path: Path) -> None:
    os.unlink(next((Path(where.url) / "objects").glob("*/*")))
    with pytest.raises(BlobNotFound, match="fsck"):
        backup(where, tmp_path / "b.tar", with_bytes=True)
    assert not [path for path in tmp_path.iterdir() if "b.tar" in path.name]
    backup(where, tmp_path / "b.tar")
    with pytest.raises(InvalidTarget):
        backup(where, tmp_path / "b.tar")


def test_an_object_that_was_cut_off_is_told(where: Settings, tmp_path: Path) -> None:
    file = next((Path(where.url) / "objects").glob("*/*"))
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DigestMismatch, match="fsck"):
        backup(where, tmp_path / "b.tar", with_bytes=True)


def test_a_server_is_not_backed_up_through_itself(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="folder or database"):
        backup(settings.load(tmp_path, url="https://lineal.example.org"), tmp_path / "b.tar")


# ---- while others write --------------------------------------------------------------------------------------


def assert_restored(where: Settings, source: Path, make_store: MakeStore) -> LocalBackend:
    new = make_store("folder")
    restore(new, source)
    here = open_local(new)
    assert here.store.fsck().problems == ()
    return here


def test_gc_may_run_after_the_snapshot(
    where: Settings, cache: Cache, tmp_path: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = open_local(where)
    log(here, cache, b"to be deleted" * 9999)

    def collect() -> None:
        here.artifacts.delete("extra:v0")
        assert here.store.gc(here.store.plan_gc(grace_s=0)).object_count

    meanwhile(monkeypatch, dump, "counters", collect)
    backup(where, tmp_path / "b.tar", with_bytes=True)
    here.close()
    restored = assert_restored(where, tmp_path / "b.tar", make_store)
    assert restored.artifacts.resolve("extra:v0").size_bytes == 13 * 9999
    restored.close()


def test_gc_may_run_before_the_snapshot_and_writers_may_write(
    where: Settings, cache: Cache, tmp_path: Path, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = open_local(where)
    log(here, cache, b"to be deleted" * 9999)

    def collect_and_log() -> None:
        here.artifacts.delete("extra:v0")
        here.store.gc(here.store.plan_gc(grace_s=0))
        log(here, cache, b"new" * 99_999)

    meanwhile(monkeypatch, module, "_copy", collect_and_log)  # objects were listed, and are not yet copied
    backup(where, tmp_path / "b.tar", with_bytes=True)
    here.close()
    restored = assert_restored(where, tmp_path / "b.tar", make_store)
    assert restored.artifacts.resolve("extra:v1").size_bytes == 3 * 99_999
    restored.close()


def test_a_gc_without_grace_between_snapshot_and_copy_is_told(
    where: Settings, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = open_local(where)

    def collect() -> None:
        here.artifacts.delete("extra:v0")
        here.store.gc(here.store.plan_gc(grace_s=0))

    meanwhile(monkeypatch, module, "_copy", lambda: log(here, cache, b"new" * 99_999))
    meanwhile(monkeypatch, dump, "counters", collect)
    with pytest.raises(BlobNotFound, match="gc"):
        backup(where, tmp_path / "b.tar", with_bytes=True)
    here.close()
    assert not (tmp_path / "b.tar").exists()


WRITER = """
from pathlib import Path
from lineal.backend.connect import connect
from lineal.core import settings
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode
url, store, folder, me = sys.argv[1:]
given = {"url": url, "project": "p"} | ({"store": store} if store else {})
here, cache = connect(settings.load(Path(folder), **given)), Cache(Path(folder) / f"cache-{me}")
number = 0
while not os.path.exists(os.path.join(folder, "stop")):
    run = f"{me}-{number}"
    here.runs.start(run, config={"n": number})
    here.runs.append(run, "w", 1, Batch({"history": encode([(s, 1.0, {"a": s}) for s in range(20)])}, 19))
    with Push(here.blobs, cache) as push:
        data = run.encode() * (50_000 if number % 3 == 0 else 1)
        entries = [push.data("a", data), push.data("b", b"same")]
        digest = digests.format(push.manifest(Manifest(entries)))
    here.artifacts.log("shared", "dataset", digest, run_id=run, aliases=["best"])
    here.artifacts.use("shared:best", run)
    here.runs.finish(run)
    number += 1
    if number == 1:
        print("ready", flush=True)
print(number, flush=True)
"""


@pytest.mark.parametrize("kind", ["folder", "postgres"])
def test_a_backup_while_four_processes_write_holds_one_moment(
    kind: str, make_store: MakeStore, tmp_path: Path, start_child: Child
) -> None:
    where = make_store(kind)
    open_local(where).close()
    writers = [start_child(WRITER, where.url, where.store or "", tmp_path, f"w{n}") for n in range(4)]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for number in range(3):
        backup(where, tmp_path / f"{number}.tar", with_bytes=True)
    (tmp_path / "stop").touch()
    for writer in writers:
        out, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
        assert int(out) > 0
    counts = []
    for number in range(3):
        new = make_store("folder")
        restore(new, tmp_path / f"{number}.tar")
        here = open_local(new)
        assert here.store.fsck().problems == ()
        versions = here.artifacts.list_versions("p/shared")
        assert sorted(v.number for v in versions) == list(range(len(versions)))
        for version in versions:
            assert version.run_id is not None
            assert here.runs.get(version.run_id).config["n"] >= 0
        with here.context.database.read() as session:
            orphans = "SELECT count(*) FROM edges WHERE run_id NOT IN (SELECT id FROM runs)"
            assert session.exec_driver_sql(orphans).scalar() == 0
            assert session.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            counts.append(session.exec_driver_sql("SELECT count(*) FROM versions").scalar())
        here.close()
    assert counts == sorted(counts)
    assert counts[-1] > 0


# ---- much ----------------------------------------------------------------------------------------------------

MUCH = """
import resource
from datetime import UTC, datetime
from pathlib import Path
from lineal.backend.backup import backup, open_local
from lineal.backend.restore import restore
from lineal.core import settings
from lineal.db import schema
from lineal.db.session import insert_many
folder = Path(sys.argv[1])
where, new = (settings.load(folder, url=str(folder / name), project="p") for name in ("store", "new"))
here = open_local(where)
here.runs.start("r")
with here.context.database.begin() as session:
    for _ in range(40):
        insert_many(session, schema.run_chunks, [(1, "history", 0, os.urandom(8192), 8192) for _ in range(250)])
here.close()
backup(settings.load(folder, url=str(folder / "empty"), project="p"), folder / "small.tar")
restore(settings.load(folder, url=str(folder / "newer"), project="p"), folder / "small.tar")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
backup(where, folder / "b.tar")
restore(new, folder / "b.tar")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, (folder / "b.tar").stat().st_size >> 20)
"""


def test_large_tables_pass_through_little_memory(tmp_path: Path, run_child: RunChild) -> None:
    grown, size = map(int, run_child(MUCH, tmp_path).split())
    assert size > 75
    assert grown < 50
