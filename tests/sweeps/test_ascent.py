"""The search for the most promising row."""

from __future__ import annotations

import numpy as np

from lineal.sweeps import ascent, process
from lineal.sweeps.acquisition import Promise
from lineal.sweeps.encoding import Encoding

from .spaces import MIXED, SMALL


def promise_of(encoding):
    rows = encoding.draw(np.random.default_rng(0), 12)
    hyper = process.Hyper(np.full(encoding.width, 0.5), 1.0, 1e-4)
    known = encoding.embed(rows)
    return rows, Promise(process.condition(known, encoding.owners, rows[:, 0], hyper), 0.2)


def test_the_first_row_promises_the_most():
    encoding = Encoding(MIXED)
    rows, promise = promise_of(encoding)
    ranked = np.array(list(ascent.ranked(encoding, promise, rows[:3], np.random.default_rng(1))))
    values = promise.at(encoding.embed(ranked))
    assert values[0] >= values.max() - 1e-9
    assert np.allclose(encoding.settle(ranked), ranked)
    elsewhere = encoding.draw(np.random.default_rng(2), 3000)
    assert values[0] >= promise.at(encoding.embed(elsewhere)).max()


def test_a_small_space_is_looked_through():
    encoding = Encoding(SMALL)
    rows, promise = promise_of(encoding)
    ranked = list(ascent.ranked(encoding, promise, rows[:3], np.random.default_rng(1)))
    assert len({tuple(row) for row in ranked}) == 9
