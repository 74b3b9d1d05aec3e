"""What surrounds every request: its id, the host that it names, and headers that keep browsers from guessing."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from lineal.backend import wire
from lineal.core.clock import new_id
from lineal.core.errors import Error, ForbiddenHost

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("lineal.server")
_QUIET = (  # unless a route says otherwise
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_PLAIN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{7,63}")
_FOR_EVERY_HOST = {"/health", "/ready"}  # those who ask know the machine by its address


class Outer:
    """The app for those who reach it by one of its names: another page's name that leads here is a trick."""

    def __init__(self, app: App, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = [header for header in message.get("headers", ()) if header[0] != b"x-request-id"]
                said = {name for name, _ in given}
                quiet = [header for header in _QUIET if header[0] not in said]
                message["headers"] = [*given, *quiet, (b"x-request-id", request_id.encode("ascii"))]
            await send(message)

        host = _name_of(headers.get("host", ""))
        if host not in self._hosts and scope["path"] not in _FOR_EVERY_HOST:
            problem = ForbiddenHost(
                f"this server doesn't go by the name {ascii(host)[:80]}; if it should, start it with `--name` "
                "and that name, or add it to LINEAL_SERVER_NAMES"
            )
            await envelope(problem)(scope, receive, answer)
            return
        try:
            await self._app(scope, receive, answer)
        except Exception as problem:
            _log.error("request %s failed", request_id, exc_info=problem, extra={"request": request_id})
            if started:
                raise
            fault = Error("a fault in the server; its log has more", request=request_id)
            await envelope(fault)(scope, receive, answer)


class Answer(JSONResponse):
    """Records as JSON in plain ASCII: a half character, which a console may have printed, has no other form."""

    def render(self, content: Any) -> bytes:
        return json.dumps(wire.strict_json(content), allow_nan=False, separators=(",", ":")).encode("ascii")


def envelope(problem: Error, status: int | None = None) -> Answer:
    """The one answer for every error."""
    answer = Answer(wire.error_to_json(problem), status or problem.http_status)
    if answer.status_code == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if (wait_s := problem.details.get("retry_after_s")) is not None:
        answer.headers["Retry-After"] = str(wait_s)
    return answer


def _request_id(headers: Headers) -> str:
    """The id that the client or a proxy gave the request, if it is a plain one; else a new one."""
    given = headers.get("x-request-id", "")
    return given if _PLAIN_ID.fullmatch(given) else new_id()


def _name_of(host: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
