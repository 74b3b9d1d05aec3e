"""Leaves of config and summary: dotted keys, and each value as the number or text that runs are found by. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

MAX_TEXT = 256
_FLOAT = "$float"


def flatten(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings with their dotted keys; lists, media and empty mappings are leaves."""
    for key, item in value.items():
        name = f"{prefix}.{key}"
        if isinstance(item, Mapping) and item and "_type" not in item and _FLOAT not in item:
            yield from flatten(item, name)
        else:
            yield name, item


def columns(value: Any) -> tuple[float | None, str | None]:
    """`value` as (number, text): numbers have a number, texts the start of a text, booleans both, None neither.

    Infinities are numbers; NaN, which has no place among them, is the text `nan`. Lists are their JSON.
    """
    if value is None:
        return None, None
    if isinstance(value, bool):
        return float(value), "true" if value else "false"
    if isinstance(value, Mapping) and len(value) == 1 and value.get(_FLOAT) in ("nan", "inf", "-inf"):
        value = float(value[_FLOAT])
    if isinstance(value, int | float):
        return (None, "nan") if math.isnan(number := _float(value)) else (number, None)
    return None, (value if isinstance(value, str) else json.dumps(value))[:MAX_TEXT]


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond what a float holds
        return math.inf if value > 0 else -math.inf
