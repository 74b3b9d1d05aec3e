"""Runs: started, found, changed, ended. Functions on a session that never commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, case, delete, select, update

from lineal.core import clock
from lineal.core.errors import InvalidName, RunFinished, RunNotFound
from lineal.core.metadata import restored
from lineal.core.names import check_name
from lineal.db.schema import run_alerts, run_chunks, run_files, run_parts, run_values, run_writers, runs
from lineal.db.session import Session, insert_new, lock
from lineal.tracking.model import CRASHED_AFTER_S, Heard, Run, RunState

_MAX_ID = 64
_PARENT = runs.alias("parent")
SELECT = select(runs, _PARENT.c.run_id.label("parent")).select_from(
    runs.outerjoin(_PARENT, _PARENT.c.id == runs.c.parent_id)
)
_FIND = SELECT.where(runs.c.run_id == bindparam("of"))
_LOCK = _FIND.with_for_update(of=runs, key_share=True)
_HEARD = select(
    runs.c.id, runs.c.era, runs.c.state, runs.c.stop_asked_by, runs.c.entity, runs.c.project, runs.c.sweep
).where(runs.c.run_id == bindparam("of"))
_LOCK_HEARD = _HEARD.with_for_update(key_share=True)
_STEP = bindparam("step", type_=runs.c.last_step.type)
_SEEN = (
    update(runs)
    .where(runs.c.id == bindparam("of"))
    .values(seen_at=bindparam("at"), last_step=case((runs.c.last_step < _STEP, _STEP), else_=runs.c.last_step))
)


class Started(NamedTuple):
    """A run and its row: its id, how far rewinds took away what it recorded, and whether it was only now `made`."""

    id: int
    run: Run
    era: int = 0
    cuts: tuple[int, ...] = ()
    made: bool = False


class Speaking(NamedTuple):
    """A run that a writer speaks for: its row id and era, and what to answer."""

    id: int
    era: int
    heard: Heard
    entity: str
    project: str
    sweep: str


def add(session: Session, run: Run) -> Started:
    """The run, made unless one with its id is there already; its row locked."""
    if (found := find(session, run.id, locked=True)) is not None:
        return found
    for text, what in ((run.id, "run id"), (run.entity, "entity"), (run.project, "project")):
        check_name(text, what)
    if len(run.id) > _MAX_ID:
        raise InvalidName(f"a run id has at most {_MAX_ID} characters")
    made = insert_new(
        session,
        runs,
        {
            "run_id": run.id,
            "entity": run.entity,
            "project": run.project,
            "name": run.name,
            "job_type": run.job_type,
            "group": run.group,
            "tags": list(run.tags),
            "notes": run.notes,
            "state": run.state,
            "config": dict(run.config),
            "code": dict(run.code),
            "summary": {},
            "metrics": [],
            "environment": {},
            "cuts": [],
            "user": run.user,
            "host": run.host,
            "created_at": run.created_at,
            "seen_at": run.created_at,
            "sweep": run.sweep,
            "trial": run.trial,
        },
    )
    return get(session, run.id, locked=True)._replace(made=made)


def find(session: Session, run_id: str, *, locked: bool = False) -> Started | None:
    """The run with that id, if any, its row locked if asked."""
    row = session.execute(_LOCK if locked else _FIND, {"of": run_id}).first()
    return of_row(row) if row else None


def get(session: Session, run_id: str, *, running: bool = False, locked: bool = False) -> Started:
    """The run with that id, `locked` if asked; with `running`, only one that has not ended. Raises not_found.run."""
    started = find(session, run_id, locked=locked)
    if started is None:
        raise absent(run_id)
    return check_running(started) if running else started


def absent(run_id: str) -> RunNotFound:
    """The error for a run that isn't there."""
    return RunNotFound(f"there is no run {run_id[:80]!r}")


def check_running(started: Started) -> Started:
    """The run, unless it has ended. Raises conflict.run_finished."""
    if started.run.state not in ("running", "crashed"):
        raise RunFinished(
            f"run {started.run.id} has ended ({started.run.state}); start another one with lineal.init()"
        )
    return started


def finish(session: Session, run_id: str, state: RunState, *, at: datetime, **more: Any) -> bool:
    """Notes how and when the run ended and whether that was new: ending it again changes nothing."""
    here = (runs.c.run_id == run_id) & (runs.c.state == "running")
    values = {"state": state, "finished_at": at, "seen_at": at, **more}
    return bool(session.execute(update(runs).where(here).values(**values)).rowcount)


def see(session: Session, id_: int, *, at: datetime, last_step: int = -1) -> None:
    """Notes that a writer of the run was heard, and how far it has come."""
    session.execute(_SEEN, {"of": id_, "at": at, "step": last_step})


def see_all(session: Session) -> None:
    """Takes runs that were never heard of as seen when they were made, so that they don't run for ever."""
    session.execute(update(runs).where(runs.c.seen_at.is_(None)).values(seen_at=runs.c.created_at))


def heard(session: Session, run_id: str, *, locked: bool = False) -> Speaking:
    """What recording for the run needs to know, and no more, its row locked if asked. Raises not_found.run."""
    row = session.execute(_LOCK_HEARD if locked else _HEARD, {"of": run_id}).first()
    if row is None:
        raise absent(run_id)
    return Speaking(row.id, row.era, Heard(row.state, row.stop_asked_by), row.entity, row.project, row.sweep)


def hold(session: Session, ids: Collection[int]) -> None:
    """Locks the runs' rows until the session ends."""
    lock(session, runs, ids)


def summary(session: Session, id_: int) -> dict[str, Any]:
    """The run's summary as it is stored."""
    found: dict[str, Any] = session.execute(select(runs.c.summary).where(runs.c.id == id_)).scalar_one()
    return found


def change_row(session: Session, id_: int, values: Mapping[str, Any]) -> None:
    """Sets columns of the run with that row id."""
    session.execute(update(runs).where(runs.c.id == id_).values(**values))


def rewind(session: Session, started: Started, step: int, *, at: datetime) -> None:
    """Starts a new era of the run, which goes on after `step`."""
    change_row(
        session,
        started.id,
        {
            "era": started.era + 1,
            "cuts": [*started.cuts, step],
            "last_step": min(step, started.run.last_step),
            "state": "running",
            "finished_at": None,
            "exit_code": None,
            "message": "",
            "stop_asked_by": None,
            "seen_at": at,
        },
    )


def change(session: Session, run_id: str, values: Mapping[str, Any]) -> None:
    """Sets columns of the run."""
    session.execute(update(runs).where(runs.c.run_id == run_id).values(**values))


def list_by_id(session: Session, ids: Collection[int], *, at: datetime | None = None) -> dict[int, Run]:
    """The runs with these row ids, as they read at that moment (default: now)."""
    found: dict[int, Run] = {}
    waiting = list(ids)
    for start in range(0, len(waiting), 10_000):
        wanted = SELECT.where(runs.c.id.in_(waiting[start : start + 10_000]))
        found |= {row.id: of_row(row, at).run for row in session.execute(wanted)}
    return found


def list_of_sweep(session: Session, entity: str, project: str, sweep: str, *, limit: int) -> list[int]:
    """The row ids of the runs of the sweep's trials, oldest first; those that were given out again are among them."""
    there = (runs.c.sweep == sweep) & (runs.c.entity == entity) & (runs.c.project == project)
    return list(session.scalars(select(runs.c.id).where(there).order_by(runs.c.id).limit(limit)))


def children(session: Session, id_: int) -> list[Run]:
    """The runs that were forked from the run."""
    return [of_row(row).run for row in session.execute(SELECT.where(runs.c.parent_id == id_).order_by(runs.c.id))]


def forget(session: Session, id_: int) -> None:
    """Deletes the run and everything it recorded; edges and versions are others' to see to first."""
    for table in (run_writers, run_chunks, run_parts, run_files, run_alerts, run_values):
        session.execute(delete(table).where(table.c.run_id == id_))
    session.execute(delete(runs).where(runs.c.id == id_))


def of_row(row: Row[Any], at: datetime | None = None) -> Started:
    """The run in a row of SELECT, as it reads now or at that moment: one silent while running has crashed."""
    state = row.state
    if state == "running" and row.seen_at and (at or clock.now()) - row.seen_at > timedelta(seconds=CRASHED_AFTER_S):
        state = "crashed"
    run = Run(
        id=row.run_id,
        entity=row.entity,
        project=row.project,
        name=row.name,
        job_type=row.job_type,
        state=state,
        config=restored(row.config),
        code=row.code,
        user=row.user,
        host=row.host,
        created_at=row.created_at,
        finished_at=row.finished_at,
        group=row.group,
        tags=tuple(row.tags),
        notes=row.notes,
        summary=restored(row.summary),
        metrics=row.metrics,
        environment=row.environment,
        exit_code=row.exit_code,
        message=row.message,
        seen_at=row.seen_at,
        stop_asked_by=row.stop_asked_by,
        parent=row.parent,
        parent_step=row.parent_step,
        last_step=row.last_step,
        sweep=row.sweep,
        trial=row.trial,
    )
    return Started(row.id, run, row.era, tuple(row.cuts))
