"""A file over ranges: what lies across a network, read by requests for stretches of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from typing import Any

from lineal.storage.parallel import in_order, ranges

FIRST_BYTES = 1 << 20
_STEP_BYTES = 8 << 20
_AT_ONCE = 6

Get = Callable[[int, int], tuple[bytes, int]]  # from start to end (exclusive): these bytes, and the whole length


class RangeReader(RawIOBase):
    """An object's bytes: a small stretch at first, long ones ahead of whoever goes on reading in order."""

    def __init__(self, get: Get) -> None:
        self._get, self._at, self._start = get, 0, 0
        self._held, self._size = get(0, FIRST_BYTES)
        self._ahead: Generator[bytes, None, None] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("before the start of the object")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        if self._at >= self._size:
            return 0
        if not self._start <= self._at < self._start + len(self._held):
            self._go_on() if self._at == self._start + len(self._held) else self._jump()
        held = memoryview(self._held)[self._at - self._start :]
        count = min(len(buffer), len(held))
        memoryview(buffer).cast("B")[:count] = held[:count]
        self._at += count
        return count

    def _go_on(self) -> None:
        if self._ahead is None:
            parts = ranges(self._at, self._size, _STEP_BYTES)
            self._ahead = in_order(lambda part: self._get(*part)[0], parts, _AT_ONCE)
        self._start, self._held = self._at, next(self._ahead)

    def _jump(self) -> None:
        self._drop()
        self._start = self._at
        self._held, _ = self._get(self._at, min(self._at + FIRST_BYTES, self._size))

    def _drop(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def close(self) -> None:
        if not self.closed:
            self._drop()
        super().close()
