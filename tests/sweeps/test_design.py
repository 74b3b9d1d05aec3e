"""The first points, and that none is tried twice."""

from __future__ import annotations

import numpy as np

from lineal.sweeps.design import spread, unseen
from lineal.sweeps.encoding import Encoding
from lineal.sweeps.history import read
from lineal.sweeps.search import Evidence, Plan

from .spaces import PLANE


def test_the_first_points_fill_the_space_evenly():
    encoding = Encoding(PLANE)
    rows = np.array([next(spread(encoding, 3, number, np.random.default_rng(0))) for number in range(16)])
    for column in rows.T:
        assert sorted((column * 16).astype(int)) == list(range(16))


def test_the_first_row_that_nobody_tried_is_taken():
    encoding = Encoding(PLANE)
    history = read(encoding, Plan("bayes", ("minimize",), 0), [Evidence({"x": 0.5, "y": 0.5}, None)])
    rows = np.array([[0.5, 0.5], [0.5, 0.6]])
    assert unseen(encoding, history, rows).tolist() == [0.5, 0.6]
    assert unseen(encoding, history, rows[:1]).tolist() == [0.5, 0.5]
