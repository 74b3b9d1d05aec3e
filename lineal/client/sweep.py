"""Sweeps in the SDK: one made from a config, and one as it is read back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from lineal.client.connection import Connection, connection
from lineal.client.run_list import Runs
from lineal.client.run_view import RunView
from lineal.core import clock
from lineal.core.clock import format_time
from lineal.core.errors import InvalidArgument, RunNotFound, SweepNotFound, TrialNotFound, Unavailable
from lineal.core.names import texts
from lineal.sweeps.model import Agent, Insight, Sweep, SweepState, Trial
from lineal.tracking.filters import parse_order


def sweep(
    config: Mapping[str, Any] | str | os.PathLike[str],
    project: str | None = None,
    entity: str | None = None,
    prior_runs: Sequence[str] = (),
    *,
    url: str | None = None,
) -> str:
    """The id of a new sweep, for `lineal.agent`. `config` is a mapping, or the path of a YAML file.

    `prior_runs` are ids of runs that the search learns from. Raises invalid.sweep, not_found.run.
    """
    from lineal.client import sweep_file

    given = sweep_file.read(config) if isinstance(config, str | os.PathLike) else config
    if not isinstance(given, Mapping):
        raise InvalidArgument(f"config is a {type(given).__name__}; give a mapping, or the path of a YAML file")
    return create(given, project, entity, prior_runs, url=url).id


def create(
    config: Mapping[str, Any],
    project: str | None = None,
    entity: str | None = None,
    prior_runs: Sequence[str] = (),
    *,
    url: str | None = None,
) -> Sweep:
    """The sweep, made; an argument wins over the config's own `project` and `entity`, those over the settings."""
    own = {key: value for key in ("project", "entity") if isinstance(value := config.get(key), str) and value}
    conn = connection(url=url, project=project or own.get("project"), entity=entity or own.get("entity"))
    prior = texts(prior_runs, what="prior_runs")
    project, sweep_id = conn.settings.project, clock.new_run_id()
    try:
        return conn.backend.sweeps.create(sweep_id, config, project=project, prior_runs=prior)
    except Unavailable:  # perhaps it was made, and only the answer got lost: with its id, asking again is safe
        return conn.backend.sweeps.create(sweep_id, config, project=project, prior_runs=prior)


def find(conn: Connection, path: str) -> Sweep:
    """The sweep that `[[entity/]project/]id` names. Raises not_found.sweep."""
    *above, sweep_id = [part for part in str(path).strip("/").split("/") if part not in ("sweeps", "")] or [""]
    found = conn.backend.sweeps.get(sweep_id)
    if above and above[-2:] != [found.entity, found.project][-len(above) :]:
        wanted = "/".join(above)[:200]
        raise SweepNotFound(f"sweep {sweep_id} is in {found.entity}/{found.project}, not in {wanted}")
    return found


def trial_of(conn: Connection, sweep_id: str, number: int) -> Trial:
    """The sweep's trial with that number. Raises not_found.trial."""
    found = conn.backend.sweeps.list_trials(sweep_id, limit=1, after=str(number - 1) if number else None)
    if not found or found[0].number != number:
        raise TrialNotFound(f"sweep {sweep_id} has no trial {number}")
    return found[0]


class SweepView:
    """A sweep as last read; `load` reads it again."""

    def __init__(self, record: Sweep, conn: Connection) -> None:
        self._record, self._connection = record, conn

    def __repr__(self) -> str:
        return f"<Sweep {self.path} ({self.state})>"

    # ---- what it is --------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def name(self) -> str:
        return self._record.name

    @property
    def entity(self) -> str:
        return self._record.entity

    @property
    def project(self) -> str:
        return self._record.project

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return self._record.path

    @property
    def url(self) -> str | None:
        """Its page; None where no server shows it."""
        return self._connection.page_of_sweep(self._record)

    @property
    def state(self) -> SweepState:
        """When it was read."""
        return self._record.state

    @property
    def message(self) -> str:
        """Why it ended or is paused."""
        return self._record.message

    @property
    def config(self) -> Mapping[str, Any]:
        """As it was given, with defaults filled in."""
        return self._record.config

    @property
    def created_at(self) -> str:
        """RFC 3339, in UTC."""
        return format_time(self._record.created_at)

    @property
    def expected_run_count(self) -> int | None:
        """How many trials there will be; None where only somebody's word ends it."""
        return self._record.expected_run_count

    @property
    def counts(self) -> Mapping[str, int]:
        """How many trials there are, by state."""
        return self._record.counts

    # ---- what hangs on it --------------------------------------------------------------------------------------

    @property
    def runs(self) -> Runs:
        """Its runs, newest first."""
        return self._runs("-created_at")

    @property
    def trials(self) -> list[Trial]:
        """Its trials by number."""
        return list(self._connection.backend.sweeps.list_trials(self.id))

    @property
    def agents(self) -> list[Agent]:
        """Who ever took trials, the oldest first."""
        return list(self._connection.backend.sweeps.list_agents(self.id))

    def best_run(self, order: str | None = None) -> RunView | None:
        """The run of the best trial so far, None before there is one; of several metrics none is the best.

        With an `order` such as `-summary_metrics.acc`, the first run by that.
        """
        if order is not None:
            parse_order(order)
            return next(iter(self._runs(order)), None)
        if self._record.best is None:
            return None
        try:
            trial = trial_of(self._connection, self.id, self._record.best)
            return RunView(self._connection.backend.runs.get(trial.run_id), self._connection)
        except (RunNotFound, TrialNotFound):  # it was deleted
            return None

    def insight(self) -> Insight:
        """What the ended trials tell: the best so far, the Pareto front, which parameters matter."""
        return self._connection.backend.sweeps.insight(self.id)

    def _runs(self, order: str) -> Runs:
        place = {"project": self.project, "entity": self.entity}
        return Runs(self._connection, **place, filters={"sweep": self.id}, order=order, per_page=50)

    # ---- changing ----------------------------------------------------------------------------------------------

    def load(self) -> SweepView:
        """The sweep, read again."""
        self._record = self._connection.backend.sweeps.get(self.id)
        return self

    def pause(self) -> SweepView:
        """The sweep, which gives out no trial until it is resumed; those that run go on."""
        return self._change("paused")

    def resume(self) -> SweepView:
        """The sweep, running again."""
        return self._change("running")

    def stop(self) -> SweepView:
        """The sweep, at its end; what runs may end by itself."""
        return self._change("stopped")

    def cancel(self) -> SweepView:
        """The sweep, at its end; what runs is asked to stop."""
        return self._change("cancelled")

    def delete(self) -> None:
        """Deletes it with its trials; the runs stay."""
        self._connection.backend.sweeps.delete(self.id)

    def _change(self, state: SweepState) -> SweepView:
        self._record = self._connection.backend.sweeps.change(self.id, state=state)
        return self
