"""What only Bayesian search does; what it shares with others is in test_search.py."""

from __future__ import annotations

import numpy as np

from lineal.sweeps.search import Evidence, Plan, suggest

from .spaces import PLANE, bowl, searched

PLAN = Plan("bayes", ("minimize",), 4)


def test_it_comes_close_to_the_least_in_few_trials():
    assert min(one.values[0] for one in searched(PLANE, PLAN, 20, bowl)) < 1e-4


def test_what_is_pending_is_not_tried_again():
    evidence = searched(PLANE, PLAN, 9, bowl)
    first = suggest(PLANE, PLAN, evidence, 9)
    second = suggest(PLANE, PLAN, [*evidence, Evidence(first, None)], 9)
    assert abs(first["x"] - second["x"]) + abs(first["y"] - second["y"]) > 1e-3


def test_noise_does_not_lead_it_astray():
    random = np.random.default_rng(0)
    found = searched(PLANE, PLAN, 30, lambda p: Evidence(p, (bowl(p).values[0] + 0.05 * random.standard_normal(),)))
    assert np.median([bowl(dict(one.point)).values[0] for one in found[20:]]) < 0.05
