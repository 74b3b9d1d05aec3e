"""Sessions of a browser: a token in a cookie, one against forged requests; hashes of both are kept. Never commits.

The second token follows from the first, so that the page can be told it again; who has it has not the first.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, insert, select, update

from lineal.access.keys import Known
from lineal.access.model import Caller
from lineal.core.errors import CsrfRefused, SessionEnded
from lineal.db.schema import sessions, users
from lineal.db.session import Session

LIFE_S = 14 * 86_400
LONGEST_S = 90 * 86_400
_NOTED_S = 3600


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
    token = secrets.token_urlsafe(32)
    started = Started(token, csrf_of(token), at + timedelta(seconds=life_s))
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
) -> Known:
    """Whose session it is; `due` says that it is to be lengthened (`extend`). It writes nothing.

    Raises unauthenticated.session; where it `changes` something, forbidden.csrf.
    """
    wanted = select(sessions, users.c.name, users.c.is_admin, users.c.disabled_at)
    wanted = wanted.join(users, users.c.id == sessions.c.user_id).where(sessions.c.hash == _hash(token))
    row = session.execute(wanted).first()
    if row is None or row.expires_at <= at or row.disabled_at is not None:
        raise SessionEnded("nobody is signed in; sign in again")
    if changes and not secrets.compare_digest(row.csrf_hash, _hash(csrf or "")):
        raise CsrfRefused("the request doesn't show that it comes from this server's page; load the page again")
    caller = Caller(row.user_id, row.name, bool(row.is_admin), None, "", address, request_id)
    return Known(caller, (_end(row.created_at, at) - row.expires_at).total_seconds() >= _NOTED_S)


def extend(session: Session, token: str, *, at: datetime) -> None:
    """The session was used: it lasts 14 days from now, 90 from its beginning at most."""
    here = (sessions.c.hash == _hash(token)) & (sessions.c.expires_at > at)
    began = session.scalar(select(sessions.c.created_at).where(here))
    if began is not None:
        session.execute(update(sessions).where(here).values(expires_at=_end(began, at)))


def csrf_of(token: str) -> str:
    """The token against forged requests of the session with that token."""
    return hmac.digest(token.encode(errors="replace"), b"lineal csrf", "sha256").hex()


def end(session: Session, token: str) -> None:
    """Ends the session, if it is one."""
    session.execute(delete(sessions).where(sessions.c.hash == _hash(token)))


def end_all(session: Session, user_id: int) -> None:
    """Ends every session of the user's."""
    session.execute(delete(sessions).where(sessions.c.user_id == user_id))


def _end(began: datetime, at: datetime) -> datetime:
    return min(at + timedelta(seconds=LIFE_S), began + timedelta(seconds=LONGEST_S))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
