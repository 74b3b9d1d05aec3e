"""Blobs behind a server: objects go straight to its store and come from there by its leave, or through the server."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineal.backend.presigned import Store
from lineal.backend.remote_uploads import Sent, Uploads
from lineal.backend.remote_urls import Urls
from lineal.core.errors import BlobNotFound, DiskFull, StoreUnavailable
from lineal.storage import copies
from lineal.storage import digest as digests_
from lineal.storage.blobs import BlobStore, Expected, ObjectWriter, Place, StoredObject
from lineal.storage.digest import CHUNK_BYTES, Digest
from lineal.storage.range_reader import FIRST_BYTES, RangeReader
from lineal.storage.s3 import hash_parts

if TYPE_CHECKING:
    from lineal.backend.remote import Http

_AT_ONCE = 20_000
_FEW = 200
WHOLE_BYTES = 64 << 20  # what is larger goes in parts, so that a second try can go on where the first one ended
_SPOOL_BYTES = 48 << 20  # a pack stays in memory on its way


class RemoteBlobs:
    """The Blobs port over HTTP. An object that was put is known to the server's index at once."""

    def __init__(self, http: Http, url: str, cache_dir: Path) -> None:
        self._http = http
        self._store = RemoteStore(http, url, cache_dir, self.missing)
        self.store: BlobStore = self._store

    def close(self) -> None:
        self._store.close()

    def missing(self, digests: Collection[Digest]) -> set[Digest]:
        found: set[Digest] = set()
        for part in _parts(digests):
            answer = self._http.ask("POST", "/api/v1/blobs/missing", content=b"".join(part))
            found.update(digests_.split(answer.content))
        return found

    def find(self, digests: Collection[Digest]) -> dict[Digest, Place]:
        found: dict[Digest, Place] = {}
        for part in _parts(digests):
            answer = self._http.ask("POST", "/api/v1/blobs/find", content=b"".join(part))
            for digest, size, fast, key, offset, length, codec in answer.json():
                place = Place(Digest(bytes.fromhex(digest)), size, bytes.fromhex(fast), key, offset, length, codec)
                found[place.digest] = place
        if len(found) <= _FEW:  # of many, whoever reads them says which stretches they read
            self.store.expect(Expected(p.key, p.offset, p.length, [p.digest]) for p in found.values())
        return found

    def add(self, places: Collection[Place], objects: Mapping[str, int]) -> None:
        """Tells the server of objects that went straight to its store; one that came through it is known by now."""
        for key in objects:
            try:
                self._store.arrived(key)
            except BlobNotFound:  # the answer to an earlier try was lost, in which its blobs turned out to be known
                if self.missing([place.digest for place in places if place.key == key]):
                    raise


def _parts(digests: Collection[Digest]) -> Iterator[list[Digest]]:
    every = list(digests)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


class RemoteStore(BlobStore):
    """The objects behind a server."""

    gaps = False  # between two blobs of ours there may be one that we can't read

    def __init__(self, http: Http, url: str, cache_dir: Path, missing: Callable[[list[Digest]], set[Digest]]) -> None:
        self.url, self.root = "http", ""
        self._http, self._missing = http, missing
        self._direct = Store()
        self._urls = Urls(http.tell, self._direct)
        self._uploads = Uploads(http, self._direct, url, cache_dir)
        self._sent: dict[str, Sent] = {}

    def close(self) -> None:
        self._direct.close()

    def create(self) -> ObjectWriter:
        return _Upload(self)

    def add_file(self, source: FileIO, size: int, name: Callable[[Digest], str]) -> copies.Copied:
        """Reads the file twice, as its key says its digest; of one that the server has, nothing is sent."""
        copied, sums = hash_parts(source.fileno(), size)
        key = name(copied.digest)
        if copied.digest not in self._missing([copied.digest]):
            return copied
        in_parts = size > WHOLE_BYTES
        sent = (
            self._uploads.in_parts(key, copied.digest, source, size, sums)
            if in_parts
            else self._uploads.file(key, copied.digest, source, size)
        )
        if sent is None:
            self._http.ask("PUT", f"/api/v1/objects/{key}", content=_Reading(source, size))
        else:
            self._sent[key] = sent
        return copied

    def put(self, key: str, data: bytes) -> None:
        """Sends an object's bytes."""
        sent = self._uploads.whole(key, digests_.of_bytes(data), data, len(data))
        if sent is None:
            self._http.ask("PUT", f"/api/v1/objects/{key}", content=data)
        else:
            self._sent[key] = sent

    def arrived(self, key: str) -> None:
        """Tells the server that the object is in its store, if it went there past it."""
        if (sent := self._sent.pop(key, None)) is not None:
            self._uploads.add(sent)

    def expect(self, reads: Iterable[Expected]) -> None:
        self._urls.expect(reads)

    @contextmanager
    def open(self, key: str) -> Iterator[BufferedReader]:
        if self._urls.get(key, 0, 1) is not None:
            with RangeReader(partial(self._get, key)) as raw, BufferedReader(raw, FIRST_BYTES) as file:
                yield file  # type: ignore[misc]
            return
        with self._http.stream(f"/api/v1/objects/{key}") as answer:
            yield BufferedReader(_Body(answer.iter_raw(CHUNK_BYTES)), CHUNK_BYTES)

    def read(self, key: str, offset: int, length: int) -> bytes:
        if length == 0:
            return b""
        if (found := self._urls.get(key, offset, offset + length)) is not None:
            return found[0]
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        return self._http.ask("GET", f"/api/v1/objects/{key}", headers=headers).content

    def _get(self, key: str, start: int, end: int) -> tuple[bytes, int]:
        found = self._urls.get(key, start, end)
        if found is None:
            raise StoreUnavailable("the server's store is no longer to be reached but through it; try again")
        return found

    def path_of(self, key: str) -> str | None:
        return None

    def list(self) -> Iterator[StoredObject]:
        raise StoreUnavailable("only the server lists its objects")

    def delete(self, key: str) -> None:
        raise StoreUnavailable("only the server deletes objects")


class _Upload:
    """An object on its way: spooled here, then sent in one request, which may be repeated."""

    def __init__(self, store: RemoteStore) -> None:
        self._store = store
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed by commit/abort

    def write(self, data: bytes | memoryview) -> None:
        try:
            self._file.write(data)
        except OSError as problem:
            raise DiskFull(f"no space left for an object on its way: {problem.strerror}") from None

    def commit(self, key: str) -> None:
        with self._file:
            self._file.seek(0)
            self._store.put(key, self._file.read())

    def abort(self) -> None:
        self._file.close()


class _Reading:
    """A file's bytes as a request body that can be sent again."""

    def __init__(self, source: FileIO, size: int) -> None:
        self._source, self._size = source, size

    def __iter__(self) -> Iterator[bytes]:
        self._source.seek(0)
        left = self._size
        while left and (data := self._source.read(min(left, CHUNK_BYTES))):
            left -= len(data)
            yield data


class _Body(io.RawIOBase):
    """An answer's bytes as a file that is read front to back."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
