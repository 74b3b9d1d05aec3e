import math
import threading

import pytest

import lineal
from lineal.core import errors
from tests.client import told


def summed(run_id):
    return dict(told.record(run_id).summary)


def test_the_last_value_of_a_key_is_its_summary_and_reading_sees_what_was_logged_just_before():
    with lineal.init() as run:
        for n in range(100):
            run.log({"a": n, "n.b": -n})
            assert run.summary["a"] == run.summary.a == n
        assert (len(run.summary), list(run.summary), "a" in run.summary) == (2, ["a", "n.b"], True)
    assert summed(run.id) == {"a": 99, "n.b": -99}


def test_a_value_can_be_set_and_deleted_and_what_is_logged_later_counts_again():
    with lineal.init() as run:
        run.log({"a": 1, "b": 1, "c": 1})
        run.summary["a"] = 10
        run.summary.b = 20
        del run.summary["c"]
        assert dict(run.summary) == {"a": 10, "b": 20}
        run.log({"b": 2})
        assert run.summary.b == 2
    assert {key: value for key, value in summed(run.id).items() if value is not None} == {"a": 10, "b": 2}


def test_many_are_set_at_once_all_or_none():
    with lineal.init() as run:
        run.summary.update({"a": 1}, b=math.inf)
        with pytest.raises(errors.InvalidMetadata, match=r"summary\.bad"):
            run.summary.update({"c": 1, "bad": object()})
        assert dict(run.summary) == {"a": 1, "b": math.inf}
    assert summed(run.id) == {"a": 1, "b": math.inf}


def test_nested_values_are_changed_in_place():
    with lineal.init() as run:
        run.summary["best"] = {"acc": 0.5, "at": {"step": 1}}
        run.summary.best.acc = 0.75
        run.summary["best"]["at"]["step"] = 2
    assert summed(run.id) == {"best": {"acc": 0.75, "at": {"step": 2}}}


def test_what_is_not_there_is_a_key_error_or_an_attribute_error():
    with lineal.init() as run:
        with pytest.raises(KeyError):
            _ = run.summary["a"]
        with pytest.raises(AttributeError, match="no 'a'"):
            _ = run.summary.a
        assert run.summary.get("a", 3) == 3


def test_after_the_end_it_is_read_and_not_changed():
    with lineal.init() as run:
        run.log({"a": 1})
    assert run.summary.a == 1
    for act in (
        lambda: run.summary.update(b=1),
        lambda: run.summary.__setitem__("b", 1),
        lambda: run.summary.pop("a"),
    ):
        with pytest.raises(errors.RunFinished):
            act()
    assert (dict(run.summary), summed(run.id)) == ({"a": 1}, {"a": 1})


def test_a_text_that_no_database_holds_costs_neither_the_rows_nor_the_rest():
    with lineal.init() as run:
        run.log({"bad": "\x00", "worse": "\ud800", "a": 1})
        run.log({"a": 2})
    assert [row["a"] for row in told.rows(run.id)] == [1, 2]
    assert summed(run.id) == {"a": 2}


def test_a_text_longer_than_the_store_takes_costs_no_rows():
    with lineal.init() as run:
        for n in range(4):
            run.log({f"t{n}": "x" * (12 << 20), "a": n})
    assert [row["a"] for row in told.rows(run.id, keys=["a"])] == [0, 1, 2, 3]


def test_what_is_set_while_rows_are_taken_is_not_lost():
    with lineal.init() as run:
        thread = threading.Thread(target=lambda: [run._outbox._turn() for _ in range(300)])
        thread.start()
        for n in range(1000):
            run.summary[f"k{n}"] = n
        thread.join()
    assert summed(run.id) == {f"k{n}": n for n in range(1000)}
