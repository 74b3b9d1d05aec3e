"""Logging: what `run.log` is given becomes rows, one for each call, of values by key.

Several calls for one step are one row to whoever reads: of the same key the last value counts. Steps never go back,
except for keys that have a step metric of their own. What can't be stored is refused by key, in a warning, and the
training goes on.
"""

from __future__ import annotations

import logging
import operator
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from lineal.client.files import RunFiles
from lineal.client.metrics import Metrics
from lineal.client.outbox import Outbox
from lineal.core.errors import Error, InvalidArgument
from lineal.tracking.rows import MAX_STEP, check_key

MAX_DEPTH = 64
MAX_TEXT = 16 << 20
_KNOWN_KEYS = 1_000_000  # in all the sets of keys that are known to be sound
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_log = logging.getLogger("lineal")


class History:
    """The rows of one run, as this process logs them. Any thread may log, and so may the handler of a signal."""

    def __init__(self, outbox: Outbox, metrics: Metrics, files: RunFiles, first_step: int) -> None:
        """Media's files go to `files`; `first_step` is that of the first row."""
        self.step = first_step
        self.refused = 0
        self.halt: Callable[[], None] | None = None  # what `log` calls first, where it should not just go on
        self._outbox, self._metrics, self._files = outbox, metrics, files
        self._queue = outbox.queue
        self._lock = threading.RLock()
        self._offset = time.time() - time.monotonic()  # so that times don't jump when the clock is set
        self._shapes: set[tuple[str, ...]] = set()
        self._room = _KNOWN_KEYS
        self._warned: set[str] = set()
        self._last: dict[str, Any] = {}

    def log(  # noqa: PLR0912 - in one piece, since each call costs
        self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None
    ) -> None:
        """Adds a row at `step` (default: the present one) and goes on to the next step if it is to be committed.

        It is unless a step is given. Values that can't be stored, and rows of a step that is over, are left out with
        a warning. Raises invalid.argument where `data` is no mapping.
        """
        if self.halt is not None:
            self.halt()
        if step is not None and type(step) is not int:
            step = whole(step)
        if type(data) is dict and not self._metrics:
            for value in data.values():
                kind = type(value)
                if kind is not float and (kind is not int or not _LEAST <= value <= _MOST):
                    data = self._plain(data, step)
                    break
            else:
                data = data.copy()
        else:
            data = self._plain(data, step)
        if tuple(data) not in self._shapes:
            data = self._checked(data)
        now = self._offset + time.monotonic()
        with self._lock:
            at = self.step
            if step is not None and step != at:
                if at < step <= MAX_STEP:
                    self.step = at = step
                else:
                    data = self._misplaced(data, step)
            if data:
                self._queue.append((at, now, data))
            if commit or (commit is None and step is None):
                self.step = min(at + 1, MAX_STEP)
        if len(self._queue) > self._outbox.limit:
            self._outbox.crowded()

    def _checked(self, data: dict[str, Any]) -> dict[str, Any]:
        """The values whose keys are sound; a set of keys is looked at once."""
        sound = {}
        for key, value in data.items():
            try:
                if isinstance(key, str) and key.startswith("_"):
                    raise InvalidArgument(
                        f"{ascii(key)[:80]} can't be a key: those that start with '_' are Lineal's own"
                    )
                sound[check_key(key)] = value
            except Error as problem:
                self._refuse(str(key)[:80], problem.message)
        if len(sound) <= self._room:
            self._room -= len(sound)
            self._shapes.add(tuple(sound))
        return sound

    def _misplaced(self, data: dict[str, Any], step: int) -> dict[str, Any]:
        """What may be logged at a step that is over: keys that have a step metric of their own, and those metrics."""
        own = {key: m.step_metric for key in data if (m := self._metrics.of(key)) and m.step_metric}
        kept = {key: value for key, value in data.items() if key in own or key in own.values()}
        if len(kept) < len(data) and 0 <= step < self.step:
            self._refuse("a row", f"step {step} is over, the run is at step {self.step}")
        elif len(kept) < len(data):
            self._refuse("a row", f"step {step} is not from 0 to {MAX_STEP}")
        return kept

    def _plain(self, data: Any, step: int | None) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise InvalidArgument(f"log takes a mapping of keys to values, not a {type(data).__name__}")
        found: dict[str, Any] = {}
        self._flatten(data, "", (), self.step if step is None else step, found)
        if self._metrics:
            self._add_step_metrics(found)
        return found

    def _flatten(
        self, data: Mapping[Any, Any], prefix: str, above: tuple[int, ...], step: int, found: dict[str, Any]
    ) -> None:
        above = (*above, id(data))
        for key, value in data.items():
            name = f"{prefix}{key}"
            if not isinstance(key, str):
                self._refuse(name[:80], f"a key is a text, not a {type(key).__name__}")
            elif isinstance(value, Mapping) and "_type" not in value:
                if len(above) > MAX_DEPTH or id(value) in above:
                    self._refuse(name[:80], "it is nested too deep, or holds itself")
                else:
                    self._flatten(value, f"{name}.", above, step, found)
            elif type(value) in (float, bool):
                found[name] = value
            elif isinstance(value, str) and len(value) > MAX_TEXT:
                self._refuse(name[:80], f"a text of {len(value):,} characters is no metric; log an artifact")
            else:
                self._convert(name, value, step, found)

    def _convert(self, name: str, value: Any, step: int, found: dict[str, Any]) -> None:
        from lineal.client.media.values import as_value, files_of

        try:
            stored = as_value(value, self._files.folder, name, step)
            if isinstance(stored, dict):
                self._files.expect(kept.path for kept in files_of(stored, self._files.folder))
            found[name] = stored
        except Error as problem:
            self._refuse(name[:80], problem.message)
        except Exception as problem:  # other people's objects may raise anything; training must go on
            self._refuse(name[:80], f"its value can't be stored: {type(problem).__name__}: {str(problem)[:200]}")

    def _add_step_metrics(self, data: dict[str, Any]) -> None:
        """Adds the last value of each step metric that the row's keys have and the row lacks."""
        for key in list(data):
            metric = self._metrics.of(key)
            step_metric = metric.step_metric if metric and metric.step_sync else None
            if step_metric and step_metric not in data and step_metric in self._last:
                data[step_metric] = self._last[step_metric]
        self._last.update({key: value for key, value in data.items() if type(value) in (int, float)})

    def _refuse(self, key: str, why: str) -> None:
        self.refused += 1
        if key not in self._warned and len(self._warned) < 1000:
            self._warned.add(key)
            _log.warning("%s is not logged: %s", ascii(key), why)


def whole(step: Any) -> int:
    """The step as a plain int, whatever library's whole number it is. Raises invalid.argument."""
    try:
        if isinstance(step, bool):
            raise TypeError
        return operator.index(step)
    except TypeError:
        raise InvalidArgument(f"a step is a whole number, not a {type(step).__name__}") from None
