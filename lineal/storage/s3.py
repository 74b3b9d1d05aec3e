"""A store in S3: objects below a prefix of a bucket, written whole or in parallel parts, read by ranges ahead."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from io import SEEK_CUR, SEEK_END, SEEK_SET, BufferedReader, FileIO, RawIOBase
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit

from lineal.core.errors import DigestMismatch, Error, SourceChanged, StoreUnavailable
from lineal.storage import copies
from lineal.storage import digest as digests
from lineal.storage.blobs import (
    OBJECTS,
    PACKS,
    TEMPORARY,
    BlobStore,
    ObjectWriter,
    StoredObject,
    is_temporary,
    translated,
)
from lineal.storage.digest import Digest
from lineal.storage.parallel import in_order, ranges
from lineal.storage.s3_bucket import Bucket, Part

WHOLE_BYTES = 16 << 20
PACK_BYTES = 48 << 20
PART_BYTES = 8 << 20
_MAX_PARTS = 10_000
_AT_ONCE = 6
_FIRST_BYTES = 1 << 20


class S3Store(BlobStore):
    """Objects in the bucket and below the prefix that `s3://bucket/prefix` names."""

    def __init__(self, url: str, client: Any = None) -> None:
        """`client` is boto3's, or else the process's own. Raises unavailable.store for a URL of no bucket."""
        parts = urlsplit(url)
        if not parts.hostname or parts.netloc != parts.hostname or parts.query or parts.fragment:
            raise StoreUnavailable("a store in S3 is s3://bucket or s3://bucket/prefix; keys and options are boto3's")
        self.url, self.root = url, parts.path.strip("/")
        self.bucket = Bucket(parts.netloc, self.root, client)

    def create(self) -> ObjectWriter:
        return _S3Writer(self.bucket)

    def add_file(self, source: FileIO, size: int, name: Callable[[Digest], str]) -> copies.Copied:
        """Stores the `size` bytes of `source` under the key that `name` makes of their digest.

        A large file is read twice, as its key is known only once it is hashed; the second time its parts are held to
        the checksums of the first by S3 itself, so that what is stored is what was hashed.
        """
        descriptor = source.fileno()
        if size <= WHOLE_BYTES:
            data = _read(descriptor, 0, size)
            copied = copies.Copied(digests.of_bytes(data), digests.fast_of_bytes(data), size)
            self.bucket.put(name(copied.digest), data, copied.digest)
            return copied
        copied, sums = _hash_parts(descriptor, size)
        try:
            _put_parts(self.bucket, name(copied.digest), descriptor, size, sums)
        except DigestMismatch:
            raise SourceChanged("the file changed while it was being stored") from None
        return copied

    @contextmanager
    def open(self, key: str) -> Iterator[BufferedReader]:
        with _Reader(self.bucket, key) as raw, BufferedReader(raw, _FIRST_BYTES) as file:
            yield file  # type: ignore[misc]

    def read(self, key: str, offset: int, length: int) -> bytes:
        return self.bucket.get(key, offset, offset + length)[0] if length > 0 else b""

    def list(self) -> Iterator[StoredObject]:
        """Every object, and every upload in parts that has not ended, as an object half written."""
        for top in (OBJECTS, PACKS):
            for key, size, at in self.bucket.list_objects(f"{top}/"):
                yield StoredObject(key, size, at.timestamp())
        for upload in self.bucket.list_uploads():
            with suppress(Error):  # it has ended meanwhile
                size = sum(part.size for part in self.bucket.list_parts(upload.key, upload.upload_id))
                yield StoredObject(_half_written(upload.key, upload.upload_id), size, upload.started_at.timestamp())

    def delete(self, key: str) -> None:
        if is_temporary(key):
            of, _, name = key.rpartition("/")
            self.bucket.abort_upload(of, unquote(name.removeprefix(TEMPORARY)))
        else:
            self.bucket.delete(key)


def _half_written(key: str, upload_id: str) -> str:
    """The key by which an upload is listed, and dropped when it is deleted."""
    return f"{key}/{TEMPORARY}{quote(upload_id, safe='')}"


# ---- writing -----------------------------------------------------------------------------------------------------


def part_bytes(size: int) -> int:
    """The size of the parts in which an object of `size` bytes is sent, whole MiB and at most 10,000 of them."""
    least = -(-size // _MAX_PARTS)
    return max(PART_BYTES, -(-least // (1 << 20)) << 20)


def _read(descriptor: int, start: int, end: int) -> bytes:
    """The file's bytes from `start` to `end`. Raises conflict.source_changed where it has fewer."""
    pieces: list[bytes] = []
    while start < end:
        piece = os.pread(descriptor, end - start, start)
        if not piece:
            raise SourceChanged("the file shrank while it was being read")
        pieces.append(piece)
        start += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _hash_parts(descriptor: int, size: int) -> tuple[copies.Copied, list[Digest]]:
    """What the file holds, and the digest of each of its parts, which another thread takes from the same bytes."""

    def read(part: tuple[int, int]) -> tuple[bytes, Digest]:
        data = _read(descriptor, *part)
        return data, digests.of_bytes(data)

    hashes, sums = copies.Hashes(), []
    for data, of_part in in_order(read, ranges(0, size, part_bytes(size)), 2):
        hashes.update(data)
        sums.append(of_part)
    return hashes.result(), sums


def _put_parts(bucket: Bucket, key: str, descriptor: int, size: int, sums: list[Digest] | None) -> None:
    """Makes the file's bytes an object, in parts of which each hashes to one of `sums`, if they are given."""
    upload_id = bucket.create_upload(key)

    def put(numbered: tuple[int, tuple[int, int]]) -> Part:
        number, part = numbered
        data = _read(descriptor, *part)
        of_part = digests.of_bytes(data) if sums is None else sums[number - 1]
        return bucket.put_part(key, upload_id, number, data, of_part)

    try:
        numbered = enumerate(ranges(0, size, part_bytes(size)), 1)
        bucket.complete_upload(key, upload_id, list(in_order(put, numbered, _AT_ONCE)))
    except BaseException:
        with suppress(Error):
            bucket.abort_upload(key, upload_id)
        raise


class _S3Writer:
    """Holds the bytes, on disk where they are many, and sends them once their key is known: a pack by one request."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        self._held += data
        self._size += len(data)
        if self._file is not None or self._size > PACK_BYTES:
            self._spill()

    def _spill(self) -> None:
        with translated("a blob"):
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by commit and abort
            self._file.write(self._held)
        self._held.clear()

    def commit(self, key: str) -> None:
        if self._file is None:
            self._bucket.put(key, self._held, digests.of_bytes(self._held))
        else:
            with translated("a blob"):
                self._file.flush()
            _put_parts(self._bucket, key, self._file.fileno(), self._size, None)
        self.abort()

    def abort(self) -> None:
        self._held = bytearray()
        if self._file is not None:
            self._file.close()


# ---- reading -----------------------------------------------------------------------------------------------------


class _Reader(RawIOBase):
    """An object's bytes: a small stretch at first, long ones ahead of whoever goes on reading in order."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key, self._at = bucket, key, 0
        self._start = 0
        self._held, self._size = bucket.get(key, 0, _FIRST_BYTES)
        self._ahead: Generator[bytes, None, None] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the start of the object")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        if self._at >= self._size:
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            self._go_on() if self._at == self._start + len(self._held) else self._jump()
        held = memoryview(self._held)[self._at - self._start :]
        count = min(len(buffer), len(held))
        memoryview(buffer).cast("B")[:count] = held[:count]
        self._at += count
        return count

    def _go_on(self) -> None:
        if self._ahead is None:
            parts = ranges(self._at, self._size, PART_BYTES)
            self._ahead = in_order(lambda part: self._bucket.get(self._key, *part)[0], parts, _AT_ONCE)
        self._start, self._held = self._at, next(self._ahead)

    def _jump(self) -> None:
        self._drop()
        self._start = self._at
        self._held, _ = self._bucket.get(self._key, self._at, min(self._at + _FIRST_BYTES, self._size))

    def _drop(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()
