"""Routes derived from the port's declarations: parameters, documentation and permission come from there."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import Json
from starlette.concurrency import run_in_threadpool

from lineal.api.caller import Desk
from lineal.api.outer import Answer
from lineal.api.spans import span
from lineal.backend import wire
from lineal.backend.declared import Declared, operations
from lineal.core.errors import InvalidRows
from lineal.tracking import rows
from lineal.tracking.model import Batch

MAX_BATCH_BYTES = 64 << 20
_BY_HAND = {("runs", "append"), ("artifacts", "manifest")}


def router(desk: Desk, prefix: str) -> APIRouter:
    """Every operation of the port, at its path below `prefix`."""
    made = APIRouter(prefix=prefix)
    for declared in operations():
        if (declared.noun, declared.name) not in _BY_HAND:
            made.add_api_route(
                declared.operation.path,
                _endpoint(desk, declared),
                methods=[declared.operation.method],
                operation_id=f"{declared.noun}.{declared.name}",
                summary=declared.doc.split("\n", 1)[0],
                description=declared.doc,
                tags=[declared.noun],
                openapi_extra={"x-permission": declared.operation.needs},
            )
    _add_by_hand(made, desk)
    return made


def _endpoint(desk: Desk, declared: Declared) -> Callable[..., Any]:
    operation = f"{declared.noun}.{declared.name}"

    def endpoint(request: Request, **values: Any) -> Response:
        noun = getattr(desk.of(request), declared.noun)
        given = {
            name: wire.from_json(declared.hints[name], value)
            for name, value in values.items()
            if declared.in_body or value is not None
        }
        with span(operation):
            return Answer(getattr(noun, declared.name)(**given))

    parameters = [inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)]
    parameters += [_parameter(declared, name) for name in declared.parameters]
    endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    endpoint.__name__ = declared.name
    return endpoint


def _parameter(declared: Declared, name: str) -> inspect.Parameter:
    """The parameter as FastAPI reads it: from path, body, or query; there JSON stands for what is no text."""
    kind, default = declared.hints[name], declared.parameters[name].default
    if name in declared.in_path:
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
    needed = default is inspect.Parameter.empty
    if declared.in_body:
        field = Body(embed=True) if needed else Body(embed=True, default=default)
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=_plain(kind), default=field)
    field = Query() if needed else Query(default=None)
    shown: Any = kind if _is_text(kind) else Json
    if not needed:
        shown = shown | None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=shown, default=field)


def _plain(kind: Any) -> Any:
    """What a JSON body may have for a parameter of the type: records are checked by `wire.from_json`."""
    return Any if _is_record(kind) or "Mapping" in str(kind) or "datetime" in str(kind) else kind


def _is_record(kind: Any) -> bool:
    return hasattr(kind, "__dataclass_fields__")


def _is_text(kind: Any) -> bool:
    """Whether values of the type are texts, or stand as texts in JSON: moments and literals."""
    options = [option for option in (typing.get_args(kind) or (kind,)) if option is not type(None)]
    if typing.get_origin(kind) is typing.Literal:
        return True
    return all(
        option is str or "datetime" in str(option) or typing.get_origin(option) is typing.Literal
        for option in options
    )


def _add_by_hand(made: APIRouter, desk: Desk) -> None:
    @made.post("/runs/{run_id}/batches", tags=["runs"], openapi_extra={"x-permission": "write"})
    async def append(request: Request, run_id: str, writer: str, seq: int) -> Response:
        """Records a batch: a line of JSON, then the rows that it lists."""
        batch = await run_in_threadpool(wire.batch_from_bytes, await _body(request))
        return await run_in_threadpool(_appended, request, run_id, writer, seq, batch)

    def _appended(request: Request, run_id: str, writer: str, seq: int, batch: Batch) -> Response:
        with span("runs.append"):
            heard = desk.of(request).runs.append(run_id, writer, seq, batch)
        request.state.rows = sum(rows.count(data) for data in batch.rows.values())
        return Answer(heard)

    @made.get("/artifacts/manifest", tags=["artifacts"], openapi_extra={"x-permission": "read"})
    def manifest(request: Request, digest: str) -> Response:
        """The manifest with that digest, as its canonical bytes."""
        with span("artifacts.manifest"):
            found = desk.of(request).artifacts.manifest(digest)
        return Response(found.to_bytes(), media_type="application/json")


async def _body(request: Request) -> bytes:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BATCH_BYTES:
            raise InvalidRows(f"a batch has at most {MAX_BATCH_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)
