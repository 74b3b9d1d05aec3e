"""Bytes that go straight to the store: what a caller may send there or read from there, and what arrived there.

A ticket names the object that a caller was let send, so that only they can say that it has arrived; it counts once
its bytes were checked: an object that came by one request by the sha256 that the store checked, all else by reading
it. A caller is let read what holds blobs that they may know of, and not one byte beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lineal.backend.local.tickets import Tickets
from lineal.core.errors import BlobNotFound, Corrupt, InvalidArgument, InvalidObject
from lineal.storage import gc
from lineal.storage.blobs import RAW, Place, StoredObject, parse_object_key
from lineal.storage.digest import Digest

if TYPE_CHECKING:
    from lineal.backend.local.holding import HeldBlobs
    from lineal.storage.s3_bucket import Bucket, Part, Presigned

KEY = re.compile(r"(?:objects/([0-9a-f]{2})/\1[0-9a-f]{62}-[0-9a-z]{12}(?:\.z)?|packs/[0-9a-z]{26}\.pack)")
WHOLE_BYTES: Final = 64 << 20
MAX_BYTES: Final = 5 << 40
MAX_CODED_BYTES: Final = 256 << 20
PUT_S: Final = 3600
GET_S: Final = 3600
TICKET_S: Final = 7 * 86_400
_PUT, _PARTS = "put", "parts"


class Grant(NamedTuple):
    """Leave to send an object: by the request `put`, or in parts of `part_bytes`, each to be asked for."""

    ticket: str
    put: Presigned | None
    part_bytes: int


class Span(NamedTuple):
    """The bytes of an object from `start` to `end`, which are those of the blobs `digests`; None: all of it."""

    key: str
    start: int
    end: int | None
    digests: Sequence[Digest]


class Granting:
    """Uploads and downloads past the server, for one caller."""

    def __init__(self, blobs: HeldBlobs, tickets: Tickets, user_id: int) -> None:
        self._blobs, self._tickets, self._user_id = blobs, tickets, user_id

    @property
    def direct(self) -> bool:
        """Whether the store lets others send and read; one that doesn't is reached through the server."""
        return self._blobs.store.bucket is not None

    def _bucket(self) -> Bucket:
        bucket = self._blobs.store.bucket
        if bucket is None:
            raise InvalidArgument("the server's store is reached through the server only")
        return bucket

    # ---- up ------------------------------------------------------------------------------------------------------

    def upload(self, key: str, size: int, sha256: Digest) -> Grant:
        """Leave to send an object whose bytes hash to `sha256`. Raises invalid.object for a key it can't have."""
        named = parse_object_key(key)
        if not KEY.fullmatch(key) or self._blobs.has_object(key):
            raise InvalidObject("an object's key must be a new one; make another")
        if named is not None and named[1] == RAW and named[0] != sha256:
            raise InvalidObject("the key of an object of its own says its digest, and this is another")
        at_once, most = _bounds(named)
        if size > most:
            raise InvalidObject(f"{size} bytes are too many for {key[:80]}")
        if size <= at_once:
            ticket = self._tickets.write(_PUT, self._user_id, [key, size], lasts_s=TICKET_S)
            return Grant(ticket, self._bucket().presign_put(key, size, sha256, PUT_S), 0)
        from lineal.storage.s3 import part_bytes

        upload_id, step = self._bucket().create_upload(key), part_bytes(size)
        facts: list[str | int] = [key, size, upload_id, step]
        return Grant(self._tickets.write(_PARTS, self._user_id, facts, lasts_s=TICKET_S), None, step)

    def parts(self, ticket: str, wanted: Sequence[tuple[int, Digest]]) -> list[Presigned]:
        """Leave to send these parts of an upload, numbered from 1. Raises invalid.ticket, invalid.object."""
        upload = self._upload(ticket)
        sizes = {number: upload.size_of(number) for number, _ in wanted}
        if not all(sizes.values()):
            raise InvalidObject("the upload has no part with that number")
        sign = self._bucket().presign_part
        return [sign(upload.key, upload.id, number, sizes[number], sha256, PUT_S) for number, sha256 in wanted]

    def arrived(self, ticket: str) -> Sequence[Part]:
        """The parts of an upload that are there. Raises invalid.ticket, not_found.blob for one that is over."""
        upload = self._upload(ticket)
        return self._bucket().list_parts(upload.key, upload.id)

    def add(self, ticket: str, sums: Sequence[Digest] = ()) -> None:
        """Makes known what an object holds that has arrived, once it is checked; `sums` are those of its parts.

        May be repeated. Raises invalid.ticket, invalid.object where other bytes came, not_found.blob where none did.
        """
        key, size, checked = self._completed(ticket, sums)
        if self._blobs.has_object(key):
            return
        try:
            places = self._places(key, size, checked=checked)
        except Corrupt as problem:
            self._blobs.store.delete(key)
            raise InvalidObject(problem.message) from None
        self._blobs.add(places, {key: size})

    def _completed(self, ticket: str, sums: Sequence[Digest]) -> tuple[str, int, bool]:
        """The object's key and size, and whether the store checked its sha256."""
        if not sums:
            key, size = _facts(self._tickets.read(_PUT, self._user_id, ticket), str, int)
            return key, size, True
        upload = self._upload(ticket)
        if not self._blobs.has_object(upload.key):
            self._complete(upload, sums)
        return upload.key, upload.size, False

    def _complete(self, upload: _Upload, sums: Sequence[Digest]) -> None:
        bucket = self._bucket()
        try:
            found = bucket.list_parts(upload.key, upload.id)
        except BlobNotFound:  # it was completed, and the answer lost
            if bucket.head(upload.key).size != upload.size:
                raise
            return
        right = [(part.number, part.size) for part in found] == [
            (number, upload.size_of(number)) for number in range(1, len(sums) + 1)
        ]
        if not right or sum(part.size for part in found) != upload.size:
            raise InvalidObject("not all parts of the upload have arrived; send what is missing")
        named = [part._replace(sha256=sha256) for part, sha256 in zip(found, sums, strict=True)]
        bucket.complete_upload(upload.key, upload.id, named)

    def _places(self, key: str, size: int, *, checked: bool) -> list[Place]:
        head = self._bucket().head(key)
        named = parse_object_key(key)
        if head.size != size:
            raise InvalidObject(f"{head.size} bytes came for {key}, not {size}")
        if checked and named == (head.sha256, RAW):
            return [Place(named[0], size, b"", key, 0, size)]
        return gc.verify_object(self._blobs.store, StoredObject(key, size, 0))

    def _upload(self, ticket: str) -> _Upload:
        return _Upload(*_facts(self._tickets.read(_PARTS, self._user_id, ticket), str, int, str, int))

    # ---- down ----------------------------------------------------------------------------------------------------

    def downloads(self, spans: Sequence[Span]) -> list[Presigned | None]:
        """Leave to read each span, or None where it isn't there (any more) for the caller, or holds more."""
        found = self._blobs.find({digest for span in spans for digest in span.digests})
        sign = self._bucket().presign_get
        return [sign(span.key, span.start, span.end, GET_S) if _covered(span, found.get) else None for span in spans]


def _bounds(named: tuple[Digest, int] | None) -> tuple[int, int]:
    """The most bytes that come by one request, and the most at all; what must be unpacked can't come in parts."""
    if named is None:
        return WHOLE_BYTES, WHOLE_BYTES
    return (WHOLE_BYTES, MAX_BYTES) if named[1] == RAW else (MAX_CODED_BYTES, MAX_CODED_BYTES)


class _Upload(NamedTuple):
    key: str
    size: int
    id: str
    part_bytes: int

    def size_of(self, number: int) -> int:
        """The bytes of a part; none where there is no such part."""
        start = (number - 1) * self.part_bytes
        return max(0, min(self.part_bytes, self.size - start)) if number >= 1 else 0


def _facts(found: list[str | int], *kinds: type) -> Any:
    return [kind(value) for kind, value in zip(kinds, found, strict=True)]


def _covered(span: Span, find: Callable[[Digest], Place | None]) -> bool:
    """Whether the span holds bytes of its blobs and no others."""
    places = [find(digest) for digest in span.digests]
    known = sorted((place.offset, place.length) for place in places if place is not None and place.key == span.key)
    if not known or len(known) < len(places):
        return False
    if span.end is None:
        return len(known) == 1 and not span.key.endswith(".pack")
    at = span.start
    for offset, length in known:
        if offset > at:
            return False
        at = max(at, offset + length)
    return known[0][0] <= span.start < span.end <= at
