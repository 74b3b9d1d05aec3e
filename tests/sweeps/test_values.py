import math

import pytest

from lineal.core.errors import InvalidMetric
from lineal.core.metadata import check_metadata
from lineal.sweeps.values import value_of


@pytest.mark.parametrize(
    ("summary", "name", "value"),
    [
        ({"loss": 0.5}, "loss", 0.5),
        ({"loss": 3}, "loss", 3.0),
        ({"ok": True}, "ok", 1.0),
        ({"val/loss": 0.5}, "val/loss", 0.5),
        ({"val": {"loss": 0.5}}, "val.loss", 0.5),
        ({"val": {"loss": 1}, "val.loss": 0.5}, "val.loss", 0.5),
        ({"a.b": {"c.d": 2}}, "a.b.c.d", 2.0),
        ({"val/acc": {"max": 0.9}}, "val/acc", 0.9),
        ({"val/acc": {"max": 0.9, "min": 0.1}}, "val/acc.max", 0.9),
    ],
)
def test_a_metrics_number_is_found(summary, name, value):
    found = value_of(summary, name)
    assert found == value
    assert isinstance(found, float)


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ({}, "metric 'loss' was never logged, nor was any other"),
        ({"_step": 3}, "metric 'loss' was never logged, nor was any other"),
        ({"acc": 1, "Loss": 2}, "metric 'loss' was never logged; did you mean Loss? There were Loss, acc"),
        ({"acc": 1}, "metric 'loss' was never logged; there were acc"),
        ({"loss": "abc"}, "metric 'loss' was logged as a text, 'abc'; log a number"),
        ({"loss": None}, "metric 'loss' was logged as NoneType, None; log a number"),
        ({"loss": [1, 2]}, "metric 'loss' was logged as list, [1, 2]; log a number"),
        ({"loss": "x" * 100}, f"metric 'loss' was logged as a text, '{'x' * 59}…; log a number"),
        ({"loss": math.nan}, "metric 'loss' ended as NaN, so there is nothing to compare"),
        ({"loss": -math.inf}, "metric 'loss' ended as -inf, so there is nothing to compare"),
        ({"loss": 10**400}, "metric 'loss' ended as inf, so there is nothing to compare"),
        ({"loss": {"max": math.nan}}, "metric 'loss' ended as NaN, so there is nothing to compare"),
        ({"loss": {"a": 1, "b": 2}}, "metric 'loss' is not one number, but a mapping; name one of loss.a, loss.b"),
    ],
)
def test_what_is_wrong_with_it_is_said(summary, message):
    for seen in (summary, check_metadata(summary, finite=False)):  # as a run has it, and as it is stored
        with pytest.raises(InvalidMetric) as problem:
            value_of(seen, "loss")
        assert problem.value.message == message


def test_ten_names_are_enough():
    with pytest.raises(InvalidMetric, match=r"there were m00, .*, m09 and 20 more$"):
        value_of({f"m{n:02}": n for n in range(30)}, "loss")
