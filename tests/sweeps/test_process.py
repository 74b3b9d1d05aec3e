"""A Gaussian process: its slopes, and what it learns."""

from __future__ import annotations

import numpy as np
from scipy.optimize import approx_fprime

from lineal.sweeps import process

RANDOM = np.random.default_rng(0)
OWNERS = np.array([0, 1, 2, 2])
ROWS = RANDOM.random((15, 4))
TARGETS = RANDOM.standard_normal(15)
HYPER = process.Hyper(np.array([0.5, 0.7, 1.0]), 1.3, 0.01)


def test_slopes_of_the_likelihood_are_right():
    spread_out = np.zeros((4, 3))
    spread_out[np.arange(4), OWNERS] = 1
    theta = 0.5 * RANDOM.standard_normal(5)
    _, slope = process._likelihood(theta, ROWS, OWNERS, spread_out, TARGETS)
    near = approx_fprime(theta, lambda t: process._likelihood(t, ROWS, OWNERS, spread_out, TARGETS)[0], 1e-6)
    assert np.allclose(slope, near, atol=1e-4)


def test_the_process_goes_through_what_is_known_but_for_noise():
    model = process.condition(ROWS, OWNERS, TARGETS, process.Hyper(HYPER.scales, 1.3, 1e-6))
    means, deviations = model.predict(ROWS)
    assert np.allclose(means, TARGETS, atol=1e-2)
    assert (deviations < 0.01).all()


def test_one_row_with_slopes_is_predicted_like_many():
    model = process.condition(ROWS, OWNERS, TARGETS, HYPER)
    row = RANDOM.random(4)
    mean, deviation, _, _ = model.predict_with_slope(row / model.divisors)
    means, deviations = model.predict(row[None])
    assert np.allclose([mean, deviation], [means[0], deviations[0]])


def test_an_extended_process_knows_more():
    model = process.condition(ROWS, OWNERS, TARGETS, HYPER)
    row = np.full((1, 4), 0.5)
    assert model.extended(row, np.array([9.0])).predict(row)[0][0] > 5
    assert model.extended(row, model.predict(row)[0]).predict(row)[1][0] < model.predict(row)[1][0]


def test_a_fit_tells_what_matters_and_how_noisy_it_is():
    rows = RANDOM.random((60, 2))
    targets = np.sin(6 * rows[:, 0]) + 0.3 * RANDOM.standard_normal(60)
    found = process.fit(rows, np.array([0, 1]), targets)
    assert found.scales[1] > 2 * found.scales[0]
    assert 0.03 < found.noise < 0.3
