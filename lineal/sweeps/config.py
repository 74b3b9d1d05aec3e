"""A sweep's config: W&B's schema and what we add to it, checked, and what follows from it.

What was given is kept as it was, with defaults filled in: `parse(as_json(config)) == config`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lineal.core.errors import InvalidMetadata, InvalidSweep
from lineal.core.metadata import check_metadata
from lineal.sweeps import grid, sampling
from lineal.sweeps.model import Goal, Method
from lineal.sweeps.search import Plan
from lineal.sweeps.space import Parameter, Space, key
from lineal.sweeps.stopping import Hyperband, bands

if TYPE_CHECKING:
    from lineal.sweeps import schema

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric that trials are compared by."""

    name: str
    goal: Goal


@dataclass(frozen=True, slots=True)
class Constraint:
    """A metric that has to end between two numbers; None leaves a side open."""

    name: str
    low: float | None = None
    high: float | None = None

    def excess(self, value: float) -> float:
        """By how much `value` breaks it: not more than 0 where it is met."""
        below = self.low - value if self.low is not None else -math.inf
        above = value - self.high if self.high is not None else -math.inf
        return max(below, above)


@dataclass(frozen=True, slots=True)
class SweepConfig:
    """A sweep's config that can be worked by. Without `objectives` trials are only run, not compared.

    `target` is the first objective's value that ends the sweep; `run_cap` is how many trials there are at most.
    """

    given: Mapping[str, Any]
    space: Space
    plan: Plan
    objectives: tuple[Objective, ...] = ()
    target: float | None = None
    constraints: tuple[Constraint, ...] = ()
    early: Hyperband | None = None
    run_cap: int | None = None
    max_failures: int = 5
    max_attempts: int = 3
    lease_s: float = 60
    name: str = ""
    description: str = ""
    project: str = ""
    entity: str = ""
    program: str = ""
    command: tuple[str, ...] = ()

    @property
    def method(self) -> Method:
        """How trials are chosen."""
        return self.plan.method

    @property
    def seed(self) -> int:
        """What chance starts from."""
        return self.plan.seed

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics that a trial has to end with, objectives first, each once."""
        names = [each.name for each in self.objectives] + [each.name for each in self.constraints]
        return tuple(dict.fromkeys(names))

    @property
    def expected_run_count(self) -> int | None:
        """How many trials there will be, None where only somebody's word or the target ends the sweep."""
        points = [grid.size(self.space)] if self.method == "grid" else []
        caps = [self.run_cap] if self.run_cap is not None else []
        return min(points + caps, default=None)


def parse(config: Mapping[str, Any]) -> SweepConfig:
    """The config, once everything in it is right. Raises invalid.sweep, which names the key and the fix."""
    from lineal.sweeps import parameters, schema

    if not isinstance(config, Mapping):
        raise InvalidSweep(f"a sweep's config must be a mapping, not {type(config).__name__}")
    try:
        given = check_metadata(config, "config", max_bytes=_MAX_BYTES)
    except InvalidMetadata as problem:
        raise InvalidSweep(problem.message) from None
    read = schema.read(schema.Config, given, "")
    space = parameters.parse(read.parameters)
    objectives, target = _objectives(read)
    constraints = _constraints(read)
    early = _early(read)
    _check_together(read, space, objectives)
    plan = Plan(cast(Method, read.method), tuple(each.goal for each in objectives), read.seed, len(constraints))
    return SweepConfig(
        _filled(given, read),
        space,
        plan,
        objectives,
        target,
        constraints,
        early,
        run_cap=read.run_cap,
        max_failures=read.max_failures,
        max_attempts=read.max_attempts,
        lease_s=read.lease_s,
        name=read.name or "",
        description=read.description or "",
        project=read.project or "",
        entity=read.entity or "",
        program=read.program or "",
        command=tuple(read.command or ()),
    )


def as_json(config: SweepConfig) -> dict[str, Any]:
    """The config as it was given, with defaults filled in. The order of `parameters` is part of it."""
    return dict(config.given)


# ---- the sections --------------------------------------------------------------------------------------------


def _objectives(read: schema.Config) -> tuple[tuple[Objective, ...], float | None]:
    from lineal.sweeps import schema

    if read.metric is not None and read.metrics is not None:
        raise InvalidSweep("metric and metrics exclude each other: write all under metrics, or one under metric")
    if read.metric is not None:
        metric = schema.read(schema.Metric, read.metric, "metric")
        return (Objective(metric.name, metric.goal),), metric.target
    several = [schema.read(schema.OneOfMetrics, each, f"metrics[{at}]") for at, each in enumerate(read.metrics or ())]
    _refuse_twice([each.name for each in several], "metrics")
    return tuple(Objective(each.name, each.goal) for each in several), None


def _constraints(read: schema.Config) -> tuple[Constraint, ...]:
    from lineal.sweeps import schema

    found = []
    for at, each in enumerate(read.constraints or ()):
        one = schema.read(schema.Constraint, each, f"constraints[{at}]")
        if one.min is None and one.max is None:
            raise InvalidSweep(f"constraints[{at}] says nothing about {one.name}: give min, max, or both")
        if one.min is not None and one.max is not None and one.min > one.max:
            raise InvalidSweep(f"constraints[{at}]: min ({one.min}) must not be more than max ({one.max})")
        found.append(Constraint(one.name, one.min, one.max))
    _refuse_twice([each.name for each in found], "constraints")
    return tuple(found)


def _refuse_twice(names: list[str], where: str) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InvalidSweep(f"{where}: {twice} is there twice; leave one of them out")


def _early(read: schema.Config) -> Hyperband | None:
    from lineal.sweeps import schema

    if read.early_terminate is None:
        return None
    one = schema.read(schema.EarlyTerminate, read.early_terminate, "early_terminate")
    if (one.min_iter is None) == (one.max_iter is None):
        fix = (
            "leave one of them out" if one.min_iter else "min_iter says at which iteration trials are compared first"
        )
        raise InvalidSweep(f"early_terminate needs either min_iter or max_iter: {fix}")
    if one.s is not None and one.max_iter is None:
        raise InvalidSweep("early_terminate.s counts the bands below max_iter; with min_iter leave it out")
    if not 1 < one.eta <= 1000:
        raise InvalidSweep(f"early_terminate.eta ({schema.shown(one.eta)}) must be more than 1 and at most 1000")
    hyperband = Hyperband(one.min_iter, one.max_iter, one.s, one.eta, one.strict)
    if not bands(hyperband):
        raise InvalidSweep(
            f"early_terminate: max_iter ({one.max_iter}) divided by eta ({schema.shown(one.eta)}) is less than one "
            "iteration; make max_iter larger"
        )
    return hyperband


def _check_together(read: schema.Config, space: Space, objectives: tuple[Objective, ...]) -> None:
    if not objectives:
        asking = [f"method {read.method}"] if read.method in ("bayes", "tpe") else []
        asking += [key for key in ("early_terminate", "constraints") if getattr(read, key)]
        if asking:
            raise InvalidSweep(
                f"metric is missing, and {asking[0]} needs one: write metric: {{name: …, goal: minimize}}"
            )
    if read.method == "grid":
        grid.check(space)


def _filled(given: Mapping[str, Any], read: schema.Config) -> dict[str, Any]:
    """What was given, with the defaults that decide something."""
    defaults = ("max_failures", "max_attempts", "lease_s", "seed")
    filled = {**given, **{key: getattr(read, key) for key in defaults}}
    if read.metric is not None:
        filled["metric"] = {"goal": "minimize", **read.metric}
    if read.metrics is not None:
        filled["metrics"] = [{"goal": "minimize", **each} for each in read.metrics]
    if read.early_terminate is not None:
        filled["early_terminate"] = {"eta": 3, "strict": False, **read.early_terminate}
    return filled


# ---- points and configs of runs ------------------------------------------------------------------------------


def nested(point: Mapping[str, Any]) -> dict[str, Any]:
    """The point as a run's config: `optimizer.lr` becomes `lr` in the mapping `optimizer`."""
    config: dict[str, Any] = {}
    for name, value in point.items():
        *groups, last = name.split(".")
        place = config
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    return config


def flatten(config: Mapping[str, Any], space: Space) -> dict[str, Any] | None:
    """The point of the space that a run's config holds, None where it lacks one that is active or has it elsewhere.

    A constant is the space's own, whatever the run had: it is nothing to learn from.
    """
    point: dict[str, Any] = {}
    for parameter in space.parameters:
        if not space.active(parameter, point):
            continue
        if parameter.distribution == "constant":
            point[parameter.name] = parameter.values[0]
            continue
        fitting = [own for value in _looked_up(config, parameter.name) for own in _fitting(value, parameter)]
        if not fitting:
            return None
        point[parameter.name] = fitting[0]
    return point


def _looked_up(config: Mapping[str, Any], name: str) -> list[Any]:
    """What the config has under the name, or nothing: None is a value like others."""
    if name in config:
        return [config[name]]
    place: Any = config
    for part in name.split("."):
        if not isinstance(place, Mapping) or part not in place:
            return []
        place = place[part]
    return [place]


def _fitting(value: Any, parameter: Parameter) -> list[Any]:
    """The value as the parameter has it, or nothing where it has no such value."""
    kind = parameter.distribution
    if kind == "categorical":
        return [own for own in parameter.values if key(own) == key(value)]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return []
    if kind == "int_uniform":
        return [int(value)] if value == int(value) and parameter.low <= value <= parameter.high else []
    slack = parameter.q if kind.startswith("q_") else 1e-9 * abs(value)  # both round
    return [value] if abs(sampling.tidy(parameter, value) - value) <= slack else []
