"""What is known of one sweep, as a page in the terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from lineal.cli.drawing import Point, number, plot
from lineal.cli.output import console, json_text, line, lines, table
from lineal.client.artifact import Artifact
from lineal.client.run_view import RunView
from lineal.client.sweep import SweepView
from lineal.core.display import count, moment
from lineal.core.errors import MissingDependency
from lineal.lineage.look import clean, shorten
from lineal.sweeps.config import SweepConfig, parse
from lineal.sweeps.model import Insight, Trial

MOST = 20
_STYLES = {"running": "cyan", "waiting": "yellow", "finished": "green", "stopped": "yellow", "failed": "red"}
_OUT = ("running", "waiting")


def facts(view: SweepView) -> dict[str, Any]:
    """The record with what hangs on it."""
    told, _ = _insight(view)
    return {"sweep": view._record, "trials": view.trials, "insight": told, "agents": view.agents}


def show(view: SweepView, *, every: bool = False) -> None:
    """Prints the page, with the first 20 trials or with every one."""
    config, trials = parse(view.config), view.trials
    for key, value in _heads(view, config):
        if value:
            line(f"{key:<12} {value}")
    told, lacking = _insight(view)
    shown = sorted(trials, key=_order(config, told))
    line()
    _show_trials(shown if every else shown[:MOST], config)
    if len(shown) > MOST and not every:
        line(f"… and {len(shown) - MOST} more; --all shows every one")
    if len(told.best_so_far) > 1:
        line()
        line(f"best {config.objectives[0].name} so far, by trial")
        lines(plot(_steps(told.best_so_far), min(console(72).width, 100)))
    if told.front and len(config.objectives) > 1:
        line()
        line(f"Pareto front: trials {', '.join(map(str, told.front))}")
    _show_weights(told, lacking)
    _show_agents(view)


def show_best(view: SweepView, run: RunView, trial: Trial, models: Sequence[Artifact]) -> None:
    """Prints the best run of the sweep."""
    line(f"{'run':<12} {run.path}")
    line(f"{'name':<12} {run.name}")
    line(f"{'trial':<12} {trial.number} of sweep {view.id}")
    for name, value in trial.values.items():
        line(f"{name:<12} {number(value)}")
    for name, value in trial.params.items():
        line(f"{name:<12} {_text(value)}")
    for model in models:
        line(f"{'model':<12} {model.qualified_name}")


# ---- its parts -----------------------------------------------------------------------------------------------


def _heads(view: SweepView, config: SweepConfig) -> Iterator[tuple[str, str]]:
    record = view._record
    yield "sweep", view.path
    yield "name", view.name
    yield "state", f"{view.state}: {view.message}" if view.message else view.state
    yield "method", config.method
    yield "metric", ", ".join(f"{one.name} ({one.goal})" for one in config.objectives)
    yield "trials", _counts(view)
    yield "by", f"{record.user} on {moment(record.created_at)}"
    yield "page", view.url or ""


def _counts(view: SweepView) -> str:
    """`12 finished, 3 failed, 2 running; 3 remain`."""
    counts, most = view.counts, view.expected_run_count
    told = [f"{counts[state]} {state}" for state in _STYLES if counts.get(state)]
    made = sum(counts.values())
    left = f"{max(most - made, 0)} of {most} remain" if most is not None else "no end to them is set"
    return f"{', '.join(told) or 'none yet'}; {left}"


def _order(config: SweepConfig, told: Insight) -> Any:
    """Best first: those with values by the first metric (of several, the front before), then those under way."""
    goal = config.objectives[0] if config.objectives else None

    def key(trial: Trial) -> tuple[Any, ...]:
        value = trial.values.get(goal.name) if goal else None
        if trial.state in _OUT or value is None or not math.isfinite(value):
            return (2 if trial.state in _OUT else 3, 0, 0, 0.0, -trial.number)
        behind = len(config.objectives) > 1 and trial.number not in told.front
        signed = -value if goal is not None and goal.goal == "maximize" else value
        return (1, not trial.feasible, behind, signed, trial.number)

    return key


def _show_trials(trials: Sequence[Trial], config: SweepConfig) -> None:
    from rich.text import Text

    metrics = config.metrics
    params = [one.name for one in config.space.parameters if one.distribution != "constant"]
    rows = [
        [
            trial.number,
            Text(trial.state, _STYLES.get(trial.state, "")),
            trial.run_id,
            *(number(trial.values[name]) if name in trial.values else "-" for name in metrics),
            *(_text(trial.params[name]) if name in trial.params else "-" for name in params),
            _remark(trial),
        ]
        for trial in trials
    ]
    titles = ["TRIAL", "STATE", "RUN", *metrics, *params, ""]
    table(titles, rows, empty="No trial has been taken yet; `lineal agent` runs them.")


def _remark(trial: Trial) -> str:
    remarks = [f"attempt {trial.attempt}"] if trial.attempt > 1 else []
    remarks += [] if trial.feasible else ["breaks a constraint"]
    remarks += [trial.message] if trial.message else []
    return shorten(clean(", ".join(remarks)), 120)


def _steps(curve: Sequence[tuple[int, float]]) -> list[Point]:
    """The curve's points, level up to each trial that is better."""
    before = [curve[0][1], *(value for _, value in curve)]
    return [
        (float(at), one, one, one) for (at, value), old in zip(curve, before, strict=False) for one in (old, value)
    ]


def _show_weights(told: Insight, lacking: str) -> None:
    if told.weights:
        line()
        rows = [
            (one.parameter, f"{one.importance:.2f}", "-" if one.correlation is None else f"{one.correlation:+.2f}")
            for one in told.weights
        ]
        table(("PARAMETER", "IMPORTANCE", "CORRELATION"), rows, empty="")
    if lacking:
        line()
        line(lacking)


def _show_agents(view: SweepView) -> None:
    agents = view.agents
    if not agents:
        return
    line()
    here = sum(one.left_at is None for one in agents)
    line(f"{count(len(agents), 'agent')}, {here} at work")
    told = [one for one in agents if one.left_at is None or one.message]
    rows = [(one.id, f"{one.user}@{one.host}", one.seen_at, one.left_at, one.message) for one in told[-MOST:]]
    if rows:
        table(("AGENT", "WHO", "HEARD OF", "LEFT", "WHY"), rows, empty="")


def _insight(view: SweepView) -> tuple[Insight, str]:
    """What the trials tell, and what keeps more from being told, "" if nothing does."""
    try:
        return view.insight(), ""
    except MissingDependency as problem:
        return Insight(), problem.message


def _text(value: Any) -> str:
    return shorten(clean(json_text(value) if isinstance(value, dict | list | bool) else number(value)), 60)
