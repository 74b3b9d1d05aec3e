"""Histograms of any numbers, kept in the history itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.client.media.histogram import Histogram
from lineal.client.media.values import from_value
from lineal.core.errors import InvalidArgument


def test_counts_and_edges_are_numpys(tmp_path):
    numbers = np.random.default_rng(0).normal(size=1000)
    counts, edges = np.histogram(numbers, 64)
    value = Histogram(numbers).bind(tmp_path / "run", "k", 0)
    assert value == {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}
    assert not (tmp_path / "run").exists()
    assert Histogram(np_histogram=(counts, edges)).bind(tmp_path, "k", 0) == value
    assert len(Histogram([1, 2, 3], num_bins=7).histogram) == 7


def test_nan_and_infinities_are_counted_apart(tmp_path):
    value = Histogram([1.0, 2.0, float("nan"), float("inf"), -float("inf")], num_bins=2).bind(tmp_path, "k", 0)
    assert (value["values"], value["nans"], value["infs"]) == ([1, 1], 1, 2)
    back = from_value(value, lambda path: tmp_path / path)
    assert isinstance(back, Histogram)
    assert back.bind(tmp_path, "k", 0) == value


@given(st.lists(st.floats(allow_nan=True, width=32) | st.integers(-(2**70), 2**70), max_size=50))
def test_every_number_is_counted_once(numbers):
    made = Histogram(numbers)
    assert sum(made.histogram) + made.nans + made.infs == len(numbers)
    assert len(made.bins) == 65 and sorted(made.bins) == made.bins


@pytest.mark.parametrize(
    "numbers",
    [[], [5], [5, 5], [1, 1 + 2**-52], [1e300, 1e300 * (1 + 1e-15)], [True, False], np.zeros((3, 4)), range(9)],
)
def test_odd_sequences_have_histograms(numbers):
    assert sum(Histogram(numbers).histogram) == np.size(numbers)


def test_tensors_have_histograms():
    torch = pytest.importorskip("torch")
    assert sum(Histogram(torch.ones(5, dtype=torch.bfloat16)).histogram) == 5


@pytest.mark.parametrize("sequence", ["text", ["a"], [None], [[1], [1, 2]], [1j], 5j, object(), [-1.7e308, 1.7e308]])
def test_what_is_not_of_numbers_is_refused(sequence):
    with pytest.raises(InvalidArgument, match="histogram"):
        Histogram(sequence)


@pytest.mark.parametrize("num_bins", [0, -1, 513, 2.5, "64"])
def test_bins_are_from_1_to_512(num_bins):
    with pytest.raises(InvalidArgument, match="num_bins"):
        Histogram([1], num_bins=num_bins)


@pytest.mark.parametrize(
    "pair",
    [
        5,
        ([1], [1]),
        ([], [1]),
        ([1, 2], [0, 1, float("nan")]),
        ([1, 2], [0, 2, 1]),
        ([-1], [0, 1]),
        (["a"], [0, 1]),
        ([1] * 513, range(514)),
        ([[1]], [0, 1]),
    ],
)
def test_a_pair_that_is_no_histogram_is_refused(pair):
    with pytest.raises(InvalidArgument):
        Histogram(np_histogram=pair)


def test_one_of_both_is_given():
    with pytest.raises(InvalidArgument, match="one of them"):
        Histogram()
    with pytest.raises(InvalidArgument, match="one of them"):
        Histogram([1], np_histogram=([1], [0, 1]))
