"""Whether the server lives, and whether it is ready: for those who start it and those who share out requests."""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import version

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from lineal.api.outer import Answer
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import Error

_PATIENCE_S = 5
_log = logging.getLogger("lineal.server")


class State:
    """What a server process knows of itself."""

    def __init__(self) -> None:
        self.stopping = False


def router(backend: LocalBackend, state: State) -> APIRouter:
    """`/health`, which touches nothing, and `/ready`, which asks rows and store and answers 503 with the reason."""
    made = APIRouter(include_in_schema=False)

    @made.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": version("lineal")}

    @made.get("/ready")
    async def ready() -> Response:
        reason = "stopping" if state.stopping else await _reason(backend)
        if reason is None:
            return Answer({"status": "ready"})
        return Answer({"status": "not ready", "reason": reason}, 503, {"Retry-After": "1"})

    return made


async def _reason(backend: LocalBackend) -> str | None:
    """Why the store doesn't answer, as a code: whoever asks may be anybody, the log has the rest."""
    try:
        await asyncio.wait_for(run_in_threadpool(backend.check), _PATIENCE_S)
    except TimeoutError:
        _log.warning("not ready: the store hasn't answered for %s s", _PATIENCE_S)
        return "slow"
    except Error as problem:
        _log.warning("not ready: %s", problem.message)
        return problem.code
    return None
