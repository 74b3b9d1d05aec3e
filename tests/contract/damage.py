"""Ways in which a store may be hurt from outside, through its own object store."""

import os
import stat
import time

from lineal.backend.port import Backend
from lineal.storage.blobs import BlobStore, Place
from lineal.storage.digest import Digest


def keys(backend: Backend) -> set[str]:
    return {stored.key for stored in backend.blobs.store.list()}


def place_of(backend: Backend, digest: Digest) -> Place:
    return backend.blobs.find([digest])[digest]


def flip_blob(backend: Backend, digest: Digest) -> None:
    """Changes one bit in the middle of the blob's stored bytes."""
    place = place_of(backend, digest)
    data = bytearray(whole(backend.blobs.store, place.key))
    data[place.offset + place.length // 2] ^= 1
    overwrite(backend.blobs.store, place.key, bytes(data))


def whole(store: BlobStore, key: str) -> bytes:
    with store.open(key) as file:
        return file.read()


def overwrite(store: BlobStore, key: str, data: bytes) -> None:
    """Puts other bytes under a key, past every guard."""
    path = store.path_of(key)
    if path is None:
        store.fs.pipe_file(f"{store.root}/{key}", data)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    with open(path, "wb") as file:
        file.write(data)


def age(store: BlobStore, key: str, seconds: int) -> None:
    """Makes the object look `seconds` old."""
    path = store.path_of(key)
    then = time.time() - seconds
    if path is not None:
        os.utime(path, (then, then))
        return
    from datetime import UTC, datetime

    store.fs.store[f"{store.root}/{key}"].created = datetime.fromtimestamp(then, UTC)
