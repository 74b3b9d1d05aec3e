"""How much a row promises: the logarithm of expected improvement, times the probability that constraints are met.

Numerically safe far from any improvement, as Ament et al. (Unexpected Improvements, NeurIPS 2023) have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erfcx, log_ndtr

if TYPE_CHECKING:
    from lineal.sweeps.encoding import Floats
    from lineal.sweeps.process import Process

_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Promise:
    """What is maximised: that `objective` comes out below `best`, while each of `constraints` comes out at most 0.

    Where nothing feasible is known there is no objective yet.
    """

    objective: Process | None
    best: float
    constraints: tuple[Process, ...] = ()

    @property
    def divisors(self) -> Floats:
        """Length scales by column, in which the search for the maximum is best done."""
        return (self.objective or self.constraints[0]).divisors

    def at(self, rows: Floats) -> Floats:
        """The promise of embedded rows."""
        total = np.zeros(len(rows))
        if self.objective is not None:
            means, deviations = self.objective.predict(rows)
            total += log_gain((self.best - means) / deviations) + np.log(deviations)
        for process in self.constraints:
            means, deviations = process.predict(rows)
            total += log_ndtr(-means / deviations)
        return total

    def with_slope(self, row: Floats) -> tuple[float, Floats]:
        """The promise of one embedded row, and its slope along the row's columns in units of the row."""
        total, slope = 0.0, np.zeros(len(row))
        if self.objective is not None:
            process = self.objective
            mean, deviation, mean_slope, deviation_slope = process.predict_with_slope(row / process.divisors)
            z = (self.best - mean) / deviation
            gain = float(log_gain(np.array([z]))[0])
            total += gain + np.log(deviation)
            # d log(s h(z)) = (s h'(z) dz + h ds) / (s h), where h' is Phi and h - z Phi is phi
            by_mean = -np.exp(log_ndtr(z) - gain)
            by_deviation = np.exp(-0.5 * z * z - _LOG_ROOT_2PI - gain)
            slope += (by_mean * mean_slope + by_deviation * deviation_slope) / (deviation * process.divisors)
        for process in self.constraints:
            mean, deviation, mean_slope, deviation_slope = process.predict_with_slope(row / process.divisors)
            z = -mean / deviation
            chance = float(log_ndtr(z))
            total += chance
            steep = np.exp(-0.5 * z * z - _LOG_ROOT_2PI - chance)
            slope -= steep * (mean_slope + z * deviation_slope) / (deviation * process.divisors)
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
