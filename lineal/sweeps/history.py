"""The evidence of a sweep as arrays: what was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lineal.sweeps.targets import ranks

if TYPE_CHECKING:
    from lineal.sweeps.encoding import Encoding, Floats, Mask
    from lineal.sweeps.search import Evidence, Plan


@dataclass(frozen=True)
class History:
    """Rows that were tried, oldest first. `objectives`: lower is better, NaN where there are none; `excess` likewise.

    A trial is `ended` with objectives or `failed` without; else it is pending.
    """

    rows: Floats
    objectives: Floats
    excess: Floats
    ended: Mask
    failed: Mask

    @property
    def pending(self) -> Mask:
        return ~self.ended & ~self.failed

    @property
    def feasible(self) -> Mask:
        """Ended with all constraints met; unknown excesses count as broken."""
        return self.ended & (self.excess <= 0).all(axis=1)

    def taken(self, chosen: Mask) -> History:
        """The part of it that is chosen."""
        return History(
            self.rows[chosen], self.objectives[chosen], self.excess[chosen], self.ended[chosen], self.failed[chosen]
        )


def read(encoding: Encoding, plan: Plan, evidence: Sequence[Evidence]) -> History:
    """The history of what fits into the present space."""
    rows, fit = encoding.rows([one.point for one in evidence])
    signs = np.array([-1.0 if goal == "maximize" else 1.0 for goal in plan.goals])
    objectives = np.full((len(evidence), len(signs)), np.nan)
    excess = np.full((len(evidence), plan.constraint_count), np.nan)
    failed = np.array([one.failed for one in evidence], dtype=bool)
    for index, one in enumerate(evidence):
        if one.values is not None and not one.failed:
            objectives[index] = signs * np.array(one.values, dtype=float)
            if one.excess:
                excess[index] = one.excess
    told = np.array([one.values is not None for one in evidence], dtype=bool)
    ended = ~failed & np.isfinite(objectives).all(axis=1)
    excess = np.nan_to_num(excess, nan=np.nan, posinf=np.finfo(float).max, neginf=-np.finfo(float).max)
    return History(rows, objectives, excess, ended, failed | (told & ~ended)).taken(fit)


def merit(history: History) -> Floats:
    """Lower is better: first what is feasible, by its objective or its front, then the rest, last what failed."""
    merit = np.full(len(history.rows), np.inf)
    ended = np.flatnonzero(history.ended)
    values = history.objectives[ended]
    merit[ended] = np.argsort(np.argsort(values[:, 0])) if values.shape[1] == 1 else ranks(values)
    merit[history.ended & ~history.feasible] += len(merit)
    return merit
