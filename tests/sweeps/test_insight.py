import math
import random
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.sweeps.config import SweepConfig, parse
from lineal.sweeps.insight import front, insight
from lineal.sweeps.model import Insight, Trial

AT = datetime(2026, 1, 1, tzinfo=UTC)


def config(goal: str = "minimize", **parameters: Any) -> SweepConfig:
    raw = {"method": "random", "metric": {"name": "loss", "goal": goal}}
    return parse({**raw, "parameters": parameters or {"x": {"min": 0.0, "max": 1.0}}})


def trial(
    number: int, params: Any = None, *, state: Any = "finished", feasible: bool = True, **values: float
) -> Trial:
    return Trial("s", number, state, params or {}, "r", 1, "a", AT, values=values, feasible=feasible)


def weights(trials: list[Trial], of: SweepConfig) -> dict[str, tuple[float, float | None]]:
    return {each.parameter: (each.importance, each.correlation) for each in insight(trials, of).weights}


def test_the_best_so_far_is_by_number_and_of_feasible_trials_that_have_ended():
    trials = [
        trial(4, loss=0.1, feasible=False),
        trial(2, loss=3.0),
        trial(1, loss=5.0, state="stopped"),
        trial(3, loss=4.0),
        trial(5, state="failed"),
        trial(6, loss=0.0, state="running"),
        trial(7, loss=math.nan),
        trial(8, loss=2.0),
    ]
    assert insight(trials, config()).best_so_far == ((1, 5.0), (2, 3.0), (3, 3.0), (8, 2.0))
    assert insight(trials, config("maximize")).best_so_far == ((1, 5.0), (2, 5.0), (3, 5.0), (8, 5.0))
    assert insight(trials, config()).front == (8,)


def test_without_an_objective_there_is_nothing_to_tell():
    assert insight([trial(1, loss=1)], parse({"method": "random", "parameters": {"x": {"value": 1}}})) == Insight()


TWO = parse(
    {
        "method": "tpe",
        "metrics": [{"name": "acc", "goal": "maximize"}, {"name": "ms"}],
        "parameters": {"x": {"min": 0.0, "max": 1.0}},
    }
)


def test_the_front_has_whom_nobody_beats():
    trials = [
        trial(1, acc=0.9, ms=10),
        trial(2, acc=0.8, ms=5),
        trial(3, acc=0.8, ms=6),  # beaten by 2
        trial(4, acc=0.9, ms=10),  # as good as 1
        trial(5, acc=0.99, ms=1, feasible=False),
        trial(6, acc=0.99),
    ]
    assert insight(trials, TWO).front == (1, 2, 4)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20))
def test_the_front_is_the_same_as_by_comparing_each_with_each(values):
    trials = [trial(number, acc=acc, ms=ms) for number, (acc, ms) in enumerate(values)]

    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one != other and one[0] >= other[0] and one[1] <= other[1]

    unbeaten = [n for n, mine in enumerate(values) if not any(beats(other, mine) for other in values)]
    assert front(trials, TWO.objectives) == tuple(unbeaten)


def test_what_matters_is_told_with_its_sign():
    pytest.importorskip("sklearn")
    of = config(
        strong={"min": 0.0, "max": 1.0},
        weak={"distribution": "log_uniform_values", "min": 1e-5, "max": 1.0},
        kind={"values": ["a", "b", {"c": 1}]},
        batch={"values": [16, 32, 64]},
        fixed={"value": 3},
        only={"values": [3]},
    )
    chance = random.Random(0)
    trials = []
    for n in range(60):
        point = {"strong": chance.random(), "weak": 10 ** chance.uniform(-5, 0), "batch": chance.choice([16, 32, 64])}
        point["kind"] = chance.choice(["a", "b", {"c": 1}])
        loss = -5 * point["strong"] + 4 * (point["kind"] == {"c": 1}) + chance.gauss(0, 0.1)
        trials.append(trial(n, point, loss=1e30 if n == 7 else loss))
    found = weights(trials, of)
    assert set(found) == {"strong", "weak", "kind", "batch"}
    assert math.isclose(sum(importance for importance, _ in found.values()), 1)
    assert [each.parameter for each in insight(trials, of).weights][:2] in (["strong", "kind"], ["kind", "strong"])
    assert (found["strong"][1] or 0) < -0.5
    assert found["kind"][1] is None
    assert abs(found["batch"][1] or 1) < 0.4
    assert insight(trials, of) == insight(list(reversed(trials)), of)


def test_a_parameter_that_is_not_always_active_gets_no_credit_for_what_decides_so():
    pytest.importorskip("sklearn")
    of = config(
        opt={"values": ["sgd", "adam"]},
        momentum={"min": 0.0, "max": 1.0, "when": {"opt": "sgd"}},
        never={"values": ["x", "y"], "when": {"opt": "adam"}},
    )
    chance = random.Random(1)
    trials = []
    for n in range(40):
        point: dict[str, Any] = {"opt": "sgd" if n % 2 else "adam"}
        if n % 2:
            point["momentum"] = chance.random()
        trials.append(trial(n, point, loss=float(n % 2) + chance.gauss(0, 0.01)))
    found = weights(trials, of)
    assert found["opt"][0] > 0.7  # the rest is noise within each kind, as ranks have it
    assert found["never"] == (0.0, None)


def test_with_a_handful_of_trials_or_all_alike_nothing_is_made_up():
    pytest.importorskip("sklearn")
    assert insight([trial(n, {"x": n / 4}, loss=n) for n in range(4)], config()).weights == ()
    alike = weights([trial(n, {"x": n / 9}, loss=1) for n in range(9)], config())
    assert alike == {"x": (0.0, None)}


def test_without_scikit_learn_the_rest_is_told():
    code = """
import sys
sys.modules["sklearn"] = sys.modules["sklearn.ensemble"] = None
from tests.sweeps.test_insight import config, insight, trial
print(insight([trial(n, {"x": n / 9}, loss=n) for n in range(9)], config()))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "weights=()" in told.stdout
    assert "front=(0,)" in told.stdout
