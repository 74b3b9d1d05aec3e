"""Garbage: which blobs and objects nothing needs, found from what is live, the index and the store.

A writer that is at work is safe: what it has just pushed is inside the grace period, and what it found there and
counted on is looked up again in the transaction that makes its version. An object's key is never used twice, so
that deleting an old one can't hit a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from lineal.core.errors import DigestMismatch
from lineal.storage import copies
from lineal.storage import digest as digests
from lineal.storage.blobs import (
    RAW,
    BlobStore,
    Place,
    StoredObject,
    decode,
    inflated,
    is_temporary,
    parse_object_key,
)
from lineal.storage.digest import Digest
from lineal.storage.index import IndexedObject
from lineal.storage.packs import PackWriter, pack_bytes, read_footer, read_stretches, stretches

_READ_BYTES = 8 << 20
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Garbage:
    """What can go: blobs, whole objects, strays (objects the index doesn't know), packs to be rewritten.

    `dead` are the blobs' places; `objects`, `strays`, `rewrites` map keys to the bytes that each frees; `waiting`
    counts unreferenced blobs that are inside the grace period, and their bytes.
    """

    dead: tuple[Place, ...]
    objects: Mapping[str, int]
    strays: Mapping[str, int]
    rewrites: Mapping[str, int]
    waiting_count: int
    waiting_bytes: int

    @property
    def freed_bytes(self) -> int:
        return sum(self.objects.values()) + sum(self.strays.values()) + sum(self.rewrites.values())


def find_garbage(
    live: Collection[Digest],
    places: Iterable[tuple[Place, datetime]],
    objects: Mapping[str, IndexedObject],
    stored: Iterable[StoredObject],
    *,
    older_than: datetime,
    strays_older_than: datetime,
) -> Garbage:
    """What is neither live nor younger than `older_than`; a pack is rewritten when more than half of it is dead.

    A stray may be what a writer is about to make known, so that it has an age of its own to reach.
    """
    dead: list[Place] = []
    kept: dict[str, list[int]] = {}
    waiting_count = waiting_bytes = 0
    for place, created_at in places:
        if place.digest in live:
            kept.setdefault(place.key, []).append(place.length)
        elif created_at >= older_than:
            waiting_count, waiting_bytes = waiting_count + 1, waiting_bytes + place.length
        else:
            dead.append(place)
    gone, rewrites = {}, {}
    for key, found in objects.items():
        if found.created_at >= older_than:
            continue
        if key not in kept:  # counted in blobs, not bytes: an empty one may be all that is live
            gone[key] = found.size
        elif key.endswith(".pack") and (spare := found.size - pack_bytes(kept[key])) > found.size // 2:
            rewrites[key] = spare
    strays = {o.key: o.size for o in stored if o.key not in objects and o.modified_at < strays_older_than.timestamp()}
    return Garbage(tuple(dead), gone, strays, rewrites, waiting_count, waiting_bytes)


def rewrite(store: BlobStore, places: Collection[Place]) -> PackWriter:
    """A committed pack with the blobs of `places` (all of one old pack), each verified on the way."""
    writer = PackWriter(store)
    try:
        for place in places:
            stored = store.read(place.key, place.offset, place.length)
            fast = digests.fast_of_bytes(decode(place, stored))
            writer.add(place.digest, place.size, fast, stored, place.codec)
        writer.commit()
    except BaseException:
        writer.abort()
        raise
    return writer


def places_in(store: BlobStore, stored: StoredObject) -> list[Place]:
    """The blobs that an object of the store says it holds, unverified; none for one half written.

    Raises corrupt.pack.
    """
    if is_temporary(stored.key):
        return []
    if stored.key.endswith(".pack"):
        return read_footer(store, stored.key, stored.size)
    named = parse_object_key(stored.key)
    if named is None:
        return []
    digest, codec = named
    return [Place(digest, stored.size, b"", stored.key, 0, stored.size, codec)]


def verify(store: BlobStore, place: Place) -> Place:
    """The place with its size and xxh3-128 as read from the bytes. Raises corrupt.digest_mismatch, not_found.blob."""
    if place.plain:
        with store.open(place.key) as file:
            return _as_read(place, *digests.of_stream(file))
    return _checked(place, store.read(place.key, place.offset, place.length))


def verify_object(store: BlobStore, stored: StoredObject) -> list[Place]:
    """The blobs of an object, each checked, read front to back in bounded memory.

    Raises corrupt.pack, corrupt.digest_mismatch, not_found.blob.
    """
    places = places_in(store, stored)
    if not stored.key.endswith(".pack"):
        return [verify(store, place) for place in places]
    wanted = [(place.key, place.offset, "", place) for place in places]
    found = []
    for (_key, _at, _path, place), bytes_ in read_stretches(store, stretches(wanted, _READ_BYTES), _AT_ONCE):
        checked = _checked(place, bytes_)
        if checked.size != place.size:
            raise DigestMismatch(f"{place.key} lists {digests.format(place.digest)} with another size")
        found.append(checked)
    return found


def _checked(place: Place, stored: bytes | memoryview) -> Place:
    """The place as its bytes have it; what is coded is never held whole, as it may be far more than it looks."""
    if place.codec == RAW:
        return _as_read(place, digests.of_bytes(stored), digests.fast_of_bytes(stored), len(stored))
    hashes = copies.Hashes()
    for piece in inflated(stored):
        hashes.update(piece)
    found = hashes.result()
    return _as_read(place, found.digest, found.fast, found.size)


def _as_read(place: Place, digest: Digest, fast: bytes, size: int) -> Place:
    if digest != place.digest:
        raise DigestMismatch(f"{place.key} does not hold {digests.format(place.digest)} whole")
    return place._replace(size=size, fast=fast)
