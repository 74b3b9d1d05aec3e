"""Arrays made of buffers are what pyarrow itself would make."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.tracking.arrays import numbers_in, of_flags, of_numbers, of_optional, of_texts

whole = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(whole))
def test_numbers(values):
    assert of_numbers(np.array(values, "int64")) == pa.array(values, pa.int64())


@given(st.lists(whole), st.integers(0, 5))
def test_numbers_come_out_as_they_went_in(values, start):
    array = pa.array(values, pa.int64())
    assert numbers_in(array.slice(start)).tolist() == values[start:]
    assert numbers_in(pa.chunked_array([array, array], pa.int64())).tolist() == values * 2


def test_numbers_of_a_slice_with_gaps():
    assert of_numbers(np.arange(10.0)[::3]).to_pylist() == [0, 3, 6, 9]


@given(st.lists(st.booleans()))
def test_flags(values):
    assert of_flags(np.array(values, bool)) == pa.array(values, pa.bool_())


@given(st.lists(st.none() | whole), st.lists(st.none() | st.floats(allow_nan=False)))
def test_numbers_that_may_be_absent(integers, floats):
    assert of_optional(integers, "int64") == pa.array(integers, pa.int64())
    assert of_optional(floats, "float64") == pa.array(floats, pa.float64())


@given(st.lists(st.none() | st.text()))
def test_texts_that_may_be_absent(values):
    made = of_texts(values)
    made.validate(full=True)
    assert made == pa.array(values, pa.string())


def test_recording_and_reading_points_does_not_load_pandas():
    pytest.importorskip("pandas")
    code = """
import io, sys
from lineal.tracking import columns, parts, rows, sampling
chunk = rows.encode([(1, 2.0, {"a": 1.0, "b": 2, "c": "x"}), (2, 3.0, {"a": None, "b": 5})], "w")
file = io.BytesIO()
parts.write(parts.merge([parts.Tail([chunk])]), file, facts={})
part = parts.Part(io.BytesIO(file.getvalue()))
table = part.read(columns.Bounds(frozenset(["a", "b"]), 1, 3))
part.read(columns.Bounds(frozenset(["absent"])))
sampling.numbers(table)
columns.ordered(table).to_pydict()
print("pandas" in sys.modules, table.num_rows)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "4"]
