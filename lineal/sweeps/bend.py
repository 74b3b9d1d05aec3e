"""Bending a scale so that values on it lie as a normal distribution has them: the power transform of Yeo and Johnson.

Yeo and Johnson, A New Family of Power Transformations to Improve Normality or Symmetry, Biometrika 87 (2000). Many
objectives have a few terrible values and many that differ little where it matters; a Gaussian process learns more
from them once they are bent. The order of values stays, and zero stays zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lineal.sweeps.encoding import Floats

_LEAST, _LARGEST = -4.0, 6.0  # exponents that are looked at; 1 changes nothing


def exponent(values: Floats) -> float:
    """The exponent with which the standardised values are bent most nearly to a normal distribution."""
    step = (_LARGEST - _LEAST) / 32
    tried = np.linspace(_LEAST, _LARGEST, 33)
    for _ in range(3):
        likely = _likelihood(values, tried)
        best = float(tried[np.argmax(np.where(np.isfinite(likely), likely, -np.inf))])
        tried = np.clip(np.linspace(best - step, best + step, 17), _LEAST, _LARGEST)
        step /= 8
    return best


def bent(values: Floats, exponent: float) -> tuple[Floats, Floats]:
    """The values bent and standardised again, and the logarithm of the bend's slope at each.

    Added to the logarithm of a density of the bent values, it makes one of the values. All zeros where nothing tells
    them apart any more.
    """
    found = _power(values, np.array([exponent]))[0]
    deviation = float(found.std())
    if not deviation > 1e-9:
        return np.zeros_like(values), np.zeros_like(values)
    return (found - found.mean()) / deviation, (exponent - 1) * _stretch(values) - np.log(deviation)


def _power(values: Floats, exponents: Floats) -> Floats:
    """The values bent with each of the exponents, a row for each."""
    logarithms = np.log1p(np.abs(values))
    by = np.where(values >= 0, exponents[:, None], 2 - exponents[:, None])
    zero = np.abs(by) < 1e-9
    safe = np.where(zero, 1.0, by)
    grown: Floats = np.sign(values) * np.where(zero, logarithms, np.expm1(safe * logarithms) / safe)
    return grown


def _likelihood(values: Floats, exponents: Floats) -> Floats:
    """The logarithm of how probable the values are for each exponent, at the best mean and deviation."""
    with np.errstate(divide="ignore"):
        spread = np.log(_power(values, exponents).var(axis=1))
    likely: Floats = -0.5 * len(values) * spread + (exponents - 1) * float(_stretch(values).sum())
    return likely


def _stretch(values: Floats) -> Floats:
    stretch: Floats = np.sign(values) * np.log1p(np.abs(values))
    return stretch
