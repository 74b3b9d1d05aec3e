"""Sessions of a browser: a token in a cookie, one against forged requests; hashes of both are kept. Never commits."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from lineal.access.model import Caller
from lineal.core.errors import CsrfRefused, SessionEnded
from lineal.db.schema import sessions, users
from lineal.db.session import Session

LIFE_S = 12 * 3600


class Started(NamedTuple):
    """A new session's two tokens, which are shown once."""

    token: str
    csrf: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Started(expires_at={self.expires_at!r})"


def start(session: Session, user_id: int, *, at: datetime, life_s: int = LIFE_S) -> Started:
    """A new session of the user's; those of anybody's that are over are forgotten."""
    session.execute(delete(sessions).where(sessions.c.expires_at <= at))
    started = Started(secrets.token_urlsafe(32), secrets.token_urlsafe(32), at + timedelta(seconds=life_s))
    hashes = {"hash": _hash(started.token), "csrf_hash": _hash(started.csrf)}
    values = {"user_id": user_id, "created_at": at, "expires_at": started.expires_at}
    session.execute(insert(sessions).values(**hashes, **values))
    return started


def find_caller(
    session: Session,
    token: str,
    *,
    at: datetime,
    csrf: str | None = None,
    changes: bool = False,
    address: str = "",
    request_id: str = "",
) -> Caller:
    """Whose session it is. Raises unauthenticated.session; where it `changes` something, forbidden.csrf."""
    wanted = select(sessions, users.c.name, users.c.is_admin, users.c.disabled_at)
    wanted = wanted.join(users, users.c.id == sessions.c.user_id).where(sessions.c.hash == _hash(token))
    row = session.execute(wanted).first()
    if row is None or row.expires_at <= at or row.disabled_at is not None:
        raise SessionEnded("nobody is signed in; sign in again")
    if changes and not secrets.compare_digest(row.csrf_hash, _hash(csrf or "")):
        raise CsrfRefused("the request doesn't show that it comes from this server's page; load the page again")
    return Caller(row.user_id, row.name, bool(row.is_admin), None, "", address, request_id)


def end(session: Session, token: str) -> None:
    """Ends the session, if it is one."""
    session.execute(delete(sessions).where(sessions.c.hash == _hash(token)))


def end_all(session: Session, user_id: int) -> None:
    """Ends every session of the user's."""
    session.execute(delete(sessions).where(sessions.c.user_id == user_id))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
