"""Values of every distribution of the schema, at random and by their place."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.sweeps.sampling import draw, draw_value, place_of, places, tidy, value_at
from lineal.sweeps.space import Parameter, Space

E = math.e
KINDS = {
    "int_uniform": Parameter("p", "int_uniform", low=-3, high=11),
    "uniform": Parameter("p", "uniform", low=-2.0, high=6.0),
    "q_uniform": Parameter("p", "q_uniform", low=0.0, high=2.0, q=0.1),
    "log_uniform": Parameter("p", "log_uniform", low=-9.0, high=-1.0),
    "log_uniform_values": Parameter("p", "log_uniform_values", low=1e-5, high=0.1),
    "q_log_uniform": Parameter("p", "q_log_uniform", low=0.0, high=7.0, q=2),
    "q_log_uniform_values": Parameter("p", "q_log_uniform_values", low=8, high=512, q=8),
    "inv_log_uniform": Parameter("p", "inv_log_uniform", low=1.0, high=5.0),
    "inv_log_uniform_values": Parameter("p", "inv_log_uniform_values", low=0.01, high=10.0),
    "normal": Parameter("p", "normal", mu=3.0, sigma=2.0),
    "q_normal": Parameter("p", "q_normal", mu=3.0, sigma=2.0, q=0.5),
    "log_normal": Parameter("p", "log_normal", mu=-1.0, sigma=0.7),
    "q_log_normal": Parameter("p", "q_log_normal", mu=2.0, sigma=0.7, q=1),
    "beta": Parameter("p", "beta", a=2.0, b=5.0),
    "q_beta": Parameter("p", "q_beta", a=2.0, b=5.0, q=0.05),
}
ENDS = {
    "int_uniform": (-3, 11),
    "uniform": (-2, 6),
    "q_uniform": (0, 2),
    "log_uniform": (E**-9, E**-1),
    "log_uniform_values": (1e-5, 0.1),
    "q_log_uniform": (2, 1096),
    "q_log_uniform_values": (8, 512),
    "inv_log_uniform": (E**-5, E**-1),
    "inv_log_uniform_values": (0.01, 10),
    "normal": (-math.inf, math.inf),
    "q_normal": (-math.inf, math.inf),
    "log_normal": (0, math.inf),
    "q_log_normal": (0, math.inf),
    "beta": (0, 1),
    "q_beta": (0, 1),
}
MEDIANS = {
    "int_uniform": 4,
    "uniform": 2,
    "q_uniform": 1,
    "log_uniform": E**-5,
    "log_uniform_values": 1e-3,
    "q_log_uniform": 34,
    "q_log_uniform_values": 64,
    "inv_log_uniform": E**-3,
    "inv_log_uniform_values": 0.1**0.5,
    "normal": 3,
    "q_normal": 3,
    "log_normal": E**-1,
    "q_log_normal": 7,
    "beta": 0.2644,
    "q_beta": 0.25,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_draws_keep_to_the_bounds_and_fall_on_both_sides_of_the_median(kind):
    random = np.random.default_rng(1)
    drawn = [draw_value(KINDS[kind], random) for _ in range(4000)]
    low, high = ENDS[kind]
    assert all(low <= value <= high for value in drawn)
    assert np.median(drawn) == pytest.approx(MEDIANS[kind], rel=0.12)


@every_kind
@given(place=st.floats(0, 1))
def test_a_value_found_by_its_place_is_the_value(kind, place):
    parameter = KINDS[kind]
    value = value_at(parameter, place)
    found = place_of(parameter, value)
    assert found is not None
    assert -1e-9 <= found <= 1 + 1e-9
    assert value_at(parameter, found) == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert tidy(parameter, value) == value


@every_kind
def test_values_rise_with_their_place(kind):
    values = [value_at(KINDS[kind], place) for place in np.linspace(0, 1, 50)]
    assert values == sorted(values)
    assert len(set(values)) > 5


@every_kind
def test_values_are_plain_numbers_and_ints_where_all_are(kind):
    values = [value_at(KINDS[kind], place) for place in (0.1, 0.5, 0.9)]
    whole = kind in ("int_uniform", "q_log_uniform", "q_log_uniform_values", "q_log_normal")
    assert {type(value) for value in values} == {int if whole else float}


def test_the_inverse_log_uniform_is_uniform_in_the_logarithm_of_the_inverse():
    random = np.random.default_rng(2)
    inverses = np.log([1 / draw_value(KINDS["inv_log_uniform"], random) for _ in range(4000)])
    assert np.histogram(inverses, 4, (1, 5))[0] == pytest.approx(1000, rel=0.12)


def test_multiples_are_written_as_people_write_them():
    assert [value_at(KINDS["q_uniform"], place) for place in (0.15, 0.35, 0.3)] == [0.3, 0.7, 0.6]


def test_rounding_does_not_leave_the_bounds():
    parameter = Parameter("p", "q_uniform", low=1, high=10, q=4)
    assert {value_at(parameter, place) for place in np.linspace(0, 1, 100)} == {4, 8}


def test_choices_are_as_likely_as_they_are_said_to_be():
    parameter = Parameter("p", "categorical", values=("a", [1, 2], None), probabilities=(0.2, 0.8, 0.0))
    random = np.random.default_rng(3)
    drawn = [draw_value(parameter, random) for _ in range(2000)]
    assert drawn.count("a") == pytest.approx(400, rel=0.15)
    assert drawn.count([1, 2]) == 2000 - drawn.count("a")
    assert value_at(parameter, 1.0) == [1, 2]


def test_without_probabilities_choices_are_equally_likely():
    values = (1, True, "x", {"a": 1})
    parameter = Parameter("p", "categorical", values=values)
    assert [value_at(parameter, place) for place in (0.1, 0.3, 0.6, 1.0)] == list(values)


def test_every_int_is_equally_likely_and_has_its_place():
    parameter = replace(KINDS["int_uniform"], low=1, high=4)
    assert places(parameter) == (0.125, 0.375, 0.625, 0.875)
    assert [value_at(parameter, place) for place in (0.0, 0.24, 0.26, 0.99, 1.0)] == [1, 1, 2, 4, 4]


def test_many_values_have_no_list_of_places():
    assert places(replace(KINDS["int_uniform"], high=1e6)) is None
    assert places(KINDS["normal"]) is None
    assert len(places(KINDS["q_beta"]) or ()) <= 21


def test_values_outside_of_the_bounds_have_places_outside():
    assert place_of(KINDS["uniform"], 10.0) == pytest.approx(1.5)
    assert place_of(KINDS["log_uniform_values"], 1e-6) == pytest.approx(-0.25)
    assert place_of(KINDS["log_uniform_values"], -1) == -1
    assert place_of(KINDS["uniform"], 1e300) == 2


@pytest.mark.parametrize("value", ["0.5", True, None, math.nan, [1]])
def test_what_is_no_number_has_no_place(value):
    assert place_of(KINDS["uniform"], value) is None


def test_extreme_bounds_give_finite_numbers():
    for parameter in (
        Parameter("p", "uniform", low=-1.7e308, high=1.7e308),
        Parameter("p", "log_normal", mu=0.0, sigma=1e6),
        Parameter("p", "q_log_normal", mu=0.0, sigma=500.0, q=0.1),
        Parameter("p", "normal", mu=0.0, sigma=1e300),
    ):
        assert all(math.isfinite(value_at(parameter, place)) for place in (0.0, 0.3, 0.7, 1.0))


def test_a_point_has_what_is_active_in_it():
    space = Space(
        (
            Parameter("kind", "categorical", values=("a", "b")),
            Parameter("depth", "int_uniform", low=1, high=5, when={"kind": ("b",)}),
        )
    )
    random = np.random.default_rng(0)
    points = [draw(space, random) for _ in range(50)]
    assert {(point["kind"], "depth" in point) for point in points} == {("a", False), ("b", True)}


def test_drawing_needs_no_scipy():
    code = "import sys; sys.modules['scipy'] = None\n"
    code += "import numpy; from lineal.sweeps.sampling import draw_value; from lineal.sweeps.space import Parameter\n"
    code += "random = numpy.random.default_rng(0)\n"
    code += f"for kind in {list(KINDS)}: draw_value(Parameter('p', kind, low=1, high=2, q=0.5), random)"
    subprocess.run([sys.executable, "-c", code], check=True)
