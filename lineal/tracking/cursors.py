"""How far a follower of a run has come: a text that it gives back, so that nobody keeps it in mind.

Rows that came in are told by chunk. Once chunks have become files their order is lost; then what counts is how far
each writer had come (`heads`), and the number of points tells whether late rows are among those that were told. Only
where rows came in piece by piece or were overwritten, and late ones became part of a file before anybody looked, may
these go untold.
"""

from __future__ import annotations

import base64
import json
import zlib
from binascii import Error as Base64Error
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from lineal.core.errors import InvalidArgument
from lineal.tracking.model import STREAMS, Stream
from lineal.tracking.rows import MAX_STEP

MAX_HEADS = 2000
_MAX_CHARS, _MAX_BYTES = 64 << 10, 1 << 20


class Head(NamedTuple):
    """The last row that was told of a writer: its step, and how many values of it."""

    step: int
    values: int


@dataclass(slots=True)
class Place:
    """How far one stream was told: its chunks up to `chunk`, and what is in files up to the file `part`.

    While files are read, `step` is the next one to read. `points` were told, None where that says nothing; `heads`
    is None where there are more writers than a cursor can hold.
    """

    chunk: int = 0
    part: int = 0
    era: int = 0
    step: int | None = 0
    points: int | None = 0
    heads: dict[str, Head] | None = field(default_factory=dict)

    def tell(self, writer: str, step: int, values: int) -> None:
        """Notes values of a row that are told."""
        if self.heads is None:
            return
        before = self.heads.get(writer)
        if before is None or step > before.step:
            self.heads[writer] = Head(step, values)
        elif step == before.step:
            self.heads[writer] = Head(step, min(before.values + values, MAX_STEP))
        if len(self.heads) > MAX_HEADS:
            self.heads = None


@dataclass(slots=True)
class Cursor:
    """How far everything was told: places by stream, the row id of the last alert, hashes of state and summary."""

    places: dict[Stream, Place] = field(default_factory=dict)
    alert: int = 0
    state: str = ""
    summary: str = ""


def format_cursor(cursor: Cursor) -> str:
    """The cursor as a text of letters, digits, `-` and `_`. Inverse of `parse_cursor`."""
    plain = json.dumps(asdict(cursor), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(plain, 6)).decode().rstrip("=")


def parse_cursor(text: str) -> Cursor:
    """The cursor that the text says. Raises invalid.argument."""
    try:
        if len(text) > _MAX_CHARS:
            raise ValueError("it is too long")
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), _MAX_BYTES)
        facts = json.loads(data)
        places = {stream: _place(facts["places"][stream]) for stream in STREAMS if stream in facts["places"]}
        return Cursor(places, _number(facts["alert"]), _text(facts["state"]), _text(facts["summary"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error, Base64Error):
        raise InvalidArgument("`after` is no cursor that an answer gave; leave it out to begin anew") from None


def _place(facts: Any) -> Place:
    heads = facts["heads"]
    told = None if heads is None else {_text(w): Head(_number(h[0]), _number(h[1])) for w, h in heads.items()}
    if told is not None and len(told) > MAX_HEADS:
        raise ValueError("it has too many writers")
    step, points = (None if facts[name] is None else _number(facts[name]) for name in ("step", "points"))
    chunk, part, era = (_number(facts[name]) for name in ("chunk", "part", "era"))
    return Place(chunk, part, era, step, points, told)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_STEP:
        raise ValueError("it is no number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it is no text")
    return value
