"""Decisions that no two sessions may take at once: who is the last admin, whether a name is free, one try more."""

from __future__ import annotations

from sqlalchemy import select

from lineal.db.schema import meta
from lineal.db.session import Session

_ROW = select(meta.c.key).where(meta.c.key == "format")


def take(session: Session) -> None:
    """No other session is past this line until ours ends. A writing session on SQLite is alone anyway."""
    if session.dialect.name != "sqlite":
        session.execute(_ROW.with_for_update()).all()
