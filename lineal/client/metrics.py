"""What `define_metric` says of keys: their step, how they are summed up, which way is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from lineal.core.errors import InvalidArgument
from lineal.tracking.rows import check_key

KINDS = ("min", "max", "mean", "last", "first", "best", "none", "copy")
_KNOWN_KEYS = 200_000
Goal = Literal["minimize", "maximize"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A definition; `name` may be a pattern such as `val/*`. `summary` lists kinds; empty: the last value."""

    name: str
    step_metric: str | None = None
    step_sync: bool = True
    hidden: bool = False
    summary: tuple[str, ...] = ()
    goal: Goal | None = None

    @property
    def is_pattern(self) -> bool:
        return "*" in self.name

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"summary": list(self.summary)}


def define(
    name: str,
    step_metric: str | Metric | None = None,
    step_sync: bool | None = None,
    hidden: bool | None = None,
    summary: str | Sequence[str] | None = None,
    goal: str | None = None,
) -> Metric:
    """The definition that these arguments of `define_metric` make. Raises invalid.argument."""
    if not isinstance(name, str) or not name:
        raise InvalidArgument("define_metric needs the name of a metric, such as 'val/acc' or 'val/*'")
    check_key(name)
    step = step_metric.name if isinstance(step_metric, Metric) else step_metric
    if step is not None and (not isinstance(step, str) or "*" in step or not step):
        raise InvalidArgument(f"{str(step)[:80]!r} can't be a step metric: name one key")
    kinds = tuple(part.strip() for part in summary.split(",")) if isinstance(summary, str) else tuple(summary or ())
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidArgument(f"{str(kind)[:40]!r} is no kind of summary; there are {', '.join(KINDS)}")
    long = {"min": "minimize", "max": "maximize", "minimize": "minimize", "maximize": "maximize", "None": None}
    if str(goal) not in long:
        raise InvalidArgument(f"{str(goal)[:40]!r} is no goal; say minimize or maximize")
    if "best" in kinds and goal is None:
        raise InvalidArgument("summary='best' needs goal='minimize' or goal='maximize'")
    whole: Any = long[str(goal)]
    return Metric(name, step, True if step_sync is None else step_sync, bool(hidden), kinds, whole)


class Metrics:
    """The definitions of a run: a key's own one, else that of the first pattern that it fits."""

    def __init__(self, known: Sequence[Mapping[str, Any]] = ()) -> None:
        self._defined: dict[str, Metric] = {}
        self._found: dict[str, Metric | None] = {}
        for facts in known:
            self.add(Metric(**{**facts, "summary": tuple(facts.get("summary", ()))}))

    def __bool__(self) -> bool:
        return bool(self._defined)

    def add(self, metric: Metric) -> None:
        """Takes the definition, in the place of one of the same name."""
        self._defined[metric.name] = metric
        self._found = {}

    def of(self, key: str) -> Metric | None:
        """The definition of the key, if any."""
        try:
            return self._found[key]
        except KeyError:
            defined, found = self._defined, self._found  # as they are now: other threads may define more
            fitting = (m for m in list(defined.values()) if m.is_pattern and fnmatchcase(key, m.name))
            metric = defined.get(key) or next(fitting, None)
            if len(found) < _KNOWN_KEYS:
                found[key] = metric
            return metric

    def to_json(self) -> list[dict[str, Any]]:
        return [metric.to_json() for metric in self._defined.values()]


class Tally:
    """The running summary of one key, kept as its definition asks."""

    def __init__(self, metric: Metric, known: Any = None) -> None:
        """`known` is the summary that the key has already: of a run that goes on, where only the mean starts anew."""
        self.metric = metric
        before = known if isinstance(known, dict) else {}
        self._values: dict[str, Any] = {kind: before[kind] for kind in metric.summary if kind in before}
        self._sum, self._count = 0.0, 0

    def add(self, value: Any) -> Any:
        """The key's summary with `value` counted in: a value, or a mapping of kinds to values."""
        kinds = self.metric.summary
        if not kinds or "copy" in kinds:
            return value
        if isinstance(value, int | float) and not math.isnan(value):
            self._sum, self._count = self._sum + value, self._count + 1
            for kind in kinds:
                self._values[kind] = self._next(kind, value)
        elif "last" in kinds:
            self._values["last"] = value
        return dict(self._values)

    def _next(self, kind: str, value: Any) -> Any:
        known = self._values.get(kind)
        if kind == "mean":
            return self._sum / self._count
        if known is None or kind == "last":
            return value
        if kind == "first":
            return known
        smaller = kind == "min" or (kind == "best" and self.metric.goal == "minimize")
        return min(known, value) if smaller else max(known, value)
