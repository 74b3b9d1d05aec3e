"""What every request passes before its route: who asks is known, and no other site's page made the browser ask.

It stands around all routes, so that whoever adds one can't forget it; and before bodies are read. From here a short
way leads to routes that need nothing of what FastAPI does: who asks is found out and answered in one thread's turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from lineal.api.caller import SAFE, Desk, Note
from lineal.api.outer import App, Receive, Scope, Send, envelope
from lineal.core.errors import CsrfRefused, Error, InvalidArgument

FREE: Final = frozenset(
    {
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/api/v1/session"),
        ("POST", "/api/v1/session"),
        ("POST", "/api/v1/setup"),
        ("GET", "/api/v1/oidc/login"),
        ("GET", "/api/v1/oidc/callback"),
    }
)  # whoever asks
ASKED: Final = frozenset({("GET", "/metrics")})  # whoever asks, but who says who they are must be that
_OF_FORMS: Final = {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}
_PORTS: Final = {"http": 80, "https": 443}
_log = logging.getLogger("lineal.server")


class Gate:
    """The app for those whom the desk admits."""

    def __init__(self, app: App, desk: Desk, short: Mapping[tuple[str, str], APIRoute] | None = None) -> None:
        """`short` are routes by method and path, without a body, without parameters in the path, and not `async`."""
        self._app = app
        self._desk = desk
        self._short = short or {}
        self._noting: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # there is none that could be asked for
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, note, route = Request(scope), None, None
        try:
            if request.method not in SAFE and "authorization" not in request.headers:
                check_same_origin(request)
            where = (request.method, scope["path"])
            if (route := self._short.get(where)) is not None:
                scope["route"], scope["path_params"] = route, {}
                answer, note = await run_in_threadpool(self._admitted, route.endpoint, request)
                await answer(scope, receive, send)
            elif where not in FREE and not (where in ASKED and "authorization" not in request.headers):
                note = await run_in_threadpool(self._desk.admit, request)
        except Error as problem:
            await envelope(problem)(scope, receive, send)
            return
        if route is None:
            await self._app(scope, receive, send)
        if note is not None:
            await self._write(request, note)

    def _admitted(self, endpoint: Callable[[Request], Response], request: Request) -> tuple[Response, Note | None]:
        """The answer to who is let in, and what is to be noted of them. Raises as `admit` does."""
        note = self._desk.admit(request)
        try:
            return endpoint(request), note
        except Error as problem:
            return envelope(problem), note
        except RecursionError:
            return envelope(InvalidArgument("the request is nested too deeply"), 422), note

    async def _write(self, request: Request, note: Note) -> None:
        """Notes it once for all requests by that key or user that are under way; it is no reason to fail."""
        who = request.state.caller.key_prefix or request.state.caller.name
        if who in self._noting:
            return
        self._noting.add(who)
        try:
            await run_in_threadpool(note)
        except Error as problem:
            _log.warning("request %s: that %s was here is not noted: %s", request.state.request_id, who, problem)
        finally:
            self._noting.discard(who)


def check_same_origin(request: Request) -> None:
    """Raises forbidden.csrf for what another site's page may have made a browser send with what it knows of us."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    if site not in ("none", "same-origin") or (origin is not None and not _ours(request, origin)):
        raise CsrfRefused(
            "a page of another site asks for this, and only this server's own may; if it is, a proxy in front of the "
            "server changes the Host header, which it must pass on"
        )
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _OF_FORMS:
        raise CsrfRefused(f"{kind} is what forms of any site can send; send application/json")


def _ours(request: Request, origin: str) -> bool:
    """Whether the origin is this server as the browser sees it. A proxy may have taken TLS off on the way."""
    try:
        theirs, mine = urlsplit(origin), urlsplit(f"//{request.headers.get('host', '')}")
        if theirs.scheme not in _PORTS or (request.scope["scheme"] == "https" and theirs.scheme != "https"):
            return False
        if theirs.path or theirs.query or theirs.fragment or "@" in theirs.netloc or not theirs.hostname:
            return False
        default = _PORTS[theirs.scheme]
        return (theirs.hostname, theirs.port or default) == (mine.hostname, mine.port or default)
    except ValueError:
        return False
