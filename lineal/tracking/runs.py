"""Runs: started, found, finished. Functions on a session that never commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select, update

from lineal.core.errors import InvalidName, RunFinished, RunNotFound
from lineal.core.names import check_name
from lineal.db.schema import runs
from lineal.db.session import Session
from lineal.tracking.model import Run, RunState

_MAX_ID = 64


class Started(NamedTuple):
    """A run and its row id."""

    id: int
    run: Run


def add(session: Session, run: Run) -> Started:
    """The run, made unless one with its id is there already."""
    if (found := find(session, run.id)) is not None:
        return found
    for text, what in ((run.id, "run id"), (run.entity, "entity"), (run.project, "project")):
        check_name(text, what)
    if len(run.id) > _MAX_ID:
        raise InvalidName(f"a run id has at most {_MAX_ID} characters")
    session.execute(
        insert(runs).values(
            run_id=run.id,
            entity=run.entity,
            project=run.project,
            name=run.name,
            job_type=run.job_type,
            state=run.state,
            config=dict(run.config),
            code=dict(run.code),
            user=run.user,
            host=run.host,
            created_at=run.created_at,
        )
    )
    return get(session, run.id)


def find(session: Session, run_id: str) -> Started | None:
    """The run with that id, if any."""
    row = session.execute(select(runs).where(runs.c.run_id == run_id)).first()
    return _started(row) if row else None


def get(session: Session, run_id: str, *, running: bool = False) -> Started:
    """The run with that id; with `running`, only one that has not ended. Raises not_found.run."""
    started = find(session, run_id)
    if started is None:
        raise RunNotFound(f"there is no run {run_id!r}")
    if running and started.run.state != "running":
        raise RunFinished(f"run {run_id} has ended ({started.run.state}); start another one with lineal.init()")
    return started


def finish(session: Session, run_id: str, state: RunState, *, at: datetime) -> None:
    """Notes how and when the run ended; ending it again changes nothing."""
    here = (runs.c.run_id == run_id) & (runs.c.state == "running")
    session.execute(update(runs).where(here).values(state=state, finished_at=at))


def change(session: Session, run_id: str, values: Mapping[str, Any]) -> None:
    """Sets columns of the run that may change while it runs: config."""
    session.execute(update(runs).where(runs.c.run_id == run_id).values(**values))


def list_by_id(session: Session, ids: Collection[int]) -> dict[int, Run]:
    """The runs with these row ids."""
    found: dict[int, Run] = {}
    waiting = list(ids)
    for start in range(0, len(waiting), 10_000):
        wanted = select(runs).where(runs.c.id.in_(waiting[start : start + 10_000]))
        found |= {row.id: _started(row).run for row in session.execute(wanted)}
    return found


def _started(row: Row[Any]) -> Started:
    return Started(
        row.id,
        Run(
            row.run_id,
            row.entity,
            row.project,
            row.name,
            row.job_type,
            row.state,
            row.config,
            row.code,
            row.user,
            row.host,
            row.created_at,
            row.finished_at,
        ),
    )
