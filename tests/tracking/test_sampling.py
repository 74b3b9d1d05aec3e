"""Thinned out for drawing: few points, and no spike lost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.errors import InvalidArgument
from lineal.tracking.columns import Bounds
from lineal.tracking.model import Samples
from lineal.tracking.rows import MAX_STEP
from lineal.tracking.sampling import MAX_POINTS, numbers, thin

from .points import table_of

finite = st.floats(-1e6, 1e6)


def thinned(steps: Sequence[int], values: Sequence[float], points: int) -> Samples:
    return thin("r", "k", np.array(steps, "int64"), np.array(values, "float64"), points)


def naive(steps: Sequence[int], values: Sequence[float], points: int) -> list[list[tuple[int, float]]]:
    """The points of each bucket of equal width, without those that are empty."""
    width = (steps[-1] - steps[0] + 1) / points
    buckets: dict[int, list[tuple[int, float]]] = {}
    for step, value in zip(steps, values, strict=True):
        edges = [steps[0] + int(width * n) for n in range(1, points)]
        buckets.setdefault(sum(step >= edge for edge in edges), []).append((step, value))
    return [buckets[place] for place in sorted(buckets)]


@settings(max_examples=150, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 300), finite), min_size=1, max_size=80, unique_by=lambda p: p[0]),
    count=st.integers(1, 40),
)
def test_buckets_are_those_of_a_plain_reckoning(points: list[tuple[int, float]], count: int) -> None:
    steps, values = zip(*sorted(points), strict=True)
    found = thinned(steps, values, count)
    if len(steps) <= count:
        assert (found.steps, found.low, found.high, found.last) == (list(steps), *[list(values)] * 3)
        return
    wanted = naive(steps, values, count)
    assert list(found.steps) == [bucket[-1][0] for bucket in wanted]
    assert list(found.low) == [min(value for _, value in bucket) for bucket in wanted]
    assert list(found.high) == [max(value for _, value in bucket) for bucket in wanted]
    assert list(found.last) == [bucket[-1][1] for bucket in wanted]
    assert found.mean == pytest.approx([math.fsum(v for _, v in b) / len(b) for b in wanted], abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.integers(0, MAX_STEP), min_size=1, max_size=200).map(sorted),
    points=st.integers(1, 50),
    data=st.data(),
)
def test_there_are_never_too_many_and_no_extreme_is_lost(steps: list[int], points: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(), min_size=len(steps), max_size=len(steps)))
    found = thinned(steps, values, points)
    assert found.count == len(steps)
    assert 1 <= len(found.steps) <= points
    assert len({len(found.steps), len(found.low), len(found.high), len(found.mean), len(found.last)}) == 1
    assert list(found.steps) == sorted(found.steps)
    assert (found.steps[-1], repr(found.last[-1])) == (steps[-1], repr(float(values[-1])))
    known = [value for value in values if not math.isnan(value)]
    if known:
        assert min(low for low in found.low if not math.isnan(low)) == min(known)
        assert max(high for high in found.high if not math.isnan(high)) == max(known)
    else:
        assert all(map(math.isnan, found.low))


def test_a_bucket_of_nan_and_a_number_is_drawn_by_its_number() -> None:
    found = thinned(range(4), [math.nan, 1.0, math.nan, math.nan], 2)
    assert (found.low[0], found.high[0]) == (1.0, 1.0)
    assert math.isnan(found.low[1])
    assert math.isnan(found.last[0]) is False


def test_one_point_and_one_bucket() -> None:
    assert thinned([7], [1.5], 1000) == Samples("r", "k", 1, [7], [1.5], [1.5], [1.5], [1.5])
    found = thinned(range(10), range(10), 1)
    assert (list(found.steps), list(found.low), list(found.high), list(found.mean)) == ([9], [0.0], [9.0], [4.5])


def test_points_of_several_writers_at_one_step_are_one_bucket() -> None:
    found = thinned([5] * 6, [3.0, 1.0, 2.0, 9.0, 4.0, 5.0], 3)
    assert (list(found.steps), list(found.low), list(found.high), list(found.last)) == ([5], [1.0], [9.0], [5.0])


def test_one_far_step_leaves_the_others_in_one_bucket() -> None:
    found = thinned([*range(100), MAX_STEP], [*map(float, range(100)), -1.0], 10)
    assert (list(found.steps), list(found.high)) == ([99, MAX_STEP], [99.0, -1.0])


def test_a_spike_among_a_million_points_is_kept() -> None:
    values = np.zeros(1_000_000)
    values[654_321], values[123_456] = 1e9, -1e9
    found = thin("r", "k", np.arange(1_000_000), values, 1000)
    assert (len(found.steps), max(found.high), min(found.low)) == (1000, 1e9, -1e9)


@pytest.mark.parametrize("points", [0, -1, MAX_POINTS + 1])
def test_a_number_of_points_that_makes_no_sense_is_refused(points: int) -> None:
    with pytest.raises(InvalidArgument):
        thinned([1], [1.0], points)


def test_numbers_are_floats_and_whole_numbers_and_nothing_else() -> None:
    rows = [(n, 0.0, {"k": v}) for n, v in enumerate([0.5, 2, True, "x", None, 2**53 + 1, 2**70, math.nan, [1]])]
    steps, values = numbers(table_of(rows, bounds=Bounds(frozenset("k"))))
    assert steps.tolist() == [0, 1, 5, 7]
    assert values.tolist()[:3] == [0.5, 2.0, float(2**53)]
    assert math.isnan(values[3])


@pytest.mark.parametrize("values", [[0.5, 0.25], [1, 2], ["a"], []])
def test_numbers_of_one_kind(values: list[object]) -> None:
    rows = [(n, 0.0, {"k": v}) for n, v in enumerate(values)]
    steps, found = numbers(table_of(rows, bounds=Bounds(frozenset("k"))))
    wanted = [float(v) for v in values if isinstance(v, int | float)]
    assert (found.tolist(), len(steps), found.dtype) == (wanted, len(wanted), np.dtype("float64"))
