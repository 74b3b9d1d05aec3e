"""Metadata: JSON that people and programs attach to a version or a run, checked before it is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from lineal.core.errors import InvalidMetadata

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
_FLOAT = "$float"
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def check_metadata(
    value: Mapping[str, Any], what: str = "metadata", *, finite: bool = True, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """`value` as plain JSON: tuples and sets become lists, numbers of numpy's kind plain ones.

    Without `finite`, NaN and infinities become `{"$float": "nan"}`, which `restored` takes back. Raises
    invalid.metadata, naming the key, for what JSON can't say, for more than 64 levels and for more than `max_bytes`.
    """
    if not isinstance(value, Mapping):
        raise InvalidMetadata(f"{what} must be a mapping, not {type(value).__name__}")
    plain = _plain(value, what, 0, finite)
    if (size := len(json.dumps(plain))) > max_bytes:
        raise InvalidMetadata(f"{what} has {size} bytes as JSON; at most {max_bytes} are kept: log a file instead")
    assert isinstance(plain, dict)
    return plain


def restored(value: Any) -> Any:
    """`value` with its NaN and infinities back: the inverse of `check_metadata` without `finite`."""
    if isinstance(value, dict):
        if _stands_for_float(value):
            return _NOT_FINITE[value[_FLOAT]]
        return {key: restored(item) for key, item in value.items()}
    return [restored(item) for item in value] if isinstance(value, list) else value


def _stands_for_float(value: Mapping[Any, Any]) -> bool:
    return len(value) == 1 and isinstance(text := value.get(_FLOAT), str) and text in _NOT_FINITE


def _plain(value: Any, where: str, depth: int, finite: bool) -> Any:  # noqa: PLR0911 - a case for each kind
    if depth > MAX_DEPTH:
        raise InvalidMetadata(f"{where[:200]} is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool | str):
        return check_text(value, where) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            if not finite:
                return {_FLOAT: str(float(value))}
            raise InvalidMetadata(f"{where} is {value}, which JSON can't say; leave it out or write it as a text")
        return float(value)
    if isinstance(value, Mapping):
        if not finite and not depth and _stands_for_float(value):
            raise InvalidMetadata(f"{where} is a mapping with the one key {_FLOAT!r}, which stands for a number")
        return {
            check_text(str(key), where): _plain(item, f"{where}.{key}", depth + 1, finite)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, f"{where}[{place}]", depth + 1, finite) for place, item in enumerate(value)]
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", None) == 0:
        return _plain(value.item(), where, depth + 1, finite)
    raise InvalidMetadata(f"{where} is a {type(value).__name__}, which JSON can't say; give a number, text or list")


def check_text(text: str, where: str) -> str:
    """`text`, if UTF-8 and every database can hold it. Raises invalid.metadata."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidMetadata(f"{where} holds a text with half a character") from None
    if "\x00" in text:
        raise InvalidMetadata(f"{where} holds a text with a NUL character")
    return text
