"""Alerts: what a run wants to be known at once. Recorded on the run, and sent to channels beside the training.

One thread per run sends; it starts with the first alert that has somewhere to go. What became of an alert in each
channel is told to the outbox when it next asks, so no alert ever waits for a channel, nor does anything else.
"""

from __future__ import annotations

import heapq
import logging
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from lineal.backend.port import Backend
from lineal.client.channels import SENT, WAITING, Answer, Channel, channels
from lineal.client.outbox import Outbox
from lineal.core import clock
from lineal.core.errors import InvalidArgument, InvalidSettings
from lineal.core.settings import alert_urls
from lineal.tracking.model import MAX_ALERT_CHARS, MAX_ALERT_TITLE_CHARS, Alert, Batch

if TYPE_CHECKING:
    from lineal.client.run import Run

Wait = float | timedelta | None
WAIT_S = 60.0
PAUSES_S = (1.0, 3.0)  # before the second and the third attempt
PATIENCE_S = 10.0
_MOST_WAITING = 100
_TITLES = 1000
_TOO_LATE = "failed: the run ended before it was sent"
_making = threading.RLock()
_log = logging.getLogger("lineal")


class AlertLevel(StrEnum):
    """How much an alert matters."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(slots=True)
class _Entry:
    """An alert as it stands, and when it was made, on the clock that never jumps."""

    alert: Alert
    at: float


class _Job(NamedTuple):
    """An attempt to send an alert, once `due`."""

    due: float
    order: int
    attempt: int
    entry: _Entry
    channel: Channel


class Alerts:
    """The alerts of one run in this process. Thread-safe."""

    def __init__(
        self,
        outbox: Outbox,
        to: Sequence[Channel],
        sender: str,
        *,
        offline: bool = False,
        pauses_s: Sequence[float] = PAUSES_S,
        pid: int | None = None,
    ) -> None:
        """`sender` is the line that says which run it is; `offline` leaves the sending to `lineal sync`.

        `pid` is the process that the run belongs to (default: this one).
        """
        self._outbox, self._channels, self._sender = outbox, list(to), sender
        self._offline, self._pauses_s = offline, tuple(pauses_s)
        self._last: OrderedDict[str, _Entry] = OrderedDict()  # by title
        self._changed: dict[str, _Entry] = {}  # by id: what the outbox has not been told
        self._open: dict[str, _Entry] = {}  # by id: what some channel has still to take
        self._jobs: list[_Job] = []
        self._pid = os.getpid() if pid is None else pid
        self._order = count()
        self._warned: set[tuple[str, str]] = set()
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._deadline: float | None = None
        outbox.sources.append(self._tell)

    def add(
        self,
        title: str,
        text: str = "",
        level: str = AlertLevel.INFO,
        wait_duration: Wait = None,
    ) -> bool:
        """Whether it is new; one of the same title within `wait_duration` (s, default 60) is only counted.

        In a forked process it does nothing, since the run is its parent's. Raises invalid.argument.
        """
        entry, wait_s = _Entry(_alert(title, text, level), time.monotonic()), _seconds(wait_duration)
        title = entry.alert.title
        if self._pid != os.getpid():
            return False
        with self._condition:
            before = self._last.get(title)
            if before is not None and entry.at - before.at < wait_s:
                self._set(before, repeats=before.alert.repeats + 1)
                return False
            self._last[title] = entry
            self._last.move_to_end(title)
            if len(self._last) > _TITLES:
                self._last.popitem(last=False)
            self._line_up(entry)
        return True

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Waits until all is sent, at most so long; what is not sent then is told as failed."""
        with self._condition:
            thread, self._deadline = self._thread, time.monotonic() + patience_s
            self._condition.notify()
        if thread is not None:
            thread.join(patience_s)
        with self._condition:
            self._jobs.clear()
            for entry in list(self._open.values()):
                for name, state in entry.alert.channels.items():
                    if state == WAITING:
                        self._note(entry, name, _TOO_LATE)

    # ---- inside; the condition is held -------------------------------------------------------------------------

    def _set(self, entry: _Entry, **facts: Any) -> None:
        entry.alert = replace(entry.alert, **facts)
        self._changed[entry.alert.id] = entry

    def _line_up(self, entry: _Entry) -> None:
        """Records the alert, and puts it in line for each channel."""
        state = WAITING
        if self._deadline is not None:
            state = _TOO_LATE
        elif not self._offline and len(self._jobs) + len(self._channels) > _MOST_WAITING:
            state = "failed: too many alerts at once"
        self._set(entry, channels={channel.name: state for channel in self._channels})
        if state != WAITING or self._offline or not self._channels:
            return
        self._open[entry.alert.id] = entry
        for channel in self._channels:
            heapq.heappush(self._jobs, _Job(entry.at, next(self._order), 1, entry, channel))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lineal-alerts", daemon=True)
            self._thread.start()
        self._condition.notify()

    def _note(self, entry: _Entry, channel: str, state: str) -> None:
        """Notes what became of the alert in that channel, for good."""
        if self._open.get(entry.alert.id) is not entry:
            return  # the run has ended, and told of it already
        self._set(entry, channels={**entry.alert.channels, channel: state})
        if WAITING not in entry.alert.channels.values():
            del self._open[entry.alert.id]
        if state != SENT and (channel, state) not in self._warned:
            self._warned.add((channel, state))
            _log.warning("the alert %s was not sent to %s; it %s", ascii(entry.alert.title), channel, state)

    # ---- the threads -------------------------------------------------------------------------------------------

    def _tell(self, final: bool) -> Mapping[Any, Any]:
        """What is new, to the outbox, in order whoever asks. It may hold its own lock, and `alert` takes none."""
        with self._condition:
            for entry in self._changed.values():
                self._outbox.alert(entry.alert)
            self._changed.clear()
        return {}

    def _run(self) -> None:
        while (job := self._next()) is not None:
            answer = job.channel.send(job.entry.alert, self._sender)
            with self._condition:
                if not answer.problem:
                    self._note(job.entry, job.channel.name, SENT)
                elif answer.again and job.attempt <= len(self._pauses_s):
                    due = time.monotonic() + self._pauses_s[job.attempt - 1]
                    heapq.heappush(
                        self._jobs, job._replace(due=due, order=next(self._order), attempt=job.attempt + 1)
                    )
                else:
                    self._note(job.entry, job.channel.name, f"failed: {answer.problem}")

    def _next(self) -> _Job | None:
        """The next attempt, once it is due; None after the end."""
        with self._condition:
            while True:
                now = time.monotonic()
                end = self._deadline
                if end is not None and (not self._jobs or max(now, self._jobs[0].due) >= end):
                    return None
                if self._jobs and self._jobs[0].due <= now:
                    return heapq.heappop(self._jobs)
                self._condition.wait(self._jobs[0].due - now if self._jobs else None)


def of_run(run: Run) -> Alerts:
    """The run's alerts, which go to the channels configured at the first one."""
    if run._alerts is not None:
        return run._alerts
    with _making:
        if run._alerts is None:
            sender = _sender(run.name, run.path, run.url)
            run._alerts = Alerts(run._outbox, _configured(), sender, offline=run.offline, pid=run._pid)
            patience_s = min(PATIENCE_S, run._outbox.patience_s)
            run._before_end.append(partial(run._alerts.close, patience_s))
        return run._alerts


def send_waiting(backend: Backend, run_id: str, ids: Collection[str]) -> int:
    """How many of these alerts of the run still waited, as offline ones do; each had one attempt, which is noted."""
    if not ids:
        return 0
    every = backend.runs.list_alerts(run_id)
    waiting = [alert for alert in every if alert.id in ids and WAITING in alert.channels.values()]
    if not waiting:
        return 0
    record = backend.runs.get(run_id)
    here = {channel.name: channel for channel in _configured()}
    told = []
    for alert in waiting:
        sender = f"{_sender(record.name, record.path)}, at {clock.format_time(alert.at)}"
        states = dict(alert.channels)
        for name in [name for name, state in states.items() if state == WAITING]:
            answer = here[name].send(alert, sender) if name in here else Answer("no such channel where it was synced")
            states[name] = f"failed: {answer.problem}" if answer.problem else SENT
        told.append(replace(alert, channels=states))
    backend.runs.append(run_id, clock.new_run_id(), 1, Batch(alerts=told))
    return len(told)


def _configured() -> list[Channel]:
    try:
        return channels(alert_urls())
    except InvalidSettings as problem:
        _log.warning("alerts are recorded, but not sent: %s", problem.message)
        return []


def _sender(name: str, path: str, url: str | None = None) -> str:
    return " ".join(part for part in (f"Run {name} ({path})", url) if part)


def _alert(title: str, text: str, level: str) -> Alert:
    if not isinstance(title, str) or not title.strip():
        raise InvalidArgument("an alert needs a title, which is a text")
    if not isinstance(text, str):
        raise InvalidArgument(f"an alert's text is a str, not a {type(text).__name__}")
    said = str(getattr(level, "value", level)).upper()
    if said == "WARNING":
        said = "WARN"
    if said not in AlertLevel.__members__:
        raise InvalidArgument(f"{said[:40]!r} is no level of an alert; say INFO, WARN or ERROR")
    short, body = _fit(title.strip(), MAX_ALERT_TITLE_CHARS), _fit(text, MAX_ALERT_CHARS)
    return Alert(clock.new_id(), short, body, said.lower(), clock.now())  # type: ignore[arg-type]


def _fit(text: str, most: int) -> str:
    """The text as every database takes it, cut where it is endless."""
    plain = text[: most + 1].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _seconds(duration: Wait) -> float:
    if duration is None:
        return WAIT_S
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or math.isnan(seconds) or seconds < 0:
        raise InvalidArgument(f"wait_duration is a number of seconds or a timedelta, not {ascii(duration)[:40]}")
    return float(seconds)
