"""The HTTP face: `create_app` over a backend, with one envelope for every error."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from lineal import __version__
from lineal.api import objects, routes
from lineal.api.caller import Desk
from lineal.backend import wire
from lineal.backend.local.backend import LocalBackend
from lineal.core.clock import new_id
from lineal.core.errors import Error, InvalidArgument, NotFound

_log = logging.getLogger("lineal.server")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1", "testserver")
_QUIET = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


def create_app(backend: LocalBackend, *, hosts: tuple[str, ...] = _LOOPBACK) -> FastAPI:
    """The app that serves the backend's store to whoever reaches it by one of the names `hosts`."""
    app = FastAPI(
        title="Lineal",
        version=__version__,
        description='Versions of data and models, their lineage, and runs. Errors come as `{"error": {code, message, details}}`.',
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    desk = Desk(backend)
    app.include_router(routes.router(desk), prefix="/api/v1")
    app.include_router(objects.router(desk), prefix="/api/v1")

    @app.exception_handler(Error)
    def ours(_request: Request, problem: Error) -> JSONResponse:
        return _envelope(problem, problem.http_status)

    @app.exception_handler(RequestValidationError)
    def invalid(_request: Request, problem: RequestValidationError) -> JSONResponse:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return _envelope(InvalidArgument(f"{where or 'the request'}: {first['msg']}"), 422)

    @app.exception_handler(HTTPException)
    def plain(_request: Request, problem: HTTPException) -> JSONResponse:
        kind = NotFound if problem.status_code == 404 else InvalidArgument
        return _envelope(kind(f"{problem.detail}"), problem.status_code)

    @app.exception_handler(Exception)
    def fault(request: Request, problem: Exception) -> JSONResponse:
        _log.error("request %s failed", getattr(request.state, "id", "?"), exc_info=problem)
        return _envelope(
            Error("a fault in the server; its log has more", request=getattr(request.state, "id", "")), 500
        )

    @app.middleware("http")
    async def around(request: Request, ask: Callable[[Request], Awaitable[Response]]) -> Response:
        request.state.id = new_id()
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if host.lower() not in hosts:
            problem = InvalidArgument(
                f"the server does not go by the name {host[:80]!r}; name it with `lineal server --name {host[:80]}`"
            )
            return _envelope(problem, 421)
        answer = await ask(request)
        answer.headers.update({**_QUIET, "X-Request-Id": request.state.id})
        return answer

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/ready", include_in_schema=False)
    async def ready() -> dict[str, str]:
        await run_in_threadpool(backend.check)
        return {"status": "ready"}

    return app


def _envelope(problem: Error, status: int) -> JSONResponse:
    return JSONResponse(wire.error_to_json(problem), status)
