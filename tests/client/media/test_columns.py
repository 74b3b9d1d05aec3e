"""Cells as columns of Arrow, and back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.client.media.columns import from_arrow, listed, of_dataframe, settle, settle_all, to_arrow
from lineal.client.media.html import Html
from lineal.core.errors import InvalidArgument


def no_media(medium):
    raise AssertionError(medium)


def there_and_back(cells):
    array, kind = to_arrow(settle_all(cells, "c"), no_media)
    back = from_arrow(array, kind, no_media)
    return (back if isinstance(back, list) else back.to_pylist()), kind


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([True, None, False], "boolean"),
        ([1, None, -(2**63)], "number"),
        ([1.5, None, float("inf")], "number"),
        (["a", None, "ä", ""], "text"),
        ([date(2026, 1, 2), None], "time"),
        ([datetime(2026, 1, 2, 3, 4, 5, 6), None], "time"),
        ([datetime(2026, 1, 2, tzinfo=UTC)], "time"),
        ([time(1, 2, 3), None], "time"),
        ([timedelta(seconds=1.5), None], "time"),
        ([Decimal("1.50"), None, Decimal("2.25")], "number"),
        ([[1, 2], [], None], "list"),
        ([[1.5, None], ["a"]], "json"),
        ([["a"], ["b", "c"]], "list"),
        ([None, None], "none"),
        ([], "none"),
        ([1, "a", None, True, 2.5], "json"),
        ([True, 1], "json"),
        ([2**70, 1], "json"),
        ([2**60, 1.5], "json"),
        (["\ud800"], "json"),
        ([{"a": 1}, {}, {"a": None}], "json"),
        ([[[1], [2.5]], [[]]], "json"),
        ([[{"a": 1}], []], "json"),
        ([[], []], "json"),
        ([[1], "a"], "json"),
    ],
)
def test_cells_come_back_as_they_were(cells, kind):
    back, seen = there_and_back(cells)
    assert seen == kind
    assert back == cells
    assert [type(cell) for cell in back] == [type(cell) for cell in cells]


def test_whole_numbers_among_floats_are_floats():
    assert there_and_back([1, 2.5]) == ([1.0, 2.5], "number")


def test_nan_is_not_none():
    back, _ = there_and_back([float("nan"), None])
    assert back[0] != back[0]
    assert back[1] is None


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
CELLS = st.recursive(
    PLAIN, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(), c, max_size=3), max_leaves=5
)


@given(st.lists(CELLS, max_size=8))
def test_any_cells_come_back_equal(cells):
    assert there_and_back(cells)[0] == cells


def test_times_of_both_sorts_are_texts():
    cells = [datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)]
    assert there_and_back(cells)[0] == [cell.isoformat() for cell in cells]


def test_times_beside_other_cells_are_texts():
    cells = [time(1), timedelta(1), Decimal("1.5"), 5]
    assert there_and_back(cells)[0] == ["01:00:00", "1 day, 0:00:00", "1.5", 5]


def test_nanoseconds_stay_in_the_file_and_are_cut_off_in_python():
    moment = pa.array([1_500, None], pa.timestamp("ns", "UTC"))
    assert listed(pa.chunked_array([moment])) == [datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), None]
    assert listed(pa.chunked_array([pa.array([1_500], pa.duration("ns"))])) == [timedelta(microseconds=1)]
    assert listed([1]) == [1]


def test_media_are_bound_wherever_they_are_in_a_cell():
    bound = []

    def bind(medium):
        bound.append(medium)
        return {"_type": "x", "n": len(bound)}

    array, kind = to_arrow([Html("a"), None], bind)
    assert (array.to_pylist(), kind) == (['{"_type":"x","n":1}', None], "media")
    array, kind = to_arrow([[Html("a")], {"b": Html("b")}, 5], bind)
    assert kind == "json"
    assert [json.loads(text) for text in array.to_pylist()] == [
        [{"_type": "x", "n": 2}],
        {"b": {"_type": "x", "n": 3}},
        5,
    ]


def test_a_cell_is_as_it_was_when_it_was_added():
    inner = [1]
    cell = {"a": inner, 5: np.float32(0.5)}
    settled = settle(cell, "c")
    inner.append(2)
    assert settled == {"a": [1], "5": 0.5}


@pytest.mark.parametrize(
    ("cell", "settled"),
    [
        (np.int8(5), 5),
        (np.float64(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.datetime64("2026-01-02T03:04:05.000000001"), datetime(2026, 1, 2, 3, 4, 5)),
        (np.array(["a", "b"]), ["a", "b"]),
        ((1, 2), [1, 2]),
    ],
)
def test_cells_of_numpy_become_pythons(cell, settled):
    made = settle(cell, "c")
    assert made == settled
    assert type(made) is type(settled)


@pytest.mark.parametrize("cell", [b"x", {1, 2}, object(), 1j, np.array([1j]), np.array([object()]), print])
def test_what_no_cell_holds_names_the_column(cell):
    with pytest.raises(InvalidArgument, match="'my column'"):
        settle([cell], "my column")


def test_a_cell_nested_without_end_is_refused():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidArgument, match="deep"):
        settle(endless, "c")


def test_text_that_is_no_json_stays_text():
    assert from_arrow(pa.array(["{", "[" * 100_000, None, "5"]), "json", no_media)[2:] == [None, 5]
    assert from_arrow(pa.array([5]), "json", no_media) == [5]


def test_frames_of_pandas_keep_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "n": [1, 2],
            "f": [1.5, float("nan")],
            "t": ["a", None],
            "m": [1, "a"],
            "w": pandas.to_datetime(["2026-01-02", None]),
            "c": pandas.Categorical(["x", "y"]),
            "i": pandas.array([1, None], dtype="Int64"),
            "p": pandas.period_range("2026-01", periods=2, freq="M"),
            "d": pandas.to_timedelta(["1s", "2s"]),
            "o": np.array([pandas.NA, pandas.Timestamp("2026-01-02")], dtype=object),
            7: [None, None],
        },
        index=["r1", "r2"],
    )
    columns = {name: cells if isinstance(cells, list) else cells.to_pylist() for name, cells in of_dataframe(frame)}
    assert list(columns) == ["n", "f", "t", "m", "w", "c", "i", "p", "d", "o", "7"]
    assert columns["n"] == [1, 2]
    assert columns["f"][0] == 1.5 and columns["f"][1] != columns["f"][1]
    assert columns["t"] == ["a", None]
    assert columns["m"] == [1, "a"]
    assert columns["w"][1] is None
    assert columns["c"] == ["x", "y"]
    assert columns["i"] == [1, None]
    assert columns["p"] == ["2026-01", "2026-02"]
    assert columns["d"] == [timedelta(seconds=1), timedelta(seconds=2)]
    assert settle_all(frame["d"].astype(object).tolist(), "d") == columns["d"]
    assert columns["o"] == [None, datetime(2026, 1, 2)]
    assert columns["7"] == [None, None]


def test_arrow_tables_are_taken_as_they_are():
    table = pa.table({"a": [1, 2], "s": [{"x": 1}, None], "b": [None, None]})
    columns = dict(of_dataframe(table))
    assert columns["a"].to_pylist() == [1, 2]
    assert columns["s"] == [{"x": 1}, None]
    with pytest.raises(InvalidArgument, match="'b'"):
        of_dataframe(pa.table({"b": [b"x"]}))
    with pytest.raises(InvalidArgument, match="dataframe"):
        of_dataframe(5)


def test_frames_of_polars_keep_their_columns():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "a": [1, None],
            "t": ["x", None],
            "c": polars.Series(["p", "q"], dtype=polars.Categorical),
            "l": [[1], [2, 3]],
            "m": [["u"], []],
            "s": [{"q": 1}, None],
            "n": [None, None],
        }
    )
    columns = {name: cells if isinstance(cells, list) else cells.to_pylist() for name, cells in of_dataframe(frame)}
    assert columns == frame.to_dict(as_series=False)


def test_texts_are_of_a_type_that_every_reader_knows():
    views = pa.array(["p", "q", None], pa.string_view())
    for array in (views, views.dictionary_encode()):
        ((_, cells),) = of_dataframe(pa.table({"a": array}))
        assert (cells.type, cells.to_pylist()) == (pa.large_string(), ["p", "q", None])
    ((_, cells),) = of_dataframe(pa.table({"a": pa.array(["p", "p"]).dictionary_encode()}))
    assert (cells.type, cells.to_pylist()) == (pa.string(), ["p", "p"])
