"""Aliases: moved by compare-and-swap, every move an appended event, so that the past can be asked. Never commits."""

from __future__ import annotations

from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple

from sqlalchemy import bindparam, delete, insert, select, update

from lineal.core.errors import AliasMoved, AliasNotFound
from lineal.core.names import check_alias, format_number
from lineal.db.schema import alias_events, aliases
from lineal.db.session import Session
from lineal.registry.collections import Found
from lineal.registry.model import AliasEvent, AliasInterval, EventKind

NOWHERE = "none"


class Mover(NamedTuple):
    """Who moves an alias, from which host, when and why."""

    user: str
    host: str
    at: datetime
    why: str = ""


_BORNE = (aliases.c.collection_id == bindparam("in_id")) & (aliases.c.name == bindparam("alias"))
_STANDS = select(aliases.c.number).where(_BORNE)
_MOVE = update(aliases).where(_BORNE).values(number=bindparam("to"))
_PLACE = insert(aliases).values(collection_id=bindparam("in_id"), name=bindparam("alias"), number=bindparam("to"))
_REMOVE = delete(aliases).where(_BORNE)
_APPEND = insert(alias_events)


def stands(session: Session, collection: Found, alias: str) -> int | None:
    """The number that bears the alias now, if any."""
    number: int | None = session.scalar(_STANDS, {"in_id": collection.id, "alias": alias})
    return number


def move(
    session: Session,
    collection: Found,
    alias: str,
    number: int,
    mover: Mover,
    *,
    expected: str | None = None,
    kind: EventKind = "move",
) -> bool:
    """Whether the alias had to move to stand at `number`.

    `expected` is `vN`, or `none` for an alias that stands nowhere; the collection's row is locked. Raises
    conflict.alias_moved unless the alias stands at `expected`, invalid.alias.
    """
    before = stands(session, collection, check_alias(alias))
    if expected is not None and expected != (NOWHERE if before is None else format_number(before)):
        now = "stands nowhere" if before is None else f"stands at {format_number(before)}"
        raise AliasMoved(
            f"{collection.name}:{alias} {now}, not at {expected}; look again and decide anew",
            stands=None if before is None else format_number(before),
            expected=expected,
        )
    if before == number:
        return False
    session.execute(_PLACE if before is None else _MOVE, {"in_id": collection.id, "alias": alias, "to": number})
    _record(session, collection, alias, kind, mover, (before, number))
    return True


def remove(session: Session, collection: Found, alias: str, mover: Mover) -> int:
    """The number that bore the alias until now. Raises not_found.alias."""
    before = stands(session, collection, check_alias(alias))
    if before is None:
        raise AliasNotFound(
            f"{collection.name} has no alias {alias!r}; `lineal aliases {collection.name}` lists them"
        )
    session.execute(_REMOVE, {"in_id": collection.id, "alias": alias})
    _record(session, collection, alias, "remove", mover, (before, None))
    return before


def stood(session: Session, collection: Found, alias: str, at: datetime) -> int | None:
    """The number that bore the alias at that moment, if any."""
    wanted = (
        select(alias_events.c.to_number)
        .where(
            alias_events.c.collection_id == collection.id,
            alias_events.c.alias == alias,
            alias_events.c.at <= at,
        )
        .order_by(alias_events.c.id.desc())
        .limit(1)
    )
    return session.scalar(wanted)


def events(
    session: Session, collection: Found, alias: str | None = None, *, limit: int | None = None, after: int = 0
) -> list[AliasEvent]:
    """Every move in the collection, or of the one alias, oldest first; at most `limit`, behind the event `after`."""
    wanted = select(alias_events).where(alias_events.c.collection_id == collection.id)
    if alias is not None:
        wanted = wanted.where(alias_events.c.alias == alias)
    if after:
        wanted = wanted.where(alias_events.c.id > after)
    return [
        AliasEvent(
            f"{collection.project}/{collection.name}",
            row.alias,
            row.kind,
            row.at,
            row.user,
            row.host,
            row.from_number,
            row.to_number,
            row.why,
            row.id,
        )
        for row in session.execute(wanted.order_by(alias_events.c.id).limit(limit))
    ]


def intervals(moves: list[AliasEvent]) -> list[AliasInterval]:
    """The stretches that the moves of one alias (oldest first) make, oldest first."""
    found: list[AliasInterval] = []
    for move_, after in zip_longest(moves, moves[1:]):
        if move_.to_number is not None:
            until = after.at if after else None
            found.append(
                AliasInterval(move_.collection, move_.alias, move_.to_number, move_.at, until, move_.user, move_.why)
            )
    return found


def before_now(moves: list[AliasEvent]) -> int | None:
    """Where a rollback of the alias leads, given its moves, oldest first: what stood before what stands.

    A rollback takes back the move it undid, so that rolling back again goes one further into the past.
    """
    stack: list[int] = []
    for move_ in moves:
        if move_.kind == "rollback" and stack:
            stack.pop()
        elif move_.to_number is not None and stack[-1:] != [move_.to_number]:
            stack.append(move_.to_number)
    return stack[-2] if len(stack) > 1 else None


def _record(
    session: Session,
    collection: Found,
    alias: str,
    kind: EventKind,
    mover: Mover,
    stood: tuple[int | None, int | None],
) -> None:
    event = {
        "collection_id": collection.id,
        "alias": alias,
        "kind": kind,
        "at": mover.at,
        "user": mover.user,
        "host": mover.host,
        "from_number": stood[0],
        "to_number": stood[1],
        "why": mover.why,
    }
    session.execute(_APPEND, event)
