"""Records and errors to JSON and back. One way for every record: its fields, and what names it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from lineal.core.clock import aware, parse_time
from lineal.core.errors import Error, InvalidArgument, InvalidRows
from lineal.core.metadata import check_metadata, restored
from lineal.core.plain import plain
from lineal.tracking.model import Alert, Batch, RunFile

_MAX_BATCH_BYTES = 64 << 20

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


def batch_to_json(batch: Batch) -> dict[str, Any]:
    """All of the batch but its rows, what is not said left out. Inverse of `batch_from_json`."""
    wholes = {
        "config": batch.config,
        "metrics": batch.metrics,
        "environment": batch.environment,
        "code": batch.code,
    }
    more = {"summary": batch.summary, "files": to_json(batch.files), "alerts": to_json(batch.alerts)}
    told: dict[str, Any] = {name: value for name, value in wholes.items() if value is not None}
    told |= {name: value for name, value in more.items() if value}
    found: dict[str, Any] = {"last_step": batch.last_step}
    for name, value in told.items():  # each by itself, since all are as deep as they may be
        part = value if isinstance(value, Mapping) else {str(place): item for place, item in enumerate(value)}
        plain = check_metadata(part, name, finite=False, max_bytes=_MAX_BATCH_BYTES)
        found[name] = plain if isinstance(value, Mapping) else list(plain.values())
    return found


def batch_from_json(facts: Mapping[str, Any], rows: Mapping[Any, bytes]) -> Batch:
    """The batch with these facts and rows."""
    told = restored(dict(facts))
    files = [RunFile(file["path"], file["digest"], file["size"]) for file in told.get("files", ())]
    alerts = [Alert(**{**alert, "at": parse_time(alert["at"])}) for alert in told.get("alerts", ())]
    return Batch(**{**told, "rows": dict(rows), "files": files, "alerts": alerts})


def batch_to_bytes(batch: Batch) -> bytes:
    """The batch whole: a line of JSON, then its rows. Inverse of `batch_from_bytes`."""
    head = {"facts": batch_to_json(batch), "rows": [[stream, len(data)] for stream, data in batch.rows.items()]}
    return b"".join([json.dumps(head, separators=(",", ":")).encode(), b"\n", *batch.rows.values()])


def batch_from_bytes(data: bytes) -> Batch:
    """The batch in `data`. Raises invalid.rows."""
    line, _, rest = data.partition(b"\n")
    try:
        head = json.loads(line)
        rows, at = {}, 0
        for stream, length in head["rows"]:
            rows[stream] = rest[at : at + length]
            at += length
        if at != len(rest):
            raise ValueError("it is longer or shorter than it says")
        return batch_from_json(head["facts"], rows)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise InvalidRows(f"a batch that can't be read: {problem}") from None


@cache
def _adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def from_json(kind: Any, value: Any) -> Any:
    """The value of the type `kind` that `value`, as `strict_json` made it, stands for. Raises invalid.argument."""
    from pydantic import ValidationError

    try:
        found = _adapter(kind).validate_python(restored(value))
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidArgument(f"{where or 'the value'} can't be right: {first['msg']}") from None
    return aware(found) if isinstance(found, datetime) else found


def strict_json(value: Any) -> Any:
    """`value` as `to_json` has it, with NaN and infinities as `{"$float": "nan"}`, which every JSON reader takes."""
    return _finite(to_json(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
