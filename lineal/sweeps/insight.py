"""What a sweep's trials tell: the best so far, the Pareto front, and which parameters matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineal.sweeps.model import Insight, Trial, Weight
from lineal.sweeps.space import Parameter, key

if TYPE_CHECKING:
    import numpy as np

    from lineal.sweeps.config import Objective, SweepConfig

    Column = np.ndarray[Any, np.dtype[np.float64]]

_FEWEST = 5  # trials that say something of parameters
_MOST = 2000  # trials that a forest is grown of, the latest: more take seconds and say the same
_TREES = 100


def insight(trials: Sequence[Trial], config: SweepConfig) -> Insight:
    """What the trials that have ended tell, in whatever order they come.

    The forest behind `weights` takes scikit-learn (`lineal[sweeps]`); where that is missing, `weights` are empty.
    """
    if not config.objectives:
        return Insight()
    ended = sorted((each for each in trials if each.state in ("finished", "stopped")), key=lambda each: each.number)
    feasible = [each for each in ended if each.feasible]
    first = config.objectives[0]
    return Insight(
        best_so_far=_best_so_far(feasible, first),
        front=front(feasible, config.objectives),
        weights=_weights([each for each in ended if _known(each, [first])], config),
    )


def _known(trial: Trial, objectives: Sequence[Objective]) -> bool:
    return all(math.isfinite(trial.values.get(each.name, math.nan)) for each in objectives)


def _best_so_far(trials: Sequence[Trial], objective: Objective) -> tuple[tuple[int, float], ...]:
    better = max if objective.goal == "maximize" else min
    found: list[tuple[int, float]] = []
    for trial in trials:
        if _known(trial, [objective]):
            value = trial.values[objective.name]
            found.append((trial.number, better(value, found[-1][1]) if found else value))
    return tuple(found)


def front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> tuple[int, ...]:
    """The numbers of the trials that no other is better than in one objective and at least as good as in all."""
    costs = sorted(
        (tuple((-1 if o.goal == "maximize" else 1) * each.values[o.name] for o in objectives), each.number)
        for each in trials
        if _known(each, objectives)
    )
    kept: list[tuple[tuple[float, ...], int]] = []
    for cost, number in costs:  # cheapest in the first objective first, so none is beaten by one that comes later
        if not any(other != cost and all(a <= b for a, b in zip(other, cost, strict=True)) for other, _ in kept):
            kept.append((cost, number))
    return tuple(sorted(number for _, number in kept))


# ---- which parameters matter ---------------------------------------------------------------------------------


def _weights(trials: Sequence[Trial], config: SweepConfig) -> tuple[Weight, ...]:
    """The weights, from the ranks of the first objective, so that one trial which went astray doesn't decide."""
    parameters = [
        each for each in config.space.parameters if each.distribution != "constant" and len(each.values) != 1
    ]
    if len(trials) < _FEWEST or not parameters:
        return ()
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError:
        return ()
    import numpy as np

    trials = trials[-_MOST:]
    target = _ranks(np.array([each.values[config.objectives[0].name] for each in trials]))
    columns = [_columns(parameter, trials) for parameter in parameters]
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=config.seed % (1 << 32))
    forest.fit(np.column_stack([column for own in columns for column in own]), target)
    owners = np.repeat(np.arange(len(columns)), [len(own) for own in columns])
    shares = np.bincount(owners, weights=forest.feature_importances_, minlength=len(columns))
    total = shares.sum() or 1.0  # none where every trial came to the same
    found = [
        Weight(parameter.name, float(share / total), _correlation(parameter, trials, target))
        for parameter, share in zip(parameters, shares, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -each.importance))


def _ordered(parameter: Parameter) -> bool:
    return all(isinstance(value, int | float) for value in parameter.values)


def _columns(parameter: Parameter, trials: Sequence[Trial]) -> list[Column]:
    """The parameter as a forest sees it: a column, or without an order one for each value.

    Where it isn't active it is nothing out of the ordinary, so that the parameter which decides so gets the credit.
    """
    import numpy as np

    if not _ordered(parameter):
        given = [key(trial.params[parameter.name]) if parameter.name in trial.params else None for trial in trials]
        occurring = dict.fromkeys(mark for mark in given if mark is not None)
        return [np.array([float(mark == own) for mark in given]) for own in occurring] or [np.zeros(len(trials))]
    column = np.array([trial.params.get(parameter.name, math.nan) for trial in trials], dtype=float)
    known = column[np.isfinite(column)]
    return [np.where(np.isfinite(column), column, np.median(known) if len(known) else 0.0)]


def _correlation(parameter: Parameter, trials: Sequence[Trial], target: Column) -> float | None:
    """Spearman's, over the trials where the parameter is active; None where that says nothing."""
    import numpy as np

    if not _ordered(parameter):
        return None
    column = np.array([trial.params.get(parameter.name, math.nan) for trial in trials], dtype=float)
    known = np.isfinite(column)
    ours, theirs = _ranks(column[known]), _ranks(target[known])
    if known.sum() < _FEWEST or not ours.std() or not theirs.std():
        return None
    return float(np.clip(np.corrcoef(ours, theirs)[0, 1], -1, 1))


def _ranks(values: Column) -> Column:
    """Each value's rank; those that are equal share the mean of theirs."""
    import numpy as np

    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks: Column = (last - (count - 1) / 2)[place.reshape(-1)]
    return ranks
