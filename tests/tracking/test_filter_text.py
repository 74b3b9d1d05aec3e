from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidFilter
from lineal.tracking import filters
from lineal.tracking.filter_text import MAX_LENGTH, parse


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("", {}),
        ("  ", {}),
        ("config.lr > 0.01", {"config.lr": {"$gt": 0.01}}),
        ("config.lr>=1e-3", {"config.lr": {"$gte": 0.001}}),
        ("config.n = 7", {"config.n": {"$eq": 7}}),
        ("config.n == '7'", {"config.n": {"$eq": "7"}}),
        ("config.n != adam", {"config.n": {"$ne": "adam"}}),
        ("config.flag = true", {"config.flag": {"$eq": True}}),
        ("config.x = null", {"config.x": {"$eq": None}}),
        ("state = finished", {"state": {"$eq": "finished"}}),
        ("group = 007", {"group": {"$eq": "007"}}),
        ("tags has baseline", {"tags": {"$eq": "baseline"}}),
        ("tags in (a, 'b c')", {"tags": {"$in": ["a", "b c"]}}),
        ("config.n not in [1, -2.5]", {"config.n": {"$nin": [1, -2.5]}}),
        ('name ~ "abc.*"', {"name": {"$regex": "abc.*"}}),
        (r'name ~ "^\d+ \"x\"$"', {"name": {"$regex": '^\\d+ "x"$'}}),
        ("name !~ ^abc", {"name": {"$not": {"$regex": "^abc"}}}),
        ("config.x exists", {"config.x": {"$exists": True}}),
        ("config.x not exists", {"config.x": {"$exists": False}}),
        ("NOT config.x EXISTS", {"$not": {"config.x": {"$exists": True}}}),
        ('"summary.a b" < .5', {"summary.a b": {"$lt": 0.5}}),
        ("created_at > 2026-05-01T12:00Z", {"created_at": {"$gt": "2026-05-01T12:00Z"}}),
        (
            "state = failed or state = killed and not (group = a)",
            {
                "$or": [
                    {"state": {"$eq": "failed"}},
                    {"$and": [{"state": {"$eq": "killed"}}, {"$not": {"group": {"$eq": "a"}}}]},
                ]
            },
        ),
        (
            "(state = failed or state = killed) and group = a",
            {
                "$and": [
                    {"$or": [{"state": {"$eq": "failed"}}, {"state": {"$eq": "killed"}}]},
                    {"group": {"$eq": "a"}},
                ]
            },
        ),
    ],
)
def test_a_line_spells_the_mapping(text: str, mapping: dict[str, Any]) -> None:
    assert parse(text) == mapping


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("config.lr", 9, "after 'config.lr' comes"),
        ("config.lr >", 11, "a value comes here"),
        ("config.lr > and", 12, "a value comes here"),
        ("> 1", 0, "a key such as"),
        ("loss > 1", 0, "runs have no 'loss'"),
        ("state = done", 0, "never 'done'"),
        ("(state = failed", 15, "is missing here"),
        ("state = failed)", 14, "'and' or 'or' comes here"),
        ("state = failed state = killed", 15, "'and' or 'or' comes here"),
        ("name = 'abc", 7, "never close"),
        ("config.x in 1", 12, "takes a list"),
        ("config.x in (1 2)", 15, "is missing here"),
        ("config.x ! 1", 9, "nothing starts"),
        ("group has x", 6, "only tags"),
        ("config.x not = 1", 13, "comes ="),
        ('name ~ "(a"', 0, "unclosed group"),
        ("created_at > yesterday", 0, "is not a time"),
    ],
)
def test_what_can_not_be_read_is_refused_with_its_place(text: str, at: int, why: str) -> None:
    with pytest.raises(InvalidFilter, match=f"character {at + 1} ") as caught:
        parse(text)
    assert why in caught.value.message
    assert caught.value.details == {"at": at}


def test_a_line_is_neither_endless_nor_endlessly_deep() -> None:
    with pytest.raises(InvalidFilter, match="at most 10,000 characters"):
        parse("x" * (MAX_LENGTH + 1))
    for opening in ("(", "not ", "not("):
        with pytest.raises(InvalidFilter, match="nested"):
            parse(opening * (MAX_LENGTH // len(opening)))


@given(st.text(st.sampled_from("abc.= <>!~()[],'\"\\01 andornotinhasexists\n\ud800"), max_size=40))
def test_any_line_is_read_or_refused(text: str) -> None:
    try:
        filters.parse(parse(text))
    except InvalidFilter:
        pass


@given(st.text(max_size=20).filter(lambda text: text.isprintable() and not text.endswith("\\")))
def test_any_text_can_be_quoted(value: str) -> None:
    quoted = value.replace("'", "\\'")
    if "\\'" not in value:
        assert parse(f"config.x = '{quoted}'") == {"config.x": {"$eq": value}}
