"""Records and errors to JSON and back. One way for every record: its fields, and what names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineal.core.errors import Error
from lineal.core.plain import plain

_NAMES = ("ref", "name", "version", "path")


def to_json(value: Any) -> Any:
    """`value` (a record, or lists and mappings of them) as plain JSON, with the names that a record goes by."""
    return plain(value, _NAMES)


def error_to_json(error: Error) -> dict[str, Any]:
    """The one envelope: `{"error": {code, message, details}}`. Inverse of `error_from_json`."""
    return {"error": {"code": error.code, "message": error.message, "details": to_json(error.details)}}


def error_from_json(body: Mapping[str, Any]) -> Error:
    """The error in the envelope, of the same class that was raised; an unknown code gives a plain Error."""
    facts = body["error"]
    kind = Error.by_code.get(facts["code"], Error)
    return kind(facts["message"], **facts.get("details", {}))
