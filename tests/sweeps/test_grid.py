import itertools
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidSweep
from lineal.sweeps import grid
from lineal.sweeps.config import parse
from lineal.sweeps.space import Space, key


def space(parameters: dict[str, Any]) -> Space:
    return parse({"method": "grid", "parameters": parameters}).space


def all_of(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    whole = space(parameters)
    return [grid.point(whole, index) for index in range(grid.size(whole))]


def test_the_first_parameter_varies_slowest():
    assert all_of({"z": {"values": [1, "b"]}, "c": {"value": None}, "a": {"min": 5, "max": 6}}) == [
        {"z": 1, "c": None, "a": 5},
        {"z": 1, "c": None, "a": 6},
        {"z": "b", "c": None, "a": 5},
        {"z": "b", "c": None, "a": 6},
    ]


def test_steps_are_values_too():
    step = {"distribution": "q_uniform", "min": 0.1, "max": 0.3, "q": 0.1}
    assert all_of({"a": step}) == [{"a": 0.1}, {"a": 0.2}, {"a": 0.3}]


def test_a_parameter_that_is_not_active_is_one_way_of_being():
    found = all_of(
        {
            "opt": {"values": ["sgd", "adam"]},
            "n": {"values": [1, 2]},
            "momentum": {"values": [0.0, 0.9], "when": {"opt": "sgd"}},
        }
    )
    assert found == [
        {"opt": "sgd", "n": 1, "momentum": 0.0},
        {"opt": "sgd", "n": 2, "momentum": 0.0},
        {"opt": "sgd", "n": 1, "momentum": 0.9},
        {"opt": "sgd", "n": 2, "momentum": 0.9},
        {"opt": "adam", "n": 1},
        {"opt": "adam", "n": 2},
    ]


def test_a_million_points_and_more_take_no_time_each():
    whole = space({f"p{n}": {"min": 0, "max": 9} for n in range(30)})
    assert grid.size(whole) == 10**30
    assert grid.point(whole, 123456) == {f"p{n}": int(f"{123456:030d}"[n]) for n in range(30)}
    began = time.perf_counter()
    for index in range(10**29, 10**29 + 1000):
        grid.point(whole, index)
    assert time.perf_counter() - began < 2


def test_behind_the_last_point_there_is_none():
    with pytest.raises(InvalidSweep, match="the grid has 3 points, so there is none with number 3"):
        grid.point(space({"a": {"min": 1, "max": 3}}), 3)


def test_a_grid_that_cant_be_counted_is_refused():
    chains = {"a": {"min": 1, "max": 200}, "b": {"min": 1, "max": 200}, "c": {"value": 1, "when": {"a": 1, "b": 2}}}
    with pytest.raises(InvalidSweep, match=r"\(a, b\) has 40000 combinations, too many for a grid"):
        space(chains)
    many = {f"c{n}": {"value": n, "when": {"a": 1}} for n in range(900)}
    with pytest.raises(InvalidSweep, match="too many for a grid"):
        space({"a": {"min": 1, "max": 200}, **many})


def test_groups_of_their_own_are_counted_apart():
    groups: dict[str, Any] = {}
    for n in range(8):
        groups[f"a{n}"] = {"min": 1, "max": 10}
        groups[f"b{n}"] = {"values": [1, 2], "when": {f"a{n}": 1}}
    assert grid.size(space(groups)) == 11**8


@st.composite
def conditional(draw: Any) -> dict[str, Any]:
    """Parameters with up to three values each, each with conditions on some of those before it."""
    found: dict[str, Any] = {}
    for n in range(draw(st.integers(1, 6))):
        values = draw(st.lists(st.sampled_from(["x", "y", 1, True]), min_size=1, max_size=3, unique_by=key))
        others = draw(st.lists(st.sampled_from(sorted(found)), max_size=2, unique=True)) if found else []
        when = {other: draw(st.sampled_from(found[other]["values"])) for other in others}
        found[f"p{n}"] = {"values": values, **({"when": when} if when else {})}
    return found


@given(conditional())
def test_every_point_is_there_exactly_once_whatever_depends_on_what(parameters):
    expected = set()
    for choice in itertools.product(*(each["values"] for each in parameters.values())):
        point: dict[str, Any] = {}
        for (name, each), value in zip(parameters.items(), choice, strict=True):
            if all(o in point and key(point[o]) == key(v) for o, v in each.get("when", {}).items()):
                point[name] = value
        expected.add(key(point))
    found = [key(point) for point in all_of(parameters)]
    assert len(found) == len(set(found))
    assert set(found) == expected
