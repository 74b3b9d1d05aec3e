"""Every operation as a request with values that make sense, of which a test may change any."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from lineal.api.routes import is_text
from lineal.backend.declared import Declared, operations
from tests.api.conftest import Ask

API = "/api/v1"
_PLAIN: dict[str, Any] = {
    "digest": f"sha256:{'0' * 64}",
    "ref": "p/data:v0",
    "subject": "p/data:v0",
    "run_id": "r1",
    "plan": {},
    "batch": {},
}


def texts() -> Iterator[tuple[Declared, str]]:
    """Every parameter of every operation that is a text, or holds texts."""
    for declared in operations():
        if (declared.noun, declared.name) == ("runs", "append"):
            continue
        for name in declared.parameters:
            kind = str(declared.hints[name])
            if ("str" in kind or "Any" in kind) and "Literal" not in kind and "datetime" not in kind:
                yield declared, name


def value_for(declared: Declared, name: str, text: str) -> Any:
    """`text` in the shape that the parameter has: alone, in a list, as key and value of a mapping."""
    kind = str(declared.hints[name])
    if "Sequence" in kind:
        return [text]
    if "Mapping" in kind:
        return {text: text}
    return text


def request(declared: Declared, given: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Method, path and the rest of a request: what is not given and must be there has some plain value."""
    values = {**{name: _plain(declared, name) for name in _needed(declared)}, **given}
    path = API + declared.operation.path
    for name in declared.in_path:
        path = path.replace(f"{{{name}}}", quote(str(values.pop(name)), safe=""))
    if declared.in_body:
        return declared.operation.method, path, {"json": values}
    query = {
        name: value if isinstance(value, str) and is_text(declared.hints[name]) else json.dumps(value)
        for name, value in values.items()
    }
    return declared.operation.method, path, {"params": query}


def asked(ask: Ask, declared: Declared, headers: Mapping[str, str] | None = None, **given: Any) -> httpx.Response:
    method, path, more = request(declared, given)
    return ask(method, path, headers=dict(headers or {}), **more)


def _needed(declared: Declared) -> list[str]:
    return [name for name, parameter in declared.parameters.items() if parameter.default is parameter.empty]


def _plain(declared: Declared, name: str) -> Any:
    if name in _PLAIN:
        return _PLAIN[name]
    kind = declared.hints[name]
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)[0]
    if kind is bool:
        return False
    if kind is int:
        return 0
    if kind is datetime:
        return "2026-05-01T12:00:00Z"
    if "Sequence" in str(kind):
        return ["x"]
    return "x"
