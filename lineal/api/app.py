"""The HTTP face: `create_app` over a backend, with one envelope for every error."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from lineal.api import live, objects, routes, schema
from lineal.api.caller import Desk
from lineal.api.outer import Outer, envelope
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import Error, InvalidArgument, NotFound

API = "/api/v1"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ABOUT = (
    "Versions of data and models, their lineage, and runs.\n\n"
    'An error comes as `{"error": {"code": …, "message": …, "details": …}}`; its code stays what it is forever.'
)


def create_app(backend: LocalBackend, *, hosts: Collection[str] = LOOPBACK) -> FastAPI:
    """The app that serves the backend's store to whoever reaches it by one of the names `hosts`."""
    app = FastAPI(
        title="Lineal",
        version=version("lineal"),
        description=_ABOUT,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    desk = Desk(backend)
    app.include_router(routes.router(desk), prefix=API)
    app.include_router(objects.router(desk), prefix=API)
    app.state.live = live.Live(desk)  # whoever stops the server closes it, else its streams would hold that up
    app.include_router(live.router(app.state.live), prefix=API)
    app.include_router(schema.router(app), prefix=API)
    _answer_errors(app)
    app.add_middleware(Outer, hosts=hosts)

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": version("lineal")}

    @app.get("/ready", include_in_schema=False)
    async def ready() -> dict[str, str]:
        await run_in_threadpool(backend.check)
        return {"status": "ready"}

    return app


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Error)
    async def ours(_request: Request, problem: Error) -> Response:
        return envelope(problem)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, problem: RequestValidationError) -> Response:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return envelope(InvalidArgument(f"{where or 'the request'}: {first['msg']}"), 422)

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, problem: HTTPException) -> Response:
        kind = NotFound if problem.status_code == 404 else InvalidArgument
        return envelope(kind(f"{problem.detail}"), problem.status_code)
