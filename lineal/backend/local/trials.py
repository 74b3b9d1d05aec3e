"""What a run and the trial that it is tell each other: parameters when it starts, how it goes, what it came to."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from lineal.core import clock
from lineal.core.errors import InvalidMetric, TrialNotFound
from lineal.db.session import Session
from lineal.sweeps import config as configs
from lineal.sweeps import grid, stopping, sweeps, trials, values
from lineal.sweeps.config import SweepConfig
from lineal.sweeps.stopping import Hyperband
from lineal.sweeps.sweeps import Found
from lineal.sweeps.trials import Placed
from lineal.tracking.model import Run
from lineal.tracking.rows import Chunk, numbers

_MAX_MESSAGE = 1000
_NEVER = Hyperband()


def parsed(config: Mapping[str, Any]) -> SweepConfig:
    """The config of a sweep that is there."""
    return _parsed(json.dumps(config))


@lru_cache(64)
def _parsed(text: str) -> SweepConfig:
    return configs.parse(json.loads(text))


# ---- from the run's start to its end -------------------------------------------------------------------------


def begin(session: Session, run: Run, sweep_id: str, *, begun: bool) -> Run:
    """The run as the trial of the sweep that bears its id: with the trial's parameters in its config.

    A run that had `begun` as one that it is no more stays as it is: what it has left to say is taken. Raises
    not_found.trial where the trial is another run's, or of another project.
    """
    found = trials.of_run(session, run.id)
    if found is None and begun:
        return run
    place = (run.entity, run.project)
    if found is None or found.placed.trial.sweep != sweep_id or (found.entity, found.project) != place:
        raise TrialNotFound(
            f"run {run.id} is no trial of sweep {sweep_id[:80]} in {'/'.join(place)} (any more); "
            "another run may have taken its place"
        )
    trial = found.placed.trial
    config = _merged(run.config, configs.nested(trial.params))
    return replace(run, config=config, sweep=sweep_id, trial=trial.number)


def heard(session: Session, run_id: str, chunk: Chunk | None) -> str | None:
    """Notes what the run of a trial logged; who asks it to stop, if anybody does."""
    found = trials.of_run(session, run_id)
    if found is None:
        return "its sweep, which is gone or has given the trial to another run"
    if found.sweep_state == "cancelled":
        return "its sweep, which was cancelled"
    placed, config = found.placed, parsed(found.config)
    if chunk is None or not config.objectives or not (logged := numbers(chunk, config.objectives[0].name)):
        trials.see(session, placed, at=clock.now())
        return None
    early, goal = config.early or _NEVER, config.plan.goals[0]
    progress = stopping.advance(placed.progress, logged, early, goal)
    last = next((value for value in reversed(logged) if math.isfinite(value)), placed.last)
    trials.advance(session, placed, progress, last, at=clock.now())
    since = placed.progress.iterations
    if placed.trial.message or not any(since < band <= progress.iterations for band in stopping.bands(early)):
        return None  # the other trials are read where a band was reached only
    others = trials.progress_of_others(session, placed)
    why = stopping.verdict(early, goal, progress, others, since)
    if why is not None:
        trials.say(session, placed.id, f"stopped by {why}")
    return why


def ended(session: Session, run: Run) -> None:
    """Ends the trial that the run is, as the run ended."""
    found = trials.of_run(session, run.id)
    if found is None or found.placed.trial.state in ("finished", "stopped"):
        return
    trial = found.placed.trial
    if trial.state == "failed" and run.state != "finished":
        return
    sweep = sweeps.by_row(session, found.placed.sweep_id, locked=True)
    if sweep is None:
        return
    asked = bool(run.stop_asked_by or trial.message)
    if run.state == "preempted" or (run.state in ("killed", "crashed") and not asked):
        close(session, sweep, found.placed, "waiting", message=f"its run was {run.state}")
        return
    if run.state == "failed":
        close(session, sweep, found.placed, "failed", message=_last_line(run.message) or f"exit code {run.exit_code}")
        return
    state = "finished" if run.state == "finished" else "stopped"
    why = trial.message or (f"stopped by {run.stop_asked_by}" if run.stop_asked_by else "")
    try:
        told = _values(parsed(found.config), run.summary, found.placed)
    except InvalidMetric as problem:
        if state == "stopped":
            close(session, sweep, found.placed, "stopped", message=why)
        else:
            close(session, sweep, found.placed, "failed", message=problem.message)
        return
    close(session, sweep, found.placed, state, message=why if state == "stopped" else "", **told)


def close(session: Session, found: Found, placed: Placed, state: Any, *, message: str, **told: Any) -> None:
    """Ends the trial, and with it the sweep where there is nothing left to do. The sweep's row is locked."""
    trials.end(session, placed, state, at=clock.now(), message=message[:_MAX_MESSAGE], **told)
    if found.sweep.state != "running":
        return
    config = parsed(found.sweep.config)
    objectives = told.get("objectives")
    if objectives and config.target is not None and all(one <= 0 for one in told["excess"]):
        wanted, better = config.target, config.plan.goals[0]
        if objectives[0] <= wanted if better == "minimize" else objectives[0] >= wanted:
            say = (
                f"trial {placed.trial.number} reached the target: {config.objectives[0].name} is {objectives[0]:.6g}"
            )
            sweeps.change(session, found.id, {"state": "finished", "message": say})
            return
    finish(session, found, config)


def finish(session: Session, found: Found, config: SweepConfig) -> bool:
    """Whether the sweep has come to its end, which it now says. Its row is locked."""
    last = config.expected_run_count
    if last is None or found.trial_count < last or sweeps.is_out(session, found.id):
        return False
    whole = config.method == "grid" and last == grid.size(config.space)
    say = "every point of the grid was tried" if whole else f"all {last:,} trials were run"
    sweeps.change(session, found.id, {"state": "finished", "message": say})
    return True


def measured(config: SweepConfig, summary: Mapping[str, Any]) -> dict[str, Any]:
    """What a run came to: `values` by metric, `objectives`, `excess`. Raises invalid.metric."""
    found = {name: values.value_of(summary, name) for name in config.metrics}
    return {
        "values": found,
        "objectives": [found[one.name] for one in config.objectives],
        "excess": [one.excess(found[one.name]) for one in config.constraints],
    }


def _values(config: SweepConfig, summary: Mapping[str, Any], placed: Placed) -> dict[str, Any]:
    """As `measured`; a metric that was logged but kept out of the summary counts with its last value."""
    if config.objectives and placed.last is not None and config.objectives[0].name not in summary:
        try:
            values.value_of(summary, config.objectives[0].name)
        except InvalidMetric:
            summary = {**summary, config.objectives[0].name: placed.last}
    return measured(config, summary)


def _merged(given: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(given)
    for key, value in params.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
