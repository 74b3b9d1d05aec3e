"""Bending values towards a normal distribution."""

from __future__ import annotations

import numpy as np
import pytest

from lineal.sweeps.bend import _power, bent, exponent


def skew(values):
    return float((((values - values.mean()) / values.std()) ** 3).mean())


@pytest.mark.parametrize("seed", range(5))
def test_a_long_tail_becomes_a_short_one_and_the_order_stays(seed):
    values = np.random.default_rng(seed).lognormal(0, 1, 60)
    even = (values - values.mean()) / values.std()
    by = exponent(even)
    found, _ = bent(even, by)
    assert by < 1
    assert abs(skew(found)) < abs(skew(even)) / 2
    assert (np.argsort(found) == np.argsort(values)).all()
    assert np.allclose([found.mean(), found.std()], [0, 1])


def test_what_is_normal_already_stays_nearly_as_it_is():
    values = np.random.default_rng(0).normal(size=400)
    even = (values - values.mean()) / values.std()
    found, _ = bent(even, exponent(even))
    assert np.abs(found - even).max() < 0.3


def test_an_exponent_of_one_changes_nothing():
    values = np.array([-1.0, 0.0, 1.0])
    even = values / values.std()
    found, slopes = bent(even, 1.0)
    assert np.allclose(found, even)
    assert np.allclose(slopes, 0)


def test_the_slopes_are_those_of_the_bend():
    values, by, small = np.array([-1.3, -0.4, 0.1, 0.6, 1.0]), np.array([0.3]), 1e-6
    rise = (_power(values + small, by) - _power(values - small, by))[0] / (2 * small)
    assert np.allclose(bent(values, 0.3)[1], np.log(rise / _power(values, by)[0].std()), atol=1e-6)


@pytest.mark.parametrize("values", [np.zeros(5), np.array([0.0]), np.array([1e-300, -1e-300])])
def test_values_that_do_not_differ_are_zeros(values):
    with np.errstate(all="ignore"):
        found, slopes = bent(values, exponent(values))
    assert not found.any()
    assert not slopes.any()


def test_a_terrible_value_overflows_nothing():
    with np.errstate(all="ignore"):
        found, slopes = bent(np.array([-0.3, -0.2, -0.1, 9.0]), exponent(np.array([-0.3, -0.2, -0.1, 9.0])))
    assert np.isfinite(found).all()
    assert np.isfinite(slopes).all()
