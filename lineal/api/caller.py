"""Who asks, and with which defaults: a backend for each caller, over the one store of the server.

A key comes as `Authorization: Bearer lnl_…`, a browser's session as a cookie. Without either one may ask only a
server whose store has no users.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from fastapi import Request

from lineal.access.model import Caller
from lineal.api import cookies
from lineal.api.served import peer_of
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.served import ServedBackend
from lineal.core.errors import SessionEnded, Unauthenticated
from lineal.core.metadata import check_text
from lineal.core.names import check_name
from lineal.core.settings import DEFAULT_ENTITY

COOKIE = "lineal"
CSRF_HEADER = "X-Lineal-CSRF"
SAFE = {"GET", "HEAD"}
_MAX_TEXT = 256
_KEY_WANTED = "send an API key as `Authorization: Bearer lnl_…`; `lineal login` keeps one"

Note = Callable[[], None]
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded")


class Desk:
    """The server's store as each caller sees it."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self._served_to = lru_cache(maxsize=1024)(backend.served_to)

    def admit(self, request: Request) -> Note | None:
        """Finds out who asks, for `of`; and gives what is to be noted of it once the request is answered.

        One query; none without key and session once the store is known to have users. Raises unauthenticated.*,
        forbidden.csrf.
        """
        signing_in = self.backend.signing_in
        who = {"address": peer_of(request.scope), "request_id": request.state.request_id}
        if (given := request.headers.get("authorization")) is not None:
            known = signing_in.by_key(_bearer(given), **who)
            return self._knows(request, known.caller, known.due and _key_note(self, known.caller))
        if (token := cookies.take(request, COOKIE)) is not None:
            csrf, changes = request.headers.get(CSRF_HEADER), request.method not in SAFE
            try:
                known = signing_in.by_session(token, csrf=csrf, changes=changes, **who)
            except SessionEnded:
                if signing_in.anybody():
                    raise
            else:
                return self._knows(request, known.caller, known.due and (lambda: signing_in.extend_session(token)))
        if signing_in.anybody():
            raise Unauthenticated(f"this server must know who asks: {_KEY_WANTED}")
        if any(name in request.headers for name in _FORWARDED):  # a proxy opens to the world what is for this machine
            raise Unauthenticated(
                "this server has no users yet, so it is for its own machine alone, not for a proxy's; make the first "
                "admin with the set-up token, or by `lineal admin user add NAME --admin` against the store"
            )
        return self._knows(request, None, None)

    def _knows(self, request: Request, caller: Caller | None, note: Any) -> Note | None:
        request.state.caller = caller  # the access log looks at it too
        return note or None

    def again(self, request: Request) -> ServedBackend:
        """As `of`, with who asks found out anew: a key may have been taken away since the request began."""
        self.admit(request)
        return self.of(request)

    def of(self, request: Request) -> ServedBackend:
        """The store as the caller's headers ask for it, once `admit` has let them in. Raises invalid.name."""
        headers = request.headers
        here = self.backend.context
        caller: Caller | None = request.state.caller
        entity = check_name(headers.get("lineal-entity") or DEFAULT_ENTITY, "entity")
        project = headers.get("lineal-project")
        asked: dict[str, Any] = {
            "project": check_name(project, "project") if project else here.project,
            "host": _text(headers.get("lineal-host")) or here.host,
        }
        if caller is None:
            asked["user"] = _text(headers.get("lineal-user")) or here.user
            return self._served_to(None, entity=entity if headers.get("lineal-entity") else here.entity, **asked)
        # `local` is what every client says whom nobody told otherwise, and nobody's where there are users.
        entity = caller.name if entity == DEFAULT_ENTITY else entity
        return self.backend.served_to(caller, entity=entity, user=caller.name, **asked)


def _bearer(given: str) -> str:
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(f"the server knows callers by API keys alone: {_KEY_WANTED}")
    return token.strip()


def _key_note(desk: Desk, caller: Caller) -> Note:
    return lambda: desk.backend.signing_in.note_key(caller.key_prefix)


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    text = value.encode("latin-1").decode("utf-8", "replace")  # headers come as latin-1; ours are UTF-8
    return check_text(text[:_MAX_TEXT], "user")
