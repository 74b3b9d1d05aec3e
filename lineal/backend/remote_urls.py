"""Leave to read objects past the server: asked for in batches, in the order in which they will be read."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lineal.backend.presigned import Signed, Store
from lineal.core.errors import BlobNotFound, StoreUnavailable
from lineal.storage.blobs import PACKS, Expected, parse_object_key

_AT_ONCE = 100
_DIGESTS_AT_ONCE = 50_000
_MARGIN_S = 120
_KEPT = 2048
_Span = tuple[str, int, int | None]


class _Leave(NamedTuple):
    signed: Signed
    until: float


class Urls:
    """Requests that read from the store behind one server. Thread-safe."""

    def __init__(self, tell: Callable[[str, Any], Any], store: Store) -> None:
        self._tell, self._store = tell, store
        self._lock = threading.Lock()
        self._expected: OrderedDict[_Span, bytes] = OrderedDict()
        self._held: OrderedDict[_Span, _Leave] = OrderedDict()
        self._direct = True

    def expect(self, reads: Iterable[Expected]) -> None:
        """Notes what will be read soon, in that order."""
        with self._lock:
            for read in reads if self._direct else ():
                span = _span(read.key, read.start, read.start + read.length)
                self._expected[span] = b"".join(read.digests)
                self._expected.move_to_end(span)

    def get(self, key: str, start: int, end: int) -> tuple[bytes, int] | None:
        """The object's bytes from `start` to `end` (exclusive) and its length; None where the server has to be asked.

        Raises not_found.blob, unavailable.store.
        """
        span = _span(key, start, end)
        for again in (False, True):
            signed = self._leave(span, again=again)
            if signed is None:
                return None
            answer = self._store.get(signed, start, end)
            if answer.status == 206 and answer.total is not None:
                self._done(span)
                return answer.body, answer.total
            if answer.status == 416:
                return b"", 0
            if answer.status not in (403, 404):
                break
        if answer.status == 404:
            raise BlobNotFound(f"object {key} is not in the store; `lineal fsck` tells what else is missing")
        raise StoreUnavailable(f"the store refused to read what the server let us: {answer.status}")

    def _done(self, span: _Span) -> None:
        """Forgets what was read, of which a stretch is read once; an object is read in several."""
        with self._lock:
            self._expected.pop(span, None)
            if span[2] is not None:
                self._held.pop(span, None)

    def _leave(self, span: _Span, *, again: bool) -> Signed | None:
        with self._lock:
            held = self._held.get(span)
            if held is None or again or held.until < time.monotonic():
                held = self._ask(span)
            return held.signed if held is not None else None

    def _ask(self, span: _Span) -> _Leave | None:
        """Asks for the span, and with it for those that come after it."""
        digests = self._expected.get(span) or _own_digest(span[0])
        if digests is None or not self._direct:
            return None
        wanted = {span: digests, **self._next()}
        asked = [{"key": s[0], "start": s[1], "end": s[2], "digests": d.hex()} for s, d in wanted.items()]
        answer = self._tell("/api/v1/blobs/urls", {"spans": asked})
        if not answer["direct"]:
            self._direct = False
            self._expected.clear()
            return None
        until = time.monotonic() + answer["lasts_s"] - _MARGIN_S
        for one, told in zip(wanted, answer["urls"], strict=True):
            self._held.pop(one, None)
            if told is not None:
                self._held[one] = _Leave(Signed(*told), until)
        while len(self._held) > _KEPT:
            self._held.popitem(last=False)
        if span not in self._held:
            raise BlobNotFound(f"object {span[0]} holds nothing there that you may read (any more)")
        return self._held[span]

    def _next(self) -> dict[_Span, bytes]:
        """Some of what will be read next and isn't allowed yet, as much as one request may ask for."""
        found: dict[_Span, bytes] = {}
        count = 0
        for span, digests in self._expected.items():
            count += len(digests) // 32 if span not in self._held else 0
            if count > _DIGESTS_AT_ONCE or len(found) == _AT_ONCE:
                break
            if span not in self._held:
                found[span] = digests
        return found


def _span(key: str, start: int, end: int) -> _Span:
    """What has to be asked for: an object of one blob is asked for whole, and read by any ranges."""
    return (key, start, end) if key.startswith(f"{PACKS}/") else (key, 0, None)


def _own_digest(key: str) -> bytes | None:
    named = parse_object_key(key)
    return None if named is None else named[0]
