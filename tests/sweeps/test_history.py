"""Evidence as arrays."""

from __future__ import annotations

import numpy as np

from lineal.sweeps.encoding import Encoding
from lineal.sweeps.history import merit, read
from lineal.sweeps.search import Evidence, Plan

from .spaces import PLANE

POINT = {"x": 0.1, "y": 0.2}


def test_trials_are_ended_failed_or_pending():
    evidence = [
        Evidence(POINT, (1.0,)),
        Evidence(POINT, None),
        Evidence(POINT, None, failed=True),
        Evidence(POINT, (np.nan,)),
        Evidence({"x": 0.1}, (1.0,)),
    ]
    history = read(Encoding(PLANE), Plan("bayes", ("maximize",), 0), evidence)
    assert history.ended.tolist() == [True, False, False, False]
    assert history.pending.tolist() == [False, True, False, False]
    assert history.failed.tolist() == [False, False, True, True]
    assert history.objectives[0, 0] == -1


def test_merit_puts_the_feasible_first_then_the_nearly_feasible_and_failures_last():
    evidence = [
        Evidence(POINT, (1.0,), excess=(0.5,)),
        Evidence(POINT, None, failed=True),
        Evidence(POINT, (9.0,), excess=(0.0,)),
        Evidence(POINT, (8.0,), excess=(-1.0,)),
        Evidence(POINT, (0.0,)),
    ]
    history = read(Encoding(PLANE), Plan("bayes", ("minimize",), 0, constraint_count=1), evidence)
    assert np.argsort(merit(history)).tolist() == [3, 2, 0, 4, 1]
