"""Blobs behind a server: objects go up and come down through it, verified where they arrive."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, FileIO
from typing import TYPE_CHECKING, Any

from lineal.core.errors import DiskFull, StoreUnavailable
from lineal.storage import copies
from lineal.storage.blobs import BlobStore, ObjectWriter, Place, StoredObject
from lineal.storage.digest import CHUNK_BYTES, Digest

if TYPE_CHECKING:
    from lineal.backend.remote import Http

_AT_ONCE = 20_000
_SPOOL_BYTES = 48 << 20  # a pack stays in memory on its way


class RemoteBlobs:
    """The Blobs port over HTTP. An object that was put is known to the server's index at once."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.store: BlobStore = RemoteStore(http)

    def missing(self, digests: Collection[Digest]) -> set[Digest]:
        found: set[Digest] = set()
        for part in _parts(digests):
            answer = self._http.ask("POST", "/api/v1/blobs/missing", content=b"".join(part))
            found.update(Digest(answer.content[at : at + 32]) for at in range(0, len(answer.content), 32))
        return found

    def find(self, digests: Collection[Digest]) -> dict[Digest, Place]:
        found: dict[Digest, Place] = {}
        for part in _parts(digests):
            answer = self._http.ask("POST", "/api/v1/blobs/find", content=b"".join(part))
            for digest, size, fast, key, offset, length, codec in answer.json():
                place = Place(Digest(bytes.fromhex(digest)), size, bytes.fromhex(fast), key, offset, length, codec)
                found[place.digest] = place
        return found

    def add(self, places: Collection[Place], objects: Mapping[str, int]) -> None:
        """Nothing is left to do: the server indexes an object when it has verified it."""


def _parts(digests: Collection[Digest]) -> Iterator[list[Digest]]:
    every = list(digests)
    for start in range(0, len(every), _AT_ONCE):
        yield every[start : start + _AT_ONCE]


class RemoteStore(BlobStore):
    """The objects behind a server."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.url = "http"
        self.root = ""

    def create(self) -> ObjectWriter:
        return _Upload(self._http)

    def add_file(self, source: FileIO, size: int, name: Callable[[Digest], str]) -> copies.Copied:
        """Reads the file twice: its key says its digest, and the server checks that while the bytes arrive."""
        copied = copies.hash_through(source, lambda _data: None, size)
        source.seek(0)
        self._http.ask("PUT", f"/api/v1/objects/{name(copied.digest)}", content=_Reading(source, size))
        return copied

    @contextmanager
    def open(self, key: str) -> Iterator[BufferedReader]:
        with self._http.stream(f"/api/v1/objects/{key}") as answer:
            yield BufferedReader(_Body(answer.iter_raw(CHUNK_BYTES)), CHUNK_BYTES)

    def read(self, key: str, offset: int, length: int) -> bytes:
        if length == 0:
            return b""
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        return self._http.ask("GET", f"/api/v1/objects/{key}", headers=headers).content

    def path_of(self, key: str) -> str | None:
        return None

    def list(self) -> Iterator[StoredObject]:
        raise StoreUnavailable("only the server lists its objects")

    def delete(self, key: str) -> None:
        raise StoreUnavailable("only the server deletes objects")


class _Upload:
    """An object on its way to the server: spooled here, then sent in one request, which may be repeated."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed by commit/abort

    def write(self, data: bytes | memoryview) -> None:
        try:
            self._file.write(data)
        except OSError as problem:
            raise DiskFull(f"no space left for an object on its way: {problem.strerror}") from None

    def commit(self, key: str) -> None:
        with self._file:
            self._file.seek(0)
            self._http.ask("PUT", f"/api/v1/objects/{key}", content=self._file.read())

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
