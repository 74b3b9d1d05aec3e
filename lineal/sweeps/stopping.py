"""Which trials end early: hyperband, as the schema of W&B's sweeps has it.

A trial is looked at when it reaches a band, a number of iterations: how often it logged the metric. It goes on if its
best so far is among the best 1/eta of what all trials had there. L. Li and others, Hyperband: A Novel Bandit-Based
Approach to Hyperparameter Optimization, JMLR 18 (2018), and its asynchronous form, successive halving by arrival.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile

from lineal.sweeps.model import Goal

_FARTHEST, _MOST = 1 << 40, 1000
_SHARES = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 10: "tenth"}


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Bands grow by `eta` from `min_iter` on, or shrink by it from `max_iter`, `s` times or while there are any.

    A trial goes on as one of the best 1/eta, counted up to the next whole trial, so that of few trials one more does;
    `strict` counts down.
    """

    min_iter: int | None = None
    max_iter: int | None = None
    s: int | None = None
    eta: float = 3
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a trial is: its iterations, the best finite value, and what that was at each band it reached.

    A band that it reached without a finite value is missing from `bands`.
    """

    iterations: int = 0
    best: float | None = None
    bands: Mapping[int, float] = field(default_factory=dict)


@lru_cache(maxsize=256)
def bands(hyperband: Hyperband) -> tuple[int, ...]:
    """The iterations at which trials are looked at, the first one first; from `min_iter` on up to 2**40."""
    if hyperband.min_iter is not None:
        grown = (hyperband.min_iter * hyperband.eta**step for step in range(_MOST))
        found = {int(band) for band in takewhile(lambda band: band <= _FARTHEST, grown)}
    elif hyperband.max_iter is not None:
        steps = range(1, min(hyperband.s or _MOST, _MOST) + 1)
        shrunk = (hyperband.max_iter * hyperband.eta**-step for step in steps)
        # 27 * 3**-3 may come to a hair less than 1, which it is.
        found = {int(band + 1e-9) for band in takewhile(lambda band: band >= 1 - 1e-9, shrunk)}
    else:
        found = set()
    return tuple(sorted(found))


def advance(progress: Progress, values: Sequence[float], hyperband: Hyperband, goal: Goal) -> Progress:
    """The progress once `values` were logged, oldest first. What is not finite is an iteration without a gain."""
    at = frozenset(bands(hyperband))
    iterations, best, reached = progress.iterations, progress.best, dict(progress.bands)
    for value in values:
        iterations += 1
        if math.isfinite(value) and (best is None or _better(value, best, goal)):
            best = value
        if iterations in at and best is not None:
            reached[iterations] = best
    return Progress(iterations, best, reached)


def verdict(hyperband: Hyperband, goal: Goal, mine: Progress, others: Sequence[Progress], since: int) -> str | None:
    """Why the trial should stop, None if it may go on: it is looked at where it passed a band since.

    `since`: how many iterations it had before. `others`: all other trials, in any order, those that ended as well.
    """
    all_bands = bands(hyperband)
    for number, band in enumerate(all_bands, 1):
        if since < band <= mine.iterations and (why := _why_not(hyperband, goal, mine, others, band)):
            of = f" of {len(all_bands)}" if hyperband.max_iter is not None else ""
            return f"hyperband at iteration {band} (band {number}{of}: {why})"
    return None


def _why_not(hyperband: Hyperband, goal: Goal, mine: Progress, others: Sequence[Progress], band: int) -> str | None:
    theirs = [other.bands[band] for other in others if band in other.bands]
    if band not in mine.bands:
        return "no finite value so far, and others had some" if theirs else None
    value = mine.bands[band]
    ranked = sorted([value, *theirs], reverse=goal == "maximize")
    share = len(ranked) / hyperband.eta
    going_on = max(1, math.floor(share) if hyperband.strict else math.ceil(share))
    last = ranked[going_on - 1]
    if not _better(last, value, goal):
        return None
    return f"{value:.6g} is not among the best {_share(hyperband.eta)}, {last:.6g}"


def _better(value: float, than: float, goal: Goal) -> bool:
    return value > than if goal == "maximize" else value < than


def _share(eta: float) -> str:
    return _SHARES.get(int(eta), f"1 in {int(eta)}") if eta == int(eta) else f"1 in {eta:g}"
