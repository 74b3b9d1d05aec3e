"""Who holds which blob: projects whose versions and runs have it, users who sent it. Never commits.

A digest that somebody names is no proof that they had its bytes; having sent them, or reading a project that has
them, is. A holder keeps nothing alive.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import Final, NamedTuple

from sqlalchemy import TextClause, bindparam, delete, select, text, update

from lineal.db.schema import blob_holders, collections, versions
from lineal.db.session import Session, insert_many
from lineal.storage.digest import Digest

PROJECT: Final = 0
USER: Final = 1

# One parameter holds all digests, end to end, and one all projects: a question about very many is still one query.
_SQLITE = """WITH RECURSIVE asked(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM asked WHERE i + 1 < :count),
digests(digest) AS (SELECT substr(:all, i * 32 + 1, 32) FROM asked),
mine(kind, holder) AS (SELECT 0, value FROM json_each(:projects) UNION ALL SELECT 1, :me)
"""
_POSTGRES = """WITH digests(digest) AS (
SELECT substr(CAST(:all AS BYTEA), i * 32 + 1, 32) FROM generate_series(0, :count - 1) AS asked(i)),
mine(kind, holder) AS (SELECT CAST(0 AS SMALLINT), CAST(value AS BIGINT)
FROM json_array_elements_text(CAST(:projects AS JSON)) UNION ALL SELECT CAST(1 AS SMALLINT), CAST(:me AS BIGINT))
"""
_HELD = """SELECT d.digest FROM digests d WHERE EXISTS (SELECT 1 FROM blob_holders h
WHERE h.digest = d.digest AND (h.kind, h.holder) IN (SELECT kind, holder FROM mine))"""


class Unheld(NamedTuple):
    """A version whose blobs are not entered as its project's; of a purged one there are none left."""

    id: int
    digest: Digest
    entity: str
    project: str
    purged: bool


def held(session: Session, digests: Collection[Digest], projects: Collection[int], user_id: int) -> set[Digest]:
    """Those of `digests` that one of the projects (their rows' ids) holds, or that the user has sent. One query."""
    if not digests:
        return set()
    asked = {"all": b"".join(digests), "count": len(digests), "me": user_id, "projects": json.dumps(sorted(projects))}
    return {Digest(row[0]) for row in session.execute(_held(session.dialect.name), asked)}


def add(session: Session, digests: Collection[Digest], kind: int, holder: int) -> None:
    """Enters the project (its row's id) or the user as a holder of each; one that is one already stays so."""
    rows = [(bytes(digest), kind, holder) for digest in sorted(set(digests))]  # in the order of every other writer
    insert_many(session, blob_holders, rows)


def forget(session: Session, digests: Collection[Digest]) -> None:
    """Nobody holds these blobs any more: their bytes are gone."""
    if digests:
        rows = [{"of": digest} for digest in sorted(digests)]
        session.execute(delete(blob_holders).where(blob_holders.c.digest == bindparam("of")), rows)


def unheld_versions(session: Session, limit: int) -> list[Unheld]:
    """Versions, oldest first, that were made without entering their blobs: by whoever wrote past a server."""
    wanted = (
        select(versions.c.id, versions.c.digest, collections.c.entity, collections.c.project, versions.c.purged_at)
        .join(collections, collections.c.id == versions.c.collection_id)
        .where(text("versions.held = 0"))  # the number itself, as the partial index has it
        .order_by(versions.c.id)
        .limit(limit)
    )
    rows = session.execute(wanted)
    return [Unheld(row[0], Digest(row[1]), row[2], row[3], row[4] is not None) for row in rows]


def mark_held(session: Session, version_ids: Sequence[int]) -> None:
    """The versions' blobs are entered."""
    if version_ids:
        rows = [{"of": version_id} for version_id in sorted(version_ids)]
        session.execute(update(versions).where(versions.c.id == bindparam("of")).values(held=1), rows)


@cache
def _held(dialect: str) -> TextClause:
    return text((_SQLITE if dialect == "sqlite" else _POSTGRES) + _HELD)
