"""The machine's own limits, beside which the times stand: hashing, copying, syncing and listing with nothing around."""

from __future__ import annotations

import hashlib
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from workloads import cell, data

_CHUNK_BYTES = 4 << 20
_TIMES = 3
_SYNCS = 200


def hash_file(path: Path) -> None:
    """Reads the file once and takes its sha256."""
    digest, buffer = hashlib.sha256(), bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])


def copy_file(path: Path, target: Path) -> None:
    """Copies the file within the kernel."""
    with path.open("rb", buffering=0) as source, target.open("wb", buffering=0) as copy:
        left = path.stat().st_size
        while left > 0:
            left -= _copy_range(source.fileno(), copy.fileno(), left)


def _copy_range(source: int, target: int, count: int) -> int:
    if hasattr(os, "copy_file_range"):
        return os.copy_file_range(source, target, count)
    return os.write(target, os.read(source, min(count, _CHUNK_BYTES)))


def sync_page(target: Path) -> float:
    """The median seconds until 4 KiB appended to a file are on disk."""
    with target.open("wb", buffering=0) as file:

        def append() -> None:
            file.write(os.urandom(4096))
            os.fsync(file.fileno())

        return cell.median_of(append, times=_SYNCS)[0]


def list_files(folder: Path) -> int:
    """How many files lie below the folder, each looked at for its size and times."""
    count, waiting = 0, [str(folder)]
    while waiting:
        for item in os.scandir(waiting.pop()):
            if item.is_dir(follow_symlinks=False):
                waiting.append(item.path)
            else:
                item.stat(follow_symlinks=False)
                count += 1
    return count


def _median(action: Callable[[], object], after: Callable[[], object] = lambda: None) -> float:
    taken = []
    for _ in range(_TIMES):
        taken.append(cell.timed(action))
        after()
        os.sync()
    return statistics.median(taken)


def main() -> None:
    """Measures each limit on the files that the workloads use."""
    here = cell.parse()
    large = data.large_file(here.data, here.choose(full=2048, quick=32))
    small = data.small_files(here.data, here.choose(full=20_000, quick=300))
    copy = here.folder / "copy"
    cell.warm(large, above_bytes=0)
    here.record("limits.hash", _median(lambda: hash_file(large)))
    cell.settle(here.folder, large.stat().st_size)
    here.record("limits.copy", _median(lambda: copy_file(large, copy), copy.unlink))
    here.record("limits.sync", sync_page(copy))
    here.record("limits.list", _median(lambda: list_files(small)))


if __name__ == "__main__":
    main()
