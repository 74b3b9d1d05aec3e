"""What only the Parzen estimators do; what they share with others is in test_search.py."""

from __future__ import annotations

import numpy as np

from lineal.sweeps.encoding import Encoding
from lineal.sweeps.tpe import Parzen

from .spaces import MIXED, PLANE


def test_a_density_is_one_over_the_whole_space():
    encoding = Encoding(PLANE)
    density = Parzen(encoding, np.array([[0.0, 0.9], [0.5, 0.5], [0.55, 0.5]]))
    grid = (np.stack(np.meshgrid(np.arange(200), np.arange(200)), -1).reshape(-1, 2) + 0.5) / 200
    assert np.isclose(np.exp(density.log_density(grid)).mean(), 1, atol=0.01)


def test_draws_are_where_the_density_is():
    encoding = Encoding(MIXED)
    random = np.random.default_rng(0)
    density = Parzen(encoding, encoding.draw(random, 6))
    drawn = density.draw(random, 300)
    assert np.allclose(encoding.settle(drawn), drawn)
    uniform = encoding.draw(random, 300)
    assert density.log_density(drawn).mean() > density.log_density(uniform).mean() + 0.5
