"""Records as plain JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from lineal.core.plain import plain

NOON = datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))


@dataclass(frozen=True, slots=True)
class Pair:
    left: Any
    right: Any = None

    @property
    def ref(self) -> str:
        return f"pair:{self.left}"


def test_fields_are_told_at_every_depth() -> None:
    value = plain({1: Pair((b"\x0f", NOON), [Pair("x")])})
    assert value == {"1": {"left": ["0f", "2026-05-01T12:00:00Z"], "right": [{"left": "x", "right": None}]}}


def test_properties_are_told_where_they_are_named_and_there() -> None:
    assert plain(Pair(1, Pair(2)), ("ref", "absent")) == {
        "ref": "pair:1",
        "left": 1,
        "right": {"ref": "pair:2", "left": 2, "right": None},
    }


def test_sets_become_lists_and_a_class_is_no_record() -> None:
    assert plain({"a": frozenset({3})}) == {"a": [3]}
    assert plain(Pair) is Pair
    assert plain(datetime(2026, 5, 1, tzinfo=UTC)) == "2026-05-01T00:00:00Z"
