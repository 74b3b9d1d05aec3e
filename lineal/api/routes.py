"""Routes derived from the port: parameters and permission come from its declarations; `schema.py` documents them."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from lineal.api import etag
from lineal.api.bounds import read_body
from lineal.api.caller import Desk
from lineal.api.outer import Answer, envelope
from lineal.api.spans import span
from lineal.backend import wire
from lineal.backend.declared import Declared, operations
from lineal.backend.operation import PAGE
from lineal.core.errors import InvalidArgument, InvalidRows
from lineal.tracking import rows
from lineal.tracking.model import Batch

MAX_BATCH_BYTES = MAX_BODY_BYTES = 64 << 20
BY_HAND = {("runs", "append"), ("artifacts", "manifest")}
_WITH_HEADERS: dict[tuple[str, str], Callable[[Request, Any, dict[str, Any]], Response]] = {
    ("artifacts", "resolve"): etag.resolved,
    ("artifacts", "move_alias"): etag.moved,
}


def router(desk: Desk, prefix: str) -> APIRouter:
    """Every operation of the port, at its path below `prefix`."""
    made = APIRouter(prefix=prefix)
    for declared in operations():
        if (declared.noun, declared.name) not in BY_HAND:
            made.add_api_route(
                declared.operation.path,
                _endpoint(desk, declared),
                methods=[declared.operation.method],
                operation_id=f"{declared.noun}.{declared.name}",
                tags=[declared.noun],
                openapi_extra={"x-permission": declared.operation.needs},
            )
    _add_by_hand(made, desk)
    return made


def short(made: Iterable[BaseRoute]) -> dict[tuple[str, str], APIRoute]:
    """Those of the routes that are operations which a query says all of, by method and path."""
    plain = [route for route in made if isinstance(route, APIRoute) and "{" not in route.path]
    return {
        (method, route.path): route
        for route in plain
        if hasattr(route.endpoint, "by_query")
        for method in route.methods or ()
    }


def _endpoint(desk: Desk, declared: Declared) -> Callable[..., Any]:
    """What answers a request. Values are read by us: FastAPI takes longer to do so than the store to answer."""
    operation = f"{declared.noun}.{declared.name}"
    special = _WITH_HEADERS.get((declared.noun, declared.name))

    def act(request: Request, values: Mapping[str, Any]) -> Response:
        noun = getattr(desk.of(request), declared.noun)
        given = _given(declared, {**values, **request.path_params})
        with span(operation):
            if special:
                return special(request, noun, given)
            if declared.operation.cursor:
                return _page(request, declared, getattr(noun, declared.name), given)
            return Answer(getattr(noun, declared.name)(**given))

    def by_query(request: Request) -> Response:
        return act(request, _queried(declared, request))

    by_query.by_query = True  # type: ignore[attr-defined]

    async def by_body(request: Request) -> Response:
        body = await _body(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # also what keeps pages of other sites from posting
            return envelope(InvalidArgument("send a JSON object, with `Content-Type: application/json`"), 415)
        return await run_in_threadpool(lambda: act(request, _parsed(body)))

    endpoint = by_body if declared.in_body else by_query
    endpoint.__name__ = declared.name
    return endpoint


def _page(request: Request, declared: Declared, act: Callable[..., Any], given: dict[str, Any]) -> Response:
    """Part of a list, with a link to the next one where there is one."""
    assert declared.operation.cursor
    limit = given.get("limit")
    most = min(PAGE, limit) if limit is not None and limit > 0 else PAGE if limit is None else limit
    found = act(**given | {"limit": most})
    answer = Answer(found)
    if len(found) == most:
        query = request.url.include_query_params(limit=most, after=declared.operation.cursor(found[-1])).query
        answer.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return answer


def _given(declared: Declared, values: Mapping[str, Any]) -> dict[str, Any]:
    """The operation's arguments. Raises invalid.argument where one is missing, unknown, or of another type."""
    if unknown := values.keys() - declared.parameters.keys():
        known = ", ".join(declared.parameters)
        raise InvalidArgument(f"{ascii(min(unknown))[:80]} is no parameter of this operation; there are {known}")
    given = {}
    for name, value in values.items():
        try:
            given[name] = wire.from_json(declared.hints[name], value)
        except InvalidArgument as problem:
            raise InvalidArgument(f"{name}: {problem.message}") from None
    for name, parameter in declared.parameters.items():
        if parameter.default is parameter.empty and name not in given:
            raise InvalidArgument(f"{name} is missing")
    return given


def _queried(declared: Declared, request: Request) -> dict[str, Any]:
    """The values of a query: texts as they are, the rest as JSON. Raises invalid.argument."""
    found: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name in found or name in declared.in_path:
            raise InvalidArgument(f"{ascii(name)[:80]} is there twice")
        found[name] = text
    for name, text in found.items():
        if name in declared.hints and not is_text(declared.hints[name]):
            try:
                found[name] = json.loads(text)
            except (ValueError, RecursionError):
                raise InvalidArgument(
                    f"{name}: {ascii(text)[:80]} is no JSON, as a value that is no text is"
                ) from None
    return found


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidArgument("the body is no JSON") from None
    if not isinstance(values, dict):
        raise InvalidArgument("the body is to be a JSON object, with a field for each parameter")
    return values


def is_text(kind: Any) -> bool:
    """Whether values of the type are texts, or stand as texts in JSON: moments and literals."""
    if typing.get_origin(kind) is typing.Literal:
        return True
    several = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    options = [option for option in (typing.get_args(kind) if several else (kind,)) if option is not type(None)]
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
    return await read_body(request, MAX_BATCH_BYTES, InvalidRows(f"a request has at most {MAX_BATCH_BYTES} bytes"))
