"""Where blobs are kept: `Blobs`, the port that transfer asks, and `BlobStore`, objects in a folder or any
fsspec store; `s3.py` has those in S3.

An object is written under a temporary name and becomes visible by one rename, after its bytes are on disk; its key
is never used twice, so that deleting an old object can't hit a new one. Keys: `objects/ab/<hex>-<nonce>[.z]` for a
blob of its own (`.z`: a zlib stream of it), `packs/<id>.pack` for many small ones.
"""

from __future__ import annotations

import errno
import os
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lineal.core.clock import new_id
from lineal.core.errors import (
    BlobNotFound,
    DigestMismatch,
    DiskFull,
    MissingDependency,
    ReadOnly,
    StoreUnavailable,
)
from lineal.storage import copies
from lineal.storage import digest as digests
from lineal.storage.digest import CHUNK_BYTES, Digest

if TYPE_CHECKING:
    from lineal.storage.s3_bucket import Bucket

RAW, ZLIB = 0, 1
MAX_CODED_BYTES = 4 << 30
OBJECTS, PACKS = "objects", "packs"
TEMPORARY = ".new-"
_NEVER = f"packs/{'0' * 26}.pack"  # no pack has that id: whoever asks for it hears whether the store answers


class Place(NamedTuple):
    """Where a blob lies: `length` stored bytes at `offset` of the object `key`, coded as `codec` (RAW or ZLIB).

    `size` is the blob's own length in bytes, `fast` its xxh3-128: empty where nobody of ours has read the bytes yet,
    which are then held to their sha256.
    """

    digest: Digest
    size: int
    fast: bytes
    key: str
    offset: int
    length: int
    codec: int = RAW

    @property
    def plain(self) -> bool:
        """Whether the object is the blob's own bytes and nothing else, to be streamed, copied or linked to."""
        return self.codec == RAW and self.offset == 0 and not self.key.endswith(".pack")


class Blobs(Protocol):
    """A store of blobs and the index that knows where each lies. Thread-safe; adding is idempotent."""

    store: BlobStore

    def missing(self, digests: Collection[Digest]) -> set[Digest]:
        """Those of `digests` that the store doesn't hold, by one query."""

    def find(self, digests: Collection[Digest]) -> dict[Digest, Place]:
        """Where each of `digests` lies, for those that the store holds; by one query."""

    def add(self, places: Collection[Place], objects: Mapping[str, int]) -> None:
        """Makes blobs that are written known, atomically; `objects` gives the size in bytes of each new object.

        Where another writer was first, its place stays and an object that nothing needs is deleted.
        """


class StoredObject(NamedTuple):
    """An object that lies in a store, `modified_at` in seconds since 1970."""

    key: str
    size: int
    modified_at: float


class Expected(NamedTuple):
    """A read that is to come: `length` bytes from `start`, which are those of these blobs and no others."""

    key: str
    start: int
    length: int
    digests: Sequence[Digest]


class ObjectWriter(Protocol):
    """An object on its way into a store: written front to back, then committed under a key, or aborted."""

    def write(self, data: bytes | memoryview) -> None: ...

    def commit(self, key: str) -> None: ...

    def abort(self) -> None: ...


class BlobStore:
    """Objects in the fsspec store at `url`."""

    bucket: Bucket | None = (
        None  # what signs requests that others may then make; None: nobody else can reach the store
    )
    gaps = True  # whether a read may take in bytes of blobs that nobody asked for

    def __init__(self, url: str) -> None:
        """Raises unavailable.dependency or unavailable.store when the URL's file system can't be had."""
        import fsspec

        self.url = url
        try:
            self.fs, self.root = fsspec.url_to_fs(url)
        except ImportError as problem:
            raise MissingDependency(f"the store {url} needs a driver: {problem}") from None
        except ValueError as problem:
            raise StoreUnavailable(f"the store {url} can't be opened: {problem}") from None

    @staticmethod
    def at(url: str) -> BlobStore:
        """The store at `url`: a plain path or `file://` is a folder, `s3://` is S3, all else is fsspec's."""
        if url.startswith("s3://"):
            from lineal.storage.s3 import S3Store

            return S3Store(url)
        path = url.removeprefix("file://")
        return BlobStore(url) if "://" in path or path.startswith("memory:") else FolderStore(path)

    def _path(self, key: str) -> str:
        return f"{self.root.rstrip('/')}/{key}"

    def create(self) -> ObjectWriter:
        """A writer of a new object."""
        return _FsspecWriter(self)

    def add_file(self, source: FileIO, size: int, name: Callable[[Digest], str]) -> copies.Copied:
        """Stores the `size` bytes of `source` under the key that `name` makes of their digest, hashed in passing."""
        writer = self.create()
        try:
            copied = copies.hash_through(source, writer.write, size)
            writer.commit(name(copied.digest))
        except BaseException:
            writer.abort()
            raise
        return copied

    @contextmanager
    def open(self, key: str) -> Iterator[BufferedReader]:
        """The object's bytes, seekable. Raises not_found.blob."""
        with translated(f"object {key}"):
            if self.fs.protocol == "memory":  # it hands out one open file, with one position, to all
                yield BufferedReader(BytesIO(self.fs.cat_file(self._path(key))))
                return
            with self.fs.open(self._path(key), "rb") as file:
                yield file

    def read(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes of the object from `offset`; fewer where it ends before. Raises not_found.blob."""
        with translated(f"object {key}"):
            data: bytes = self.fs.cat_file(self._path(key), start=offset, end=offset + length)
            return data

    def expect(self, reads: Iterable[Expected]) -> None:
        """Notes what will be read soon, in this order, so that a store which has to ask for leave asks at once."""

    def path_of(self, key: str) -> str | None:
        """The object's path on this machine, where it has one."""
        return None

    def ping(self) -> None:
        """Does nothing where the store answers. Raises unavailable.*."""
        with suppress(BlobNotFound):
            self.read(_NEVER, 0, 1)

    def list(self) -> Iterator[StoredObject]:
        """Every object, those half written included, in no order."""
        for top in (OBJECTS, PACKS):
            found = self.fs.find(self._path(top), detail=True) if self.fs.exists(self._path(top)) else {}
            for path, info in found.items():
                at = _seconds(info.get("LastModified") or info.get("created"))
                yield StoredObject(path[len(self._path("")) :].lstrip("/"), info["size"], at)

    def delete(self, key: str) -> None:
        """Removes the object; one that is gone already is no error."""
        with translated(f"object {key}"), suppress(FileNotFoundError):
            self.fs.rm_file(self._path(key))


def _seconds(moment: object) -> float:
    """Seconds since 1970 as a file system tells them; now where it is silent, so that nothing looks old by chance."""
    if hasattr(moment, "timestamp"):
        return float(moment.timestamp())
    return float(moment) if isinstance(moment, int | float) else time.time()


class _FsspecWriter:
    """Spools the bytes to a temporary file, then puts them as one object, which fsspec makes visible at once."""

    def __init__(self, store: BlobStore) -> None:
        import tempfile

        self._store = store
        self._file = tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES)  # noqa: SIM115 - closed by commit/abort

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)

    def commit(self, key: str) -> None:
        path = self._store._path(key)
        with translated(f"object {key}"):
            self._store.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._file.seek(0)
            with self._store.fs.open(path, "wb") as target:
                while chunk := self._file.read(CHUNK_BYTES):
                    target.write(chunk)
        self._file.close()

    def abort(self) -> None:
        self._file.close()


class FolderStore(BlobStore):
    """Objects in a local folder: fsync, rename, kernel copies, and paths that can be linked to."""

    def __init__(self, folder: str | Path) -> None:
        self.root = os.path.abspath(os.path.expanduser(folder))
        self.url = self.root
        self._folders: set[str] = set()
        self._lock = threading.Lock()

    def create(self) -> ObjectWriter:
        return _FileWriter(self)

    def add_file(self, source: FileIO, size: int, name: Callable[[Digest], str]) -> copies.Copied:
        writer = _FileWriter(self)
        try:
            with translated("a blob"):
                copied = copies.copy(source.fileno(), writer.descriptor, size, durable=True)
            writer.commit(name(copied.digest))
        except BaseException:
            writer.abort()
            raise
        return copied

    @contextmanager
    def open(self, key: str) -> Iterator[BufferedReader]:
        with translated(f"object {key}"), open(self._path(key), "rb") as file:
            yield file

    def read(self, key: str, offset: int, length: int) -> bytes:
        with translated(f"object {key}"), open(self._path(key), "rb", buffering=0) as file:
            return os.pread(file.fileno(), length, offset)

    def path_of(self, key: str) -> str | None:
        return self._path(key)

    def ping(self) -> None:
        if not os.path.isdir(self.root):
            raise StoreUnavailable(f"the store's folder {self.root} is gone; bring it or its disk back")

    def list(self) -> Iterator[StoredObject]:
        waiting = [OBJECTS, PACKS]
        while waiting:
            folder = waiting.pop()
            with suppress(FileNotFoundError), os.scandir(self._path(folder)) as found:
                for item in found:
                    if item.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}/{item.name}")
                    else:
                        facts = item.stat(follow_symlinks=False)
                        yield StoredObject(f"{folder}/{item.name}", facts.st_size, facts.st_mtime)

    def delete(self, key: str) -> None:
        with translated(f"object {key}"), suppress(FileNotFoundError):
            os.unlink(self._path(key))

    def folder(self, key: str) -> str:
        """The folder of `key`, made durably if it is not there."""
        path = os.path.dirname(self._path(key))
        with self._lock:
            if path not in self._folders:
                os.makedirs(path, mode=0o700, exist_ok=True)
                sync_folder(os.path.dirname(path))
                self._folders.add(path)
        return path


class _FileWriter:
    """A temporary file beside the objects that becomes one of them by rename."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        with translated("the store"):
            folder = store.folder(f"{OBJECTS}/x")
            self._path = os.path.join(folder, TEMPORARY + new_id())
            self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        with translated("a blob"):
            while view:
                view = view[os.write(self.descriptor, view) :]

    def commit(self, key: str) -> None:
        with translated(f"object {key}"):
            os.fchmod(self.descriptor, 0o444)
            os.fsync(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1
            folder = self._store.folder(key)
            os.rename(self._path, self._store._path(key))
            sync_folder(folder)

    def abort(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        with suppress(OSError):
            os.unlink(self._path)


def sync_folder(path: str) -> None:
    """Makes names in the folder survive a power cut, where the system lets a folder be synced."""
    with suppress(PermissionError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turns the system's errors into ours: no such object, disk full, read-only, else the store is unavailable."""
    try:
        yield
    except FileNotFoundError:
        raise BlobNotFound(f"{what} is not in the store; `lineal fsck` tells what else is missing") from None
    except OSError as problem:
        raise from_os_error(problem, what) from problem


def from_os_error(problem: OSError, what: str) -> Exception:
    """The error that tells a person what an OSError on writing or reading `what` means."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"no space left while writing {what}; free some, or run `lineal gc`, and try again")
    if problem.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnly(f"no permission to write {what}: {problem.strerror} ({problem.filename or 'store'})")
    return StoreUnavailable(f"{what} can't be read or written: {problem.strerror or problem}")


def object_key(digest: Digest, *, codec: int = RAW) -> str:
    """A fresh key for a blob that becomes an object of its own."""
    text = digest.hex()
    return f"{OBJECTS}/{text[:2]}/{text}-{new_id()[-12:]}{'.z' if codec == ZLIB else ''}"


def parse_object_key(key: str) -> tuple[Digest, int] | None:
    """The digest and codec that the key of a blob's own object states; None for any other key."""
    name = key.rpartition("/")[2]
    text, dash, rest = name.partition("-")
    try:
        digest = Digest(bytes.fromhex(text))
    except ValueError:
        return None
    if not key.startswith(f"{OBJECTS}/") or not dash or len(digest) != 32:
        return None
    return digest, ZLIB if rest.endswith(".z") else RAW


def is_temporary(key: str) -> bool:
    """Whether the key is that of an object half written."""
    return key.rpartition("/")[2].startswith(TEMPORARY)


def decode(place: Place, stored: bytes) -> bytes:
    """The blob's bytes from its bytes as stored, verified. Raises corrupt.digest_mismatch."""
    data = inflate(stored, place.codec, place.size + 1)
    if len(data) != place.size or digests.of_bytes(data) != place.digest:
        raise DigestMismatch(
            f"blob {digests.format(place.digest)} in {place.key} is damaged; run `lineal fsck`",
            digest=digests.format(place.digest),
        )
    return data


def read_blob(blobs: Blobs, digest: Digest) -> bytes:
    """The blob's bytes, whole and verified. Raises not_found.blob, corrupt.digest_mismatch."""
    tried = None
    while True:  # gc may move a blob to another pack after it was looked up
        place = blobs.find([digest]).get(digest)
        if place is None:
            raise BlobNotFound(f"the store does not hold {digests.format(digest)}")
        try:
            return decode(place, blobs.store.read(place.key, place.offset, place.length))
        except BlobNotFound:
            if place == tried:
                raise
            tried = place


def inflate(stored: bytes, codec: int, max_bytes: int = MAX_CODED_BYTES) -> bytes:
    """The bytes that were stored with that codec, cut off after `max_bytes`; none where they can't be decoded."""
    if codec == RAW:
        return stored
    try:
        return zlib.decompressobj().decompress(stored, max_bytes)
    except zlib.error:
        return b""


def inflated(stored: bytes | memoryview) -> Iterator[bytes]:
    """The bytes of a zlib stream in pieces, up to 4 GiB; none after what can't be decoded."""
    stream, size = zlib.decompressobj(), 0
    with suppress(zlib.error):
        piece = stream.decompress(stored, CHUNK_BYTES)
        while piece and size <= MAX_CODED_BYTES:
            size += len(piece)
            yield piece
            piece = stream.decompress(stream.unconsumed_tail, CHUNK_BYTES)
