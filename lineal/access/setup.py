"""A server's first admin: whoever has the set-up token, which is made once and works once. Never commits."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import delete, insert, select

from lineal.access import turns, users
from lineal.core.errors import AlreadySetUp, LoginRefused
from lineal.db.schema import meta
from lineal.db.session import Session

_KEY = "setup_token"


def make_token(session: Session) -> str:
    """A new set-up token, of which only the hash is kept; the one before no longer works.

    Raises conflict.already_set_up once there is a user.
    """
    turns.take(session)
    if users.any_at_all(session):
        raise AlreadySetUp("the server has its first admin; sign in")
    token = secrets.token_urlsafe(32)
    session.execute(delete(meta).where(meta.c.key == _KEY))
    session.execute(insert(meta).values(key=_KEY, value=_hash(token)))
    return token


def make_admin(
    session: Session, token: str, name: str, password_hash: str, *, at: datetime, email: str = ""
) -> users.Found:
    """The first admin; the token works no more.

    Raises unauthenticated.login for another token, conflict.already_set_up, invalid.*.
    """
    turns.take(session)
    if users.any_at_all(session):
        raise AlreadySetUp("the server has its first admin; sign in")
    kept = session.scalar(select(meta.c.value).where(meta.c.key == _KEY)) or ""
    if not secrets.compare_digest(kept, _hash(token)):
        raise LoginRefused("that is not the set-up token; the server's start printed it")
    session.execute(delete(meta).where(meta.c.key == _KEY))
    return users.add(session, name, at=at, email=email, password_hash=password_hash, admin=True)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
