"""Cookies that only this server's pages send back: over https under a name that no other host can set."""

from __future__ import annotations

from typing import Literal

from fastapi import Request, Response

from lineal.core.errors import PlainHttp

_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


def put(
    request: Request,
    response: Response,
    base: str,
    value: str,
    *,
    life_s: int,
    same_site: Literal["lax", "strict"] = "strict",
) -> None:
    """Adds the cookie to the answer: no script reads it. Raises forbidden.plain_http."""
    check_private(request)
    response.set_cookie(
        _name(request, base), value, life_s, path="/", secure=_encrypted(request), httponly=True, samesite=same_site
    )


def take(request: Request, base: str) -> str | None:
    """The cookie's value, where it came as `put` sends it."""
    return request.cookies.get(_name(request, base)) or None


def drop(request: Request, response: Response, base: str) -> None:
    """The browser forgets the cookie."""
    response.delete_cookie(_name(request, base), path="/", secure=_encrypted(request), httponly=True)


def check_private(request: Request) -> None:
    """Raises forbidden.plain_http where others on the way could read along."""
    if not _encrypted(request) and name_of(request.headers.get("host", "")) not in _LOOPBACK:
        raise PlainHttp(
            "signing in over plain http would show your password to everybody on the way; use https. If a proxy in "
            "front of the server speaks it, start the server with `--trusted-proxy` and the proxy's address"
        )


def name_of(host: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _encrypted(request: Request) -> bool:
    return bool(request.scope["scheme"] == "https")


def _name(request: Request, base: str) -> str:
    return f"__Host-{base}" if _encrypted(request) else base
