"""Packs: many small blobs in one object, which tells by itself what it holds.

    "LNLPACK1" | the members' stored bytes, one after the other | footer | length of the footer: 8 bytes | "LNLPACKE"

Numbers are little-endian. The footer is a row of 68 bytes for each member in order: digest 32, xxh3-128 16, size 8,
length 8, codec 4; then the sha256 of these rows. Offsets follow from the lengths. An xxh3-128 of zeros is one that
nobody knows. `docs/format.md` tells the same.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from lineal.core.clock import new_id
from lineal.core.errors import CorruptPack
from lineal.storage import digest as digests
from lineal.storage.blobs import PACKS, RAW, BlobStore, ObjectWriter, Place
from lineal.storage.digest import Digest
from lineal.storage.parallel import in_order

TARGET_BYTES = 32 << 20
HEAD, TAIL = b"LNLPACK1", b"LNLPACKE"
_ROW = struct.Struct("<32s16sQQI")
_LENGTH = struct.Struct("<Q")
_BUFFER_BYTES = 1 << 20
_MAX_MEMBERS = 20_000  # of one stretch, since each is named when it is asked for


Wanted = tuple[str, int, str, Place]  # where a blob lies, by key and offset, and the path of its file


class Stretch(NamedTuple):
    """`length` bytes of the object `key` from `start`, and the blobs in them."""

    key: str
    start: int
    length: int
    members: Sequence[Wanted]


class PackWriter:
    """One pack on its way into a store. Not thread-safe."""

    def __init__(self, store: BlobStore) -> None:
        self.key = f"{PACKS}/{new_id()}.pack"
        self.places: list[Place] = []
        self._writer: ObjectWriter = store.create()
        self._waiting: list[bytes] = [HEAD]
        self._waiting_bytes = len(HEAD)
        self.size = len(HEAD)

    @property
    def full(self) -> bool:
        """Whether the next blob belongs into another pack."""
        return self.size >= TARGET_BYTES

    def add(self, digest: Digest, size: int, fast: bytes, stored: bytes, codec: int = RAW) -> None:
        """Appends a blob of `size` bytes whose bytes as stored (coded as `codec`) are `stored`."""
        self.places.append(Place(digest, size, fast, self.key, self.size, len(stored), codec))
        self._append(stored)

    def commit(self) -> None:
        """Makes the pack an object of its store, durably; then `places` says where each blob lies."""
        self._append(_footer(self.places))
        self._flush()
        self._writer.commit(self.key)

    def abort(self) -> None:
        """Leaves nothing of the pack behind."""
        self._writer.abort()

    def _append(self, data: bytes) -> None:
        self._waiting.append(data)
        self.size += len(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        self._writer.write(b"".join(self._waiting))
        self._waiting.clear()
        self._waiting_bytes = 0


def pack_bytes(lengths: Collection[int]) -> int:
    """The size of a pack whose members have these lengths as stored."""
    return len(HEAD) + sum(lengths) + len(lengths) * _ROW.size + 32 + _LENGTH.size + len(TAIL)


def read_footer(store: BlobStore, key: str, size: int) -> list[Place]:
    """Where each blob of the pack of `size` bytes lies. Raises corrupt.pack."""
    end = len(TAIL) + _LENGTH.size
    tail = store.read(key, size - end, end) if size >= end + len(HEAD) else b""
    if tail[_LENGTH.size :] != TAIL or store.read(key, 0, len(HEAD)) != HEAD:
        raise CorruptPack(f"{key} is not a whole pack")
    (length,) = _LENGTH.unpack(tail[: _LENGTH.size])
    start = size - end - length
    body = store.read(key, start, length) if length >= 32 and start >= len(HEAD) else b""
    rows, check = body[:-32], body[-32:]
    if len(rows) % _ROW.size or len(body) != length or digests.of_bytes(rows) != check:
        raise CorruptPack(f"{key} has a footer that doesn't match its checksum")
    return _places(key, rows, start)


def stretches(wanted: Sequence[Wanted], most_bytes: int, *, gaps: bool = True) -> Iterator[Stretch]:
    """Stretches of about `most_bytes` that hold what is wanted, which is sorted by object and offset.

    Without `gaps` they hold nothing else.
    """
    start = 0
    while start < len(wanted):
        key, offset, _path, first = wanted[start]
        end, stop = start, offset + first.length
        while end < len(wanted) and end - start < _MAX_MEMBERS:
            other, at, _path, place = wanted[end]
            if other != key or at - offset >= most_bytes or (at > stop and not gaps):
                break
            stop = max(stop, at + place.length)
            end += 1
        yield Stretch(key, offset, stop - offset, wanted[start:end])
        start = end


def read_stretches(store: BlobStore, parts: Iterable[Stretch], at_once: int) -> Iterator[tuple[Wanted, memoryview]]:
    """Each that is wanted in the stretches with its bytes as stored, `at_once` stretches read ahead."""
    for stretch, data in in_order(lambda s: (s, store.read(s.key, s.start, s.length)), parts, at_once):
        view = memoryview(data)
        for wanted in stretch.members:
            start = wanted[1] - stretch.start
            yield wanted, view[start : start + wanted[3].length]


def _places(key: str, rows: bytes, end: int) -> list[Place]:
    places, offset = [], len(HEAD)
    for digest, fast, size, length, codec in _ROW.iter_unpack(rows):
        places.append(Place(Digest(digest), size, fast if any(fast) else b"", key, offset, length, codec))
        offset += length
    if offset != end:
        raise CorruptPack(f"{key} has a footer that doesn't match its bytes")
    return places


def _footer(places: list[Place]) -> bytes:
    rows = b"".join(_ROW.pack(p.digest, p.fast, p.size, p.length, p.codec) for p in places)
    footer = rows + digests.of_bytes(rows)
    return footer + _LENGTH.pack(len(footer)) + TAIL
