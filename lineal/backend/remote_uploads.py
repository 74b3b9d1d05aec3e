"""Objects on their way to a store past its server: leave is asked for, then the bytes go, large ones in parts.

What a large file needs to go on after its process ended is noted in the cache's folder, one small file for each
server and digest: only the ticket, which is of no use to anybody else.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lineal.backend.presigned import Answer, Signed, Store
from lineal.core.errors import (
    BlobNotFound,
    DigestMismatch,
    InvalidTicket,
    SourceChanged,
    StoreUnavailable,
)
from lineal.storage.blobs import parse_object_key
from lineal.storage.digest import Digest
from lineal.storage.parallel import in_order
from lineal.storage.s3 import read_exactly

if TYPE_CHECKING:
    from lineal.backend.remote import Http

_ASKED_AT_ONCE = 64
_SENT_AT_ONCE = 4
_CHUNK_BYTES = 1 << 20
_FORGOTTEN_S = 7 * 86_400


class Sent(NamedTuple):
    """An object that has arrived and is still to be made known: its key, its ticket, the sums of its parts."""

    key: str
    ticket: str
    sums: Sequence[Digest]
    note: Path | None


class Uploads:
    """Uploads by the leave of one server."""

    def __init__(self, http: Http, store: Store, url: str, folder: Path) -> None:
        self._http, self._store, self._url = http, store, url
        self._folder = folder / "uploads"

    def whole(self, key: str, sha256: Digest, body: Any, size: int) -> Sent | None:
        """Sends an object by one request; None where it has to go through the server."""
        for _ in range(2):  # what let us send may have ended before all was sent
            grant = self._grant(key, size, sha256)
            if grant is None:
                return None
            answer = self._store.put(Signed(*grant["put"]), body)
            if answer.status in (200, 412):  # there already: the answer to an earlier try was lost
                return Sent(key, grant["ticket"], (), None)
            if answer.status != 403:
                break
        raise _refused(answer)

    def file(self, key: str, sha256: Digest, source: FileIO, size: int) -> Sent | None:
        """Sends a file by one request, as `whole`."""
        try:
            return self.whole(key, sha256, _Pieces(source.fileno(), size), size)
        except DigestMismatch:
            raise SourceChanged("the file changed while it was being sent") from None

    def in_parts(self, key: str, sha256: Digest, source: FileIO, size: int, sums: Sequence[Digest]) -> Sent | None:
        """Sends a file in parts that hash to `sums`, those left out that an earlier try has sent."""
        note = self._note(sha256, size)
        begun = self._noted(note)
        if begun is not None:
            with suppress(BlobNotFound, InvalidTicket):  # it has ended, or another user began it
                return self._go_on(begun, source, size, sums, note)
            note.unlink(missing_ok=True)
        grant = self._grant(key, size, sha256)
        if grant is None:
            return None
        begun = {"key": key, "ticket": grant["ticket"], "part_bytes": grant["part_bytes"]}
        self._write(note, begun)
        return self._go_on(begun, source, size, sums, note, there={})

    def add(self, sent: Sent) -> None:
        """Tells the server that the object has arrived. Raises invalid.object where it isn't what it should be."""
        asked = {"ticket": sent.ticket, "sums": [digest.hex() for digest in sent.sums]}
        self._http.tell("/api/v1/blobs/add", asked)
        if sent.note is not None:
            sent.note.unlink(missing_ok=True)

    # ---- parts ---------------------------------------------------------------------------------------------------

    def _go_on(
        self,
        begun: dict[str, Any],
        source: FileIO,
        size: int,
        sums: Sequence[Digest],
        note: Path,
        there: dict[int, int] | None = None,
    ) -> Sent:
        ticket, step = begun["ticket"], begun["part_bytes"]
        if there is None:
            there = dict(self._ask("/api/v1/blobs/parts/find", {"ticket": ticket}))
        sizes = {number: min(step, size - (number - 1) * step) for number in range(1, len(sums) + 1)}
        left = [number for number in sizes if there.get(number) != sizes[number]]

        def send(given: tuple[int, Signed]) -> None:
            number, signed = given
            start = (number - 1) * step
            data = read_exactly(source.fileno(), start, start + sizes[number])
            answer = self._store.put(signed, data)
            if answer.status == 403:  # what let us send has ended
                answer = self._store.put(self._signed(ticket, [number], sums)[0], data)
            if answer.status != 200:
                raise _refused(answer)

        try:
            for _ in in_order(send, self._leave(ticket, left, sums), _SENT_AT_ONCE):
                pass
        except DigestMismatch:
            raise SourceChanged("the file changed while it was being sent") from None
        return Sent(begun["key"], ticket, sums, note)

    def _leave(self, ticket: str, numbers: Sequence[int], sums: Sequence[Digest]) -> Iterator[tuple[int, Signed]]:
        """Each number with the request that sends its part, asked for as they are needed."""
        for start in range(0, len(numbers), _ASKED_AT_ONCE):
            some = numbers[start : start + _ASKED_AT_ONCE]
            yield from zip(some, self._signed(ticket, some, sums), strict=True)

    def _signed(self, ticket: str, numbers: Sequence[int], sums: Sequence[Digest]) -> list[Signed]:
        wanted = [[number, sums[number - 1].hex()] for number in numbers]
        return [Signed(*put) for put in self._ask("/api/v1/blobs/parts", {"ticket": ticket, "parts": wanted})]

    # ---- asking ----------------------------------------------------------------------------------------------------

    def _grant(self, key: str, size: int, sha256: Digest) -> Any:
        answer = self._ask("/api/v1/blobs/grants", {"key": key, "size": size, "sha256": sha256.hex()})
        return answer if answer["direct"] else None

    def _ask(self, path: str, asked: Any) -> Any:
        return self._http.tell(path, asked)

    # ---- notes ---------------------------------------------------------------------------------------------------

    def _note(self, sha256: Digest, size: int) -> Path:
        name = hashlib.sha256(f"{self._url} {sha256.hex()} {size}".encode()).hexdigest()
        return self._folder / f"{name[:32]}.json"

    def _noted(self, note: Path) -> dict[str, Any] | None:
        try:
            if time.time() - note.stat().st_mtime > _FORGOTTEN_S:
                return None
            found = json.loads(note.read_bytes())
            step, key = found["part_bytes"], found["key"]
            if isinstance(found["ticket"], str) and isinstance(step, int) and step > 0 and parse_object_key(key):
                return dict(found)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return None

    def _write(self, note: Path, begun: dict[str, Any]) -> None:
        with suppress(OSError):  # without it, only a second try costs more
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in self._folder.iterdir():
                if time.time() - old.stat().st_mtime > _FORGOTTEN_S:
                    old.unlink(missing_ok=True)
            new = note.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(begun))
            new.chmod(0o600)
            new.replace(note)


class _Pieces:
    """A file's bytes as a body that can be sent again."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size = descriptor, size

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self._size, _CHUNK_BYTES):
            yield read_exactly(self._descriptor, start, min(start + _CHUNK_BYTES, self._size))


def _refused(answer: Answer) -> Exception:
    """What the store's refusal of bytes means; its words may repeat what was signed, and are left out."""
    if answer.status == 404:
        return BlobNotFound("the upload is over; send it again")
    if answer.status == 400 and (b"Digest" in answer.body or b"Checksum" in answer.body):
        return DigestMismatch("the store received other bytes than were to be sent")
    return StoreUnavailable(f"the store refused bytes that the server let us send: {answer.status}")
