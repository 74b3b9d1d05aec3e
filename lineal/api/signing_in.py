"""Signing in for people: by a password, by the set-up token, by OpenID Connect; and out."""

from __future__ import annotations

import json
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from lineal.access import sessions
from lineal.access.model import Caller
from lineal.access.sessions import Started
from lineal.api import cookies
from lineal.api.bounds import read_body
from lineal.api.caller import COOKIE, Desk
from lineal.api.oidc import Provider
from lineal.api.outer import Answer, envelope
from lineal.api.served import peer_of
from lineal.core.errors import Error, InvalidArgument, Unauthenticated

_FLOW = "lineal-oidc"
_FLOW_S = 600
_MAX_BODY_BYTES = 16 << 10
_AT_PROVIDER = 4  # a provider that doesn't answer may not take it either
_AT_ONCE = 2  # a password takes 64 MiB and a core for a while, and may not take the server


def router(desk: Desk, provider: Provider | None, prefix: str) -> APIRouter:
    """The routes of sessions. They need no permission; who asks is seen to here."""
    made = APIRouter(prefix=prefix, tags=["session"])
    limiter = CapacityLimiter(_AT_ONCE)
    signing_in = desk.backend.signing_in

    @made.post("/session", openapi_extra=_documented("name", "password"))
    async def sign_in(request: Request) -> Response:
        """Signs in by name and password. Raises unauthenticated.login, unavailable.too_many_attempts."""
        cookies.check_private(request)
        facts = await _facts(request, "name", "password")
        started = await to_thread.run_sync(lambda: signing_in.sign_in(**facts, **_who(request)), limiter=limiter)
        return await _signed_in(desk, request, started)

    @made.post("/setup", openapi_extra=_documented("token", "name", "password"))
    async def set_up(request: Request) -> Response:
        """Makes the first admin by the token that the server's start printed, and signs them in."""
        cookies.check_private(request)
        facts = await _facts(request, "token", "name", "password")
        started = await to_thread.run_sync(lambda: signing_in.set_up(**facts, **_who(request)), limiter=limiter)
        return await _signed_in(desk, request, started)

    @made.get("/session", openapi_extra=_documented())
    def who(request: Request) -> Response:
        """Who asks (`user`: null for nobody), the token that a session's changes need, and the ways to sign in."""
        caller = _found(desk, request)
        known = {"name": caller.name, "is_admin": caller.admin, "key_prefix": caller.key_prefix} if caller else None
        token = cookies.take(request, COOKIE) if caller and not caller.key_prefix else None
        ways = ["password", *(["oidc"] if provider else [])] if signing_in.anybody() else ["setup"]
        return Answer({"user": known, "csrf": token and sessions.csrf_of(token), "ways": ways})

    @made.delete("/session", openapi_extra=_documented())
    def sign_out(request: Request) -> Response:
        """Ends the session."""
        if (token := cookies.take(request, COOKIE)) is not None:
            signing_in.sign_out(token)
        answer = Response(status_code=204)
        cookies.drop(request, answer, COOKIE)
        return answer

    if provider is not None:
        _add_oidc(made, desk, provider, CapacityLimiter(_AT_PROVIDER))
    return made


def _add_oidc(made: APIRouter, desk: Desk, provider: Provider, limiter: CapacityLimiter) -> None:
    @made.get("/oidc/login", openapi_extra=_documented())
    async def login(request: Request, next: str = "/") -> Response:
        """Leads to the provider, and from there back to the page `next` of this server."""
        cookies.check_private(request)
        leaving = await to_thread.run_sync(provider.begin, _callback(request), check_local(next), limiter=limiter)
        answer = RedirectResponse(leaving.url, 303)
        cookies.put(request, answer, _FLOW, leaving.flow, life_s=_FLOW_S, same_site="lax")
        return answer

    @made.get("/oidc/callback", openapi_extra=_documented())
    async def callback(request: Request) -> Response:
        """Signs in whom the provider vouches for."""

        def entered() -> tuple[Started, str]:
            flow = cookies.take(request, _FLOW) or ""
            came = provider.finish(dict(request.query_params), flow, _callback(request))
            domains = provider.domains
            return desk.backend.vouched.sign_in(came.who, domains=domains, **_who(request)), came.next

        answer: Response
        try:
            started, page = await to_thread.run_sync(entered, limiter=limiter)
            answer = await _signed_in(desk, request, started, RedirectResponse(check_local(page), 303))
        except Error as problem:
            answer = envelope(problem)
        cookies.drop(request, answer, _FLOW)
        return answer


def check_local(path: str) -> str:
    """`path`, if it is one on this server, whatever a browser makes of it. Raises invalid.argument."""
    plain = path.isascii() and path.isprintable() and not {" ", "\\"} & set(path)
    if not plain or not path.startswith("/") or path.startswith("//") or len(path) > 2000:
        raise InvalidArgument("after signing in only a page of this server can follow, such as /runs")
    return path


async def _signed_in(desk: Desk, request: Request, started: Started, answer: Response | None = None) -> Response:
    """The answer with the new session's cookie; the session that the browser had is over."""
    if (former := cookies.take(request, COOKIE)) is not None:
        await run_in_threadpool(desk.backend.signing_in.sign_out, former)
    made = answer or Answer({"csrf": started.csrf, "expires_at": started.expires_at})
    cookies.put(request, made, COOKIE, started.token, life_s=sessions.LONGEST_S)
    return made


def _found(desk: Desk, request: Request) -> Caller | None:
    try:
        desk.admit(request)
    except Unauthenticated:
        if "authorization" in request.headers:
            raise
        return None
    caller: Caller | None = request.state.caller
    return caller


def _who(request: Request) -> dict[str, str]:
    return {"address": peer_of(request.scope), "request_id": request.state.request_id}


def _callback(request: Request) -> str:
    return f"{request.scope['scheme']}://{request.headers['host']}/api/v1/oidc/callback"


async def _facts(request: Request, *names: str) -> dict[str, str]:
    """The texts in the body, which is read to its small limit: whoever sends it is nobody yet."""
    too_long = InvalidArgument(f"to sign in takes at most {_MAX_BODY_BYTES} bytes")
    data = await read_body(request, _MAX_BODY_BYTES, too_long)
    try:
        facts: Any = json.loads(data)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or not all(isinstance(facts.get(name), str) for name in names):
        raise InvalidArgument(f"the body is JSON with the texts {', '.join(names)}")
    return {name: facts[name] for name in names}


def _documented(*names: str) -> dict[str, Any]:
    extra: dict[str, Any] = {"x-permission": "none"}
    if names:
        properties = {name: {"type": "string"} for name in names}
        schema = {"type": "object", "required": [*names], "properties": properties}
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return extra
