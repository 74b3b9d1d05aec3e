"""What the program prints: every line of its standard output and error, with the moment it was written.

The streams stay the objects they are; only their `write` is wrapped, in the object itself. So nothing else about them
changes for anybody, and those who took hold of a stream earlier (a logging handler, a progress bar) are heard too.
What programs write past these objects, as subprocesses and C libraries do, is not heard.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any

from lineal.client.capture.terminal import Line, StreamName, Terminal

_log = logging.getLogger("lineal")
_MAX_CHARS = 16 << 20  # of texts that are longer than most
_LONG_CHARS = 1024
_PIECES_PER_LINE = 8  # print writes each value and each blank between them alone
_PATIENCE_S = 1.0


@dataclass(eq=False, slots=True)
class _Wrapping:
    """One stream's `write`, wrapped: where it is set, what it calls, and what was set there before, if anything."""

    attributes: dict[str, Any]
    write: Callable[[str], int]
    before: Any
    listening: bool = True


class Console:
    """Gathers what is written between `start` and `stop`. Any thread may write, print or call.

    A write only puts its text aside; lines are made by whoever takes them. When nobody does, the newest `max_lines`
    are kept, or fewer of those that are long or written in many small pieces.
    """

    def __init__(self, max_lines: int = 10_000) -> None:
        self._max_lines = max_lines
        self._max_pieces = max_lines * _PIECES_PER_LINE
        # Writers take no lock, so that a signal handler or a destructor may print in the middle of a print.
        self._pieces: deque[tuple[float, StreamName, str]] = deque()
        self._chars = 0
        self._dropped_pieces = 0
        self._dropped_lines = 0
        names: tuple[StreamName, ...] = ("stdout", "stderr")
        self._terminals = {name: Terminal(name, max_lines) for name in names}
        self._taking = threading.Lock()
        self._wrapped: list[Callable[[str], int]] = []

    @property
    def dropped(self) -> int:
        """How many lines were lost because nobody took them in time."""
        dropped = sum(terminal.dropped for terminal in self._terminals.values())
        return self._dropped_pieces + self._dropped_lines + dropped

    def start(self) -> None:
        """Begins to listen to `sys.stdout` and `sys.stderr` as they are now; a stream that is None is left alone."""
        if self._wrapped:
            return
        streams: list[tuple[StreamName, Any]] = [("stdout", sys.stdout), ("stderr", sys.stderr)]
        if sys.stdout is sys.stderr:
            del streams[1]
        for name, stream in streams:
            if stream is not None:
                self._wrap(name, stream)

    def stop(self) -> None:
        """Listens no longer, and takes its hands off the streams unless somebody has wrapped them since."""
        for ours in self._wrapped:
            wrapping = _wrapping_of(ours)
            assert wrapping is not None
            wrapping.listening = False
            if wrapping.attributes.get("write") is not ours:
                continue  # ours goes on inside theirs, passing everything through
            before = wrapping.before
            while (other := _wrapping_of(before)) and not other.listening:
                before = other.before  # another console's that has stopped inside of ours
            if before is None:
                del wrapping.attributes["write"]
            else:
                wrapping.attributes["write"] = before
        self._wrapped.clear()

    def take(self, *, final: bool = False) -> list[Line]:
        """The lines completed since the last call, oldest first; if `final`, with what has no end yet."""
        # In vain if a signal handler asks while its own thread is taking: these lines are that one's then.
        if not self._taking.acquire(timeout=_PATIENCE_S):
            return []
        try:
            self._draw()
            lines = [line for terminal in self._terminals.values() for line in terminal.take(final=final)]
            lines.sort(key=lambda line: line.time_s)
            surplus = max(0, len(lines) - self._max_lines)
            self._dropped_lines += surplus
            return lines[surplus:]
        finally:
            self._taking.release()

    def _draw(self) -> None:
        """Writes the pieces that wait to the terminals, those of one line together."""
        together: list[str] = []
        time_s, name = 0.0, None
        for _ in range(len(self._pieces)):
            before = time_s, name
            try:
                time_s, name, text = self._pieces.popleft()
            except IndexError:  # a writer has dropped some meanwhile
                break
            if len(text) > _LONG_CHARS:
                self._chars -= len(text)
            if name is not before[1]:
                self._draw_line(together, *before)
            together.append(text)
            if text.endswith("\n"):
                self._draw_line(together, time_s, name)
        self._draw_line(together, time_s, name)
        if not self._pieces:
            self._chars = 0  # threads that count at the same time may miscount

    def _draw_line(self, together: list[str], time_s: float, name: StreamName | None) -> None:
        if together and name is not None:
            self._terminals[name].write(time_s, "".join(together))
            together.clear()

    def _wrap(self, name: StreamName, stream: Any) -> None:
        try:
            attributes = vars(stream)
            wrapping = _Wrapping(attributes, stream.write, attributes.get("write"))
            attributes["write"] = ours = self._listener(name, wrapping)
        except (TypeError, AttributeError):
            _log.debug("%s is not recorded: a %s can't be listened to", name, type(stream).__name__)
            return
        self._wrapped.append(ours)

    def _listener(self, name: StreamName, wrapping: _Wrapping) -> Callable[[str], int]:
        write, append, pieces, now, most = wrapping.write, self._pieces.append, self._pieces, time, self._max_pieces

        def listened(text: str, /) -> int:
            written = write(text)
            if wrapping.listening and isinstance(text, str):  # some streams take bytes, or anything
                append((now(), name, text))
                if len(text) > _LONG_CHARS or len(pieces) > most:
                    self._limit(text)
            return written

        vars(listened)[_MARK] = wrapping
        return listened

    def _limit(self, text: str) -> None:
        """Forgets the oldest pieces until the rest is within bounds; the one written last stays in any case."""
        if len(text) > _LONG_CHARS:
            self._chars += len(text)
        while len(self._pieces) > self._max_pieces or (len(self._pieces) > 1 and self._chars > _MAX_CHARS):
            try:
                _, _, old = self._pieces.popleft()
            except IndexError:  # taken meanwhile
                return
            if len(old) > _LONG_CHARS:
                self._chars -= len(old)
            self._dropped_pieces += old.count("\n")


_MARK = "lineal_wrapping"


def _wrapping_of(write: Any) -> _Wrapping | None:
    return getattr(write, _MARK, None)
