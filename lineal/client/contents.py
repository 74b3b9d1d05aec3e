"""What changed inside the data files of two versions, told from their headers without loading the data."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, cast

from lineal.backend.port import Difference
from lineal.client.connection import Connection
from lineal.core.errors import BlobNotFound
from lineal.storage import headers
from lineal.storage.blobs import decode
from lineal.storage.headers import HeaderChange
from lineal.storage.manifest import Entry

MAX_FILES = 200


class ContentChange(NamedTuple):
    """How the inside of the file at `path` changed."""

    path: str
    change: HeaderChange


def content_changes(conn: Connection, difference: Difference) -> list[ContentChange]:
    """The changes inside files that are in both versions, for the first 200 files of known formats that differ."""
    before = conn.backend.artifacts.manifest(difference.before.digest).by_path
    after = conn.backend.artifacts.manifest(difference.after.digest).by_path
    changed = [entry.path for entry in difference.entries if entry.kind == "changed"]
    found = []
    for path in [p for p in changed if headers.known(p)][:MAX_FILES]:
        change = headers.compare(_header(conn, before[path]), _header(conn, after[path]))
        if not change.empty:
            found.append(ContentChange(path, change))
    return found


def _header(conn: Connection, entry: Entry) -> headers.Header | None:
    if entry.digest is None or entry.size is None:
        return None
    with _opened(conn, entry) as file:
        return headers.read(entry.path, file, size_bytes=entry.size)


@contextmanager
def _opened(conn: Connection, entry: Entry) -> Iterator[BinaryIO]:
    assert entry.digest is not None
    blobs = conn.backend.blobs
    place = blobs.find([entry.digest]).get(entry.digest)
    if place is None:
        raise BlobNotFound(f"the store has lost the bytes of {entry.path!r}; run `lineal fsck`")
    if place.plain:
        with blobs.store.open(place.key) as file:
            yield cast(BinaryIO, file)
    else:
        yield io.BytesIO(decode(place, blobs.store.read(place.key, place.offset, place.length)))
