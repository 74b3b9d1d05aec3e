"""API keys: `lnl_<prefix>_<secret>`. The prefix names a key; of the secret only the sha256 is stored. Never commits.

A secret is 256 bits of chance, so that its hash needs no slowing down: there is nothing to guess it from.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, insert, or_, select, update

from lineal.access.model import Caller, Key, NewKey
from lineal.access.roles import check_permissions
from lineal.core.errors import InvalidArgument, KeyNotFound, KeyRefused
from lineal.core.metadata import check_text
from lineal.core.names import is_name
from lineal.db.schema import api_keys, users
from lineal.db.session import Session

_KEY = re.compile(r"lnl_([a-z2-7]{12})_([0-9a-f]{64})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_NOTED_S = 60
_MAX_NAME = 128
_MAX_LIFE_S = 100 * 366 * 86_400
_NOBODY = bytes(32)
_FIND = (
    select(api_keys, users.c.name.label("user"), users.c.is_admin, users.c.disabled_at)
    .join(users, users.c.id == api_keys.c.user_id)
    .where(api_keys.c.prefix == bindparam("of"))
)


class Known(NamedTuple):
    """Whom a key stands for; `due` says that its use is to be noted (`note_use`)."""

    caller: Caller
    due: bool


def make(
    session: Session,
    user_id: int,
    user: str,
    name: str,
    *,
    at: datetime,
    scopes: Sequence[str] | None = None,
    expires_in_s: int | None = None,
) -> NewKey:
    """A new key of the user's. Raises invalid.*."""
    if not check_text(name, "name").strip() or len(name) > _MAX_NAME:
        raise InvalidArgument(f"a key has a name of 1 to {_MAX_NAME} characters, so that it is known again")
    if expires_in_s is not None and not 0 < expires_in_s <= _MAX_LIFE_S:
        raise InvalidArgument("a key lasts for at least a second, and for 100 years at most")
    limits = None if scopes is None else check_permissions(scopes)
    if limits == ():
        raise InvalidArgument("a key without any permission is of no use; say which it has")
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    secret = secrets.token_hex(32)
    ends = None if expires_in_s is None else at + timedelta(seconds=expires_in_s)
    values = {"prefix": prefix, "hash": _hash(secret), "name": name, "user_id": user_id, "created_at": at}
    session.execute(insert(api_keys).values(**values, scopes=limits and list(limits), expires_at=ends))
    return NewKey(Key(prefix, name, user, limits, at, ends), f"lnl_{prefix}_{secret}")


def find_caller(session: Session, token: str, *, at: datetime, address: str = "", request_id: str = "") -> Known:
    """Whom the key stands for. It writes nothing. Raises unauthenticated.key.

    Whether a key was known is told only to whoever has the whole of it.
    """
    match = _KEY.fullmatch(token)
    row = session.execute(_FIND, {"of": match[1]}).first() if match else None
    same = secrets.compare_digest(row.hash if row else _NOBODY, _hash(match[2] if match else ""))
    if row is None or not same:
        raise KeyRefused("that is no API key of this server; `lineal login` takes another")
    if row.revoked_at is not None:
        raise KeyRefused(f"the API key {row.prefix} was revoked; make another and `lineal login` again")
    if row.expires_at is not None and row.expires_at <= at:
        raise KeyRefused(f"the API key {row.prefix} has expired; make another and `lineal login` again")
    if row.disabled_at is not None:
        raise KeyRefused(f"the user {row.user} was disabled; ask an admin of the server")
    limits = None if row.scopes is None else frozenset(check_permissions(row.scopes))
    caller = Caller(row.user_id, row.user, bool(row.is_admin), limits, row.prefix, address, request_id)
    return Known(caller, row.last_used_at is None or (at - row.last_used_at).total_seconds() >= _NOTED_S)


def note_use(session: Session, prefix: str, *, at: datetime) -> None:
    """The key was used; written down at most once a minute."""
    old = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= at - timedelta(seconds=_NOTED_S))
    session.execute(update(api_keys).where(api_keys.c.prefix == prefix, old).values(last_used_at=at))


def get(session: Session, prefix: str) -> Key:
    """The key with that prefix. Raises not_found.key."""
    row = session.execute(_FIND, {"of": prefix}).first() if is_name(prefix) else None
    if row is None:
        raise KeyNotFound(f"there is no API key {ascii(prefix)[:40]}; `lineal admin key list` lists all")
    scopes = None if row.scopes is None else check_permissions(row.scopes)
    times = (row.created_at, row.expires_at, row.last_used_at, row.revoked_at)
    return Key(row.prefix, row.name, row.user, scopes, *times)


def list_all(session: Session, *, user: str | None = None) -> list[Key]:
    """The keys of one user, or of all, newest first; those that no longer work too."""
    wanted = select(api_keys, users.c.name.label("user")).join(users, users.c.id == api_keys.c.user_id)
    if user is not None:
        wanted = wanted.where(users.c.name == user)
    return [
        Key(
            row.prefix,
            row.name,
            row.user,
            None if row.scopes is None else check_permissions(row.scopes),
            row.created_at,
            row.expires_at,
            row.last_used_at,
            row.revoked_at,
        )
        for row in session.execute(wanted.order_by(api_keys.c.id.desc()))
    ]


def revoke(session: Session, prefix: str, *, at: datetime) -> Key:
    """The key, which no longer works; a revoked one stays as it is. Raises not_found.key."""
    prefix = get(session, prefix).prefix
    here = (api_keys.c.prefix == prefix) & api_keys.c.revoked_at.is_(None)
    session.execute(update(api_keys).where(here).values(revoked_at=at))
    return get(session, prefix)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
