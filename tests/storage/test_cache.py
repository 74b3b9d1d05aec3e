"""The cache: what it remembers is true or forgotten, it keeps to its bound, and nothing depends on it."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.storage import cache as caches
from lineal.storage.blobs import read_blob
from lineal.storage.cache import COARSE_TICK_NS, TICK_NS, Cache, settled_before
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.sources import State, find_file, state_of
from lineal.storage.transfer import Push
from tests.processes import RunChild
from tests.stores import digest_of

SECOND = 1_000_000_000


def seen(file: Path) -> State:
    return state_of(file.stat())


def note(cache: Cache, file: Path, data: bytes, *, later_ns: int = SECOND) -> None:
    """Lets the cache remember `file` as if it were looked at that much later than now."""
    cache.remember([(str(file), seen(file), digest_of(data))], time.time_ns() + later_ns)


def tree(cache: Cache, name: str, size: int = 100) -> Digest:
    """A tree in the cache that says it has `size` bytes."""
    manifest = Manifest([Entry(name, digest_of(name.encode()), size)])
    folder = cache.tree_path(manifest.digest())
    folder.mkdir(parents=True)
    (folder / name).write_text(name)
    cache.add_tree(manifest.digest(), manifest)
    return manifest.digest()


# ---- file states ---------------------------------------------------------------------------------------------


def test_a_settled_file_is_remembered(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a")
    note(cache, file, b"a")
    assert cache.find(str(file)) == (seen(file), digest_of(b"a"))
    assert cache.known(str(tmp_path)) == {"a": (seen(file), digest_of(b"a"))}
    assert cache.find(str(tmp_path / "b")) is None
    assert cache.known(str(tmp_path / "sub")) == {}


def test_a_file_just_written_is_not_remembered(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a")
    cache.remember([(str(file), seen(file), digest_of(b"a"))], time.time_ns())
    assert cache.find(str(file)) is None


def test_a_file_of_the_future_is_not_remembered(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a")
    os.utime(file, ns=(0, time.time_ns() + 3600 * SECOND))
    note(cache, file, b"a")
    assert cache.find(str(file)) is None


def test_the_newest_note_of_a_file_counts(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    for data in (b"a", b"bb"):
        file.write_bytes(data)
        note(cache, file, data)
    assert cache.find(str(file)) == (seen(file), digest_of(b"bb"))


def test_a_name_that_is_no_text_is_not_remembered_and_does_no_harm(cache: Cache, tmp_path: Path) -> None:
    """No entry can have such a name either."""
    for name in (os.fsdecode(b"caf\xe9"), "a"):
        (tmp_path / name).write_bytes(b"a")
        note(cache, tmp_path / name, b"a")
    assert cache.find(str(tmp_path / os.fsdecode(b"caf\xe9"))) is None
    assert cache.known(str(tmp_path)) == {"a": (seen(tmp_path / "a"), digest_of(b"a"))}


def test_what_was_remembered_is_forgotten_on_demand(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a")
    note(cache, file, b"a")
    kept = tree(cache, "t")
    cache.forget_states()
    assert cache.find(str(file)) is None
    assert cache.has_tree(kept)


@given(st.integers(0, 3 * SECOND), st.integers(0, 3 * SECOND), st.integers(0, 5 * SECOND))
def test_a_state_settles_a_tick_after_its_later_time(mtime: int, ctime: int, as_of: int) -> None:
    whole = mtime % SECOND == 0 and ctime % SECOND == 0
    tick = COARSE_TICK_NS if whole else TICK_NS
    assert settled_before(State(1, mtime, ctime, 1), as_of) == (max(mtime, ctime) + tick < as_of)


def test_whole_seconds_are_taken_for_a_coarse_clock() -> None:
    state = State(1, 10 * SECOND, 10 * SECOND, 1)
    assert not settled_before(state, 11 * SECOND)
    assert not settled_before(state, 12 * SECOND)
    assert settled_before(state, 12 * SECOND + 1)
    assert settled_before(State(1, 10 * SECOND, 10 * SECOND + 1, 1), 11 * SECOND)


def test_a_modification_time_set_back_is_noticed(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"good")
    before = file.stat()
    note(cache, file, b"good")
    file.write_bytes(b"evil")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert seen(file)[:2] == state_of(before)[:2]
    remembered = cache.find(str(file))
    assert remembered is not None
    assert remembered[0] != seen(file)


def test_a_file_put_in_the_place_of_another_is_noticed(cache: Cache, tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    for file, data in ((one, b"good"), (two, b"evil")):
        file.write_bytes(data)
        os.utime(file, ns=(10**18, 10**18))
    note(cache, one, b"good")
    os.replace(two, one)
    remembered = cache.find(str(one))
    assert remembered is not None
    assert remembered[0] != seen(one)


@pytest.mark.parametrize("whole_seconds", [False, True])
def test_no_edit_that_keeps_the_size_is_ever_missed(
    blobs: LocalBlobs, cache: Cache, tmp_path: Path, whole_seconds: bool
) -> None:
    """Hundreds of edits, each logged at once, many within one tick of the clock."""
    file = tmp_path / "file"
    for number in range(300):
        data = f"{number:04}".encode()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)  # the same inode, the same size
        os.write(descriptor, data)
        os.close(descriptor)
        if whole_seconds:
            now = time.time_ns() // SECOND * SECOND
            os.utime(file, ns=(now, now))
        with Push(blobs, cache) as push:
            (entry,) = push.files([find_file(file)])
            push.manifest(Manifest([entry]))
        assert entry.digest == digest_of(data)
        assert read_blob(blobs, digest_of(data)) == data


# ---- the database --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 9000, b"\x00" * 100])
def test_a_damaged_database_is_started_anew(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "state.db").write_bytes(data)
    cache = Cache(tmp_path / "cache")
    file = tmp_path / "a"
    file.write_bytes(b"a")
    note(cache, file, b"a")
    assert cache.find(str(file)) == (seen(file), digest_of(b"a"))
    cache.close()


def test_a_database_damaged_while_in_use_costs_only_what_it_knew(tmp_path: Path) -> None:
    first = Cache(tmp_path / "cache")
    files = [tmp_path / f"file {n} {'x' * 100}" for n in range(500)]
    for file in files:
        file.write_bytes(b"a")
        note(first, file, b"a")
    first.close()
    database = tmp_path / "cache" / "state.db"
    data = bytearray(database.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 200] = b"\xff" * 200
    database.write_bytes(data)
    again = Cache(tmp_path / "cache")
    assert again.find(str(files[0])) is None
    note(again, files[0], b"a")
    assert again.find(str(files[0])) == (seen(files[0]), digest_of(b"a"))
    again.close()


def test_a_database_that_another_holds_is_done_without(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def impatient(*args: object, **_: object) -> sqlite3.Connection:
        return connect(*args, timeout=0, check_same_thread=False)  # type: ignore[call-overload]

    monkeypatch.setattr(sqlite3, "connect", impatient)
    file = tmp_path / "a"
    file.write_bytes(b"a")
    note(cache, file, b"a")
    holder = connect(tmp_path / "cache" / "state.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    note(cache, tmp_path / "a", b"b")
    assert cache.find(str(file)) == (seen(file), digest_of(b"a"))
    assert not cache.has_tree(digest_of(b""))
    holder.close()


def test_a_cache_that_was_closed_opens_again(cache: Cache, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a")
    note(cache, file, b"a")
    cache.close()
    cache.close()
    assert cache.find(str(file))


UNWRITABLE = """
import time
from pathlib import Path
from lineal.storage.cache import Cache
from lineal.storage import digest
from lineal.storage.sources import find_file
drop()
cache = Cache(Path(sys.argv[1]))
source = find_file(sys.argv[2])
cache.remember([(source.file, source.state, digest.of_bytes(b"a"))], time.time_ns() + 10**9)
print(cache.find(source.file), cache.known("/"), cache.has_tree(digest.of_bytes(b"")), cache.trees(), cache.clean())
cache.forget_states()
print(cache.size_bytes > 0)
"""


@pytest.mark.parametrize("exists", [True, False])
def test_a_cache_that_may_not_be_written_is_done_without(open_path: Path, run_child: RunChild, exists: bool) -> None:
    (open_path / "a").write_bytes(b"a")
    os.chmod(open_path / "a", 0o444)
    if exists:
        (open_path / "cache").mkdir()
        os.chmod(open_path / "cache", 0o555)
    os.chmod(open_path, 0o555)
    assert run_child(UNWRITABLE, open_path / "cache", open_path / "a") == "None {} False [] []\nTrue"


def test_a_file_where_the_cache_belongs_is_done_without(tmp_path: Path, run_child: RunChild) -> None:
    (tmp_path / "cache").write_text("x")
    cache = Cache(tmp_path / "cache")
    file = tmp_path / "a"
    file.write_bytes(b"a")
    note(cache, file, b"a")
    assert cache.find(str(file)) is None


def test_the_cache_is_its_owners_alone(cache: Cache, tmp_path: Path) -> None:
    cache.trees()
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_forked_child_may_use_the_cache_too(tmp_path: Path, run_child: RunChild) -> None:
    code = """
from pathlib import Path
from lineal.storage.cache import Cache
cache = Cache(Path(sys.argv[1]))
cache.trees()
child = os.fork()
if child == 0:
    cache.trees()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(cache.trees())
"""
    assert run_child(code, tmp_path / "cache") == "[]"


# ---- trees ---------------------------------------------------------------------------------------------------


def test_a_tree_is_there_once_it_is_added(cache: Cache) -> None:
    absent = digest_of(b"absent")
    assert not cache.has_tree(absent)
    assert cache.manifest(absent) is None
    added = tree(cache, "t")
    assert cache.has_tree(added)
    found = cache.manifest(added)
    assert found is not None
    assert found.digest() == added


def test_a_tree_whose_files_were_deleted_is_not_there(cache: Cache) -> None:
    added = tree(cache, "t")
    os.unlink(cache.tree_path(added) / "t")
    os.rmdir(cache.tree_path(added))
    assert not cache.has_tree(added)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"entries":[],"format":1}', b'{"entries":[],"format":99}'])
def test_a_damaged_manifest_of_a_tree_is_not_believed(cache: Cache, data: bytes) -> None:
    added = tree(cache, "t")
    cache.tree_path(added).with_name(f"{added.hex()}.json").write_bytes(data)
    assert cache.manifest(added) is None


def test_the_longest_unused_tree_goes_first(cache: Cache) -> None:
    one, two, three = (tree(cache, name) for name in "abc")
    assert cache.has_tree(one)  # which is a use
    assert [t.path.name for t in cache.trees()] == [two.hex(), three.hex(), one.hex()]
    gone = cache.clean(250)
    assert [t.path.name for t in gone] == [two.hex()]
    assert [cache.has_tree(t) for t in (one, two, three)] == [True, False, True]
    assert not cache.tree_path(two).exists()


def test_cleaning_down_to_nothing_leaves_no_file(cache: Cache) -> None:
    for name in "abc":
        tree(cache, name)
    assert len(cache.clean()) == 3
    assert cache.trees() == []
    assert os.listdir(cache.folder / "trees") == []


def test_the_cache_keeps_to_its_bound_but_keeps_what_was_just_added(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 250)
    one, two, three = (tree(cache, name) for name in "abc")
    assert [cache.has_tree(t) for t in (one, two, three)] == [False, True, True]
    huge = tree(cache, "huge", 1000)
    assert [t.path.name for t in cache.trees()] == [huge.hex()]
    cache.close()


def test_the_bound_is_a_share_of_the_disk_by_default(tmp_path: Path) -> None:
    assert 0 < Cache(tmp_path / "not" / "made" / "yet").size_bytes <= caches.DEFAULT_SIZE_BYTES
    assert Cache(tmp_path, 7).size_bytes == 7
    assert Cache(tmp_path, 0).size_bytes == 0


# ---- refs ----------------------------------------------------------------------------------------------------


def test_what_a_ref_named_last_is_remembered_for_each_store(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert cache.find_ref("a", "x:latest") is None
    cache.remember_ref("a", "x:latest", "one")
    cache.remember_ref("a", "x:latest", "two")
    cache.remember_ref("b", "x:latest", "three")
    cache.close()
    again = Cache(tmp_path / "cache")
    assert (again.find_ref("a", "x:latest"), again.find_ref("b", "x:latest")) == ("two", "three")
    assert again.find_ref("a", "x:v0") is None
    again.close()


def test_refs_are_forgotten_with_a_damaged_database_and_nothing_else_happens(tmp_path):
    cache = Cache(tmp_path / "cache")
    cache.remember_ref("a", "x", "one")
    cache.close()
    for file in (tmp_path / "cache").glob("state.db*"):
        file.write_bytes(b"no database" * 500)
    assert cache.find_ref("a", "x") is None
    cache.remember_ref("a", "x", "two")
    assert cache.find_ref("a", "x") == "two"
    cache.close()
