"""Stores for tests, and the two ways that blobs get into one."""

from __future__ import annotations

import zlib
from pathlib import Path

from lineal.backend.local.context import LocalBlobs
from lineal.core.clock import new_id
from lineal.db.session import open_file, open_temporary
from lineal.storage import digest as digests
from lineal.storage.blobs import RAW, ZLIB, Blobs, BlobStore, FolderStore, Place, object_key
from lineal.storage.digest import Digest
from lineal.storage.packs import PackWriter


def folder_blobs(folder: Path) -> LocalBlobs:
    """Blobs in a local folder; opening the same folder twice gives two views of one store."""
    folder.mkdir(parents=True, exist_ok=True)
    return LocalBlobs(open_file(str(folder / "lineal.db")), FolderStore(folder))


def memory_blobs() -> LocalBlobs:
    """Blobs in memory, in a store of their own."""
    return LocalBlobs(open_temporary(), BlobStore(f"memory://{new_id()}"))


def s3_blobs(url: str) -> LocalBlobs:
    """Blobs in S3, with an index of their own."""
    return LocalBlobs(open_temporary(), BlobStore.at(url))


def write_object(blobs: Blobs, data: bytes, *, codec: int = RAW) -> Place:
    """Where `data` now lies as an object of its own, not yet known to the index."""
    digest = digests.of_bytes(data)
    key = object_key(digest, codec=codec)
    stored = zlib.compress(data) if codec == ZLIB else data
    writer = blobs.store.create()
    try:
        writer.write(stored)
        writer.commit(key)
    except BaseException:
        writer.abort()
        raise
    return Place(digest, len(data), digests.fast_of_bytes(data), key, 0, len(stored), codec)


def add_object(blobs: Blobs, data: bytes, *, codec: int = RAW) -> Place:
    """Where `data` now lies as an object of its own that the index knows."""
    place = write_object(blobs, data, codec=codec)
    blobs.add([place], {place.key: place.length})
    return place


def write_pack(blobs: Blobs, *members: bytes) -> PackWriter:
    """A committed pack of `members`, not yet known to the index."""
    pack = PackWriter(blobs.store)
    for data in members:
        pack.add(digests.of_bytes(data), len(data), digests.fast_of_bytes(data), data)
    pack.commit()
    return pack


def add_pack(blobs: Blobs, *members: bytes) -> list[Place]:
    """Where `members` now lie in one pack that the index knows."""
    pack = write_pack(blobs, *members)
    blobs.add(pack.places, {pack.key: pack.size})
    return pack.places


def keys(blobs: Blobs) -> set[str]:
    """The keys of all objects in the store."""
    return {found.key for found in blobs.store.list()}


def damage(path: str | Path, at: int = 0) -> None:
    """Flips one bit of the byte at `at` of a file, read-only or not."""
    file = Path(path)
    file.chmod(0o644)
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def digest_of(data: bytes) -> Digest:
    return digests.of_bytes(data)
