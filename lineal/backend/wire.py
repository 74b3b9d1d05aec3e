"""Records and errors to JSON and back. One way for every record: its fields, and what names it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from lineal.core.clock import format_time
from lineal.core.errors import Error

_NAMES = ("ref", "name", "version", "path")


def to_json(value: Any) -> Any:
    """`value` (a record, or lists and mappings of them) as plain JSON: moments RFC 3339, tuples lists, bytes hex."""
    if is_dataclass(value) and not isinstance(value, type):
        body = {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
        named = {
            name: getattr(value, name) for name in _NAMES if isinstance(getattr(type(value), name, None), property)
        }
        return named | body
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | Set):
        return [to_json(item) for item in value]
    if isinstance(value, datetime):
        return format_time(value)
    return value.hex() if isinstance(value, bytes) else value


def error_to_json(error: Error) -> dict[str, Any]:
    """The one envelope: `{"error": {code, message, details}}`. Inverse of `error_from_json`."""
    return {"error": {"code": error.code, "message": error.message, "details": to_json(error.details)}}


def error_from_json(body: Mapping[str, Any]) -> Error:
    """The error in the envelope, of the same class that was raised; an unknown code gives a plain Error."""
    facts = body["error"]
    kind = Error.by_code.get(facts["code"], Error)
    return kind(facts["message"], **facts.get("details", {}))
