"""What a terminal would show in the end: pieces of text become lines, and what is drawn over is forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

MAX_LINE_CHARS = 10_000
_MAX_REACH = 100
_MOVES = re.compile(r"(\r?\n|\r|\x1b\[[0-9]{0,4}[ABEFK])")

StreamName = Literal["stdout", "stderr"]


class Line(NamedTuple):
    """A line that was shown: when it was last written to (seconds since 1970), where, and what, with its ANSI."""

    time_s: float
    stream: StreamName
    text: str


@dataclass(slots=True)
class _Row:
    time_s: float = 0.0
    text: str = ""
    start_over: bool = False  # the cursor went back to the start: what comes is drawn over what is here

    def write(self, time_s: float, text: str) -> None:
        self.time_s = time_s
        if self.start_over:
            self.text, self.start_over = "", False
        room = MAX_LINE_CHARS - len(self.text)
        if room >= 0:  # else it is cut already
            self.text += text if len(text) <= room else f"{text[:room]}…"


class Terminal:
    """One stream's lines. A carriage return draws the line anew, moves of the cursor up those above it.

    Lines that are being redrawn (as nested progress bars and live displays do) are held back until they stand still.
    Of lines that nobody takes at least the newest `max_lines` are kept; `dropped` counts the others.
    """

    def __init__(self, stream: StreamName, max_lines: int = 10_000) -> None:
        self.dropped = 0
        self._stream = stream
        self._max_lines = max_lines
        self._rows = [_Row()]
        self._at = 0
        self._reach = 0  # how many rows above the last one are being redrawn
        self._moved_up = False

    def write(self, time_s: float, text: str) -> None:
        """Draws a piece of text; lines that it completes are there for `take`."""
        if "\r" not in text and "\x1b[" not in text:
            self._write_plain(time_s, text)
            return
        for number, part in enumerate(_MOVES.split(text)):
            if number % 2:
                self._move(time_s, part)
            elif part:
                self._rows[self._at].write(time_s, part)

    def take(self, *, final: bool = False) -> list[Line]:
        """The lines that will not change any more; all there are if `final`, with one that has no end yet."""
        ends_at = len(self._rows) - 1
        if ends_at > self._reach and not self._moved_up:
            self._reach = 0  # others have come since: the display above has ended
        self._moved_up = False
        still = len(self._rows) if final else max(0, min(self._at, ends_at - self._reach))
        taken, self._rows = self._rows[:still], self._rows[still:]
        if final and not taken[-1].text:
            taken.pop()
        self._rows = self._rows or [_Row()]
        self._at = max(0, self._at - still)
        return [Line(row.time_s, self._stream, row.text) for row in taken]

    def _write_plain(self, time_s: float, text: str) -> None:
        first, *others = text.split("\n")
        if first:
            self._rows[self._at].write(time_s, first)
        for part in others:
            self._down(time_s)
            if part:
                self._rows[self._at].write(time_s, part)

    def _move(self, time_s: float, move: str) -> None:
        if move.endswith("\n"):
            self._down(time_s)
        elif move == "\r":
            self._rows[self._at].start_over = True
        elif move[-1] == "K":  # erase: the whole line, or from the cursor on
            self._rows[self._at].start_over |= move == "\x1b[2K"
        else:
            self._go(-1 if move[-1] in "AF" else 1, int(move[2:-1] or 1))
            self._rows[self._at].start_over |= move[-1] in "EF"

    def _down(self, time_s: float) -> None:
        row = self._rows[self._at]
        row.time_s = row.time_s or time_s
        self._at += 1
        if self._at == len(self._rows):
            row.start_over = False
            self._rows.append(_Row())
            if self._at > 2 * self._max_lines:  # not for each line, as all others move
                surplus = self._at - self._max_lines
                del self._rows[:surplus]
                self._at -= surplus
                self.dropped += surplus
        else:
            self._rows[self._at].start_over = True

    def _go(self, direction: int, rows: int) -> None:
        self._at = min(max(0, self._at + direction * rows), len(self._rows) - 1)
        if direction < 0:
            self._moved_up = True
            self._reach = min(_MAX_REACH, max(self._reach, len(self._rows) - 1 - self._at))
