"""How much a row promises: the logarithm of expected improvement, times the probability that constraints are met.

Numerically safe far from any improvement, as Ament et al. (Unexpected Improvements, NeurIPS 2023) have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp

if TYPE_CHECKING:
    from lineal.sweeps.arrays import Floats
    from lineal.sweeps.process import Process

_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Promise:
    """What is maximised. `objective` (lower is better) has a column of targets for each fantasy, `bests` the best of
    each; None where nothing feasible is known. A constraint is met where its process is at most its `limits`.
    """

    objective: Process | None
    bests: Floats
    constraints: tuple[Process, ...] = ()
    limits: tuple[float, ...] = ()

    @property
    def divisors(self) -> Floats:
        """Length scales by column, in which the search for the maximum is best done."""
        return (self.objective or self.constraints[0]).divisors

    def at(self, rows: Floats) -> Floats:
        """The promise of embedded rows."""
        total = np.zeros(len(rows))
        if self.objective is not None:
            means, deviations = self.objective.predict(rows)
            gains = log_gain((self.bests - means) / deviations[:, None]) + np.log(deviations)[:, None]
            total += logsumexp(gains, axis=1) - np.log(len(self.bests))
        for process, limit in zip(self.constraints, self.limits, strict=True):
            means, deviations = process.predict(rows)
            total += log_ndtr((limit - means[:, 0]) / deviations)
        return total

    def with_slope(self, row: Floats) -> tuple[float, Floats]:
        """The promise of one embedded row, and its slope along the row's columns in units of the row."""
        total, slope = 0.0, np.zeros(len(row))
        if self.objective is not None:
            process = self.objective
            means, deviation, mean_slopes, deviation_slope = process.predict_with_slope(row / process.divisors)
            z = (self.bests - means) / deviation
            gains = log_gain(z)
            top = gains.max()
            shares = np.exp(gains - top)
            total += top + np.log(shares.mean()) + np.log(deviation)
            shares /= shares.sum()
            # d log(s h(z)) = (h'(z) dz + h ds/s) / h, with h' = Phi and h - z Phi = phi
            by_mean = -np.exp(log_ndtr(z) - gains) / deviation
            by_deviation = np.exp(-0.5 * z * z - _LOG_ROOT_2PI - gains) / deviation
            along = mean_slopes @ (shares * by_mean) + deviation_slope * float(shares @ by_deviation)
            slope += along / process.divisors
        for process, limit in zip(self.constraints, self.limits, strict=True):
            means, deviation, mean_slopes, deviation_slope = process.predict_with_slope(row / process.divisors)
            z = (limit - float(means[0])) / deviation
            chance = float(log_ndtr(z))
            total += chance
            steep = np.exp(-0.5 * z * z - _LOG_ROOT_2PI - chance) / deviation
            slope += steep * (-mean_slopes[:, 0] - z * deviation_slope) / process.divisors
        return float(total), slope


def log_gain(z: Floats) -> Floats:
    """log(phi(z) + z Phi(z)): of how much a standard normal variable is expected to exceed -z, for any z."""
    result = np.empty_like(z)
    near = z > -1
    result[near] = np.log(np.exp(-0.5 * z[near] ** 2 - _LOG_ROOT_2PI) + z[near] * np.exp(log_ndtr(z[near])))
    far = z < -1e5
    result[far] = -0.5 * z[far] ** 2 - _LOG_ROOT_2PI - 2 * np.log(-z[far])
    middle = ~near & ~far
    t = -z[middle]
    rest = np.log(t * erfcx(t * np.sqrt(0.5))) + 0.5 * np.log(np.pi / 2)
    result[middle] = -0.5 * t * t - _LOG_ROOT_2PI + np.log(-np.expm1(np.minimum(rest, -1e-17)))
    return result
