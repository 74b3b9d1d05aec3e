"""The outbox: one thread that takes what a run has to say into its journal; from there the sender takes it on.

Whatever was said is in the journal half a second later, so that it survives the process; once the store has
acknowledged it the journal may forget it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from lineal.backend.port import Backend
from lineal.backend.wire import batch_to_json
from lineal.client.journal import Journal
from lineal.client.sender import Letter, Sender
from lineal.client.summary import Summary
from lineal.core import clock
from lineal.core.errors import Error, Unavailable
from lineal.tracking.model import HEARTBEAT_S, Alert, Batch, Heard, RunFile, RunState, Stream
from lineal.tracking.rows import Row, encode

INTERVAL_S = 0.5
_POINTS_WAITING = 100_000  # beyond so many that no thread has taken yet, `log` waits
_BATCH_BYTES = 64 << 20
_JOURNAL_BYTES = 32 << 20  # sent frames are kept up to here, then forgotten
_MEMORY_BYTES = 4 << 20  # of rows on their way; what the journal has is read back from there beyond
_HELD_BYTES = 64 << 20  # what is kept in memory while the journal can't be written
_BACKLOG_BYTES = 4 << 20  # beyond so much on its way to a store that takes it, `log` waits
_log = logging.getLogger("lineal")
Rows = Mapping[Stream, list[Row]]


class End(NamedTuple):
    """How a run ended; `state` None where this process only stops writing into it."""

    state: RunState | None
    exit_code: int | None = None
    message: str = ""


class Outbox:
    """What one process has to say of one run. Any thread may call it, and so may the handler of a signal."""

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
        self.when_stopped: Callable[[str], None] | None = None
        self.sources: list[Callable[[bool], Rows]] = []  # quick, asked by the thread that writes the journal
        self.chores: list[Callable[[bool], Rows]] = []  # these may take long: the sender's thread asks them
        self._backend, self._files, self._mark, self.patience_s = backend, files, mark, patience_s
        self._changes: dict[str, Any] = {}
        self._alerts: deque[Alert] = deque()
        self._found: deque[tuple[Rows, list[RunFile]]] = deque()
        self._rows: list[Row] = []
        self._seq = 0
        self._start = journal.size
        self._held: list[Letter] = []
        self._refused = 0
        self._lock = summary._lock  # one lock for all: two could be taken in two orders by a signal's handler
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._end: End | None = None
        self._closed = False
        self._said_at = time.monotonic()
        self._warned: set[str] = set()
        self._sender = Sender(run_id, writer, journal, backend, chores=self._do_chores, hear=self._hear)
        self._thread = threading.Thread(target=self._run, name=f"lineal-{run_id}", daemon=True)

    def start(self) -> None:
        self._sender.start()
        self._thread.start()

    @property
    def refused(self) -> int:
        """How many batches were lost: there was no room for them, or the store refused them."""
        return self._refused + self._sender.refused

    # ---- what the training says --------------------------------------------------------------------------------

    def crowded(self) -> None:
        """Waits until the threads have caught up, where rows came faster than they take them."""
        self._wake.put(None)
        while len(self.queue) > self.limit and self._thread.is_alive():
            time.sleep(0.0005)
        asked = time.monotonic()
        while self._overtaken() and self._thread.is_alive():
            time.sleep(0.001)
            if time.monotonic() - asked > 0.02:
                self._wake.put(None)
                asked = time.monotonic()

    def change(self, **facts: Any) -> None:
        """Says the whole of `config`, `metrics`, `environment` or `code` anew, or what will tell it."""
        self._changes.update(facts)

    def alert(self, alert: Alert) -> None:
        """Records the alert, or what became of it."""
        self._alerts.append(alert)

    def say(self, kind: str, facts: Mapping[str, Any], rows: Mapping[str, bytes] | None = None) -> None:
        """Adds a frame of another kind to the journal, behind all that was said before. Raises unavailable.*."""
        with self._lock:
            self._say(final=False)
            self._seq += 1
            self.journal.append(kind, {"seq": self._seq, **facts}, rows)

    def drain(self) -> None:
        """Makes all rows that were pushed count in the summary."""
        with self._lock:
            rows: list[Row] = []
            with suppress(IndexError):  # a signal's handler may have taken the rest
                for _ in range(len(self.queue)):
                    rows.append(self.queue.popleft())
            if rows:
                self.summary.count(rows)
                self._rows += rows
                points = sum(len(row[2]) for row in rows[-100:]) // min(len(rows), 100)
                self.limit = max(1, _POINTS_WAITING // max(1, points))

    def flush(self) -> None:
        """Says everything now, and waits until it is in the store where there is one that takes it."""
        self._say(final=False)
        self._sender.wake()
        until = time.monotonic() + self.patience_s
        while not self._sender.idle and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.001)

    def close(self, end: End) -> bool:
        """Ends the threads after everything is said; False where the store could not be told it all."""
        self._end = end
        self._wake.put(None)
        if self._thread.is_alive():
            self._thread.join(2)  # a signal's handler may hold the lock that it waits for
        if not self._closed:
            self._sender.finish_chores(self.patience_s)
        with self._lock:
            if not self._closed:
                self._closed = True
                self._say(final=True)
                self._say_end(end)
        sent = self._sender.close(end.state, end.exit_code, end.message, patience_s=self.patience_s)
        return sent and all(letter.delivered for letter in self._held)

    def abandon(self) -> None:
        """In a forked child: what the parent says is left to the parent."""
        self._lock = vars(self.summary)["_lock"] = threading.RLock()
        self.queue.clear()
        self.limit = 1 << 62

    # ---- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._end is None:
                with suppress(Empty):
                    self._wake.get(timeout=INTERVAL_S)
                    while not self._wake.empty():
                        self._wake.get_nowait()
                if self._end is None:
                    self._turn()
        finally:
            self.limit = 1 << 62

    def _turn(self) -> None:
        try:
            self._say(final=False)
        except Exception as problem:  # a fault of ours must not end the recording
            self._warn("fault", f"some of what it said is lost: {type(problem).__name__}: {problem}")
            _log.debug("recording run %s", self.run_id, exc_info=True)
        if self._backend is not None and self._sender.idle and time.monotonic() - self._said_at > HEARTBEAT_S:
            self._said_at = time.monotonic()
            self._seq += 1
            self._sender.post(Letter(self._seq, Batch()))
        self._trim()
        self._sender.wake()

    def _overtaken(self) -> bool:
        """Whether too much is on its way to a store that takes it; one that stands still is no reason to wait."""
        much = self._sender.waiting_bytes > _BACKLOG_BYTES or self.journal.size - self._start > 2 * _JOURNAL_BYTES
        return much and self._sender.moving

    def _trim(self) -> None:
        """Forgets what was sent, once it is much."""
        if self._backend is None or self.journal.size - self._start <= _JOURNAL_BYTES:
            return
        with self._lock:
            if self._sender.idle and not self._held:
                with suppress(OSError):
                    self.journal.clear(self._start)

    def _do_chores(self, final: bool) -> None:
        """In the sender's thread: what may take long."""
        for chore in self.chores:
            if rows := chore(final):
                self._found.append((rows, []))
        if files := self._files(final):
            self._found.append(({}, files))

    def _hear(self, heard: Heard) -> None:
        self.heard = heard
        if heard.stop_asked_by and self.when_stopped is not None:
            self.when_stopped(heard.stop_asked_by)
            self.when_stopped = None

    def _say(self, *, final: bool) -> None:
        more = [source(final) for source in self.sources]
        with self._lock:
            self.drain()
            rows: dict[Stream, list[Row]] = {"history": self._rows}
            self._rows = []
            if rows["history"]:
                self.last_step = max(self.last_step, rows["history"][-1][0])
            files = self._collect(more, rows)
            facts: dict[str, Any] = {}
            later: dict[str, Any] = {}
            with suppress(KeyError):  # taken one by one, since any thread may add some meanwhile
                while True:
                    name, value = self._changes.popitem()
                    try:
                        facts[name] = value() if callable(value) else value
                    except RuntimeError:  # it is being changed, and will be said when that is done
                        later[name] = value
            for name, value in later.items():
                self._changes.setdefault(name, value)
            batches = [Batch(encoded, self.last_step) for encoded in self._encoded(rows)]
            summary, alerts = self.summary.take(), _all(self._alerts)
            if summary or alerts or facts:
                first = batches.pop(0) if batches else Batch(last_step=self.last_step)
                batches.insert(0, Batch(first.rows, self.last_step, summary=summary, alerts=alerts, **facts))
            if files:  # by themselves, since the store refuses files that it lost
                batches.append(Batch(last_step=self.last_step, files=files))
            for batch in batches:
                self._put(batch)

    def _collect(self, more: list[Rows], rows: dict[Stream, list[Row]]) -> list[RunFile]:
        """Adds what sources and chores found; the files that are stored by now."""
        files: list[RunFile] = []
        for streams, stored in [*((streams, []) for streams in more), *_all(self._found)]:
            for stream, found in streams.items():
                rows.setdefault(stream, []).extend(found)
            files += stored
        return files

    def _encoded(self, rows: Mapping[Stream, list[Row]]) -> list[dict[Stream, bytes]]:
        """The rows in as few chunks as their size allows; what can't be encoded is left out with a warning."""
        batches: list[dict[Stream, bytes]] = []
        for stream, found in rows.items():
            for at, chunk in enumerate(self._chunks(found)):
                if at == len(batches):
                    batches.append({})
                batches[at][stream] = chunk
        return batches

    def _chunks(self, rows: list[Row]) -> list[bytes]:
        if not rows:
            return []
        try:
            chunk = encode(rows, self._mark)
        except Exception as problem:
            if len(rows) == 1:
                self._lose(f"the row of step {rows[0][0]} can't be stored: {type(problem).__name__}: {problem}")
                return []
            chunk = b""
        if not chunk or (len(chunk) > _BATCH_BYTES and len(rows) > 1):
            half = len(rows) // 2
            return self._chunks(rows[:half]) + self._chunks(rows[half:])
        return [chunk]

    def _put(self, batch: Batch) -> None:
        self._seq += 1
        self._said_at = time.monotonic()
        letter = Letter(self._seq, self._sound(batch))
        self._trim()
        self._held = [held for held in self._held if not held.delivered]
        self._held.append(letter)
        self._write_held()
        if self._held and sum(held.size for held in self._held) > _HELD_BYTES:
            self._lose("the journal can't be written and there is no room for what it logs")
            self._held.remove(letter)
            return
        if self._backend is not None:
            if letter.start is not None and self._sender.waiting_bytes > _MEMORY_BYTES:
                letter.batch = None
            self._sender.post(letter)
            self._sender.wake()

    def _write_held(self) -> None:
        """Moves what is held in memory into the journal, in order, as far as that can be written."""
        while self._held:
            letter = self._held[0]
            start = self.journal.size
            try:
                if (batch := letter.batch) is not None:
                    self.journal.append("batch", {"seq": letter.seq, **batch_to_json(batch)}, batch.rows)
                    letter.start = start
            except Unavailable as problem:
                self._warn("journal", f"the journal can't be written: {problem.message}")
                return
            self._held.pop(0)
        self._warned.discard("journal")

    def _sound(self, batch: Batch) -> Batch:
        """The batch, or what of it can be said in JSON: a text that no database holds must not cost the rows."""
        told: dict[str, Any] = {"last_step": batch.last_step}
        for name in ("files", "alerts", "config", "metrics", "environment", "code"):
            told[name] = getattr(batch, name)
        try:
            batch_to_json(batch)
            return batch
        except Error:
            summary = {key: value for key, value in batch.summary.items() if self._sayable(summary={key: value})}
        facts = {name: value for name, value in told.items() if self._sayable(**{name: value})}
        return Batch(batch.rows, summary=summary, **facts)

    def _sayable(self, **facts: Any) -> bool:
        try:
            batch_to_json(Batch(**facts))
        except Error as problem:
            self._lose(f"some of what it said is left out: {problem.message}")
            return False
        return True

    def _say_end(self, end: End) -> None:
        self._seq += 1
        now = clock.format_time(clock.now())
        facts = {"seq": self._seq, "state": end.state, "exit_code": end.exit_code, "message": end.message, "at": now}
        try:
            self.journal.append("finish", facts)
            if self._backend is None:
                self.journal.sync()
        except Unavailable as problem:
            self._warn("journal", f"the journal can't be written: {problem.message}")

    def _lose(self, why: str) -> None:
        self._refused += 1
        self._warn(why[:40], why)

    def _warn(self, kind: str, text: str) -> None:
        if kind not in self._warned and len(self._warned) < 100:
            self._warned.add(kind)
            _log.warning("run %s: %s", self.run_id, text)


def _all(waiting: deque[Any]) -> list[Any]:
    """What waits, taken out."""
    return [waiting.popleft() for _ in range(len(waiting))]
