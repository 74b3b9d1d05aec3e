"""Metadata as plain JSON."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.errors import InvalidMetadata
from lineal.core.metadata import MAX_BYTES, MAX_DEPTH, check_metadata, restored

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(texts, values, max_size=5))
def test_what_is_plain_json_already_stays_as_it_is_through_json_too(value: dict[str, Any]) -> None:
    assert check_metadata(value) == value
    assert json.loads(json.dumps(check_metadata(value), allow_nan=False)) == value


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(texts, values, max_size=5))
def test_checking_twice_is_checking_once(value: dict[str, Any]) -> None:
    assert check_metadata(check_metadata(value)) == check_metadata(value)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"d": value}
    return value


def test_the_limits_are_where_they_are_said_to_be() -> None:
    assert check_metadata(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    with pytest.raises(InvalidMetadata, match="levels"):
        check_metadata(nested(MAX_DEPTH + 1))
    room = MAX_BYTES - len('{"t": ""}')
    assert check_metadata({"t": "x" * room})
    with pytest.raises(InvalidMetadata, match="bytes"):
        check_metadata({"t": "x" * (room + 1)})


@pytest.mark.parametrize(
    ("given_", "plain"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}),
        ({"a": {1}}, {"a": [1]}),
        ({1: "x"}, {"1": "x"}),
        ({"a": np.float64(0.5)}, {"a": 0.5}),
        ({"a": np.int8(-3)}, {"a": -3}),
        ({"a": np.bool_(False)}, {"a": False}),
        ({"a": np.str_("t")}, {"a": "t"}),
        ({"a": np.array(7.0)}, {"a": 7.0}),
    ],
)
def test_what_has_a_plain_form_takes_it(given_: dict[Any, Any], plain: dict[str, Any]) -> None:
    found = check_metadata(given_)
    assert found == plain
    assert json.loads(json.dumps(found)) == plain


@pytest.mark.parametrize(
    ("given_", "where"),
    [
        ({"a": {"b": [0, float("nan")]}}, r"metadata\.a\.b\[1\]"),
        ({"a": np.array([1, 2])}, r"metadata\.a is a ndarray"),
        ({"a": np.array(float("inf"))}, r"metadata\.a is inf"),
        ({"a": b"x"}, r"metadata\.a is a bytes"),
        ({"a": 1j}, r"metadata\.a is a complex"),
        ({"a": "\ud800"}, r"metadata\.a holds"),
        ({"a\x00": 1}, "metadata holds"),
        ({"a": np.datetime64("2026-01-01")}, r"metadata\.a is a date"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_key(given_: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidMetadata, match=where):
        check_metadata(given_)


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_metadata_is_a_mapping(value: Any) -> None:
    with pytest.raises(InvalidMetadata, match="config must be a mapping"):
        check_metadata(value, "config")


# ---- numbers that are not finite -------------------------------------------------------------------------------

any_values = st.recursive(
    leaves | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=3),
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(texts, any_values, max_size=4))
def test_numbers_that_are_not_finite_come_back(value: dict[str, Any]) -> None:
    stored = json.loads(json.dumps(check_metadata(value, finite=False), allow_nan=False))
    assert repr(restored(stored)) == repr(value)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_mapping_that_would_be_taken_for_a_number_as_a_whole_is_refused(text: str) -> None:
    with pytest.raises(InvalidMetadata, match="stands for a number"):
        check_metadata({"$float": text}, finite=False)
    assert check_metadata({"$float": text}) == {"$float": text}


def test_what_was_checked_is_checked_again_without_harm() -> None:
    once = check_metadata({"a": [float("nan"), {"b": float("inf")}]}, finite=False)
    assert check_metadata(once, finite=False) == once


@pytest.mark.parametrize("other", ["NaN", "1", 1, None, [], ["nan"], {"a": 1}, {}])
def test_a_mapping_that_only_looks_like_a_number_is_itself(other: Any) -> None:
    value = {"a": {"$float": other}, "b": {"$float": "nan", "c": 1}}
    assert restored(check_metadata(value, finite=False)) == value
    assert restored({"$float": other}) == {"$float": other}
