"""Records of sweeps. Parameters go by dotted names (`optimizer.lr`), in the order of the sweep's config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Method = Literal["grid", "random", "bayes", "tpe"]
Goal = Literal["minimize", "maximize"]

# running: trials are given out; paused: none are until it is resumed; finished: there is nothing left to try, or the
# target is reached; stopped: somebody ended it, and what runs may end by itself; cancelled: what runs is stopped too.
SweepState = Literal["running", "paused", "finished", "stopped", "cancelled"]

# running: an agent has it; waiting: it was preempted or lost and is offered again; finished: it has its values;
# stopped: it was ended early, and counts with the values that it had; failed: it ended without values.
TrialState = Literal["running", "waiting", "finished", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One suggestion, and what became of it. `attempt` counts from 1; a lost trial is given out as another run.

    `values` maps metrics (objectives and constraints) to what they came to; `iterations` counts how often the first
    objective was logged. `message` says why it was stopped or failed.
    """

    sweep: str
    number: int
    state: TrialState
    params: Mapping[str, Any]
    run_id: str
    attempt: int
    agent: str
    created_at: datetime
    values: Mapping[str, float] = field(default_factory=dict)
    feasible: bool = True
    iterations: int = 0
    message: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep as last read. `config` is as it was given, with defaults filled in.

    `expected_run_count` is how many trials there will be, None where only somebody's word ends it; `counts` has the
    trials by state; `best` is the number of the best trial so far, of several objectives none is. `message` says why
    it ended or is paused.
    """

    id: str
    entity: str
    project: str
    name: str
    state: SweepState
    config: Mapping[str, Any]
    user: str
    created_at: datetime
    expected_run_count: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    best: int | None = None
    message: str = ""

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return f"{self.entity}/{self.project}/{self.id}"


@dataclass(frozen=True, slots=True)
class Taken:
    """The trial that an agent got, with the run's whole config in `config`, nested; or why it got none.

    Without a trial, `wait` says whether to ask again soon: the sweep is paused, or trials of others may come back.
    """

    state: SweepState
    trial: Trial | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    wait: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """What an agent hears when it says which trials it has: those in `gone` are no longer its to run."""

    state: SweepState
    gone: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Agent:
    """Who takes trials. `message` says why it left, where that was not for want of trials."""

    id: str
    host: str
    user: str
    started_at: datetime
    seen_at: datetime
    left_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a parameter matters to the first objective: `importance` sums to 1 over all, `correlation` is -1 to 1
    (Spearman's) or None for a parameter without an order.
    """

    parameter: str
    importance: float
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Insight:
    """What a sweep's ended trials tell. `best_so_far` pairs trial numbers with the first objective's best up to then;
    `front` has the numbers of the trials that no other beats in every objective; `weights` the heaviest first, empty
    with fewer than a handful of trials, and without the extra `sweeps`.
    """

    best_so_far: tuple[tuple[int, float], ...] = ()
    front: tuple[int, ...] = ()
    weights: tuple[Weight, ...] = ()
