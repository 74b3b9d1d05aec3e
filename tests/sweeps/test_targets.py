"""Outcomes as numbers to learn from."""

from __future__ import annotations

import numpy as np

from lineal.sweeps.targets import centred, ranks, scalar, standard


def test_values_are_standardised_in_their_order():
    values = np.array([3.0, 1.0, 2.0, 10.0])
    found = standard(values)
    assert np.allclose([found.mean(), found.std()], [0, 1])
    assert (np.argsort(found) == np.argsort(values)).all()


def test_one_terrible_value_does_not_level_the_others():
    assert np.ptp(standard(np.array([1.0, 2.0, 3.0, 1e300]))[:3]) > 0.3


def test_equal_values_are_all_zero():
    assert not standard(np.full(4, 1e300)).any()


def test_an_excess_keeps_its_sign():
    found = centred(np.array([-1e300, -1.0, 0.0, 2.0, 3.0]))
    assert (np.sign(found) == [-1, -1, 0, 1, 1]).all()
    assert np.abs(found).max() <= 5


def test_weights_choose_points_of_the_front():
    front = np.column_stack([np.linspace(0, 1, 9), np.linspace(1, 0, 9) ** 2])
    rows = np.vstack([front, front + 0.3])
    chosen = {int(np.argmin(scalar(rows, np.random.default_rng(n)))) for n in range(40)}
    assert max(chosen) < 9
    assert len(chosen) > 3


def test_ranks_number_the_fronts():
    assert ranks(np.array([[0, 1], [1, 0], [1, 1], [2, 2], [0, 1]])).tolist() == [0, 0, 1, 2, 0]
