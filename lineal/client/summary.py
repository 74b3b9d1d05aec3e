"""A run's summary: the last value of each key unless a definition or the user says otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from lineal.client.config import MAX_BYTES, Section, plain
from lineal.client.metrics import Metrics, Tally
from lineal.core.metadata import check_metadata, restored
from lineal.tracking.rows import Row


class Summary(MutableMapping[str, Any]):
    """The summary as items and attributes. Reading it sees every row logged before."""

    def __init__(
        self, values: Mapping[str, Any], metrics: Metrics, *, settle: Callable[[], None], check: Callable[[], None]
    ) -> None:
        """`settle` makes rows that were logged count; `check` raises where nothing may be changed any more."""
        own = self.__dict__
        own["_values"], own["_metrics"] = dict(values), metrics
        own["_settle"], own["_check"] = settle, check
        own["_tallies"], own["_changed"] = {}, {}
        own["_lock"] = threading.RLock()

    _values: dict[str, Any]
    _metrics: Metrics
    _settle: Callable[[], None]
    _check: Callable[[], None]
    _tallies: dict[str, Tally]
    _changed: dict[str, Any]
    _lock: threading.RLock  # held while values change

    def __getitem__(self, key: str) -> Any:
        self._settle()
        value = self._values[key]
        if not isinstance(value, dict):
            return value
        section = Section(value, lambda: self.update({key: plain(section)}))
        return section

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        self._check()
        self._settle()
        with self._lock:
            del self._values[key]
            self._changed[key] = None

    def __iter__(self) -> Iterator[str]:
        self._settle()
        return iter(list(self._values))

    def __len__(self) -> int:
        self._settle()
        return len(self._values)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"the run's summary has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __repr__(self) -> str:
        return repr(dict(self))

    def update(self, *others: Any, **more: Any) -> None:
        """Sets many at once, all or none. Raises invalid.metadata."""
        self._check()
        self._settle()
        values = restored(check_metadata(dict(*others, **more), "summary", finite=False, max_bytes=MAX_BYTES))
        with self._lock:
            self._values.update(values)
            self._changed.update(values)

    def count(self, rows: Sequence[Row]) -> None:
        """Takes in rows that were logged."""
        latest: dict[str, Any] = {}
        if not self._metrics:
            for row in rows:
                latest.update(row[2])
        else:
            for row in rows:
                for key, value in row[2].items():
                    self._count(key, value, latest)
        with self._lock:
            self._values.update(latest)
            self._changed.update(latest)

    def _count(self, key: str, value: Any, latest: dict[str, Any]) -> None:
        metric = self._metrics.of(key)
        if metric is None or not metric.summary:
            latest[key] = value
        elif "none" not in metric.summary:
            tally = self._tallies.get(key)
            if tally is None or tally.metric is not metric:
                tally = self._tallies[key] = Tally(metric, self._values.get(key))
            latest[key] = tally.add(value)

    def take(self) -> dict[str, Any]:
        """What changed since the last time."""
        with self._lock:
            changed, self.__dict__["_changed"] = self._changed, {}
        return changed
