"""Copying a file and hashing the copy in one pass, with memory bounded whatever the file's size.

The kernel copies window by window (`copy_file_range`: a reflink where the file system has them) on one thread, while
another hashes each finished window of the *copy*. So what is hashed is what is kept, whatever happens to the source
meanwhile, and the source's bytes cross into this process never.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

import xxhash

from lineal.core.errors import SourceChanged
from lineal.storage.digest import CHUNK_BYTES, Digest, Readable

_WINDOW_BYTES = 8 << 20
_SYNC_EVERY = 16
_NO_KERNEL_COPY = {errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.EPERM}


class Copied(NamedTuple):
    """What a copy turned out to hold; `digest` is empty where only the xxh3-128 was asked for."""

    digest: Digest
    fast: bytes
    size: int


class Hashes:
    """Digest, xxh3-128 and length of bytes that pass by."""

    def __init__(self, *, identity: bool = True) -> None:
        """Without `identity` the sha256 isn't taken."""
        self.sha = hashlib.sha256() if identity else None
        self.fast = xxhash.xxh3_128()
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        if self.sha is not None:
            self.sha.update(data)
        self.fast.update(data)
        self.size += len(data)

    def result(self) -> Copied:
        return Copied(Digest(self.sha.digest() if self.sha else b""), self.fast.digest(), self.size)


def hash_through(source: Readable, write: Callable[[memoryview], object], size: int | None) -> Copied:
    """What `source` holds, read once through `write`; not `size` bytes (None: any) is conflict.source_changed."""
    hashes = Hashes()
    buffer = memoryview(bytearray(CHUNK_BYTES))
    while count := source.readinto(buffer):
        hashes.update(buffer[:count])
        write(buffer[:count])
    return _whole(hashes, size)


def copy(source: int, target: int, size: int, *, identity: bool = True, durable: bool = False) -> Copied:
    """What the new file `target` holds after `size` bytes of `source` went there (both are descriptors).

    With `durable`, bytes are pushed to the disk while the rest is still being copied, so that the caller's fsync
    finds little left. Raises conflict.source_changed where the source ends early, OSError.
    """
    if size <= _WINDOW_BYTES or not hasattr(os, "copy_file_range"):
        return _copy_through(source, target, size, Hashes(identity=identity))
    sha, fast = hashlib.sha256(), xxhash.xxh3_128()
    # The sha256 takes longer than the copying, so the copying thread takes the xxh3-128 off its hands.
    with _KernelCopy(source, target, size, durable=durable, along=fast if identity else None) as job:
        for offset in range(0, size, _WINDOW_BYTES):
            length = min(_WINDOW_BYTES, size - offset)
            job.wait_for(offset + length)
            _hash_window(target, offset, length, sha if identity else fast)
    return Copied(Digest(sha.digest() if identity else b""), fast.digest(), size)


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> object: ...


def _hash_window(target: int, offset: int, length: int, into: _Hash) -> None:
    window = mmap.mmap(target, length, prot=mmap.PROT_READ, offset=offset)
    with window, memoryview(window) as view:
        into.update(view)


class _KernelCopy:
    """The copying threads; the caller waits for windows as they are finished."""

    def __init__(self, source: int, target: int, size: int, *, durable: bool, along: _Hash | None) -> None:
        """`along` is a hash that is fed with the copy on the copying thread."""
        self._source, self._target, self._size, self._along = source, target, size, along
        self._done = 0
        self._problem: BaseException | None = None
        self._stop = False
        self._moved = threading.Condition()
        jobs = [self._copy, self._sync] if durable else [self._copy]
        self._threads = [threading.Thread(target=job, daemon=True, name="lineal-copy") for job in jobs]

    def __enter__(self) -> _KernelCopy:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._moved:
            self._stop = True
            self._moved.notify_all()
        for thread in self._threads:
            thread.join()

    def wait_for(self, offset: int) -> None:
        with self._moved:
            self._moved.wait_for(lambda: self._done >= offset or self._problem is not None)
            if self._problem is not None:
                raise self._problem

    def _copy(self) -> None:
        try:
            while self._done < self._size and not self._stop:
                count = _copy_window(self._source, self._target, self._done, self._size)
                if self._along is not None:
                    _hash_window(self._target, self._done, count, self._along)
                with self._moved:
                    self._done += count
                    self._moved.notify_all()
        except BaseException as problem:
            with self._moved:
                self._problem = problem
                self._moved.notify_all()

    def _sync(self) -> None:
        synced = 0
        while synced < self._size:
            goal = min(synced + _SYNC_EVERY * _WINDOW_BYTES, self._size)
            with self._moved:
                self._moved.wait_for(lambda goal=goal: self._done >= goal or self._stop or self._problem)  # type: ignore[misc]
                if self._done < goal:
                    return
            try:
                os.fdatasync(self._target)
            except OSError as problem:  # a full disk may show only here
                with self._moved:
                    self._problem = problem
                    self._moved.notify_all()
                return
            synced = goal


def _copy_window(source: int, target: int, offset: int, size: int) -> int:
    """The bytes of one whole window (or of what is left), copied from `offset` on."""
    wanted = min(_WINDOW_BYTES, size - offset)
    done = 0
    while done < wanted:
        count = _copy_range(source, target, offset + done, wanted - done)
        if not count:
            raise SourceChanged("the file shrank while it was being read")
        done += count
    return done


def _copy_range(source: int, target: int, offset: int, wanted: int) -> int:
    try:
        return os.copy_file_range(source, target, wanted, offset, offset)
    except OSError as problem:
        if problem.errno not in _NO_KERNEL_COPY:
            raise
        return os.pwrite(target, os.pread(source, wanted, offset), offset)


def _copy_through(source: int, target: int, size: int, hashes: Hashes) -> Copied:
    offset = 0
    while chunk := os.pread(source, CHUNK_BYTES, offset):
        hashes.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]
        offset += len(chunk)
    return _whole(hashes, size)


def _whole(hashes: Hashes, size: int | None) -> Copied:
    if size is not None and hashes.size != size:
        raise SourceChanged(f"the file had {size} bytes and gave {hashes.size} while it was being read")
    return hashes.result()
