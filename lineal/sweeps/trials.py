"""Trials: given out, kept, given out again, ended. Functions on a session that never commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Row, bindparam, insert, select, update

from lineal.core.errors import TrialNotFound
from lineal.core.metadata import restored
from lineal.db.schema import sweeps, trials
from lineal.db.session import Session
from lineal.sweeps.model import SweepState, Trial, TrialState
from lineal.sweeps.search import Evidence
from lineal.sweeps.stopping import Progress

_SELECT = select(trials, sweeps.c.sweep_id.label("sweep")).select_from(
    trials.join(sweeps, sweeps.c.id == trials.c.sweep_id)
)
_OF_RUN = _SELECT.add_columns(
    sweeps.c.state.label("sweep_state"), sweeps.c.config.label("sweep_config"), sweeps.c.entity, sweeps.c.project
).where(trials.c.run_id == bindparam("of"))


class Placed(NamedTuple):
    """A trial and its rows: its id and its sweep's, and how its run is coming along."""

    id: int
    sweep_id: int
    trial: Trial
    progress: Progress
    last: float | None
    seen_at: datetime


class OfRun(NamedTuple):
    """The trial that a run is, with what its sweep says."""

    placed: Placed
    sweep_state: SweepState
    config: Mapping[str, Any]
    entity: str
    project: str


def add(session: Session, sweep_id: int, trial: Trial, token: str) -> None:
    """Gives the trial out for the first time."""
    row: dict[str, Any] = {
        "sweep_id": sweep_id,
        "number": trial.number,
        "state": trial.state,
        "params": dict(trial.params),
        "run_id": trial.run_id,
        "attempt": trial.attempt,
        "agent": trial.agent,
        "token": token,
        "values": {},
        "excess": [],
        "feasible": True,
        "iterations": 0,
        "bands": {},
        "message": "",
        "created_at": trial.created_at,
        "seen_at": trial.created_at,
    }
    session.execute(insert(trials).values(**row))
    session.execute(update(sweeps).where(sweeps.c.id == sweep_id).values(trial_count=trial.number + 1))


def by_token(session: Session, sweep_id: int, token: str) -> Placed | None:
    """The trial that was given out for the token, if one was."""
    return _one(session, (trials.c.sweep_id == sweep_id) & (trials.c.token == token))


def by_number(session: Session, sweep_id: int, number: int) -> Placed:
    """The trial with that number. Raises not_found.trial."""
    found = _one(session, (trials.c.sweep_id == sweep_id) & (trials.c.number == number))
    if found is None:
        raise TrialNotFound(f"the sweep has no trial {number}")
    return found


def of_run(session: Session, run_id: str) -> OfRun | None:
    """The trial that the run is, if it is one (still)."""
    row = session.execute(_OF_RUN, {"of": run_id}).first()
    return OfRun(_placed(row), row.sweep_state, row.sweep_config, row.entity, row.project) if row else None


def of_agent(session: Session, sweep_id: int, agent: str) -> list[Placed]:
    """The trials that the agent has, by number."""
    mine = (trials.c.sweep_id == sweep_id) & (trials.c.agent == agent) & (trials.c.state == "running")
    return [_placed(row) for row in session.execute(_SELECT.where(mine).order_by(trials.c.number))]


def find_left(session: Session, sweep_id: int, *, before: datetime) -> Placed | None:
    """The first trial that waits for an agent, or that nobody has spoken for since `before`."""
    mine = trials.c.sweep_id == sweep_id
    waiting = _one(session, mine & (trials.c.state == "waiting"))
    return waiting or _one(session, mine & (trials.c.state == "running") & (trials.c.seen_at < before))


def give_again(
    session: Session, placed: Placed, *, run_id: str, attempt: int, agent: str, token: str, at: datetime
) -> Trial:
    """The trial, now that agent's. As another run it begins anew."""
    values: dict[str, Any] = {
        "state": "running",
        "agent": agent,
        "token": token,
        "run_id": run_id,
        "attempt": attempt,
        "message": "",
        "seen_at": at,
    }
    if run_id != placed.trial.run_id:
        values |= {"iterations": 0, "best": None, "last": None, "bands": {}}
    session.execute(update(trials).where(trials.c.id == placed.id).values(**values))
    return by_number(session, placed.sweep_id, placed.trial.number).trial


def keep(session: Session, sweep_id: int, agent: str, numbers: Collection[int], *, at: datetime) -> set[int]:
    """Those of the trials that are still the agent's to run, now heard of."""
    if not numbers:
        return set()
    mine = (trials.c.sweep_id == sweep_id) & (trials.c.agent == agent) & (trials.c.state == "running")
    here = mine & trials.c.number.in_(numbers)
    session.execute(update(trials).where(here).values(seen_at=at))
    return set(session.scalars(select(trials.c.number).where(here)))


def see(session: Session, placed: Placed, *, at: datetime) -> None:
    """Notes that the trial's run was heard."""
    _update(session, placed, {"seen_at": at})


def advance(session: Session, placed: Placed, progress: Progress, last: float | None, *, at: datetime) -> None:
    """Notes that the trial's run was heard, and how it is coming along."""
    bands = {str(band): best for band, best in progress.bands.items()}
    now = {"iterations": progress.iterations, "best": progress.best, "last": last, "bands": bands}
    _update(session, placed, {"seen_at": at, **now})


def say(session: Session, id_: int, message: str) -> None:
    """Notes why the trial is to end."""
    session.execute(update(trials).where(trials.c.id == id_).values(message=message))


def end(
    session: Session,
    placed: Placed,
    state: TrialState,
    *,
    at: datetime,
    message: str = "",
    values: Mapping[str, float] | None = None,
    objectives: Sequence[float] | None = None,
    excess: Sequence[float] = (),
) -> bool:
    """Ends the trial (or has it wait for another agent), unless it is another run by now; whether that was so."""
    row = {
        "state": state,
        "message": message,
        "values": dict(values or {}),
        "objectives": None if objectives is None else list(objectives),
        "value": objectives[0] if objectives else None,
        "excess": list(excess),
        "feasible": all(one <= 0 for one in excess),
        "ended_at": None if state == "waiting" else at,
    }
    return _update(session, placed, row)


def list_page(session: Session, sweep_id: int, *, limit: int | None = None, after: int | None = None) -> list[Trial]:
    """The trials by number, at most `limit`, behind the number `after`."""
    wanted = _SELECT.where(trials.c.sweep_id == sweep_id).order_by(trials.c.number).limit(limit)
    if after is not None:
        wanted = wanted.where(trials.c.number > after)
    return [_trial(row) for row in session.execute(wanted)]


def evidence(session: Session, sweep_id: int) -> list[Evidence]:
    """What the search knows of the trials, by number."""
    columns = (trials.c.params, trials.c.objectives, trials.c.state, trials.c.excess)
    wanted = select(*columns).where(trials.c.sweep_id == sweep_id).order_by(trials.c.number)
    rows = [row for row in session.execute(wanted) if row.state != "stopped" or row.objectives]
    return [Evidence(row.params, _numbers(row.objectives), row.state == "failed", tuple(row.excess)) for row in rows]


def progress_of_others(session: Session, placed: Placed) -> list[Progress]:
    """How the other trials of the sweep came along."""
    columns: tuple[Column[Any], ...] = (trials.c.iterations, trials.c.best, trials.c.bands)
    others = (trials.c.sweep_id == placed.sweep_id) & (trials.c.id != placed.id) & (trials.c.iterations > 0)
    return [_progress(row) for row in session.execute(select(*columns).where(others))]


def _update(session: Session, placed: Placed, values: Mapping[str, Any]) -> bool:
    same = (trials.c.id == placed.id) & (trials.c.run_id == placed.trial.run_id)
    return bool(session.execute(update(trials).where(same).values(**values)).rowcount)


def _numbers(stored: list[float] | None) -> tuple[float, ...] | None:
    return None if stored is None else tuple(stored)


def _one(session: Session, which: Any) -> Placed | None:
    row = session.execute(_SELECT.where(which).order_by(trials.c.number).limit(1)).first()
    return _placed(row) if row else None


def _placed(row: Row[Any]) -> Placed:
    return Placed(row.id, row.sweep_id, _trial(row), _progress(row), row.last, row.seen_at)


def _progress(row: Row[Any]) -> Progress:
    return Progress(row.iterations, row.best, {int(band): best for band, best in row.bands.items()})


def _trial(row: Row[Any]) -> Trial:
    return Trial(
        sweep=row.sweep,
        number=row.number,
        state=row.state,
        params=restored(row.params),
        run_id=row.run_id,
        attempt=row.attempt,
        agent=row.agent,
        created_at=row.created_at,
        values=row._mapping["values"],
        feasible=row.feasible,
        iterations=row.iterations,
        message=row.message,
        ended_at=row.ended_at,
    )
