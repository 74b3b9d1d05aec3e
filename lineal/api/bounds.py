"""What a request may ask of the server before anybody looks at it: how long its body is, how it comes, how slowly."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request

from lineal.api.outer import App, Receive, Scope, Send, envelope
from lineal.core.errors import Error, InvalidArgument

MAX_BODY_BYTES = 72 << 20  # a batch, or JSON with metadata, and what is around them
_OBJECTS = "/objects/"


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest bodies, and how long a client may keep the server waiting for more of one."""

    body_bytes: int = MAX_BODY_BYTES
    upload_bytes: int = 1 << 40
    stall_s: float = 60


class Bounds:
    """The app for requests within the limits; the others get 408, 413 or 415."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        longest = self._longest(scope)
        if (refused := _refused(Headers(scope=scope), longest)) is not None:
            await envelope(InvalidArgument(refused.detail), refused.status_code)(scope, receive, send)
            return
        came, more = 0, True

        async def hear() -> MutableMapping[str, Any]:
            nonlocal came, more
            if not more:  # then it only waits for the client to go
                return await receive()
            try:
                async with asyncio.timeout(self._limits.stall_s):
                    message = await receive()
            except TimeoutError:
                wait = f"{self._limits.stall_s:g}"
                raise HTTPException(408, f"no more of the request came for {wait} s; send it again") from None
            came += len(message.get("body", b""))
            more = bool(message.get("more_body", False))
            if came > longest:
                raise _too_long(longest)
            return message

        await self._app(scope, hear, send)

    def _longest(self, scope: Scope) -> int:
        upload = scope["method"] == "PUT" and _OBJECTS in scope["path"]
        return self._limits.upload_bytes if upload else self._limits.body_bytes


async def read_body(request: Request, most_bytes: int, too_long: Error) -> bytes:
    """The whole body, where it is no longer than that. Raises `too_long`."""
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most_bytes:
            raise too_long
        pieces.append(piece)
    return b"".join(pieces)


def _refused(headers: Headers, longest: int) -> HTTPException | None:
    """Why a request is refused by its headers: little bytes that unpack to many are not unpacked."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        return HTTPException(415, "the body is to be sent plain, without a Content-Encoding")
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > longest:
        return _too_long(longest)
    return None


def _too_long(longest: int) -> HTTPException:
    return HTTPException(413, f"the body is too long; this server takes {longest} bytes there")
