"""Use cases of sweeps: made, changed and read by people, taken from by agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from lineal.backend.local import trials as joined
from lineal.backend.local.again import repeating_operations
from lineal.backend.local.context import Context
from lineal.backend.port_sweeps import Sweeps, TrialEnd
from lineal.core import clock
from lineal.core.errors import InvalidArgument, InvalidRef, InvalidSweep, SweepEnded, SweepExists
from lineal.core.metadata import check_text
from lineal.core.names import REGISTRY, check_limit, check_name
from lineal.db import schema
from lineal.db.session import Session
from lineal.sweeps import agents, search, sweeps, trials
from lineal.sweeps import config as configs
from lineal.sweeps.config import SweepConfig
from lineal.sweeps.model import Agent, Insight, Orders, Sweep, SweepState, Taken, Trial
from lineal.sweeps.search import Evidence
from lineal.sweeps.sweeps import Found
from lineal.sweeps.trials import Placed
from lineal.tracking import runs

_MAX_PRIOR, _MAX_MESSAGE = 10_000, 1000
_NEXT: Mapping[str, tuple[str, ...]] = {
    "running": ("paused", "stopped", "cancelled"),
    "paused": ("running", "stopped", "cancelled"),
    "stopped": ("running", "cancelled"),
    "finished": ("cancelled",),
    "cancelled": (),
}


@repeating_operations
class LocalSweeps(Sweeps):
    def __init__(self, context: Context) -> None:
        self._here = context

    def create(
        self, sweep_id: str, config: Mapping[str, Any], *, project: str | None = None, prior_runs: Sequence[str] = ()
    ) -> Sweep:
        if len(check_name(sweep_id, "sweep id")) > sweeps.MAX_ID:
            raise InvalidArgument(f"a sweep id has at most {sweeps.MAX_ID} characters")
        wanted = configs.parse(config)
        search.check_installed(wanted.method)
        place = self._here.project_for(project or wanted.project)
        if place == REGISTRY:
            raise InvalidRef("the project 'registry' holds links only; give the sweep another project")
        entity, now = self._here.entity, clock.now()
        stored = configs.as_json(wanted)
        sweep = Sweep(sweep_id, entity, place, wanted.name or sweep_id, "running", stored, self._here.user, now)
        with self._here.database.begin() as session:
            self._here.check_new(session, entity, place, f"sweep:{sweep_id}")
            prior = self._prior(session, wanted, prior_runs)
            if not sweeps.add(session, sweep, prior):
                found = sweeps.get(session, sweep_id)
                if not self._here.check(session, found.sweep.entity, found.sweep.project):
                    raise SweepExists(f"the id {sweep_id} is taken; give the sweep another one")
                if found.sweep.config != stored:
                    raise SweepExists(f"sweep {sweep_id} is there already, with another config; choose another id")
            return self._told(session, sweeps.get(session, sweep_id))

    def _prior(self, session: Session, config: SweepConfig, run_ids: Sequence[str]) -> list[dict[str, Any]]:
        if len(run_ids) > _MAX_PRIOR:
            raise InvalidArgument(f"at most {_MAX_PRIOR:,} prior runs are taken, not {len(run_ids):,}")
        found = []
        for run_id in run_ids:
            run = self._here.run(session, run_id, needs="read").run
            point = configs.flatten(run.config, config.space)
            if point is None:
                raise InvalidSweep(f"the config of run {run_id} is no point of the sweep's space; leave it out")
            told = joined.measured(config, run.summary)
            found.append({"params": point, "objectives": told["objectives"], "excess": told["excess"]})
        return found

    # ---- reading ---------------------------------------------------------------------------------------------

    def get(self, sweep_id: str) -> Sweep:
        with self._here.database.read() as session:
            return self._told(session, self._here.sweep(session, sweep_id))

    def list(
        self, *, project: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[Sweep]:
        check_limit(limit)
        with self._here.database.read() as session:
            seen = self._here.sight(session).where(schema.sweeps.c.entity, schema.sweeps.c.project)
            found = sweeps.list_page(session, self._here.entity, project, seen, limit=limit, after=after)
            return [self._told(session, one) for one in found]

    def list_trials(self, sweep_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[Trial]:
        check_limit(limit)
        with self._here.database.read() as session:
            found = self._here.sweep(session, sweep_id)
            return trials.list_page(session, found.id, limit=limit, after=_number(after))

    def list_agents(self, sweep_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[Agent]:
        check_limit(limit)
        with self._here.database.read() as session:
            return agents.list_page(session, self._here.sweep(session, sweep_id).id, limit=limit, after=after)

    def insight(self, sweep_id: str) -> Insight:
        from lineal.sweeps import insight

        with self._here.database.read() as session:
            found = self._here.sweep(session, sweep_id)
            every = trials.list_page(session, found.id)
        return insight.insight(every, joined.parsed(found.sweep.config))

    # ---- changing ----------------------------------------------------------------------------------------------

    def change(self, sweep_id: str, *, state: SweepState | None = None, name: str | None = None) -> Sweep:
        with self._here.database.begin() as session:
            found = self._here.sweep(session, sweep_id, locked=True)
            self._here.note({"state": found.sweep.state, "name": found.sweep.name})
            new: dict[str, Any] = {}
            if name is not None:
                new["name"] = check_text(name, "name") or sweep_id
            if state is not None and state != found.sweep.state:
                if state not in _NEXT[found.sweep.state]:
                    raise SweepEnded(f"sweep {sweep_id} is {found.sweep.state} and can't become {ascii(state)[:20]}")
                new |= {"state": state, "message": "" if state == "running" else f"{state} by {self._here.user}"}
            if new:
                sweeps.change(session, found.id, new)
            return self._told(session, sweeps.get(session, sweep_id))

    def delete(self, sweep_id: str) -> Sweep:
        with self._here.database.begin() as session:
            found = self._here.sweep(session, sweep_id, locked=True)
            told = self._told(session, found)
            sweeps.forget(session, found.id)
            return told

    # ---- agents ------------------------------------------------------------------------------------------------

    def take(self, sweep_id: str, agent: str, token: str) -> Taken:
        check_name(token, "token")
        for patient in (True, True, False):
            asked = self._asked(sweep_id) if patient else None
            with self._here.database.begin() as session:
                found = self._heard(session, sweep_id, agent)
                taken = self._given(session, found, agent, token, asked, patient=patient)
                if taken is not None:
                    return taken
        raise AssertionError("the last time the point is computed in the transaction")

    def _asked(self, sweep_id: str) -> tuple[int, dict[str, Any]] | None:
        """The number of the next new trial and its point; None where there will be none, or it costs nothing."""
        with self._here.database.read() as session:
            found = self._here.sweep(session, sweep_id)
            config = joined.parsed(found.sweep.config)
            if found.sweep.state != "running" or config.method in ("grid", "random"):
                return None
            last = config.expected_run_count
            if (last is not None and found.trial_count >= last) or self._left(session, found, config):
                return None
            known = self._known(session, found)
        return found.trial_count, search.suggest(config.space, config.plan, known, found.trial_count)

    def _known(self, session: Session, found: Found) -> Sequence[Evidence]:
        prior = [
            Evidence(one["params"], tuple(one["objectives"]), False, tuple(one["excess"])) for one in found.prior
        ]
        return [*prior, *trials.evidence(session, found.id)]

    def _given(
        self,
        session: Session,
        found: Found,
        agent: str,
        token: str,
        asked: tuple[int, dict[str, Any]] | None,
        *,
        patient: bool,
    ) -> Taken | None:
        """What the agent gets; None where another was faster, so that the point has to be computed anew."""
        sweep, config = found.sweep, joined.parsed(found.sweep.config)
        if (same := trials.by_token(session, found.id, token)) is not None and same.trial.state == "running":
            return _taken(sweep.state, same.trial)
        if sweep.state != "running":
            return Taken(sweep.state, message=sweep.message, wait=sweep.state == "paused")
        while (left := self._left(session, found, config)) is not None:
            again = self._again(session, left, agent, token, config.max_attempts)
            if again is not None:
                return _taken("running", again)
            say = f"lost {left.trial.attempt} times; its agents or their machines died"
            joined.close(session, found, left, "failed", message=say)
        return self._new(session, found, agent, token, asked, patient=patient)

    def _new(
        self,
        session: Session,
        found: Found,
        agent: str,
        token: str,
        asked: tuple[int, dict[str, Any]] | None,
        *,
        patient: bool,
    ) -> Taken | None:
        sweep, config, number = found.sweep, joined.parsed(found.sweep.config), found.trial_count
        last = config.expected_run_count
        if last is not None and number >= last:
            if joined.finish(session, found, config):
                done = sweeps.get(session, sweep.id).sweep
                return Taken(done.state, message=done.message)
            return Taken("running", message="all trials are given out; one may come back", wait=True)
        if config.method in ("grid", "random"):
            point = search.suggest(config.space, config.plan, (), number)
        elif asked is not None and asked[0] == number:
            point = asked[1]
        elif patient:
            return None
        else:
            point = search.suggest(config.space, config.plan, self._known(session, found), number)
        trial = Trial(sweep.id, number, "running", point, clock.new_run_id(), 1, agent, clock.now())
        trials.add(session, found.id, trial, token)
        return _taken("running", trial)

    def _left(self, session: Session, found: Found, config: SweepConfig) -> Placed | None:
        before = clock.now() - timedelta(seconds=config.lease_s)
        return trials.find_left(session, found.id, before=before)

    def _again(self, session: Session, left: Placed, agent: str, token: str, max_attempts: int) -> Trial | None:
        """The trial given out once more: as the same run where that was preempted, else as another one; None where
        there were enough.
        """
        run = runs.find(session, left.trial.run_id)
        resumes = run is not None and run.run.state == "preempted"
        if not resumes and left.trial.attempt >= max_attempts:
            return None
        return trials.give_again(
            session,
            left,
            run_id=left.trial.run_id if resumes else clock.new_run_id(),
            attempt=left.trial.attempt + (not resumes),
            agent=agent,
            token=token,
            at=clock.now(),
        )

    def beat(self, sweep_id: str, agent: str, numbers: Sequence[int] = ()) -> Orders:
        with self._here.database.begin() as session:
            found = self._heard(session, sweep_id, agent)
            kept = trials.keep(session, found.id, agent, numbers, at=clock.now())
            if found.sweep.state == "cancelled":
                kept = set()
            return Orders(found.sweep.state, tuple(number for number in numbers if number not in kept))

    def leave(self, sweep_id: str, agent: str, *, message: str = "") -> Agent:
        with self._here.database.begin() as session:
            found = self._heard(session, sweep_id, agent)
            for placed in trials.of_agent(session, found.id, agent):
                run = runs.find(session, placed.trial.run_id)
                if run is None or run.run.state != "running":  # else its batches keep it
                    joined.close(session, found, placed, "waiting", message=f"agent {agent} left")
            told = check_text(message, "message")[:_MAX_MESSAGE]
            return agents.leave(session, found.id, agent, message=told, at=clock.now())

    def end(self, sweep_id: str, number: int, run_id: str, state: TrialEnd, *, message: str = "") -> Trial:
        with self._here.database.begin() as session:
            found = self._here.sweep(session, sweep_id, locked=True)
            placed = trials.by_number(session, found.id, number)
            if placed.trial.run_id == run_id and placed.trial.state in ("running", "waiting"):
                joined.close(session, found, placed, state, message=check_text(message, "message"))
            return trials.by_number(session, found.id, number).trial

    # ---- inside --------------------------------------------------------------------------------------------------

    def _heard(self, session: Session, sweep_id: str, agent: str) -> Found:
        """The sweep, its row locked, the agent noted as heard."""
        check_name(agent, "agent")
        found = self._here.sweep(session, sweep_id, locked=True)
        agents.see(session, found.id, agent, host=self._here.host, user=self._here.user, at=clock.now())
        return found

    def _told(self, session: Session, found: Found) -> Sweep:
        config = joined.parsed(found.sweep.config)
        return sweeps.told(session, found, config.plan.goals, config.expected_run_count)


def _taken(state: SweepState, trial: Trial) -> Taken:
    return Taken(state, trial, configs.nested(trial.params))


def _number(after: str | None) -> int | None:
    if after is None or (after.isascii() and after.isdigit() and len(after) < 10):
        return None if after is None else int(after)
    raise InvalidArgument(f"{ascii(after)[:40]} is no number of a trial")
