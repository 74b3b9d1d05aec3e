"""Ways in which a store may be hurt from outside, through its own object store."""

import os
import stat
import time

from lineal.backend.local.backend import LocalBackend
from lineal.backend.port import Backend
from lineal.storage.blobs import BlobStore, Place
from lineal.storage.digest import Digest
from tests import server


def behind(backend: Backend) -> LocalBackend:
    """The backend itself, or the one that its server serves."""
    return backend if isinstance(backend, LocalBackend) else server.served()


def keys(backend: Backend) -> set[str]:
    return {stored.key for stored in behind(backend).blobs.store.list()}


def place_of(backend: Backend, digest: Digest) -> Place:
    return backend.blobs.find([digest])[digest]


def flip_blob(backend: Backend, digest: Digest) -> None:
    """Changes one bit in the middle of the blob's stored bytes."""
    place = place_of(backend, digest)
    store = behind(backend).blobs.store
    data = bytearray(whole(store, place.key))
    data[place.offset + place.length // 2] ^= 1
    overwrite(store, place.key, bytes(data))


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


def forget(backend: Backend) -> None:
    """Lets the process behind the backend remember no manifest, as after a restart."""
    behind(backend).context.manifests.forget()
