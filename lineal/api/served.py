"""One request from its first byte to its last, and who wants to hear of it: the access log, metrics."""

from __future__ import annotations

import time
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineal.api.outer import App, Receive, Scope, Send

CUT_OFF = 499  # what nginx calls a request whose client went before there was an answer
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Served:
    """What became of a request. `route` is the path's template, None where no route was meant.

    Nothing here is a secret: neither query, headers and body nor what stands in the path are part of it.
    """

    request_id: str
    method: str
    route: str | None
    status: int
    seconds: float
    bytes_in: int
    bytes_out: int
    caller: str
    key_prefix: str
    peer: str
    rows: int


class Listener:
    """Hears of each request when it begins and when it has ended, in the event loop: must be quick."""

    def begun(self) -> None: ...

    def ended(self, served: Served) -> None: ...


class Watched:
    """The app, with listeners. What is known of the caller is in the scope's state: `caller`, and `rows` taken."""

    def __init__(self, app: App, listeners: Sequence[Listener], prefix: str = "") -> None:
        """`prefix` is where routes begin that don't know of it, as those of included routers don't always."""
        self._app = app
        self._listeners = listeners
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status, bytes_in, bytes_out = CUT_OFF, 0, 0

        async def hear() -> MutableMapping[str, Any]:
            nonlocal bytes_in
            message = await receive()
            bytes_in += len(message.get("body", b""))
            return message

        async def say(message: MutableMapping[str, Any]) -> None:
            nonlocal status, bytes_out
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                bytes_out += len(message.get("body", b""))
            await send(message)

        for listener in self._listeners:
            listener.begun()
        try:
            await self._app(scope, hear, say)
        finally:
            served = _served(scope, self._prefix, status, time.perf_counter() - began, bytes_in, bytes_out)
            for listener in self._listeners:
                listener.ended(served)


def peer_of(scope: Scope) -> str:
    """The address that the request came from, or the one that a trusted proxy says it did."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _served(scope: Scope, prefix: str, status: int, seconds: float, bytes_in: int, bytes_out: int) -> Served:
    state = scope.get("state", {})
    caller = state.get("caller")
    method = scope["method"]
    return Served(
        request_id=state.get("request_id", ""),
        method=method if method in _METHODS else "OTHER",
        route=route_of(scope, prefix),
        status=status,
        seconds=seconds,
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        caller=getattr(caller, "name", ""),
        key_prefix=getattr(caller, "key_prefix", ""),
        peer=peer_of(scope),
        rows=state.get("rows", 0),
    )


def route_of(scope: Scope, prefix: str = "") -> str | None:
    """The template of the path: what stands for its parameters may be anybody's secret."""
    path = getattr(scope.get("route"), "path_format", None)
    if not isinstance(path, str):
        return None
    apart = scope["path"].startswith(f"{prefix}/") and not path.startswith(f"{prefix}/")
    return prefix + path if apart else path
