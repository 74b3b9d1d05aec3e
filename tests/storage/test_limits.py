"""Limits: a million entries in bounded time and memory, and a disk that is really full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.processes import RunChild

MILLION = """
import resource, time
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry, Manifest
resource.setrlimit(resource.RLIMIT_DATA, (1500 << 20, 1500 << 20))
start = time.process_time()
entries = [Entry(f"train/{n % 1000:04}/{n:07}.jpg", Digest(n.to_bytes(32)), n) for n in range(1_000_000)]
manifest = Manifest(entries)
data = manifest.to_bytes()
again = Manifest.parse(data)
assert len(again) == 1_000_000
assert again == manifest
assert again.digest() == manifest.digest()
print(time.process_time() - start)
"""


def test_a_manifest_of_a_million_entries_is_read_back(run_child: RunChild) -> None:
    assert float(run_child(MILLION)) < 20


# ---- a full disk ---------------------------------------------------------------------------------------------

UNSHARE = ("unshare", "-m") if os.getuid() == 0 else ("unshare", "-Urm")
MOUNT = 'mount -t tmpfs -o size=3m tmpfs "$1" && shift && exec "$@"'


@pytest.fixture
def small_disk(open_path: object) -> tuple[str, ...]:
    """The prefix of a command that finds a disk of 3 MB of its own at `open_path`."""
    prefix = (*UNSHARE, "sh", "-c", MOUNT, "sh", str(open_path))
    can = shutil.which("unshare") and sys.platform == "linux"
    if not can or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        reason = "this machine lets nobody mount a small disk (unshare -m, or user namespaces)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return prefix


COMMON = """
from pathlib import Path
from lineal.core.errors import DiskFull
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.pull import pull
from lineal.storage.sources import find_file
from lineal.storage.transfer import Push
from tests.stores import add_object, add_pack, digest_of, folder_blobs, keys, memory_blobs
disk, roomy = Path(sys.argv[1]), Path(sys.argv[2])
assert os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize == 3 << 20
def fill():
    with open(disk / "filler", "wb", buffering=0) as filler:
        for size in (65536, 4096, 1):
            try:
                while filler.write(bytes(size)):
                    pass
            except OSError:
                pass
def refused(act):
    try:
        act()
    except DiskFull as problem:
        assert problem.code == "unavailable.disk_full"
        assert "space" in problem.message
        return True
"""

PUSH = """
blobs, cache = folder_blobs(disk / "store"), Cache(roomy / "cache")
def push(size, limit=1 << 17):
    (roomy / "file").write_bytes(os.urandom(size))
    with Push(blobs, cache, pack_limit_bytes=limit) as push:
        (entry,) = push.files([find_file(roomy / "file")])
    return entry
kept = push(1000)
for size, limit in ((9 << 20, 1 << 17), (4 << 20, 1 << 17), (4 << 20, 8 << 20)):
    assert refused(lambda: push(size, limit))
    assert len(keys(blobs)) == 1, keys(blobs)
assert refused(lambda: add_object(blobs, os.urandom(4 << 20))) and not blobs.missing([kept.digest])
fill()
assert refused(lambda: push(100_000)), "a full disk"
assert not blobs.missing([kept.digest])
(disk / "filler").unlink()
again = push(1000)
assert not blobs.missing([kept.digest, again.digest])
print("well")
"""

PULL = """
blobs, cache, data = folder_blobs(roomy / "store"), Cache(roomy / "cache"), os.urandom(9 << 20)
add_object(blobs, data)
add_pack(blobs, data[:5 << 20], b"small")
many = [Entry(p, digest_of(d), len(d)) for p, d in (("small", b"small"), ("large", data), ("packed", data[:5 << 20]))]
for mode in ("copy",):
    for entry in many[1:]:
        assert refused(lambda: pull([many[0], entry], blobs, disk / "out", cache, mode=mode))
        assert set(os.listdir(disk / "out")) <= {"small"}, os.listdir(disk / "out")
    assert pull(many[:1], blobs, disk / "out", cache, mode=mode) <= 1
    assert (disk / "out" / "small").read_bytes() == b"small"
print("well")
"""

CACHE = """
cache, file = Cache(disk / "cache"), roomy / "file"
cache.trees()
fill()
file.write_bytes(b"x")
source = find_file(file)
import time
for number in range(200):
    named = [(f"{roomy}/{number}/{n}", source.state, digest_of(b"x")) for n in range(100)]
    cache.remember(named, time.time_ns() + 10**10)
assert cache.find(str(roomy / "none")) is None
blobs = memory_blobs()
with Push(blobs, cache) as push:
    (entry,) = push.files([source])
assert not blobs.missing([entry.digest])
print("well")
"""

DATABASE = """
from lineal.db.schema import meta
from lineal.db.session import insert_many, open_file
database = open_file(str(disk / "lineal.db"))
def put(name, count):
    with database.begin() as session:
        insert_many(session, meta, [(f"{name} {n}", "x" * 1000) for n in range(count)])
put("kept", 10)
assert refused(lambda: put("lost", 5000))
put("more", 10)
with database.read() as session:
    assert session.exec_driver_sql("SELECT count(*) FROM meta").scalar() == 21
assert database.check() == []
print("well")
"""


@pytest.mark.parametrize("code", [PUSH, PULL, CACHE, DATABASE], ids=["push", "pull", "cache", "database"])
def test_a_full_disk_is_told_and_nothing_is_lost_or_left_half(
    run_child: RunChild, small_disk: tuple[str, ...], open_path: object, tmp_path: object, code: str
) -> None:
    assert run_child(COMMON + code, open_path, tmp_path, prefix=small_disk) == "well"
