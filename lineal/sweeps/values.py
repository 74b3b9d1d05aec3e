"""What a run came to in a metric, as its summary has it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from lineal.core.errors import InvalidMetric
from lineal.core.metadata import restored

_MAX_NAMES = 10
_SUMMED_UP = ("min", "max", "mean", "first", "last", "best")  # what `define_metric(..., summary=)` makes of a key


def value_of(summary: Mapping[str, Any], name: str) -> float:
    """The metric's number in a run's summary; dots lead into mappings. Raises invalid.metric, which says why.

    The summary may be one that is stored, in which NaN stands as a mapping. Where `define_metric` summed the metric
    up in one way, that is the number.
    """
    found = next(_found(summary, name), None)
    if found is None:
        raise InvalidMetric(_never_logged(summary, name))
    value = restored(found[0])
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in _SUMMED_UP:
        value = restored(next(iter(value.values())))
    if isinstance(value, Mapping):
        keys = ", ".join(f"{name}.{key}" for key in list(value)[:_MAX_NAMES])
        raise InvalidMetric(f"metric {name!r} is not one number, but a mapping; name one of {keys or 'its keys'}")
    if not isinstance(value, bool | int | float):
        shown = repr(value)
        kind = "a text" if isinstance(value, str) else type(value).__name__
        raise InvalidMetric(
            f"metric {name!r} was logged as {kind}, {shown[:60]}{'…' * (len(shown) > 60)}; log a number"
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise InvalidMetric(f"metric {name!r} ended as NaN, so there is nothing to compare")
    if math.isinf(number):
        raise InvalidMetric(f"metric {name!r} ended as {number}, so there is nothing to compare")
    return number


def _found(summary: Mapping[str, Any], name: str) -> Iterator[tuple[Any]]:
    """All that the name can mean, in one-tuples since a value may be None: the longest keys first."""
    if name in summary:
        yield (summary[name],)
    for at in range(len(name) - 1, 0, -1):
        if name[at] == "." and isinstance(within := summary.get(name[:at]), Mapping):
            yield from _found(within, name[at + 1 :])


def _never_logged(summary: Mapping[str, Any], name: str) -> str:
    names = [key for key in summary if not key.startswith("_")]
    near = difflib.get_close_matches(name, names, 1)
    listed = [*near, *(key for key in names if key not in near)][:_MAX_NAMES]
    if not listed:
        return f"metric {name!r} was never logged, nor was any other"
    more = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    hint = f"; did you mean {near[0]}?" if near else ";"
    return f"metric {name!r} was never logged{hint} There were {', '.join(listed)}{more}".replace(
        "; There", "; there"
    )
