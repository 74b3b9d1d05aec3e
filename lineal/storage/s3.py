"""A store in S3: objects below a prefix of a bucket, written whole or in parallel parts, read by ranges ahead."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import BufferedReader, FileIO
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
from lineal.storage.range_reader import FIRST_BYTES, RangeReader
from lineal.storage.s3_bucket import Bucket, Part

WHOLE_BYTES = 16 << 20
PACK_BYTES = 48 << 20
PART_BYTES = 8 << 20
_MAX_PARTS = 10_000
_AT_ONCE = 6


class S3Store(BlobStore):
    """Objects in the bucket and below the prefix that `s3://bucket/prefix` names."""

    bucket: Bucket

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
            data = read_exactly(descriptor, 0, size)
            copied = copies.Copied(digests.of_bytes(data), digests.fast_of_bytes(data), size)
            self.bucket.put(name(copied.digest), data, copied.digest)
            return copied
        copied, sums = hash_parts(descriptor, size)
        try:
            _put_parts(self.bucket, name(copied.digest), descriptor, size, sums)
        except DigestMismatch:
            raise SourceChanged("the file changed while it was being stored") from None
        return copied

    @contextmanager
    def open(self, key: str) -> Iterator[BufferedReader]:
        with RangeReader(partial(self.bucket.get, key)) as raw, BufferedReader(raw, FIRST_BYTES) as file:
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


def read_exactly(descriptor: int, start: int, end: int) -> bytes:
    """The file's bytes from `start` to `end`. Raises conflict.source_changed where it has fewer."""
    pieces: list[bytes] = []
    while start < end:
        piece = os.pread(descriptor, end - start, start)
        if not piece:
            raise SourceChanged("the file shrank while it was being read")
        pieces.append(piece)
        start += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def hash_parts(descriptor: int, size: int) -> tuple[copies.Copied, list[Digest]]:
    """What the file holds, and the digest of each of its parts, which another thread takes from the same bytes."""

    def read(part: tuple[int, int]) -> tuple[bytes, Digest]:
        data = read_exactly(descriptor, *part)
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
        data = read_exactly(descriptor, *part)
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
