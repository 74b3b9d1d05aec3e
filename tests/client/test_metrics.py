import math

import pytest

import lineal
from lineal.client.metrics import KINDS, Metric, Metrics, Tally, define
from lineal.core import errors
from tests.client import told

VALUES = [3.0, math.nan, 1.0, 2.0]


@pytest.mark.parametrize(
    ("kinds", "goal", "found"),
    [
        ("min", None, {"min": 1.0}),
        ("max", None, {"max": 3.0}),
        ("mean", None, {"mean": 2.0}),
        ("last", None, {"last": 2.0}),
        ("first", None, {"first": 3.0}),
        ("best", "minimize", {"best": 1.0}),
        ("best", "max", {"best": 3.0}),
        ("min, max", None, {"min": 1.0, "max": 3.0}),
        (["mean", "last"], "min", {"mean": 2.0, "last": 2.0}),
        ("copy", None, 2.0),
        (None, "maximize", 2.0),
    ],
)
def test_a_key_is_summed_up_as_it_is_defined(kinds, goal, found):
    tally = Tally(define("a", summary=kinds, goal=goal))
    assert [tally.add(value) for value in VALUES][-1] == found


def test_what_is_no_number_is_only_ever_the_last():
    tally = Tally(define("a", summary="min,last"))
    assert tally.add("text") == {"last": "text"}
    assert tally.add(2) == {"last": 2, "min": 2}


def test_a_summary_shows_the_definitions_and_none_leaves_the_key_out():
    with lineal.init() as run:
        run.define_metric("loss", summary="min")
        run.define_metric("val/*", summary="max,mean", goal="max")
        run.define_metric("secret", summary="none", hidden=True)
        for n in (3, 1, 2):
            run.log({"loss": n, "val/acc": n, "secret": n, "plain": n})
        assert run.summary.loss == {"min": 1}
        assert run.summary["loss"]["min"] == run.summary.loss.min == 1
    expected = {"loss": {"min": 1}, "val/acc": {"max": 3, "mean": 2}, "plain": 2}
    assert told.record(run.id).summary == expected
    assert [(m["name"], m["hidden"], m["goal"]) for m in told.record(run.id).metrics] == [
        ("loss", False, None),
        ("val/*", False, "maximize"),
        ("secret", True, None),
    ]


def test_a_definition_counts_from_when_it_is_made_and_a_later_one_takes_its_place():
    with lineal.init() as run:
        run.log({"a": 5})
        run.define_metric("a", summary="min")
        run.log({"a": 7})
        assert run.summary.a == {"min": 7}
        run.define_metric("a", summary="max")
        run.log({"a": 6})
        assert run.summary.a == {"max": 6}


def test_a_run_that_goes_on_keeps_the_least_and_the_most_it_had():
    with lineal.init(id="long") as run:
        run.define_metric("a", summary="min,max")
        run.log({"a": 1})
        run.log({"a": 9})
    with lineal.init(id="long", resume="must") as run:
        run.log({"a": 5})
        assert run.summary.a == {"min": 1, "max": 9}
    assert told.record("long").summary == {"a": {"min": 1, "max": 9}}


def test_a_key_has_its_own_definition_before_that_of_a_pattern():
    metrics = Metrics([define("val/*", summary="max").to_json(), define("*", summary="min").to_json()])
    metrics.add(define("val/loss", summary="min"))
    found = {key: metrics.of(key).summary for key in ("val/loss", "val/acc", "a")}
    assert found == {"val/loss": ("min",), "val/acc": ("max",), "a": ("min",)}
    assert Metrics(metrics.to_json()).to_json() == metrics.to_json()
    assert Metrics().of("a") is None
    assert not Metrics()


def test_a_metric_may_be_named_by_its_definition():
    with lineal.init() as run:
        epoch = lineal.define_metric("epoch")
        assert run.define_metric("acc", step_metric=epoch) == Metric("acc", "epoch")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "needs the name"),
        ({"name": None}, "needs the name"),
        ({"name": "a\nb"}, "can't be a key"),
        ({"name": "a", "step_metric": "e*"}, "name one key"),
        ({"name": "a", "step_metric": ""}, "name one key"),
        ({"name": "a", "step_metric": 3}, "name one key"),
        ({"name": "a", "summary": "median"}, "no kind of summary"),
        ({"name": "a", "summary": [3]}, "no kind of summary"),
        ({"name": "a", "goal": "up"}, "no goal"),
        ({"name": "a", "goal": ["min"]}, "no goal"),
        ({"name": "a", "summary": "best"}, "needs goal"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(given, said):
    with lineal.init() as run, pytest.raises(errors.Invalid, match=said):
        run.define_metric(**given)
    assert told.record(run.id).metrics == []


def test_every_kind_of_summary_is_possible():
    for kind in KINDS:
        assert define("a", summary=kind, goal="min").summary == (kind,)
