"""Records as plain JSON values: one walk for reports, graphs and the wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any

from lineal.core.clock import format_time


def plain(value: Any, named: Collection[str] = ()) -> Any:
    """`value` (a record, or lists and mappings of them) as JSON can say it.

    Moments become RFC 3339 in UTC with a `Z`, tuples and sets lists, bytes hex. Of a record come its fields, after
    those of its properties that are `named`.
    """
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if is_dataclass(kind):
        shown, held = _parts(kind, tuple(named))
        found = {name: getattr(value, name) for name in shown}
        for name in held:
            found[name] = plain(getattr(value, name), named)
        return found
    if isinstance(value, Mapping):
        return {str(key): plain(item, named) for key, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return [plain(item, named) for item in value]
    if isinstance(value, datetime):
        return format_time(value)
    return value.hex() if isinstance(value, bytes) else value


@cache
def _parts(kind: type, named: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The properties that are shown of a record of that type, and its fields."""
    shown = (name for name in named if isinstance(getattr(kind, name, None), property))
    return tuple(shown), tuple(field.name for field in fields(kind))
