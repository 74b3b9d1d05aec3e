"""A guarded view of a file from a stranger, and what every header reader says about it: contents, or why not.

The readers built on it (`header_arrays`, `header_tables`) unpickle and run nothing, and bound every length.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CUT_SHORT = "it is cut short"
MAX_PARTS = 100_000
_MAX_READ_BYTES = 4 << 20  # what a parser that isn't ours may ask for at once
_MAX_SHOWN_CHARS = 200


class Contents(NamedTuple):
    """Named parts with their types, the row count if there is one, and what couldn't be told."""

    parts: Mapping[str, str]
    rows: int | None = None
    problem: str | None = None


class Unreadable(Exception):
    """The file is not what its suffix promises; the message says why, and `it` means the file."""


class Window(io.RawIOBase):
    """The first `size_bytes` of a file, read only where asked.

    Keeps a failing store (kept in `failure` and raised as it came) apart from a bad file (Unreadable).
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.size_bytes = size_bytes
        self._file, self._at = file, 0

    def readable(self) -> bool:
        """True; the io module asks."""
        return True

    def seekable(self) -> bool:
        """True; the io module asks."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """The new position; the file itself is only moved when it is read."""
        at = (0, self._at, self.size_bytes)[whence] + offset
        if at < 0:
            raise Unreadable(CUT_SHORT)
        self._at = at
        return at

    def read(self, size: int = -1, /) -> bytes:
        """The next `size` bytes, fewer only at the end; refused if a bad file asks for megabytes."""
        count = self._count(size)
        if count > _MAX_READ_BYTES:
            raise Unreadable("its directory is too large")
        return super().read(count) or b""

    def take(self, start: int, count: int) -> bytes:
        """The `count` bytes at `start`, all of them, however many."""
        self.seek(start)
        if self._count(count) != count:
            raise Unreadable(CUT_SHORT)
        return super().read(count) or b""

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """How many bytes were put into `buffer`: as many as it holds, fewer only at the end."""
        view = memoryview(buffer).cast("B")
        count, done = self._count(len(view)), 0
        while done < count:
            some = self._fetch(count - done)
            view[done : done + len(some)] = some
            done += len(some)
            self._at += len(some)
        return count

    def _count(self, size: int) -> int:
        left = max(self.size_bytes - self._at, 0)
        return left if size < 0 else min(size, left)

    def _fetch(self, count: int) -> bytes:
        if self.failure is not None:
            raise self.failure
        try:
            self._file.seek(self._at)
            some = self._file.read(count)
        except Exception as failure:
            self.failure = failure
            raise
        if not some:
            raise Unreadable(CUT_SHORT)
        return some[:count]


def named(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as a mapping; a name that comes again, as csv allows, gets ` #2`, ` #3` and so on."""
    parts: dict[str, str] = {}
    again: dict[str, int] = {}
    for name, part in pairs:
        unique = name
        while unique in parts:
            again[name] = again.get(name, 1) + 1
            unique = f"{name} #{again[name]}"
        parts[unique] = part
        if len(parts) > MAX_PARTS:
            raise Unreadable(f"it has more than {MAX_PARTS:,} parts")
    return parts


def with_shape(type_: str, shape: Iterable[int]) -> str:
    """`float32[64, 10]`, or only the type when the shape is that of a scalar."""
    dimensions = ", ".join(map(str, shape))
    return f"{type_}[{dimensions}]" if dimensions else type_


def quoted(name: str) -> str:
    """`name` made safe to print, in quotes when it is empty or has blanks."""
    text = shown(name)
    return f"'{text}'" if not text or " " in text else text


def shown(text: str) -> str:
    """`text` on one line, clipped, with an escape for each character that a terminal would not just print."""
    clipped = text if len(text) <= _MAX_SHOWN_CHARS else text[: _MAX_SHOWN_CHARS - 1] + "…"
    if clipped.isprintable():
        return clipped
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in clipped)
