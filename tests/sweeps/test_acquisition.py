"""What a row promises."""

from __future__ import annotations

import numpy as np
from scipy.optimize import approx_fprime

from lineal.sweeps import process
from lineal.sweeps.acquisition import Promise, log_gain

RANDOM = np.random.default_rng(0)
OWNERS = np.array([0, 1])
ROWS = RANDOM.random((12, 2))
HYPER = process.Hyper(np.array([0.5, 0.7]), 1.0, 0.01)


def model():
    return process.condition(ROWS, OWNERS, RANDOM.standard_normal(12), HYPER)


def test_the_logarithm_of_a_gain_is_finite_and_rises_everywhere():
    z = np.concatenate([-np.logspace(8, -3, 400), np.logspace(-3, 2, 50)])
    found = log_gain(z)
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()
    assert np.allclose(np.exp(log_gain(np.array([0.0, 3.0]))), [0.398942, 3.000382])


def test_slopes_are_right_with_constraints_and_without_objective():
    for promise in (
        Promise(model(), -0.5),
        Promise(model(), -4.0, (model(), model())),
        Promise(None, 0.0, (model(),)),
    ):
        row = RANDOM.random(2)
        value, slope = promise.with_slope(row)
        assert np.isclose(value, promise.at(row[None])[0])
        assert np.allclose(
            slope, approx_fprime(row, lambda r, p=promise: p.at(r[None])[0], 1e-7), rtol=1e-3, atol=1e-3
        )
