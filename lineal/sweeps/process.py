"""A Gaussian process: Matérn 5/2 with a length scale for each parameter, on rows as `encoding` embeds them.

Rasmussen and Williams, Gaussian Processes for Machine Learning, chapters 2, 4 and 5. The scales' prior grows with the
number of parameters, as Hvarfner, Hellsten and Nardi (ICML 2024) have it, so that many of them are no curse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dtrtri
from scipy.optimize import minimize

if TYPE_CHECKING:
    from lineal.sweeps.encoding import Floats, Ints

ROOT5 = np.sqrt(5.0)
LEVEL = 1.0  # variance of the process's mean, which is so integrated out
_BOUNDS = {"scale": (-4.6, 6.9), "variance": (-6.9, 6.9), "noise": (-13.8, 2.3)}  # logarithms
_SCALE_CENTRE, _SCALE_GROWTH = np.sqrt(2.0) - 3.0, 0.5
_SCALE_SPREAD = 1.0
_VARIANCE_PRIOR = (0.0, 1.0)  # of the logarithm: mean and deviation
_NOISE_PRIOR = (-9.0, 3.0)


@dataclass(frozen=True)
class Hyper:
    """What is fitted: a length scale for each parameter, the variance, the noise's variance.

    `evidence` is the logarithm of how probable they and the targets are together, but for a constant.
    """

    scales: Floats
    variance: float
    noise: float
    evidence: float = 0.0


@dataclass(frozen=True)
class Process:
    """The process, conditioned on rows (`x`: embedded, in length scales) and their targets."""

    hyper: Hyper
    owners: Ints
    x: Floats
    targets: Floats

    @cached_property
    def root(self) -> Floats:
        """The inverse of the Cholesky factor of the rows' covariance."""
        factor = _factor(self.covariance(self.x, self.x), self.hyper.noise)
        inverse: Floats = dtrtri(factor, lower=1)[0]
        return inverse

    @cached_property
    def weights(self) -> Floats:
        return self.root.T @ (self.root @ self.targets)

    @property
    def divisors(self) -> Floats:
        return self.hyper.scales[self.owners]

    def covariance(self, left: Floats, right: Floats) -> Floats:
        return self.hyper.variance * _matern(_distances(left, right)) + LEVEL

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Means and deviations at embedded rows."""
        cross = self.covariance(rows / self.divisors, self.x)
        explained = cross @ self.root.T
        rest = self.hyper.variance + LEVEL - np.einsum("ij,ij->i", explained, explained)
        return cross @ self.weights, np.sqrt(np.maximum(rest, 1e-12))

    def predict_with_slope(self, row: Floats) -> tuple[float, float, Floats, Floats]:
        """Mean and deviation at one embedded row that is in length scales, and their slopes along its columns."""
        steps = row - self.x
        distance = ROOT5 * np.sqrt(np.einsum("ij,ij->i", steps, steps))
        decay = self.hyper.variance * np.exp(-distance)
        cross = decay * (1 + distance + distance * distance / 3) + LEVEL
        slopes = (-5 / 3 * decay * (1 + distance))[:, None] * steps
        explained = self.root @ cross
        deviation = np.sqrt(max(self.hyper.variance + LEVEL - explained @ explained, 1e-12))
        return (
            float(cross @ self.weights),
            float(deviation),
            slopes.T @ self.weights,
            -(slopes.T @ (self.root.T @ explained)) / deviation,
        )

    def extended(self, rows: Floats, targets: Floats) -> Process:
        """The process that knows these embedded rows as well."""
        x = np.vstack([self.x, rows / self.divisors])
        return Process(self.hyper, self.owners, x, np.concatenate([self.targets, targets]))


def fit(rows: Floats, owners: Ints, targets: Floats, *, start: Hyper | None = None, rounds: int = 60) -> Hyper:
    """The most probable hyperparameters given the embedded rows and standardised targets.

    `rounds` bounds the steps of L-BFGS from `start`, or from what the priors expect.
    """
    width = int(owners.max()) + 1
    centre = _SCALE_CENTRE + _SCALE_GROWTH * np.log(width)
    middles = np.array([centre] * width + [_VARIANCE_PRIOR[0], _NOISE_PRIOR[0]])
    spreads = np.array([_SCALE_SPREAD] * width + [_VARIANCE_PRIOR[1], _NOISE_PRIOR[1]])
    spread_out = np.zeros((len(owners), width))
    spread_out[np.arange(len(owners)), owners] = 1.0

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, slope = _likelihood(theta, rows, owners, spread_out, targets)
        off = (theta - middles) / spreads
        return -value + 0.5 * float(off @ off), -slope + off / spreads

    if start is None:
        begin = np.array([centre] * width + [0.0, -7.0])
    else:
        begin = np.log(np.concatenate([start.scales, [start.variance, start.noise]]))
    bounds = [_BOUNDS["scale"]] * width + [_BOUNDS["variance"], _BOUNDS["noise"]]
    low, high = np.array(bounds).T
    found = minimize(
        loss,
        np.clip(begin, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": rounds, "maxfun": rounds * 2, "ftol": 1e-5, "gtol": 1e-3},
    )
    best = np.exp(found.x)
    return Hyper(best[:width], float(best[width]), float(best[width + 1]), -float(found.fun))


def condition(rows: Floats, owners: Ints, targets: Floats, hyper: Hyper) -> Process:
    """The process given embedded rows and one target for each."""
    return Process(hyper, owners, rows / hyper.scales[owners], targets)


def _likelihood(
    theta: Floats, rows: Floats, owners: Ints, spread_out: Floats, targets: Floats
) -> tuple[float, Floats]:
    """The logarithm of the targets' probability but for a constant, and its slope."""
    width = spread_out.shape[1]
    scales, variance, noise = np.exp(theta[:width]), float(np.exp(theta[width])), float(np.exp(theta[width + 1]))
    x = rows / scales[owners]
    distance = ROOT5 * _distances(x, x)
    decay = variance * np.exp(-distance)
    matern = decay * (1 + distance + distance * distance / 3)
    factor = _factor(matern + LEVEL, noise)
    inverse, _ = dpotri(factor, lower=1)
    lower = np.tril(inverse)
    inverse = lower + np.tril(inverse, -1).T
    weights = inverse @ targets
    value = -0.5 * float(targets @ weights) - float(np.log(np.diag(factor)).sum())
    pull = np.outer(weights, weights) - inverse
    tension = pull * decay * (1 + distance)  # times the squared step along a column: the slope by its scale
    along = tension.sum(1) @ (x * x) - np.einsum("ij,ij->j", x, tension @ x)
    slope = np.concatenate(
        [5 / 3 * (along @ spread_out), [0.5 * float(np.sum(pull * matern)), 0.5 * noise * float(np.trace(pull))]]
    )
    return value, slope


def _factor(covariance: Floats, noise: float) -> Floats:
    """The lower Cholesky factor with the noise on the diagonal, and more where rounding needs it."""
    factor: Floats
    for extra in (0.0, 1e-8, 1e-6, 1e-4, 1e-2):
        factor, failed = dpotrf(covariance + (noise + extra) * np.eye(len(covariance)), lower=1, clean=1)
        if not failed:
            return factor
    raise np.linalg.LinAlgError("the covariance is not positive definite")


def _distances(left: Floats, right: Floats) -> Floats:
    squares = np.einsum("ij,ij->i", left, left)[:, None] + np.einsum("ij,ij->i", right, right) - 2 * left @ right.T
    distances: Floats = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _matern(distance: Floats) -> Floats:
    scaled = ROOT5 * distance
    falling: Floats = (1 + scaled + scaled * scaled / 3) * np.exp(-scaled)
    return falling
