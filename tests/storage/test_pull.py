"""Pull: every file verified before its name appears, nothing outside the target, nothing half written."""

from __future__ import annotations

import gc
import os
import shutil
import stat
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from lineal.backend.local.context import LocalBlobs
from lineal.core.errors import BlobNotFound, DigestMismatch, InvalidTarget
from lineal.storage.blobs import ZLIB, Place
from lineal.storage.cache import Cache
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry
from lineal.storage.pull import Mode, matches, pull
from lineal.storage.sources import state_of
from tests.processes import Child, RunChild
from tests.stores import add_object, add_pack, damage, digest_of, folder_blobs, memory_blobs, s3_blobs

MODES: list[Mode] = ["copy", "link"]
CONTENTS = {
    "small.txt": b"small",
    "empty": b"",
    "sub/deep/b.txt": b"deep",
    "sub/c.txt": b"small",
    "large.bin": b"0123456789" * 30_000,
    "sub/large.bin": os.urandom(9 << 20),
    "coded": b"coded" * 1000,
}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def entries(blobs: LocalBlobs) -> list[Entry]:
    return store(blobs)


def store(blobs: LocalBlobs) -> list[Entry]:
    """The entries of CONTENTS, stored: small ones in a pack, large ones as objects, one coded."""
    add_pack(blobs, *[data for data in CONTENTS.values() if len(data) < 1000])
    for path, data in CONTENTS.items():
        if len(data) >= 1000:
            add_object(blobs, data, codec=ZLIB if path == "coded" else 0)
    return [Entry(path, digest_of(data), len(data)) for path, data in CONTENTS.items()]


def settle(cache: Cache, target: Path, *paths: str) -> None:
    """Lets the cache remember files of the target, as if they had been looked at much later."""
    found = [(str(target / p), state_of(os.stat(target / p)), digest_of((target / p).read_bytes())) for p in paths]
    cache.remember(found, time.time_ns() + 10**10)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` by its path, hidden and temporary ones too."""
    found = [p for p in folder.rglob("*") if not p.is_dir() or p.is_symlink()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


# ---- what is right -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_version_is_written_whole_and_nothing_else(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], mode: Mode
) -> None:
    assert pull(entries, blobs, target, cache, mode=mode) == len(entries)
    assert files(target) == CONTENTS
    assert matches(entries, target, cache) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_store_without_paths_is_pulled_from_too(cache: Cache, target: Path, mode: Mode) -> None:
    blobs = memory_blobs()
    assert pull(store(blobs), blobs, target, cache, mode=mode) == len(CONTENTS)
    assert files(target) == CONTENTS


@pytest.mark.parametrize("mode", MODES)
def test_files_that_are_right_already_are_left_alone(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], mode: Mode
) -> None:
    pull(entries, blobs, target, cache, mode=mode)
    before = {path: os.lstat(target / path).st_ino for path in CONTENTS}
    (target / "small.txt").unlink()
    assert [e.path for e in matches(entries, target, cache)] == ["small.txt"]
    assert pull(entries, blobs, target, cache, mode=mode) == 1
    assert pull(entries, blobs, target, Cache(target.parent / "other"), mode=mode) == 0
    after = {path: os.lstat(target / path).st_ino for path in CONTENTS}
    assert {p for p in CONTENTS if after[p] != before[p]} <= {"small.txt"}


def test_files_that_nobody_asked_for_are_left_alone(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    (target / "sub").mkdir(parents=True)
    (target / "sub" / "mine").write_bytes(b"mine")
    pull(entries, blobs, target, cache)
    assert files(target) == {**CONTENTS, "sub/mine": b"mine"}


@pytest.mark.parametrize("path", ["small.txt", "large.bin"])
def test_a_tampered_file_is_repaired_though_its_size_and_time_are_right(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], path: str
) -> None:
    pull(entries, blobs, target, cache)
    settle(cache, target, path)
    before = os.stat(target / path)
    data = bytearray(CONTENTS[path])
    data[-1] ^= 1
    (target / path).write_bytes(data)
    os.utime(target / path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [e.path for e in matches(entries, target, cache)] == [path]
    assert pull(entries, blobs, target, cache) == 1
    assert files(target) == CONTENTS


def test_pulling_nothing_makes_an_empty_folder(blobs: LocalBlobs, cache: Cache, target: Path) -> None:
    assert pull([], blobs, target, cache) == 0
    assert files(target) == {}


def test_progress_is_told_in_bytes(blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]) -> None:
    told: list[int] = []
    pull(entries, blobs, target, cache, progress=told.append)
    assert sum(told) == sum(map(len, CONTENTS.values()))


def test_a_path_as_deep_as_paths_may_be_is_written(blobs: LocalBlobs, cache: Cache, target: Path) -> None:
    add_pack(blobs, b"x")
    depth = (4000 - len(str(target))) // 2
    entry = Entry("d/" * depth + "f", digest_of(b"x"), 1)
    import subprocess

    try:
        assert pull([entry], blobs, target, cache) == 1
        assert (target / entry.path).read_bytes() == b"x"
        assert matches([entry], target, cache) == []
    finally:
        subprocess.run(["rm", "-rf", target], check=True)  # too deep for shutil


def test_hundreds_of_folders_are_no_trouble(blobs: LocalBlobs, cache: Cache, target: Path) -> None:
    add_pack(blobs, b"x")
    wanted = [Entry(f"d{n % 150}/e{n % 7}/f{n}", digest_of(b"x"), 1) for n in range(600)]
    cache.trees()  # which opens its database
    cache.trees()  # which opens its database
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    assert pull(wanted, blobs, target, cache) == 600
    assert matches(wanted, target, cache) == []
    assert len(os.listdir("/proc/self/fd")) <= before


# ---- stores elsewhere, and blobs of which only the sha256 is known --------------------------------------------


class Unread(LocalBlobs):
    """Blobs of which nobody of ours has read the bytes, as when clients send them to S3 by themselves."""

    def find(self, digests_: Collection[Digest]) -> dict[Digest, Place]:
        return {digest: place._replace(fast=b"") for digest, place in super().find(digests_).items()}


@pytest.fixture
def unread(blobs: LocalBlobs) -> LocalBlobs:
    return Unread(blobs._database, blobs.store)


@pytest.mark.parametrize("mode", MODES)
def test_what_only_the_sha256_is_known_of_is_held_to_it(
    unread: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], mode: Mode
) -> None:
    assert pull(entries, unread, target, cache, mode=mode) == len(entries)
    assert files(target) == CONTENTS
    shutil.rmtree(target)
    for path in ("large.bin", "sub/large.bin"):
        place = unread.find([digest_of(CONTENTS[path])])[digest_of(CONTENTS[path])]
        damage(str(unread.store.path_of(place.key)), len(CONTENTS[path]) - 1)
        with pytest.raises(DigestMismatch, match=path):
            pull([e for e in entries if e.path == path], unread, target, cache, mode=mode)
    assert files(target) == {}


@pytest.mark.parametrize("mode", MODES)
def test_a_version_is_pulled_from_s3(s3_url: str, cache: Cache, target: Path, mode: Mode) -> None:
    blobs = s3_blobs(s3_url)
    assert pull(store(blobs), blobs, target, cache, mode=mode) == len(CONTENTS)
    assert files(target) == CONTENTS
    for path in CONTENTS:
        assert bool(os.stat(target / path).st_mode & stat.S_IWUSR) == (mode == "copy")


@pytest.mark.parametrize("path", ["small.txt", "large.bin", "sub/large.bin", "coded"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_damage_in_a_store_elsewhere_is_told_by_its_file_and_leaves_nothing_wrong(
    cache: Cache, target: Path, path: str, harm: str
) -> None:
    blobs = memory_blobs()
    (entry,) = [e for e in store(blobs) if e.path == path]
    assert entry.digest is not None
    place = blobs.find([entry.digest])[entry.digest]
    with blobs.store.open(place.key) as file:
        data = bytearray(file.read())
    data[place.offset + place.length - 1] ^= 1
    blobs.store.delete(place.key)
    if harm != "gone":
        writer = blobs.store.create()
        writer.write(bytes(data) if harm == "flipped" else bytes(data)[: place.offset + place.length // 2])
        writer.commit(place.key)
    with pytest.raises(BlobNotFound if harm == "gone" else DigestMismatch) as caught:
        pull([entry], blobs, target, cache)
    if harm != "gone":
        assert caught.value.details["path"] == path
    assert files(target) == {}


# ---- links ---------------------------------------------------------------------------------------------------


def test_linked_files_are_read_only_and_large_ones_share_the_stores_bytes(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    pull(entries, blobs, target, cache, mode="link")
    for path, data in CONTENTS.items():
        assert stat.S_IMODE(os.stat(target / path).st_mode) == 0o444, path
        place = blobs.find([digest_of(data)])[digest_of(data)]
        shared = os.stat(target / path).st_ino == os.stat(str(blobs.store.path_of(place.key))).st_ino
        assert shared == (path in ("large.bin", "sub/large.bin"))


def test_copied_files_share_nothing_and_may_be_written(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    pull(entries, blobs, target, cache)
    for path in CONTENTS:
        facts = os.stat(target / path)
        assert facts.st_nlink == 1
        assert facts.st_mode & stat.S_IWUSR


def test_copies_take_the_place_of_links_so_that_writing_them_spares_the_store(
    tmp_path: Path, cache: Cache, target: Path
) -> None:
    blobs = folder_blobs(tmp_path / "linked")
    entries = store(blobs)
    pull(entries, blobs, target, cache, mode="link")
    assert (target / "large.bin").stat().st_nlink == 2
    pull(entries, blobs, target, cache, mode="copy")
    assert (target / "large.bin").stat().st_nlink == 1
    (target / "large.bin").write_bytes(b"mine")
    shutil.rmtree(target)
    assert pull(entries, blobs, target, cache) == len(entries)


def test_a_link_to_a_damaged_object_is_not_made(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    pull(entries, blobs, target, cache, mode="link")
    shutil.rmtree(target)
    place = blobs.find([digest_of(CONTENTS["large.bin"])])[digest_of(CONTENTS["large.bin"])]
    damage(str(blobs.store.path_of(place.key)), 7)
    with pytest.raises(DigestMismatch, match=r"large\.bin"):
        pull(entries, blobs, target, cache, mode="link")
    assert "large.bin" not in files(target)


# ---- damage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", ["small.txt", "sub/deep/b.txt", "large.bin", "sub/large.bin", "coded"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_a_damaged_blob_is_told_by_its_file_and_leaves_nothing_wrong(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], path: str, mode: Mode, harm: str
) -> None:
    (entry,) = [e for e in entries if e.path == path]
    assert entry.digest is not None
    place = blobs.find([entry.digest])[entry.digest]
    object_ = Path(str(blobs.store.path_of(place.key)))
    if harm == "flipped":
        damage(object_, place.offset + place.length - 1)
    elif harm == "cut":
        object_.chmod(0o644)
        os.truncate(object_, place.offset + place.length // 2)
    else:
        object_.unlink()
    with pytest.raises(BlobNotFound if harm == "gone" else DigestMismatch) as caught:
        pull([entry], blobs, target, cache, mode=mode)
    if harm != "gone":
        assert caught.value.details["path"] == path
        assert path in caught.value.message
    assert files(target) == {}


def test_the_files_before_a_damaged_one_stay_and_the_next_pull_goes_on(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    place = blobs.find([digest_of(CONTENTS["large.bin"])])[digest_of(CONTENTS["large.bin"])]
    damage(str(blobs.store.path_of(place.key)))
    with pytest.raises(DigestMismatch):
        pull(entries, blobs, target, cache)
    left = files(target)
    assert left.items() <= CONTENTS.items()
    assert "large.bin" not in left
    damage(str(blobs.store.path_of(place.key)))  # the same bit again mends it
    pull(entries, blobs, target, cache)
    assert files(target) == CONTENTS


def test_a_blob_that_the_store_never_had_is_told_by_its_file(blobs: LocalBlobs, cache: Cache, target: Path) -> None:
    with pytest.raises(BlobNotFound, match="some/file"):
        pull([Entry("some/file", digest_of(b"never"), 5)], blobs, target, cache)
    assert files(target) == {}


# ---- hostile targets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", ["sub", "sub/deep"])
@pytest.mark.parametrize("lead", ["outside", "dangling", "inside"])
def test_a_link_where_a_folder_belongs_is_refused_and_nothing_is_written_behind_it(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], mode: Mode, place: str, lead: str
) -> None:
    outside = target.parent / "outside"
    outside.mkdir()
    (target / place).parent.mkdir(parents=True)
    (target / "other").mkdir()
    (target / place).symlink_to({"outside": outside, "dangling": "nowhere", "inside": target / "other"}[lead])
    with pytest.raises(InvalidTarget):
        pull(entries, blobs, target, cache, mode=mode)
    assert os.listdir(outside) == os.listdir(target / "other") == []
    assert not (target / "nowhere").exists()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", ["small.txt", "sub/large.bin", "coded"])
def test_a_link_where_a_file_belongs_is_replaced_and_not_followed(
    blobs: LocalBlobs, cache: Cache, target: Path, tmp_path: Path, entries: list[Entry], mode: Mode, path: str
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    (target / path).symlink_to(tmp_path / "precious")
    pull(entries, blobs, target, cache, mode=mode)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert files(target) == CONTENTS
    assert not (target / path).is_symlink()


def test_a_hard_link_in_the_target_is_replaced_and_not_written_through(
    blobs: LocalBlobs, cache: Cache, target: Path, tmp_path: Path, entries: list[Entry]
) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    target.mkdir()
    os.link(tmp_path / "precious", target / "small.txt")
    pull(entries, blobs, target, cache)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_pipe_where_a_file_belongs_is_replaced_and_not_waited_for(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    target.mkdir()
    os.mkfifo(target / "small.txt")
    pull(entries, blobs, target, cache)
    assert files(target) == CONTENTS


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("path", ["small.txt", "large.bin"])
def test_a_folder_where_a_file_belongs_is_refused_and_kept(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], path: str, filled: bool
) -> None:
    (target / path).mkdir(parents=True)
    if filled:
        (target / path / "mine").write_text("mine")
    with pytest.raises(InvalidTarget, match=path):
        pull(entries, blobs, target, cache)
    assert (target / path).is_dir()
    assert not [name for name in files(target) if ".lineal-" in name]


def test_a_file_where_a_folder_belongs_is_refused_and_kept(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry]
) -> None:
    target.mkdir()
    (target / "sub").write_text("mine")
    with pytest.raises(InvalidTarget, match="sub"):
        pull(entries, blobs, target, cache)
    assert (target / "sub").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "below"])
def test_a_target_that_is_a_file_is_refused(
    blobs: LocalBlobs, cache: Cache, target: Path, entries: list[Entry], below: str
) -> None:
    target.write_text("mine")
    with pytest.raises(InvalidTarget):
        pull(entries, blobs, target / below if below else target, cache)
    assert target.read_text() == "mine"
    assert matches(entries, target, cache) == entries


def test_a_target_that_may_not_be_written_is_told(open_path: Path, run_child: RunChild) -> None:
    store_folder = open_path / "store"
    add_pack(folder_blobs(store_folder), b"a")
    (open_path / "closed").mkdir()
    os.chmod(open_path / "closed", 0o555)
    os.chmod(open_path, 0o777)
    for place, _, names in os.walk(store_folder):
        os.chmod(place, 0o755)
        for name in names:
            os.chmod(os.path.join(place, name), 0o444)
    code = """
from pathlib import Path
from lineal.core.errors import Error
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry
from lineal.storage.pull import pull
from tests.stores import digest_of, folder_blobs
here = Path(sys.argv[1])
blobs = folder_blobs(here / "store")
blobs.find([digest_of(b"a")])
drop()
for target in (here / "closed", here / "closed" / "new"):
    try:
        pull([Entry("a", digest_of(b"a"), 1)], blobs, target, Cache(here / "cache"))
    except Error as problem:
        print(problem.code)
"""
    assert run_child(code, open_path).split() == ["unavailable.read_only"] * 2


def test_two_processes_pull_into_one_folder_at_once(
    blobs: LocalBlobs, target: Path, tmp_path: Path, start_child: Child, entries: list[Entry]
) -> None:
    code = """
from pathlib import Path
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry
from lineal.storage.pull import pull
from tests.stores import folder_blobs

from lineal.storage.digest import Digest
entries = [Entry(p, Digest(bytes.fromhex(d)), int(s)) for p, d, s in (w.split(":") for w in sys.argv[4:])]
blobs = folder_blobs(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
pull(entries, blobs, sys.argv[2], Cache(Path(sys.argv[3])))
"""
    asked = [f"{e.path}:{e.digest.hex()}:{e.size}" for e in entries if e.digest]
    children = [start_child(code, tmp_path / "store", target, tmp_path / "cache", *asked) for _ in range(2)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        assert child.wait(timeout=60) == 0, child.stderr and child.stderr.read()
    assert files(target) == CONTENTS
