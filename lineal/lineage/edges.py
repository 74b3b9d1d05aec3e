"""Edges: a run used a version, or made it. Functions on a session that never commit; ids are row ids."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, select

from lineal.db.schema import edges
from lineal.db.schema import runs as run_rows
from lineal.db.session import Session, insert_new

INPUT, OUTPUT = "input", "output"
FORK = "fork"
TRIAL = "trial"
_CHUNK = 10_000
_FORKS = select(run_rows.c.id, run_rows.c.parent_id).where(run_rows.c.parent_id.is_not(None))


class RowEdge(NamedTuple):
    """An edge by row ids; `output` is true where the run made the version."""

    run: int
    version: int
    output: bool
    role: str


def record(session: Session, run: int, version: int, *, output: bool, role: str | None = None, at: datetime) -> None:
    """Notes that the run used or made the version; noting it again changes nothing. `role`: free, else in/output."""
    role = role or (OUTPUT if output else INPUT)
    edge = {"run_id": run, "version_id": version, "output": int(output), "role": role, "recorded_at": at}
    insert_new(session, edges, edge)


def of_run(session: Session, run: int) -> list[RowEdge]:
    """What the run used and made."""
    return _edges(session, edges.c.run_id == run)


def of_version(session: Session, version: int) -> list[RowEdge]:
    """Which runs made and used the version."""
    return _edges(session, edges.c.version_id == version)


def of_runs(session: Session, runs: Collection[int]) -> list[RowEdge]:
    """What any of the runs used and made."""
    waiting, found = sorted(runs), []
    for start in range(0, len(waiting), _CHUNK):
        found += _edges(session, edges.c.run_id.in_(waiting[start : start + _CHUNK]))
    return found


def of_versions(session: Session, versions: Collection[int]) -> list[RowEdge]:
    """Which runs made and used any of the versions."""
    waiting, found = sorted(versions), []
    for start in range(0, len(waiting), _CHUNK):
        found += _edges(session, edges.c.version_id.in_(waiting[start : start + _CHUNK]))
    return found


def forks(session: Session, *, up: bool) -> dict[int, list[int]]:
    """Of each run that was forked from another one that other run (`up`), or of each other run its forks."""
    found: dict[int, list[int]] = {}
    for child, parent in session.execute(_FORKS):
        found.setdefault(child if up else parent, []).append(parent if up else child)
    return found


def forget_run(session: Session, run: int) -> None:
    """Takes back everything that is noted of the run."""
    session.execute(delete(edges).where(edges.c.run_id == run))


def used_versions(session: Session) -> set[int]:
    """Every version that some run has used."""
    return set(session.scalars(select(edges.c.version_id).where(edges.c.output == 0).distinct()))


def count_uses(session: Session) -> int:
    """How many uses of versions by runs are on record."""
    return session.scalar(select(func.count()).select_from(edges).where(edges.c.output == 0)) or 0


def _edges(session: Session, condition: object) -> list[RowEdge]:
    wanted = select(edges.c.run_id, edges.c.version_id, edges.c.output, edges.c.role).where(condition)  # type: ignore[arg-type]
    return [RowEdge(run, version, bool(out), role) for run, version, out, role in session.execute(wanted)]
