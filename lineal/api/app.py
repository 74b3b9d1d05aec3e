"""The HTTP face: `create_app` over a backend, with one envelope for every error."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lineal.api import grants, health, live, objects, routes, schema, signing_in
from lineal.api.bounds import Bounds, Limits
from lineal.api.caller import Desk
from lineal.api.gate import Gate
from lineal.api.oidc import Provider
from lineal.api.outer import Outer, envelope
from lineal.api.served import Listener, Watched
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import Error, InvalidArgument, NotFound

API = "/api/v1"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ABOUT = (
    "Versions of data and models, their lineage, and runs.\n\n"
    'An error comes as `{"error": {"code": …, "message": …, "details": …}}`; its code stays what it is forever.'
)

# FastAPI's own spans would hold whole URLs; `telemetry.py` has ours. Before 0.160 or so there were none.
_QUIET: dict[str, Any] = {"telemetry": {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}}


def create_app(
    backend: LocalBackend,
    *,
    hosts: Collection[str] = LOOPBACK,
    limits: Limits | None = None,
    listeners: Sequence[Listener] = (),
    state: health.State | None = None,
    provider: Provider | None = None,
    more: Sequence[APIRouter] = (),
) -> FastAPI:
    """The app that serves the backend's store to whoever reaches it by one of the names `hosts`.

    People sign in by a password, and by the OpenID Connect `provider` if there is one. `more` are routes beside the
    API's.
    """
    app = FastAPI(
        title="Lineal",
        version=version("lineal"),
        description=_ABOUT,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        **_QUIET,
    )
    desk = Desk(backend)
    # Taken over rather than included: FastAPI would read every signature a second time, and ask each router in turn.
    known = state or health.State()
    app.state.live = live.Live(desk, known)
    made = (
        objects.router(desk, API),
        grants.router(desk, API),
        routes.router(desk, API),
        signing_in.router(desk, provider, API),
        live.router(app.state.live, API),
        schema.router(app, API),
        health.router(backend, known),
    )
    for router in (*made, *more):
        app.router.routes.extend(router.routes)
    _answer_errors(app)
    app.add_middleware(Bounds, limits=limits or Limits())
    app.add_middleware(Gate, desk=desk, short=routes.short(app.router.routes))
    app.add_middleware(Outer, hosts=hosts)
    if listeners:
        app.add_middleware(Watched, listeners=listeners, prefix=API)
    return app


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Error)
    async def ours(_request: Request, problem: Error) -> Response:
        return envelope(problem)

    @app.exception_handler(RecursionError)
    async def deep(_request: Request, _problem: RecursionError) -> Response:
        return envelope(InvalidArgument("the request is nested too deeply"), 422)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, problem: RequestValidationError) -> Response:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return envelope(InvalidArgument(f"{where or 'the request'}: {first['msg']}"), 422)

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, problem: HTTPException) -> Response:
        kind = NotFound if problem.status_code == 404 else InvalidArgument
        return envelope(kind(f"{problem.detail}"), problem.status_code)
