"""Links: a version's membership in a registry collection, with its own number and aliases there. Never commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from lineal.core.errors import LinkNotFound, TypeMismatch
from lineal.db.schema import memberships
from lineal.db.session import Session
from lineal.registry import collections, versions
from lineal.registry.collections import Found
from lineal.registry.model import Link
from lineal.registry.versions import Placed


def add(session: Session, target: Found, placed: Placed, *, user: str, at: datetime) -> Placed:
    """The version as the registry collection shows it; linked anew unless it is there already."""
    if target.type != placed.version.type:
        raise TypeMismatch(
            f"{target.name} in the registry holds the type {target.type!r}, not {placed.version.type!r}"
        )
    there = select(memberships.c.number).where(
        memberships.c.collection_id == target.id,
        memberships.c.version_id == placed.id,
        memberships.c.unlinked_at.is_(None),
    )
    number = session.scalar(there)
    if number is None:
        number = collections.next_number(session, target)
        versions.place(session, target.id, number, placed.id, user=user, at=at)
    return versions.get(session, target, number)


def remove(session: Session, target: Found, number: int, *, at: datetime) -> None:
    """Takes the version out of the registry collection; its number there is never used again."""
    here = (memberships.c.collection_id == target.id) & (memberships.c.number == number)
    done = session.execute(
        update(memberships).where(here, memberships.c.unlinked_at.is_(None)).values(unlinked_at=at)
    )
    if not done.rowcount:
        raise LinkNotFound(f"{target.name}:v{number} is not linked")


def of_version(session: Session, version_id: int) -> list[Link]:
    """Where the version is linked now, by ref."""
    found = []
    for placed in versions.places_of(session, version_id):
        if placed.version.linked:
            wanted = select(memberships.c.linked_at, memberships.c.linked_by).where(
                memberships.c.collection_id == placed.collection_id,
                memberships.c.number == placed.version.number,
            )
            at, by = session.execute(wanted).one()
            found.append(Link(placed.version.ref, placed.version.aliases, at, by))
    return found
