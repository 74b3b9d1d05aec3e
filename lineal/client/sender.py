"""The sender: the thread that takes a run's letters to the store, in order, and does what may take long.

It is not the thread that writes the journal, so that a store which is slow, locked or away never keeps what was
logged from becoming safe. A store that can't be reached is tried again, less and less often.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from lineal.backend.port import Backend
from lineal.backend.wire import batch_from_json
from lineal.client.journal import Journal
from lineal.core.errors import BlobsMissing, Error, Unavailable
from lineal.tracking.model import Batch, Heard, RunState

IDLE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_CLOSING_PAUSE_S = 0.2
_STILL_S = 3.0
_log = logging.getLogger("lineal")


class Letter:
    """A batch on its way; `start` is its place in the journal, None while it is in none.

    `batch` is None where only the journal has it, to save memory.
    """

    __slots__ = ("batch", "delivered", "seq", "size", "start")

    def __init__(self, seq: int, batch: Batch) -> None:
        self.seq = seq
        self.batch: Batch | None = batch
        self.start: int | None = None
        self.size = sum(map(len, batch.rows.values()))
        self.delivered = False


class Sender:
    """Takes letters to the store. `post` and `wake` may be called by any thread, and by a signal's handler."""

    def __init__(
        self,
        run_id: str,
        writer: str,
        journal: Journal,
        backend: Backend | None,
        *,
        chores: Callable[[bool], None],
        hear: Callable[[Heard], None],
    ) -> None:
        """`chores` is called every half second, and with True once at the end; without a backend that is all."""
        self.refused = 0
        self._lacks_files = False
        self.told = False  # whether the store knows all of it, and the end
        self._run_id, self._writer, self._journal, self._backend = run_id, writer, journal, backend
        self._chores, self._hear = chores, hear
        self._letters: deque[Letter] = deque()
        self._posted = self._taken = 0  # bytes; each is counted by one thread only
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._retry_at, self._pause_s = 0.0, 1.0
        self._patience_s = 0.0
        self._ending = False  # while the store ends the run: it makes one file of all rows, which may take minutes
        self._moved_at = time.monotonic()  # when the store last took something
        self._end: tuple[RunState | None, int | None, str] | None = None
        self._last_chores, self._chores_done = False, threading.Event()
        self._warned: set[str] = set()
        self._thread = threading.Thread(target=self._run, name=f"lineal-send-{run_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # ---- for the outbox ----------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._letters

    @property
    def waiting_bytes(self) -> int:
        """The rows in memory that are on their way."""
        return self._posted - self._taken

    @property
    def moving(self) -> bool:
        """Whether the store took something not long ago."""
        return time.monotonic() - self._moved_at < _STILL_S

    def post(self, letter: Letter) -> None:
        """Takes the letter, behind all that were posted before."""
        self._posted += letter.size
        self._letters.append(letter)

    def wake(self) -> None:
        """Says that there is something to do."""
        self._wake.put(None)

    def finish_chores(self, timeout_s: float) -> None:
        """Waits until the chores were done for the last time."""
        self._last_chores = True
        self.wake()
        if self._thread.is_alive():
            self._chores_done.wait(timeout_s)

    def close(self, state: RunState | None, exit_code: int | None, message: str, *, patience_s: float) -> bool:
        """Whether the store knows all of it, and how the run ended.

        It is tried until `patience_s` have passed in which the store took nothing.
        """
        self._moved_at = max(self._moved_at, time.monotonic())
        self._patience_s, self._retry_at, self._end = patience_s, 0.0, (state, exit_code, message)
        self.wake()
        while self._thread.is_alive() and (
            self._ending or time.monotonic() < self._moved_at + patience_s + _CLOSING_PAUSE_S
        ):
            self._thread.join(_CLOSING_PAUSE_S)
        return self.told and not self._lacks_files

    # ---- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over():
            self._nap()
            try:
                if not self._chores_done.is_set():
                    last = self._last_chores
                    self._chores(last)
                    if last:
                        self._chores_done.set()
                self._send()
                if self._end is not None and self.idle:
                    self._finish()
            except Exception as problem:  # a fault of ours must not cost what comes later
                self._chores_done.set() if self._last_chores else None
                self._later(f"what is logged can't be sent: {type(problem).__name__}: {problem}; it is tried again")

    def _over(self) -> bool:
        return self._end is not None and (self.told or time.monotonic() > self._moved_at + self._patience_s)

    def _nap(self) -> None:
        closing = self._end is not None
        try:
            self._wake.get(timeout=_CLOSING_PAUSE_S if closing else IDLE_S)
            while not self._wake.empty():
                self._wake.get_nowait()
        except Empty:
            pass

    def _send(self) -> None:
        while self._letters and self._backend is not None and time.monotonic() >= self._retry_at:
            letter = self._letters[0]
            batch = letter.batch or self._read_back(letter)
            if batch is not None and not self._deliver(letter.seq, batch):
                return
            letter.delivered, letter.batch = True, None
            self._letters.popleft()
            self._taken += letter.size
            self._moved_at = time.monotonic()

    def _read_back(self, letter: Letter) -> Batch | None:
        """The batch as the journal has it; None, with a warning, where it has it no more."""
        try:
            frame = next(self._journal.frames(letter.start or 0))
            facts = dict(frame.facts)
            if facts.pop("seq", None) == letter.seq:
                return batch_from_json(facts, frame.rows)
        except (OSError, StopIteration):
            pass
        self._refuse("journal", f"its journal in {self._journal.folder} was deleted or damaged; some rows are lost")
        return None

    def _deliver(self, seq: int, batch: Batch) -> bool:
        """Whether the store has taken the batch, or refused it for good."""
        assert self._backend is not None
        try:
            heard = self._backend.runs.append(self._run_id, self._writer, seq, batch)
        except Unavailable as problem:
            return self._later(f"the store can't take what is logged: {problem.message}; it is tried again")
        except Error as problem:
            self._refuse(problem.code, f"the store refused what was logged: {problem.message} [{problem.code}]")
            self._lacks_files |= isinstance(problem, BlobsMissing)
            rows = Batch(batch.rows, batch.last_step)
            return rows == batch or not batch.rows or self._deliver(seq, rows)  # what was wrong may be the rest
        if self._pause_s > 1:
            self._warned.clear()
        self._pause_s = 1.0
        self._hear(heard)
        return True

    def _finish(self) -> None:
        assert self._end is not None
        state, exit_code, message = self._end
        if self._backend is not None and state is not None:
            self._ending = True
            try:
                self._backend.runs.finish(self._run_id, state, exit_code=exit_code, message=message)
            except Unavailable as problem:
                self._later(f"the store can't be told that it ended: {problem.message}; it is tried again")
                return
            except Error as problem:
                self._refuse(problem.code, f"the store refused its end: {problem.message} [{problem.code}]")
            finally:
                self._ending = False
        self.told = True

    def _later(self, why: str) -> bool:
        self._warn("later", why)
        self._retry_at = time.monotonic() + (_CLOSING_PAUSE_S if self._end is not None else self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return False

    def _refuse(self, kind: str, why: str) -> None:
        self.refused += 1
        self._warn(kind, why)

    def _warn(self, kind: str, text: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("run %s: %s", self._run_id, text)
