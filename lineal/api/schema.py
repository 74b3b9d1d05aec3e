"""The OpenAPI document, made when it is first asked for, and a page of it that needs nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi

from lineal.api.routes import BY_HAND, is_text
from lineal.backend.declared import Declared, operations
from lineal.core.errors import Error

_MODELS = "#/components/schemas/{model}"
_RAISES = re.compile(r"Raises\s+((?:[^.]|\.(?=[a-z*]))+)")
_CODE = re.compile(r"\b([a-z_]+(?:\.(?:[a-z_]+|\*))?)")
_ALWAYS = ("invalid.argument", "unauthenticated", "forbidden", "unavailable")
_ENVELOPE = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "examples": ["not_found.version"]},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        }
    },
}
_EXAMPLES = {
    "ref": "team/vision/detector:production",
    "run_id": "abc123xy",
    "alias": "production",
    "collection": "detector",
    "digest": "sha256:" + "0" * 64,
    "type": "model",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px ui-monospace,monospace}h3 code{font-weight:bold}"
    "table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;padding:.2rem .8rem .2rem 0;text-align:left}"
)


def router(app: FastAPI, prefix: str) -> APIRouter:
    """The page at `/docs`, and the document behind it, which `app.openapi` makes from now on."""
    made = APIRouter(prefix=prefix)
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(_document(app))
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @made.get("/docs", include_in_schema=False)
    def docs() -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
        headers = {"Content-Security-Policy": policy}
        return Response(page(openapi()), media_type="text/html; charset=utf-8", headers=headers)

    return made


def _document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with what the port's declarations say."""
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Error"] = _ENVELOPE
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}}
    found["security"] = [{"key": []}, {}]
    declared = {f"{one.noun}.{one.name}": one for one in operations()}
    for path in found["paths"].values():
        for shown in path.values():
            shown.setdefault("responses", {}).pop("422", None)
            one = declared.get(shown.get("operationId", ""))
            if one is not None and (one.noun, one.name) not in BY_HAND:
                _complete(shown, one, schemas)
            _tell_errors(shown, one.doc if one else shown.get("description", ""))
    return found


def _complete(shown: dict[str, Any], one: Declared, schemas: dict[str, Any]) -> None:
    shown["summary"] = one.doc.split("\n", 1)[0]
    shown["description"] = f"{one.doc}\n\nNeeds the permission `{one.operation.needs}`."
    in_path = one.in_path
    shown["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": _shown(one, name, schemas)} for name in in_path
    ]
    others = [name for name in one.parameters if name not in in_path]
    if one.in_body:
        body = {
            "type": "object",
            "properties": {name: _shown(one, name, schemas) for name in others},
            "additionalProperties": False,
        }
        if required := [name for name in others if _needed(one, name)]:
            body["required"] = required
        shown["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    else:
        shown["parameters"] += [_in_query(one, name, schemas) for name in others]
    answer = _schema(one.hints["return"], schemas, "serialization")
    shown["responses"]["200"] = {"description": "Done.", "content": {"application/json": {"schema": answer}}}


def _in_query(one: Declared, name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = _shown(one, name, schemas)
    place = {"name": name, "in": "query", "required": _needed(one, name)}
    if is_text(one.hints[name]):
        return {**place, "schema": schema}
    return {**place, "content": {"application/json": {"schema": schema}}}


def _needed(one: Declared, name: str) -> bool:
    return one.parameters[name].default is one.parameters[name].empty


def _shown(one: Declared, name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    found = _schema(one.hints[name], schemas, "validation")
    return {**found, "examples": [_EXAMPLES[name]]} if name in _EXAMPLES else found


def _schema(kind: Any, schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    from pydantic import TypeAdapter

    made = TypeAdapter(kind).json_schema(mode=mode, ref_template=_MODELS)
    schemas.update(made.pop("$defs", {}))
    return made


def _tell_errors(shown: dict[str, Any], doc: str) -> None:
    """Adds what the contract says after "Raises", by status."""
    by_status: dict[int, set[str]] = {}
    for code in (*_ALWAYS, *codes(doc)):
        kinds = [kind for known, kind in Error.by_code.items() if known == code or known.startswith(f"{code[:-1]}")]
        exact = Error.by_code.get(code)
        for kind in [exact] if exact else kinds[:1]:
            by_status.setdefault(kind.http_status, set()).add(code)
    for status, told in sorted(by_status.items()):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        shown["responses"][str(status)] = {"description": ", ".join(sorted(told)), "content": content}


def codes(doc: str) -> list[str]:
    """The codes of errors that a contract names, such as `not_found.run` or `invalid.*`."""
    families = {code.partition(".")[0] for code in Error.by_code}
    named = [code for told in _RAISES.findall(doc) for code in _CODE.findall(told)]
    return [code for code in named if code.partition(".")[0] in families and "." in code]


def page(document: Mapping[str, Any]) -> str:
    """The document as one page of HTML without scripts."""
    parts = [f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"]
    parts += [_paragraphs(document["info"].get("description", ""))]
    parts += ['<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>']
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, shown in methods.items():
            by_tag.setdefault((shown.get("tags") or ["more"])[0], []).append(_operation(method, path, shown))
    for tag, shown_ in by_tag.items():
        parts += [f"<h2>{escape(tag)}</h2>", *shown_]
    title = escape(document["info"]["title"])
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'


def _operation(method: str, path: str, shown: Mapping[str, Any]) -> str:
    rows = [(p["name"], p["in"], p.get("required"), p) for p in shown.get("parameters", ())]
    body = shown.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    rows += [
        (name, "body", name in body.get("required", ()), {"schema": schema})
        for name, schema in body.get("properties", {}).items()
    ]
    told = [f"<h3><code>{method.upper()} {escape(path)}</code></h3>", _paragraphs(shown.get("description", ""))]
    if rows:
        cells = [
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(where)}</td><td>{escape(_kind(of))}</td>"
            f"<td>{'needed' if needed else ''}</td></tr>"
            for name, where, needed, of in rows
        ]
        told += [f"<table>{''.join(cells)}</table>"]
    errors = {status: one["description"] for status, one in shown["responses"].items() if int(status) >= 400}
    told += [f"<p>{', '.join(f'{s}: <code>{escape(text)}</code>' for s, text in errors.items())}</p>"]
    return "".join(told)


def _kind(of: Mapping[str, Any]) -> str:
    schema = of.get("schema") or of.get("content", {}).get("application/json", {}).get("schema", {})
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    names = [option.get("type") or option.get("$ref", "anything").rpartition("/")[2] for option in options]
    return " or ".join(names) + (" (as JSON)" if "content" in of else "")


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part)
