import math

import pytest

from lineal.tracking.leaves import MAX_TEXT, columns, flatten


def test_nested_mappings_become_dotted_keys_and_everything_else_is_a_leaf() -> None:
    value = {
        "a": {"b": {"c": 1}},
        "x.y": 2,
        "empty": {},
        "list": [1],
        "media": {"_type": "image"},
        "n": {"$float": "nan"},
    }
    assert dict(flatten(value, "config")) == {
        "config.a.b.c": 1,
        "config.x.y": 2,
        "config.empty": {},
        "config.list": [1],
        "config.media": {"_type": "image"},
        "config.n": {"$float": "nan"},
    }


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1, (1.0, None)),
        (0.5, (0.5, None)),
        (True, (1.0, "true")),
        (False, (0.0, "false")),
        ("7", (None, "7")),
        (None, (None, None)),
        (math.nan, (None, "nan")),
        ({"$float": "nan"}, (None, "nan")),
        (math.inf, (math.inf, None)),
        ({"$float": "-inf"}, (-math.inf, None)),
        (10**400, (math.inf, None)),
        (-(10**400), (-math.inf, None)),
        ([1, "a"], (None, '[1, "a"]')),
        ({}, (None, "{}")),
        ("x" * 1000, (None, "x" * MAX_TEXT)),
    ],
)
def test_a_value_is_kept_as_a_number_or_a_text(value: object, kept: tuple[float | None, str | None]) -> None:
    assert columns(value) == kept
