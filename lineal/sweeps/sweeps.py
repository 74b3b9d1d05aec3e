"""Sweeps: made, found, listed, changed, forgotten. Functions on a session that never commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, select, update

from lineal.core.errors import SweepNotFound
from lineal.core.metadata import restored
from lineal.core.names import check_name
from lineal.db.schema import sweep_agents, sweeps, trials
from lineal.db.session import Session, insert_new
from lineal.sweeps.model import Goal, Sweep

MAX_ID = 64
_OUT = ("running", "waiting")
_CHUNK = 10_000


class Found(NamedTuple):
    """A sweep and its row: its id, what is known from runs before it, and the number of its next new trial."""

    id: int
    sweep: Sweep
    prior: Sequence[Mapping[str, Any]]
    trial_count: int


def add(session: Session, sweep: Sweep, prior: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the sweep was made; one with its id may have been there already."""
    check_name(sweep.project, "project")
    return insert_new(
        session,
        sweeps,
        {
            "sweep_id": sweep.id,
            "entity": sweep.entity,
            "project": sweep.project,
            "name": sweep.name,
            "state": sweep.state,
            "config": dict(sweep.config),
            "prior": [dict(one) for one in prior],
            "message": sweep.message,
            "user": sweep.user,
            "created_at": sweep.created_at,
            "trial_count": 0,
        },
    )


def find(session: Session, sweep_id: str, *, locked: bool = False) -> Found | None:
    """The sweep with that id, if any, its row locked if asked."""
    return _one(session, sweeps.c.sweep_id == sweep_id, locked)


def get(session: Session, sweep_id: str, *, locked: bool = False) -> Found:
    """The sweep with that id. Raises not_found.sweep."""
    found = find(session, sweep_id, locked=locked)
    if found is None:
        raise absent(sweep_id)
    return found


def by_row(session: Session, id_: int, *, locked: bool = False) -> Found | None:
    """The sweep with that row id, unless it is gone."""
    return _one(session, sweeps.c.id == id_, locked)


def list_by_id(session: Session, ids: Collection[str]) -> dict[str, Found]:
    """Those of the sweeps that are there, by id; without what is known from runs before them."""
    columns = [column for column in sweeps.c if column is not sweeps.c.prior]
    found: dict[str, Found] = {}
    waiting = sorted(ids)
    for start in range(0, len(waiting), _CHUNK):
        wanted = select(*columns).where(sweeps.c.sweep_id.in_(waiting[start : start + _CHUNK]))
        found |= {row.sweep_id: Found(row.id, _record(row), (), row.trial_count) for row in session.execute(wanted)}
    return found


def absent(sweep_id: str) -> SweepNotFound:
    """The error for a sweep that isn't there."""
    return SweepNotFound(f"there is no sweep {sweep_id[:80]!r} (any more)")


def list_page(
    session: Session, entity: str | None, project: str | None, seen: Any, *, limit: int | None, after: str | None
) -> list[Found]:
    """The sweeps that are `seen` (a clause, None: all), newest first, behind the sweep with the id `after`."""
    wanted = select(sweeps).order_by(sweeps.c.id.desc()).limit(limit)
    if project is not None:
        wanted = wanted.where(sweeps.c.project == project)
    if entity is not None:
        wanted = wanted.where(sweeps.c.entity == entity)
    if seen is not None:
        wanted = wanted.where(seen)
    if after is not None:
        wanted = wanted.where(sweeps.c.id < get(session, after).id)
    return [_found(row) for row in session.execute(wanted)]


def told(session: Session, found: Found, goals: Sequence[Goal], expected: int | None) -> Sweep:
    """The sweep with what its trials add: how many there are by state, and which is the best."""
    counted = select(trials.c.state, func.count()).where(trials.c.sweep_id == found.id).group_by(trials.c.state)
    counts = {row[0]: row[1] for row in session.execute(counted)}
    best: int | None = None
    if len(goals) == 1:
        order = trials.c.value.desc() if goals[0] == "maximize" else trials.c.value
        valued = (trials.c.sweep_id == found.id) & trials.c.feasible.is_(True) & trials.c.value.is_not(None)
        best = session.scalar(select(trials.c.number).where(valued).order_by(order, trials.c.number).limit(1))
    return replace(found.sweep, expected_run_count=expected, counts=counts, best=best)


def change(session: Session, id_: int, values: Mapping[str, Any]) -> None:
    """Sets columns of the sweep."""
    session.execute(update(sweeps).where(sweeps.c.id == id_).values(**values))


def is_out(session: Session, id_: int) -> bool:
    """Whether a trial of the sweep is still to end."""
    wanted = select(trials.c.id).where((trials.c.sweep_id == id_) & trials.c.state.in_(_OUT)).limit(1)
    return session.execute(wanted).first() is not None


def forget(session: Session, id_: int) -> None:
    """Deletes the sweep with its trials and agents; the runs are others' to see to first."""
    for table in (trials, sweep_agents):
        session.execute(delete(table).where(table.c.sweep_id == id_))
    session.execute(delete(sweeps).where(sweeps.c.id == id_))


def _one(session: Session, which: Any, locked: bool) -> Found | None:
    wanted = select(sweeps).where(which)
    row = session.execute(wanted.with_for_update() if locked else wanted).first()
    return _found(row) if row else None


def _found(row: Row[Any]) -> Found:
    return Found(row.id, _record(row), row.prior, row.trial_count)


def _record(row: Row[Any]) -> Sweep:
    return Sweep(
        id=row.sweep_id,
        entity=row.entity,
        project=row.project,
        name=row.name,
        state=row.state,
        config=restored(row.config),
        user=row.user,
        created_at=row.created_at,
        message=row.message,
    )
