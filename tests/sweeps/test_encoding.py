"""Points as rows of numbers, and back."""

from __future__ import annotations

import numpy as np

from lineal.sweeps.encoding import IDLE, NONE, Encoding

from .spaces import MIXED, SMALL


def test_rows_at_random_are_those_of_points():
    encoding = Encoding(MIXED)
    rows = encoding.draw(np.random.default_rng(0), 100)
    again, fit = encoding.rows([encoding.point(row) for row in rows])
    assert fit.all()
    assert np.allclose(again, rows, atol=1e-2)  # a quantised value has a place of its own


def test_what_is_inactive_stands_idle():
    encoding = Encoding(MIXED)
    rows, fit = encoding.rows([{"lr": 0.1, "layers": 1, "kind": True, "fixed": 7}])
    assert fit.all()
    assert rows[0, 3:].tolist() == [IDLE, IDLE, NONE]


def test_a_point_without_an_active_number_does_not_fit():
    _, fit = Encoding(SMALL).rows([{"c": "a"}, {"n": "x", "c": "a"}, {"n": 1, "c": "a"}])
    assert fit.tolist() == [False, False, True]


def test_any_two_choices_are_at_distance_one():
    encoding = Encoding(SMALL)
    embedded = encoding.embed(encoding.rows([{"n": 2, "c": c} for c in ("a", "b", True)])[0])
    distances = np.linalg.norm(embedded[:, None] - embedded[None], axis=2)
    assert np.allclose(distances, 1 - np.eye(3))


def test_the_size_counts_all_points_or_says_that_there_is_no_end_of_them():
    assert Encoding(SMALL).size == 9
    assert Encoding(MIXED).size is None
