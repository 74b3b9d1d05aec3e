"""Suggestions, whatever the method: what every one of them keeps to, and that each finds what it is there to find."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from lineal.sweeps.search import Evidence, Plan, suggest
from lineal.sweeps.space import Parameter, Space, key

from .spaces import MIXED, PLANE, SMALL, bowl, mixed_cost, searched

LEARNING = ("bayes", "tpe")
METHODS = ("random", *LEARNING)
every_method = pytest.mark.parametrize("method", METHODS)
every_learner = pytest.mark.parametrize("method", LEARNING)


def plan(method, *, goals=("minimize",), seed=1, constraints=0):
    return Plan(method, goals, seed, constraints)


def check_fits(space: Space, point):
    """The point has what is active in it, and values that its parameters can have."""
    assert list(point) == [p.name for p in space.parameters if space.active(p, point)]
    for parameter in space.parameters:
        if parameter.name not in point:
            continue
        value = point[parameter.name]
        if parameter.values:
            assert any(value is given or (value == given and type(value) is type(given)) for given in parameter.values)
        else:
            assert parameter.low <= value <= parameter.high
            assert type(value) is (int if parameter.distribution in ("int_uniform", "q_log_uniform_values") else float)


@every_method
def test_the_same_arguments_give_the_same_point(method):
    evidence = searched(PLANE, plan(method), 14, bowl)
    again = searched(PLANE, plan(method), 14, bowl)
    assert evidence == again
    assert searched(PLANE, plan(method, seed=2), 14, bowl) != again


@every_method
def test_points_fit_the_space_with_what_is_active_in_it(method):
    evidence = searched(MIXED, plan(method), 25, mixed_cost)
    for one in evidence:
        check_fits(MIXED, one.point)
    assert len({key(one.point) for one in evidence}) == 25
    assert {tuple(one.point) for one in evidence} >= {("lr", "layers", "kind", "fixed", "gate")} or method != "random"


@every_learner
def test_parallel_agents_get_different_points(method):
    evidence = searched(PLANE, plan(method), 14, bowl)
    pending = searched(PLANE, plan(method), 6, lambda point: Evidence(point, None), tuple(evidence))[14:]
    for one, other in itertools.combinations(pending, 2):
        distance = math.dist(tuple(one.point.values()), tuple(other.point.values()))
        assert distance > 1e-3


@every_learner
def test_the_first_agents_of_all_get_different_points(method):
    pending = searched(PLANE, plan(method), 16, lambda point: Evidence(point, None))
    assert len({key(one.point) for one in pending}) == 16


@every_learner
def test_no_point_is_tried_twice_while_others_are_left(method):
    evidence = searched(SMALL, plan(method), 9, lambda point: Evidence(point, (float(point["n"]),)))
    assert len({key(one.point) for one in evidence}) == 9
    check_fits(SMALL, suggest(SMALL, plan(method), evidence, 9))


@every_learner
def test_a_learner_finds_what_random_search_does_not(method):
    def median(name):
        return np.median(
            [min(e.values[0] for e in searched(PLANE, plan(name, seed=s), 25, bowl)) for s in range(5)]
        )

    assert median(method) < median("random") / (100 if method == "bayes" else 2)


@every_learner
def test_greater_is_better_where_the_goal_is_to_maximize(method):
    def hill(point):
        return Evidence(point, (-bowl(point).values[0],))

    up = searched(PLANE, plan(method, goals=("maximize",)), 15, hill)
    down = searched(PLANE, plan(method), 15, bowl)
    assert [one.point for one in up] == [one.point for one in down]


@every_learner
def test_failures_inform_the_search(method):
    def fails_on_the_left(point):
        return Evidence(point, None, failed=True) if point["x"] < 0.5 else bowl(point)

    evidence = searched(PLANE, plan(method), 30, fails_on_the_left)
    assert sum(one.failed for one in evidence[:10]) >= 2
    assert sum(one.failed for one in evidence[20:]) <= 4


@every_learner
def test_constraints_are_respected_once_they_are_known(method):
    def only_below(point):
        return Evidence(point, bowl(point).values, excess=(point["y"] - 0.4,))

    evidence = searched(PLANE, plan(method, constraints=1), 30, only_below)
    met = [one for one in evidence if one.excess[0] <= 0]
    assert len([one for one in met if one in evidence[15:]]) >= 7
    assert min(one.values[0] for one in met) < 0.25


@every_learner
def test_what_meets_the_constraints_is_looked_for_when_nothing_did_yet(method):
    def narrow(point):
        return Evidence(point, bowl(point).values, excess=(1000 * (point["x"] + point["y"] - 0.2), 0.0))

    evidence = searched(PLANE, plan(method, constraints=2), 30, narrow)
    assert any(one.excess[0] <= 0 for one in evidence)


@every_learner
def test_several_objectives_are_spread_along_their_front(method):
    def rivals(point):
        return Evidence(point, (point["x"] ** 2 + point["y"], 5 - 5 * (1 - point["x"]) ** 2 - point["y"]))

    evidence = searched(PLANE, plan(method, goals=("minimize", "maximize")), 40, rivals)
    on_front = [one for one in evidence[10:] if one.point["y"] < 0.1]
    assert len(on_front) >= 5
    assert np.ptp([one.point["x"] for one in on_front]) > 0.3


ODD = {
    "a single trial": [Evidence({"x": 0.5, "y": 0.5}, (1.0,))],
    "all failed": [Evidence({"x": i / 20, "y": 0.5}, None, failed=True) for i in range(15)],
    "all equal": [Evidence({"x": i / 20, "y": 0.5}, (3.0,)) for i in range(15)],
    "all in one place": [Evidence({"x": 0.5, "y": 0.5}, (float(i),)) for i in range(15)],
    "huge": [Evidence({"x": i / 20, "y": 0.5}, (1e300 * (-1) ** i,)) for i in range(15)],
    "one huge": [Evidence({"x": i / 20, "y": 0.5}, (1e308 if i == 3 else float(i),)) for i in range(15)],
    "tiny": [Evidence({"x": i / 20, "y": 0.5}, (i * 5e-324,)) for i in range(15)],
    "not finite": [Evidence({"x": i / 20, "y": 0.5}, ((math.nan, math.inf, -math.inf, 1.0)[i % 4],)) for i in range(15)],
    "outside": [Evidence({"x": i * 1e9, "y": -5.0}, (float(i),)) for i in range(15)],
    "of another space": [Evidence({"x": "much", "z": i}, (float(i),)) for i in range(15)],
    "more than is asked": [Evidence({"x": i / 20, "y": 0.1, "z": 1}, (float(i),), excess=()) for i in range(15)],
}


@every_learner
@pytest.mark.parametrize("odd", ODD)
def test_odd_evidence_is_borne(method, odd):
    check_fits(PLANE, suggest(PLANE, plan(method), ODD[odd], 20))
    two = [Evidence(e.point, e.values and (e.values[0], 1.0), e.failed, (1e300,)) for e in ODD[odd]]
    check_fits(PLANE, suggest(PLANE, plan(method, goals=("minimize", "maximize"), constraints=1), two, 20))


@every_learner
def test_choices_that_the_space_no_longer_has_are_borne(method):
    old = Space(tuple(Parameter(p.name, "categorical", values=("old", 3)) for p in SMALL.parameters))
    evidence = searched(old, plan("random"), 15, lambda point: Evidence(point, (1.0,)))
    check_fits(SMALL, suggest(SMALL, plan(method), evidence, 15))


@every_method
def test_a_space_of_constants_has_its_one_point(method):
    space = Space((Parameter("c", "constant", values=([1],)), Parameter("d", "categorical", values=("only",))))
    evidence = searched(space, plan(method), 12, lambda point: Evidence(point, (1.0,)))
    assert all(one.point == {"c": [1], "d": "only"} for one in evidence)


@every_learner
def test_evidence_of_prior_runs_is_learnt_from_at_once(method):
    prior = searched(PLANE, plan("random", seed=5), 30, bowl)
    points = [suggest(PLANE, plan(method, seed=seed), prior, 0) for seed in range(5)]
    assert np.median([bowl(point).values[0] for point in points]) < 0.05


@every_learner
def test_long_histories_still_get_an_answer(method):
    random = np.random.default_rng(0)
    evidence = [bowl({"x": float(x), "y": float(y)}) for x, y in random.random((3000, 2))]
    assert bowl(suggest(PLANE, plan(method), evidence, 3000)).values[0] < 0.05


def test_any_seed_and_number_will_do():
    for seed, number in ((0, 0), (-5, 3), (2**70, 10**9)):
        for method in METHODS:
            check_fits(PLANE, suggest(PLANE, plan(method, seed=seed), [], number))


def test_without_scipy_random_search_works_and_the_others_say_what_to_install():
    code = """if True:
        import sys
        sys.modules["scipy"] = None
        from lineal.core.errors import MissingDependency
        from lineal.sweeps.search import Plan, suggest
        from lineal.sweeps.space import Parameter, Space
        assert "numpy" not in sys.modules
        space = Space((Parameter("x", "normal"), Parameter("y", "beta")))
        assert len(suggest(space, Plan("random", ("minimize",), 1), [], 0)) == 2
        for method in ("bayes", "tpe"):
            try:
                suggest(space, Plan(method, ("minimize",), 1), [], 0)
            except MissingDependency as missing:
                assert 'pip install "lineal[sweeps]"' in missing.message
            else:
                raise AssertionError(method)
    """
    subprocess.run([sys.executable, "-c", code], check=True)
