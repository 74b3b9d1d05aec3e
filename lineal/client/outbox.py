"""The outbox: one thread that takes what a run has to say into its journal and on to the store.

Whatever was said is in the journal half a second later, so that it survives the process; once the store has
acknowledged it the journal may forget it. A store that can't be reached is tried again, less and less often.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lineal.backend.port import Backend
from lineal.backend.wire import batch_from_json, batch_to_json
from lineal.client.journal import Journal
from lineal.client.summary import Summary
from lineal.core import clock
from lineal.core.errors import Error, Unavailable
from lineal.tracking.model import HEARTBEAT_S, Alert, Batch, Heard, RunFile, RunState, Stream
from lineal.tracking.rows import Row, encode

INTERVAL_S = 0.5
_POINTS_WAITING = 100_000  # beyond so many that no thread has taken yet, `log` waits
_JOURNAL_BYTES = 32 << 20  # sent frames are kept up to here, then forgotten
_HELD_BYTES = 64 << 20  # what is kept in memory while nothing can be written
_LONGEST_PAUSE_S = 30
_log = logging.getLogger("lineal")


class End(NamedTuple):
    """How a run ended; `state` None where this process only stops writing into it."""

    state: RunState | None
    exit_code: int | None = None
    message: str = ""


class Outbox:
    """What one process has to say of one run. `push` and `change` may be called by any thread."""

    def __init__(
        self,
        run_id: str,
        writer: str,
        journal: Journal,
        summary: Summary,
        *,
        backend: Backend | None,
        files: Callable[[bool], list[RunFile]],
        mark: str = "",
        patience_s: float = 60,
    ) -> None:
        """Without a backend all stays in the journal. `files` stores files that wait and tells what they are.

        `mark` is what rows say of their writer, `patience_s` how long `close` tries to reach the store.
        """
        self.run_id, self.writer, self.journal, self.summary = run_id, writer, journal, summary
        self.queue: deque[Row] = deque()
        self.limit = _POINTS_WAITING // 10
        self.heard: Heard | None = None
        self.last_step = -1
        self.refused = 0
        self.when_stopped: Callable[[str], None] | None = None
        self.sources: list[Callable[[bool], Mapping[Stream, list[Row]]]] = []
        self._backend, self._files, self._mark, self.patience_s = backend, files, mark, patience_s
        self._changes: dict[str, Any] = {}
        self._alerts: list[Alert] = []
        self._rows: list[Row] = []
        self._seq = 0
        self._start = self._sent = journal.size
        self._held: list[tuple[int, Batch]] = []
        self._lock, self._saying = threading.RLock(), threading.RLock()
        self._wake, self._idle = threading.Event(), threading.Event()
        self._end: End | None = None
        self._said_at = time.monotonic()
        self._retry_at, self._pause_s = 0.0, 1.0
        self._thread = threading.Thread(target=self._run, name=f"lineal-{run_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # ---- what the training says --------------------------------------------------------------------------------

    def crowded(self) -> None:
        """Waits until the thread has caught up, where rows came faster than it takes them."""
        while len(self.queue) > self.limit and self._thread.is_alive():
            self._idle.clear()
            self._wake.set()
            self._idle.wait(1)

    def change(self, **facts: Any) -> None:
        """Says the whole of `config`, `metrics`, `environment` or `code` anew."""
        with self._lock:
            self._changes.update(facts)

    def alert(self, alert: Alert) -> None:
        """Records the alert, or what became of it."""
        with self._lock:
            self._alerts.append(alert)

    def say(self, kind: str, facts: Mapping[str, Any], rows: Mapping[str, bytes] | None = None) -> None:
        """Adds a frame of another kind to the journal, behind all that was said before. Raises unavailable.*."""
        with self._saying:
            self._say(final=False)
            self._seq += 1
            self.journal.append(kind, {"seq": self._seq, **facts}, rows)

    def drain(self) -> None:
        """Makes all rows that were pushed count in the summary."""
        with self._lock:
            count = len(self.queue)
            rows = [self.queue.popleft() for _ in range(count)]
            if rows:
                self.summary.count(rows)
                self._rows += rows
                points = sum(len(row[2]) for row in rows[-100:]) // min(count, 100)
                self.limit = max(64, _POINTS_WAITING // max(1, points))

    def flush(self) -> None:
        """Says everything now, and sends it where there is a store that takes it."""
        self._say(final=False)

    def close(self, end: End) -> bool:
        """Ends the thread after everything is said; False where the store could not be told it all."""
        self._end = end
        self._wake.set()
        self._thread.join()
        return self._sent >= self.journal.size and not self._held

    # ---- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._end is None:
                self._wake.wait(INTERVAL_S)
                self._wake.clear()
                with self._lock:
                    self._say(final=False)
                self._idle.set()
            with self._lock:
                self._say(final=True)
                self._finish(self._end)
        except Exception:
            _log.exception(
                "recording run %s stopped; what is in %s can be sent later", self.run_id, self.journal.folder
            )
        finally:
            self.limit = 1 << 62
            self._idle.set()

    def _say(self, *, final: bool) -> None:
        with self._saying:
            batch = self._gather(final)
            if batch is not None:
                self._seq += 1
                self._said_at = time.monotonic()
                self._put(self._seq, batch)
            elif time.monotonic() - self._said_at > HEARTBEAT_S:
                self._said_at = time.monotonic()
                self._beat()

    def _gather(self, final: bool) -> Batch | None:
        files = self._files(final)
        more = [source(final) for source in self.sources]
        self.drain()
        with self._lock:
            rows: dict[Stream, list[Row]] = {"history": self._rows}
            summary, changes, alerts = self.summary.take(), self._changes, self._alerts
            self._rows, self._changes, self._alerts = [], {}, []
        if rows["history"]:
            self.last_step = max(self.last_step, rows["history"][-1][0])
        for streams in more:
            for stream, found in streams.items():
                rows.setdefault(stream, []).extend(found)
        encoded: dict[Stream, bytes] = {}
        for stream, found in rows.items():
            if found:
                encoded[stream] = encode(found, self._mark)
        if not (encoded or changes or alerts or files or summary):
            return None
        return Batch(encoded, self.last_step, summary=summary, files=files, alerts=alerts, **changes)

    def _put(self, seq: int, batch: Batch) -> None:
        behind = self._sent < self.journal.size or bool(self._held)
        self._held.append((seq, batch))
        self._write_held()
        if behind or self._held or self._backend is None:
            self._catch_up()
        elif self._due() and self._deliver(seq, batch):
            self._forget()

    def _write_held(self) -> None:
        """Moves what is held in memory into the journal, in order, as far as that can be written."""
        while self._held:
            seq, batch = self._held[0]
            try:
                self.journal.append("batch", {"seq": seq, **batch_to_json(batch)}, batch.rows)
            except Unavailable as problem:
                self._warn_once(f"the journal can't be written: {problem.message}")
                if sum(len(data) for _, kept in self._held for data in kept.rows.values()) > _HELD_BYTES:
                    self._held.pop()
                    self.refused += 1
                    _log.warning("run %s: what it logged last is lost; there is no room for it", self.run_id)
                return
            self._held.pop(0)

    def _catch_up(self) -> None:
        """Sends what waits: in the journal, then in memory."""
        if self._backend is None or not self._due():
            return
        if self._sent < self.journal.size:
            for frame in self.journal.frames(self._sent):
                facts = dict(frame.facts)
                seq = facts.pop("seq", None)
                if frame.kind == "batch" and not self._deliver(seq, batch_from_json(facts, frame.rows)):
                    return
                self._sent = frame.end
        while self._held and self._deliver(*self._held[0]):
            self._held.pop(0)
        if not self._held:
            self._forget()

    def _forget(self) -> None:
        """Notes that everything was sent, and keeps the journal from growing for ever."""
        self._sent = self.journal.size
        if self._sent - self._start > _JOURNAL_BYTES:
            self.journal.clear(self._start)
            self._sent = self._start

    def _due(self) -> bool:
        return time.monotonic() >= self._retry_at

    def _deliver(self, seq: int, batch: Batch) -> bool:
        """Whether the store has taken the batch, or refused it for good."""
        assert self._backend is not None
        try:
            self.heard = self._backend.runs.append(self.run_id, self.writer, seq, batch)
            self._pause_s = 1.0
            if self.heard.stop_asked_by and self.when_stopped is not None:
                self.when_stopped(self.heard.stop_asked_by)
                self.when_stopped = None
        except Unavailable as problem:
            return self._later(f"the store can't take what is logged: {problem.message}; it is tried again")
        except Error as problem:
            self.refused += 1
            _log.warning(
                "run %s: the store refused what was logged: %s [%s]", self.run_id, problem.message, problem.code
            )
        except Exception as problem:  # a fault of ours must not cost what comes later
            return self._later(
                f"what is logged can't be sent: {type(problem).__name__}: {problem}; it is tried again"
            )
        return True

    def _later(self, why: str) -> bool:
        self._warn_once(why)
        self._retry_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        return False

    def _beat(self) -> None:
        if self._backend is None:
            return
        if self._sent < self.journal.size or self._held:
            self._catch_up()
        elif self._due():
            self._seq += 1
            self._deliver(self._seq, Batch())

    def _finish(self, end: End) -> None:
        now = clock.format_time(clock.now())
        self._seq += 1
        facts = {"seq": self._seq, "state": end.state, "exit_code": end.exit_code, "message": end.message, "at": now}
        try:
            self.journal.append("finish", facts)
            if self._backend is None:
                self.journal.sync()
        except Unavailable as problem:
            self._warn_once(f"the journal can't be written: {problem.message}")
        if self._backend is None:
            return
        deadline = time.monotonic() + self.patience_s
        self._retry_at = 0.0
        while True:
            self._catch_up()
            if (self._sent >= self.journal.size and not self._held) or time.monotonic() > deadline:
                break
            time.sleep(min(0.2, self._pause_s))
        if self._sent < self.journal.size or self._held or end.state is None:
            return
        self._backend.runs.finish(self.run_id, end.state, exit_code=end.exit_code, message=end.message)

    def _warn_once(self, text: str) -> None:
        if not getattr(self, "_warned", False):
            self._warned = True
            _log.warning("run %s: %s", self.run_id, text)
