"""The port's operations on sweeps: what people make and change, what agents take, and what is known of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from lineal.backend.operation import operation

if TYPE_CHECKING:
    from lineal.sweeps.model import Agent, Insight, Orders, Sweep, SweepState, Taken, Trial

TrialEnd = Literal["failed", "stopped"]


class Sweeps:
    """Sweeps, their trials, and the agents that take them. A sweep is named by its id."""

    @operation("POST", "/sweeps", needs="write")
    def create(
        self,
        sweep_id: str,
        config: Mapping[str, Any],
        *,
        project: str | None = None,
        prior_runs: Sequence[str] = (),
    ) -> Sweep:
        """The sweep with that id, made unless it is there already with the same config.

        `prior_runs` are ids of runs whose config has every parameter that is active and whose summary has the
        metrics; the search knows them as evidence. Raises invalid.sweep, not_found.run, conflict.sweep_exists.
        """
        raise NotImplementedError

    @operation("GET", "/sweeps/{sweep_id}", needs="read")
    def get(self, sweep_id: str) -> Sweep:
        """The sweep with that id. Raises not_found.sweep."""
        raise NotImplementedError

    @operation("GET", "/sweeps", needs="read", cursor=lambda sweep: sweep.id)
    def list(
        self, *, project: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Sequence[Sweep]:
        """The sweeps, newest first; at most `limit`, behind the sweep `after`."""
        raise NotImplementedError

    @operation("PATCH", "/sweeps/{sweep_id}", needs="write")
    def change(self, sweep_id: str, *, state: SweepState | None = None, name: str | None = None) -> Sweep:
        """The sweep with what is given set. A running one may be `paused`, `stopped` or `cancelled`, a paused or
        stopped one may be `running` again; `cancelled` asks the runs of its trials to stop. Raises
        conflict.sweep_ended where it can't go on.
        """
        raise NotImplementedError

    @operation("DELETE", "/sweeps/{sweep_id}", needs="delete")
    def delete(self, sweep_id: str) -> Sweep:
        """The sweep as it was, gone with its trials; runs stay, and those that are running are asked to stop."""
        raise NotImplementedError

    @operation("GET", "/sweeps/{sweep_id}/trials", needs="read", cursor=lambda trial: str(trial.number))
    def list_trials(self, sweep_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[Trial]:
        """The trials by number; at most `limit`, behind the number `after`."""
        raise NotImplementedError

    @operation("GET", "/sweeps/{sweep_id}/insight", needs="read")
    def insight(self, sweep_id: str) -> Insight:
        """What the ended trials tell: the best so far, the Pareto front, which parameters matter."""
        raise NotImplementedError

    # ---- agents --------------------------------------------------------------------------------------------------

    @operation("POST", "/sweeps/{sweep_id}/agents/{agent}/take", needs="write")
    def take(self, sweep_id: str, agent: str, token: str) -> Taken:
        """The next trial for the agent, or why there is none. Asking again with the same token gives the same trial.

        A trial is given to one agent at a time. It becomes the run with `trial.run_id`, which gets the parameters
        as config when it starts, and ends with that run. Raises not_found.sweep, unavailable.dependency.
        """
        raise NotImplementedError

    @operation("POST", "/sweeps/{sweep_id}/agents/{agent}/beat", needs="write")
    def beat(self, sweep_id: str, agent: str, numbers: Sequence[int] = ()) -> Orders:
        """Keeps the trials with these numbers the agent's for `lease_s` more; which of them are not any more."""
        raise NotImplementedError

    @operation("POST", "/sweeps/{sweep_id}/agents/{agent}/leave", needs="write")
    def leave(self, sweep_id: str, agent: str, *, message: str = "") -> Agent:
        """The agent, gone; its trials whose runs don't go on by themselves are offered again at once."""
        raise NotImplementedError

    @operation("GET", "/sweeps/{sweep_id}/agents", needs="read", cursor=lambda agent: agent.id)
    def list_agents(self, sweep_id: str, *, limit: int | None = None, after: str | None = None) -> Sequence[Agent]:
        """The agents that ever took part, oldest first; at most `limit`, behind the agent `after`."""
        raise NotImplementedError

    @operation("POST", "/sweeps/{sweep_id}/trials/{number}/end", needs="write")
    def end(self, sweep_id: str, number: int, run_id: str, state: TrialEnd, *, message: str = "") -> Trial:
        """The trial, which ended so unless it had ended before or is another run by now: for what its run can't say.

        Raises not_found.trial.
        """
        raise NotImplementedError
