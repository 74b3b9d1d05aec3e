from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from lineal.sweeps.multiples import multiples, written


def all_of(low, high, step):
    found = multiples(low, high, step)
    return [found.at(place) for place in range(found.count)]


def test_multiples_are_numbers_as_people_write_them():
    assert all_of(0.1, 0.5, 0.1) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert all_of(1, 10, 2) == [2, 4, 6, 8, 10]
    assert all_of(-0.5, 0.5, 0.25) == [-0.5, -0.25, 0.0, 0.25, 0.5]
    assert all_of(1, 5, 10) == []


def test_they_are_ints_where_the_step_is_a_whole_number():
    assert [type(value) for value in all_of(0.5, 2.5, 1.0)] == [int, int]
    assert [type(value) for value in all_of(1, 2, 0.5)] == [float] * 3


def test_a_number_is_taken_as_written():
    assert written(0.1) == Fraction(1, 10)


@given(st.integers(-1000, 1000), st.integers(0, 1000), st.integers(1, 1000), st.integers(0, 6))
def test_none_is_left_out_and_none_is_outside(low, length, step, digits):
    low, high, step = (float(f"{number}e-{digits}") for number in (low, low + length, step))
    found = multiples(low, high, step)
    inside = [found.at(place) for place in range(found.count)]
    assert all(low <= value <= high for value in inside)
    assert not low <= found.at(-1) <= high
    assert not low <= found.at(found.count) <= high
