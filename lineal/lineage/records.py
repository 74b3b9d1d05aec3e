"""Reports as JSON and back, so that one can be kept and read again without a store.

Law: `audit_from_json(to_json(audit)) == audit`, by way of `json.dumps` and `json.loads` too.
Keys that this Lineal doesn't know are passed over: a newer one may say more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from lineal.core.errors import InvalidArgument
from lineal.core.plain import plain
from lineal.lineage.report import Audit, Impact

Record = TypeVar("Record", Audit, Impact)


def to_json(record: Audit | Impact) -> dict[str, Any]:
    """The record as plain JSON values: tuples as lists, moments as RFC 3339 in UTC with a `Z`."""
    return cast(dict[str, Any], plain(record))


def audit_from_json(raw: Mapping[str, Any]) -> Audit:
    """The audit that `to_json` wrote. Raises invalid.argument."""
    return _from_json(Audit, raw)


def impact_from_json(raw: Mapping[str, Any]) -> Impact:
    """The impact that `to_json` wrote. Raises invalid.argument."""
    return _from_json(Impact, raw)


def _from_json(kind: type[Record], raw: Mapping[str, Any]) -> Record:
    from pydantic import TypeAdapter, ValidationError

    try:
        record: Record = TypeAdapter(kind).validate_python(raw)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise InvalidArgument(_refusal(kind, f"{ascii(place)[1:-1][:200]}: {first['msg'][:200]}")) from None
    if any(at.tzinfo is None for at in _moments(record)):
        raise InvalidArgument(_refusal(kind, "a moment has no time zone"))
    return record


def _refusal(kind: type[Record], why: str) -> str:
    return f"this can't be read as an {kind.__name__.lower()}: {why}"


def _moments(value: object) -> Iterator[datetime]:
    """The moments in a record's own fields, not those that metadata may hold as texts."""
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _moments(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _moments(getattr(value, field.name))
