"""Push: each file read once, small ones into packs, nothing twice, and nothing of a file that changes meanwhile."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.backend.local.context import LocalBlobs
from lineal.core.errors import InvalidSource, SourceChanged
from lineal.storage import gc
from lineal.storage.blobs import read_blob
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.sources import find_file, find_files
from lineal.storage.transfer import PACK_LIMIT_BYTES, Push
from tests.processes import Child, RunChild
from tests.stores import add_object, digest_of, keys

_listeners: list[list[str]] = []


def _note_opens(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _listeners and isinstance(arguments[0], str):
        _listeners[-1].append(arguments[0])


sys.addaudithook(_note_opens)


@contextmanager
def opens() -> Iterator[list[str]]:
    """The paths that this process opens meanwhile, as Python's own audit tells."""
    _listeners.append([])
    try:
        yield _listeners[-1]
    finally:
        _listeners.pop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def push_all(blobs: LocalBlobs, cache: Cache, folder: Path, **options: int) -> Manifest:
    """The manifest of everything in `folder`, pushed with all it names."""
    with Push(blobs, cache, **options) as push:
        manifest = Manifest(push.files(find_files(folder)))
        push.manifest(manifest)
    return manifest


def settle(cache: Cache, folder: Path) -> None:
    """Lets the cache remember what lies in `folder`, as if it had been looked at much later."""
    found = [(s.file, s.state, digest_of(Path(s.file).read_bytes())) for s in find_files(folder)]
    cache.remember(found, time.time_ns() + 10**10)


def packs(blobs: LocalBlobs) -> list[str]:
    return [key for key in keys(blobs) if key.startswith("packs/")]


def objects(blobs: LocalBlobs) -> list[str]:
    return [key for key in keys(blobs) if key.startswith("objects/")]


# ---- what goes where -----------------------------------------------------------------------------------------


def test_what_is_pushed_can_be_read(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    data = {"a": b"a", "sub/b": b"", "big": os.urandom(300_000), "huge": os.urandom(17 << 20)}
    for path, content in data.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    manifest = push_all(blobs, cache, folder)
    assert {e.path: (e.digest, e.size) for e in manifest} == {p: (digest_of(c), len(c)) for p, c in data.items()}
    assert all(read_blob(blobs, digest_of(content)) == content for content in data.values())
    assert Manifest.parse(read_blob(blobs, manifest.digest())) == manifest


def test_small_files_share_a_pack_and_large_ones_are_objects(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    for number in range(600):
        (folder / f"small{number}").write_bytes(str(number).encode())
    (folder / "limit").write_bytes(bytes(PACK_LIMIT_BYTES))
    (folder / "over").write_bytes(bytes(PACK_LIMIT_BYTES + 1))
    push_all(blobs, cache, folder)
    assert len(packs(blobs)) == 1
    (key,) = objects(blobs)
    assert digest_of(bytes(PACK_LIMIT_BYTES + 1)).hex() in key


@pytest.mark.parametrize(("limit", "count"), [(0, 2), (4, 1), (5, 0)])
def test_the_limit_between_small_and_large_can_be_set(
    blobs: LocalBlobs, cache: Cache, folder: Path, limit: int, count: int
) -> None:
    (folder / "a").write_bytes(b"1234")
    (folder / "b").write_bytes(b"12345")
    with Push(blobs, cache, pack_limit_bytes=limit) as push:
        push.files(find_files(folder))
    assert len(objects(blobs)) == count
    assert blobs.missing([digest_of(b"1234"), digest_of(b"12345")]) == set()


def test_packs_are_closed_when_they_are_full(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    for number in range(40):
        (folder / str(number)).write_bytes(os.urandom(1 << 20))
    manifest = push_all(blobs, cache, folder, pack_limit_bytes=1 << 20)
    assert len(packs(blobs)) == 2
    assert blobs.missing(manifest.blobs) == set()


def test_a_large_manifest_becomes_an_object(blobs: LocalBlobs, cache: Cache) -> None:
    manifest = Manifest([Entry(f"{n:06}", digest_of(str(n).encode()), 1) for n in range(5000)])
    with Push(blobs, cache) as push:
        assert push.manifest(manifest) == manifest.digest()
    (key,) = keys(blobs)
    assert key.startswith("objects/")
    assert Manifest.parse(read_blob(blobs, manifest.digest())) == manifest


# ---- nothing twice -------------------------------------------------------------------------------------------


def test_each_file_is_opened_once(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    for number, size in enumerate((0, 10, 300_000, 9 << 20, 17 << 20)):
        (folder / str(number)).write_bytes(os.urandom(size))
    with opens() as seen:
        push_all(blobs, cache, folder)
    inside = sorted(path for path in seen if path.startswith(f"{folder}/"))
    assert inside == sorted(str(file) for file in folder.iterdir())


def test_a_remembered_file_is_not_opened_at_all(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    for number in range(20):
        (folder / str(number)).write_bytes(str(number).encode())
    first = push_all(blobs, cache, folder)
    settle(cache, folder)
    with opens() as seen:
        assert push_all(blobs, cache, folder) == first
    assert [path for path in seen if path.startswith(f"{folder}/")] == []


def test_without_trust_every_file_is_opened(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    (folder / "a").write_bytes(b"a")
    push_all(blobs, cache, folder)
    settle(cache, folder)
    with opens() as seen, Push(blobs, cache) as push:
        push.files(find_files(folder), trust=False)
    assert str(folder / "a") in seen


def test_pushing_again_stores_nothing_more(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    (folder / "a").write_bytes(b"a")
    (folder / "big").write_bytes(os.urandom(300_000))
    push_all(blobs, cache, folder)
    before = keys(blobs)
    push_all(blobs, Cache(folder.parent / "other cache"), folder)
    assert keys(blobs) == before


@pytest.mark.parametrize("size", [10, 300_000, 17 << 20])
def test_the_same_bytes_under_many_names_are_stored_once(
    blobs: LocalBlobs, cache: Cache, folder: Path, size: int
) -> None:
    data = os.urandom(size)
    for number in range(3):
        (folder / str(number)).write_bytes(data)
    with Push(blobs, cache) as push:
        assert {entry.digest for entry in push.files(find_files(folder))} == {digest_of(data)}
    (stored,) = blobs.store.list()
    assert stored.size < size + 200


def test_the_same_bytes_given_as_data_are_stored_once(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    (folder / "a").write_bytes(b"x" * 1000)
    with Push(blobs, cache) as push:
        push.files(find_files(folder))
        assert push.data("b", b"x" * 1000) == push.data("b", b"x" * 1000) == Entry("b", digest_of(b"x" * 1000), 1000)
    (stored,) = blobs.store.list()
    assert stored.size < 1200


def test_what_the_store_holds_already_is_not_stored_again(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    add_object(blobs, b"known")
    before = keys(blobs)
    (folder / "a").write_bytes(b"known")
    with Push(blobs, cache) as push:
        push.files(find_files(folder))
        push.data("b", b"known")
    assert keys(blobs) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(contents=st.lists(st.binary(max_size=40), max_size=12), limit=st.integers(0, 40))
def test_whatever_is_pushed_is_read_back(
    blobs: LocalBlobs, cache: Cache, folder: Path, contents: list[bytes], limit: int
) -> None:
    for old in folder.iterdir():
        old.unlink()
    for number, content in enumerate(contents):
        (folder / str(number)).write_bytes(content)
    manifest = push_all(blobs, cache, folder, pack_limit_bytes=limit)
    assert {e.path: read_blob(blobs, e.digest) for e in manifest if e.digest} == {
        str(n): content for n, content in enumerate(contents)
    }


def test_progress_is_told_in_bytes_of_files(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    for number, size in enumerate((0, 10, 300_000, 17 << 20)):
        (folder / str(number)).write_bytes(os.urandom(size))
    told: list[int] = []
    with Push(blobs, cache, progress=told.append) as push:
        push.files(find_files(folder))
    assert sum(told) == 10 + 300_000 + (17 << 20)


# ---- what changes, vanishes or can't be read -----------------------------------------------------------------


SIZES = [10, 300_000, 9 << 20, 17 << 20]
CHANGES = ["same size", "longer", "shorter", "touched", "replaced", "deleted", "pipe", "link"]


def only_garbage(blobs: LocalBlobs) -> bool:
    """Whether what lies in the store, if anything, is unknown to the index and readable for what it is."""
    known = {d for o in blobs.store.list() for d in (p.digest for p in gc.places_in(blobs.store, o))}
    return blobs.missing(known) == known


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "change", ["same size", "longer", "shorter", "touched", "replaced", "deleted", "pipe", "link"]
)
def test_a_file_that_changed_after_it_was_found_is_refused(
    blobs: LocalBlobs, cache: Cache, folder: Path, size: int, change: str
) -> None:
    file = folder / "a"
    file.write_bytes(os.urandom(size))
    os.utime(file, ns=(10**18, 10**18))
    sources = find_files(folder)
    if change in ("same size", "longer", "shorter"):
        file.write_bytes(os.urandom({"same size": size, "longer": size + 1, "shorter": size - 1}[change]))
    elif change == "touched":
        os.utime(file)
    else:
        file.unlink()
        if change == "replaced":
            file.write_bytes(os.urandom(size))
        elif change == "pipe":
            os.mkfifo(file)
        elif change == "link":
            file.symlink_to("/etc/passwd")
    with pytest.raises((SourceChanged, InvalidSource)) as caught, Push(blobs, cache) as push:
        push.files(sources)
    assert isinstance(caught.value, InvalidSource if change in ("deleted", "link") else SourceChanged)
    assert str(file) in caught.value.message
    assert only_garbage(blobs)
    assert cache.find(str(file)) is None


def test_one_changed_file_among_many_leaves_no_pack(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    for number in range(600):
        (folder / f"{number:04}").write_bytes(str(number).encode())
    sources = sorted(find_files(folder))
    (folder / "0599").write_bytes(b"changed")
    with pytest.raises(SourceChanged, match="0599"), Push(blobs, cache) as push:
        push.files(sources)
    assert keys(blobs) == set()


@pytest.mark.parametrize("size", [100_000, 20 << 20])
def test_a_file_that_another_process_writes_is_never_stored_wrongly(
    blobs: LocalBlobs, cache: Cache, folder: Path, start_child: Child, size: int
) -> None:
    """Whatever a push says that it stored is what it stored; most often it says that the file changed."""
    code = """
import itertools
size = int(sys.argv[2])
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for number in itertools.count():
    os.pwrite(file, bytes([number % 256]) * 4096, number * 4096 % size)
    if number == 50:
        print("writing", flush=True)
"""
    file = folder / "a"
    file.write_bytes(bytes(size))
    writer = start_child(code, file, size)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    for _ in range(20):
        try:
            with Push(blobs, cache) as push:
                (entry,) = push.files([find_file(file)])
        except SourceChanged:
            continue
        assert entry.digest is not None
        assert digest_of(read_blob(blobs, entry.digest)) == entry.digest
    writer.kill()
    writer.wait()
    with Push(blobs, cache) as push:
        (entry,) = push.files([find_file(file)])
    assert entry.digest == digest_of(file.read_bytes())


def test_an_unreadable_file_is_refused_by_name(open_path: Path, run_child: RunChild) -> None:
    (open_path / "data").mkdir()
    for name, size in (("small", 10), ("large", 300_000)):
        (open_path / "data" / name).write_bytes(bytes(size))
        os.chmod(open_path / "data" / name, 0)
    os.chmod(open_path, 0o777)
    code = """
from pathlib import Path
from lineal.core.errors import InvalidSource
from lineal.storage.cache import Cache
from lineal.storage.sources import find_file
from lineal.storage.transfer import Push
from tests.stores import folder_blobs
drop()
here = Path(sys.argv[1])
for name in ("small", "large"):
    try:
        with Push(folder_blobs(here / "store"), Cache(here / "cache")) as push:
            push.files([find_file(here / "data" / name)])
    except InvalidSource as problem:
        print(name in problem.message)
"""
    assert run_child(code, open_path).split() == ["True", "True"]


def test_a_push_that_fails_leaves_no_half_pack(blobs: LocalBlobs, cache: Cache) -> None:
    with pytest.raises(RuntimeError), Push(blobs, cache) as push:
        push.data("a", b"a")
        raise RuntimeError
    assert keys(blobs) == set()
    assert blobs.missing([digest_of(b"a")]) == {digest_of(b"a")}


# ---- blobs that are gone -------------------------------------------------------------------------------------


def lose(blobs: LocalBlobs, *contents: bytes) -> None:
    """Takes blobs away as gc does."""
    from lineal.storage import index

    with blobs._database.begin() as session:
        index.forget(session, [digest_of(content) for content in contents])


def test_a_blob_that_gc_took_meanwhile_is_pushed_again(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    (folder / "a").write_bytes(b"a")
    (folder / "b").write_bytes(b"b")
    push_all(blobs, cache, folder)
    settle(cache, folder)
    lose(blobs, b"a")
    (folder / "new").write_bytes(b"new")
    manifest = push_all(blobs, cache, folder)
    assert blobs.missing(manifest.blobs) == set()
    assert read_blob(blobs, digest_of(b"a")) == b"a"


def test_a_blob_that_turns_out_to_be_missing_is_repaired(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    (folder / "a").write_bytes(b"a")
    settle(cache, folder)
    with Push(blobs, cache) as push:
        push.files(find_files(folder))
        push.repair([digest_of(b"a"), digest_of(b"not ours")])
    assert read_blob(blobs, digest_of(b"a")) == b"a"


def test_a_trusted_file_that_changed_by_the_time_of_its_repair_is_refused(
    blobs: LocalBlobs, cache: Cache, folder: Path
) -> None:
    (folder / "a").write_bytes(b"a")
    settle(cache, folder)
    with pytest.raises(SourceChanged), Push(blobs, cache) as push:
        manifest = Manifest(push.files(find_files(folder)))
        (folder / "a").write_bytes(b"b")
        push.manifest(manifest)
    assert keys(blobs) == set()


def test_a_wrong_memory_is_found_out_at_the_repair(blobs: LocalBlobs, cache: Cache, folder: Path) -> None:
    (folder / "a").write_bytes(b"a")
    (source,) = find_files(folder)
    cache.remember([(source.file, source.state, digest_of(b"other"))], time.time_ns() + 10**10)
    with pytest.raises(SourceChanged), Push(blobs, cache) as push:
        push.manifest(Manifest(push.files([source])))
    assert keys(blobs) == set()
