"""Users: persons and services. They are disabled, never deleted, since the record names them. Never commits."""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from typing import Any, NamedTuple, cast, get_args

from sqlalchemy import Row, func, insert, select, update

from lineal.access import turns
from lineal.access.model import User, UserKind
from lineal.core.errors import InvalidArgument, LastAdmin, TeamExists, UserExists, UserNotFound
from lineal.core.metadata import check_text
from lineal.core.names import REGISTRY, check_name, is_name
from lineal.core.settings import DEFAULT_ENTITY
from lineal.db.schema import teams, users
from lineal.db.session import Session, lock

_MAX_TEXT = 320
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_NOBODYS = {DEFAULT_ENTITY, REGISTRY}  # they mean something else where an entity or a project stands


class Found(NamedTuple):
    """A user, their row's id, and what their password is checked by."""

    id: int
    user: User
    password_hash: str | None


def get(session: Session, name: str) -> Found:
    """The user of that name, disabled or not. Raises not_found.user."""
    found = find(session, name)
    if found is None:
        raise UserNotFound(f"there is no user {ascii(name)[:80]}; `lineal admin user list` lists all")
    return found


def find(session: Session, name: str) -> Found | None:
    """The user of that name, if there is one."""
    row = session.execute(select(users).where(users.c.name == name)).first() if is_name(name) else None
    return _found(row) if row else None


def by_id(session: Session, user_id: int) -> Found:
    """The user whose row has that id. Raises not_found.user."""
    row = session.execute(select(users).where(users.c.id == user_id)).first()
    if row is None:
        raise UserNotFound("that user is not there")
    return _found(row)


def hold(session: Session, user_id: int) -> Found:
    """The user whose row has that id, as they stay until the session ends. Raises not_found.user."""
    lock(session, users, [user_id])
    return by_id(session, user_id)


def by_subject(session: Session, issuer: str, subject: str) -> Found | None:
    """The user whom that OpenID Connect issuer knows as `subject`, if anybody."""
    row = session.execute(select(users).where(users.c.issuer == issuer, users.c.subject == subject)).first()
    return _found(row) if row else None


def add(
    session: Session,
    name: str,
    *,
    at: datetime,
    kind: str = "person",
    email: str = "",
    password_hash: str | None = None,
    admin: bool = False,
    issuer: str | None = None,
    subject: str | None = None,
) -> Found:
    """The new user. Raises conflict.user_exists where a user or a team has the name, invalid.*."""
    if kind not in get_args(UserKind):
        raise InvalidArgument(f"{ascii(kind)[:40]} is no kind of user; say {' or '.join(get_args(UserKind))}")
    if (issuer is None) != (subject is None):
        raise InvalidArgument("an issuer and a subject come together")
    turns.take(session)
    if (taken := name_taken(session, check_name(name, "user's name"))) is not None:
        raise UserExists(f"the name {name!r} is taken: there is {taken}; choose another")
    if issuer is not None and subject is not None and by_subject(session, issuer, subject) is not None:
        raise UserExists(f"another user signs in as that subject of {issuer!r}")
    values = {"name": name, "kind": kind, "email": check_email(email), "password_hash": password_hash}
    more = {"is_admin": admin, "created_at": at, "issuer": issuer, "subject": subject}
    session.execute(insert(users).values(values | more))
    return get(session, name)


def change(session: Session, user_id: int, values: dict[str, Any]) -> Found:
    """The user with these columns set. Raises conflict.last_admin if no admin would be left."""
    if "email" in values:
        check_email(values["email"])
    if values.get("disabled_at") is not None or values.get("is_admin") is False:
        turns.take(session)
        others = select(func.count()).where(users.c.is_admin, users.c.disabled_at.is_(None), users.c.id != user_id)
        found = by_id(session, user_id).user
        if found.is_admin and found.disabled_at is None and not session.scalar(others):
            raise LastAdmin(f"{found.name!r} is the last admin; make somebody else one first")
    if values:
        session.execute(update(users).where(users.c.id == user_id).values(values))
    return by_id(session, user_id)


def list_all(session: Session) -> list[User]:
    """Every user, by name."""
    return [_found(row).user for row in session.execute(select(users).order_by(users.c.name))]


def any_at_all(session: Session) -> bool:
    """Whether there is a user: a server without one is open."""
    return session.execute(select(users.c.id).limit(1)).first() is not None


def name_taken(session: Session, name: str) -> str | None:
    """`user 'x'` or `team 'x'` that has the name, in whatever case; both are entities."""
    for what, table in (("user", users), ("team", teams)):
        there = session.scalar(select(table.c.name).where(func.lower(table.c.name) == name.lower()).limit(1))
        if there is not None:
            return f"the {what} {there!r}"
    return None


def free_name(session: Session, wanted: str) -> str:
    """A name that nobody has, as like to `wanted` (whatever text) as one can be. No other session takes it."""
    turns.take(session)
    plain = _NOT_IN_NAMES.sub("-", wanted)[:100].strip("-._") or "user"
    numbered = (f"{plain}-{number}" for number in itertools.count(2))
    for name in itertools.chain([plain], numbered):
        if is_name(name) and name.lower() not in _NOBODYS and name_taken(session, name) is None:
            return name
    raise AssertionError("unreachable")


def check_email(text: str) -> str:
    """`text`, if it may be an address or is empty. Raises invalid.argument."""
    check_text(text, "email")
    if text and ("@" not in text or len(text) > _MAX_TEXT or any(ch.isspace() or ch < " " for ch in text)):
        raise InvalidArgument(f"{ascii(text)[:80]} is no e-mail address")
    return text


def refuse_team_name(session: Session, name: str) -> None:
    """Raises conflict.team_exists where a user or a team has the name."""
    if (taken := name_taken(session, name)) is not None:
        raise TeamExists(f"the name {name!r} is taken: there is {taken}; choose another")


def _found(row: Row[Any]) -> Found:
    has_password = row.password_hash is not None
    kind = cast(UserKind, row.kind)
    user = User(row.name, kind, row.email, bool(row.is_admin), has_password, row.created_at, row.disabled_at)
    return Found(row.id, user, row.password_hash)
