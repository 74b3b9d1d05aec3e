"""Rows as columns: which points there are, in which order, and which of several counts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.tracking.columns import ALL, TIME, Bounds, of_chunks, ordered, schema
from lineal.tracking.rows import MAX_STEP, Row, decode, encode

from .points import naive, table_of, told

STEPS = [(step, step / 2, {"a": step * 0.5, "b": step}) for step in range(6)]
rows = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.floats(0, 9),
        st.dictionaries(st.sampled_from(["a", "b", "zß", "_x"]), st.integers(-5, 5) | st.floats(-1, 1), max_size=3),
    ),
    max_size=6,
)
batches = st.lists(st.tuples(st.sampled_from(["", "w1", "w0"]), rows), max_size=5)


@settings(max_examples=150, deadline=None)
@given(batches=batches, keys=st.none() | st.frozensets(st.sampled_from(["a", "zß", TIME, "none"])), data=st.data())
def test_points_are_those_of_a_plain_reckoning(batches: Any, keys: frozenset[str] | None, data: Any) -> None:
    bounds = Bounds(keys, data.draw(st.sampled_from([ALL.low, 0, 2])), data.draw(st.sampled_from([None, 0, 4])))
    table = of_chunks([decode(encode(rows, writer)) for writer, rows in batches], bounds)
    assert told(ordered(table)) == naive(batches, bounds)


def test_the_last_of_the_same_key_step_and_writer_counts() -> None:
    rows: list[Row] = [(1, 0.0, {"a": 1.0}), (0, 0.0, {"a": 2.0}), (1, 0.5, {"a": 3.0})]
    assert told(ordered(table_of(rows, bounds=Bounds(frozenset("a"))))) == [("a", 0, "", 2.0), ("a", 1, "", 3.0)]


def test_a_value_of_another_kind_counts_as_well() -> None:
    rows: list[Row] = [(1, 0.0, {"a": 1.0}), (1, 0.0, {"a": "x"})]
    found = ordered(table_of(rows, bounds=Bounds(frozenset("a"))))
    assert (found["number"].to_pylist(), found["text"].to_pylist()) == ([None], ['"x"'])


def test_points_of_several_writers_are_by_step_and_none_is_lost() -> None:
    chunks = [decode(encode(STEPS, writer)) for writer in ("w2", "w1", "")]
    found = told(ordered(of_chunks(chunks, Bounds(frozenset("a")))))
    assert [(step, writer) for _, step, writer, _ in found] == [(n, w) for n in range(6) for w in ("", "w1", "w2")]


def test_the_order_of_writers_is_that_of_their_names_whoever_came_first() -> None:
    one, two = ([decode(encode(STEPS, writer)) for writer in names] for names in (("b", "a"), ("a", "b")))
    assert told(ordered(of_chunks(one))) == told(ordered(of_chunks(two)))


def test_keys_are_in_the_order_of_their_code_points() -> None:
    keys = ["b", "a", "ä", "A", "😀", "\uffee", "_timestamp2"]
    found = told(ordered(table_of([(0, 0.0, dict.fromkeys(keys, 1.0))])))
    assert [key for key, *_ in found] == sorted([*keys, TIME])


@pytest.mark.parametrize(
    ("value", "column"),
    [
        (0.5, "number"),
        (math.nan, "number"),
        (-math.inf, "number"),
        (3, "integer"),
        (2**63 - 1, "integer"),
        (-(2**63), "integer"),
        (2**63, "text"),
        (10**30, "text"),
        (True, "text"),
        (None, "text"),
        ("a", "text"),
        ([1, 2], "text"),
    ],
)
@pytest.mark.parametrize("beside", [None, "x"])
def test_a_value_is_in_the_one_column_that_fits(value: Any, column: str, beside: Any) -> None:
    rows: list[Row] = [(0, 0.0, {"a": value}), *([(1, 0.0, {"a": beside})] if beside else [])]
    found = table_of(rows, bounds=Bounds(frozenset("a"), 0, 1)).to_pydict()
    assert [name for name in ("number", "integer", "text") if found[name] != [None]] == [column]


def test_times_are_points_too_and_nan_is_a_number() -> None:
    table = table_of([(4, 1.25, {}), (5, 1.5, {"a": math.nan})])
    assert table.schema == schema()
    assert told(table)[:2] == [(TIME, 4, "", 1.25), (TIME, 5, "", 1.5)]
    assert table["number"].null_count == 0


def test_of_nothing_there_are_no_points() -> None:
    assert told(ordered(of_chunks([]))) == []
    assert told(of_chunks([decode(encode([]))])) == []
    assert told(table_of(STEPS, bounds=Bounds(frozenset()))) == []


@pytest.mark.parametrize("low", [ALL.low, 0, MAX_STEP, MAX_STEP + 1, 2**70])
@pytest.mark.parametrize("high", [None, 0, MAX_STEP, MAX_STEP + 1, 2**70])
def test_bounds_hold_at_the_last_of_all_steps(low: int, high: int | None) -> None:
    rows: list[Row] = [(step, 0.0, {"a": 1}) for step in (0, MAX_STEP - 1, MAX_STEP)]
    bounds = Bounds(frozenset("a"), low, high)
    assert told(table_of(rows, bounds=bounds)) == naive([("", rows)], bounds)


def test_steps_as_far_apart_as_can_be_are_in_order() -> None:
    rows: list[Row] = [(step, 0.0, {"a": 1}) for step in (MAX_STEP, 0, MAX_STEP, 1)]
    assert [point[1] for point in told(ordered(table_of(rows, bounds=Bounds(frozenset("a")))))] == [0, 1, MAX_STEP]


def test_more_keys_than_16_bits_count_are_in_order() -> None:
    keys = [f"k{n:06}" for n in range(40_000)]
    table = ordered(table_of([(1, 0.0, dict.fromkeys(reversed(keys), 1.0)), (0, 0.0, {keys[-1]: 2.0})]))
    assert table.num_rows == 40_003
    assert [key for key in table["key"].to_pylist() if key != TIME] == [*keys, keys[-1]]
    assert table["step"].to_pylist()[-2:] == [0, 1]
