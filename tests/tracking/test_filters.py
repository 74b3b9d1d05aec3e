import time
from datetime import UTC, datetime

import pytest

from lineal.core.errors import InvalidArgument, InvalidFilter
from lineal.tracking.filters import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_REGEX,
    MAX_VALUES,
    All,
    AnyOf,
    Condition,
    Field,
    Not,
    Order,
    field,
    matcher,
    parse,
    parse_order,
)

LR = Field("value", "config.lr")
STATE = Field("text", "state")


def test_a_mapping_is_the_conjunction_of_its_keys() -> None:
    assert parse({"config.lr": {"$gt": 0.01, "$lte": 1}, "state": "finished"}) == All(
        (
            All((Condition(LR, "gt", 0.01), Condition(LR, "lte", 1))),
            Condition(STATE, "in", ("finished",)),
        )
    )
    assert parse({}) == parse(None) == All(())


def test_operators_that_deny_are_what_they_deny_in_a_not() -> None:
    one = Condition(LR, "in", (1,))
    assert parse({"config.lr": {"$ne": 1}}) == parse({"config.lr": {"$nin": [1]}}) == Not(one)
    assert parse({"config.lr": {"$not": {"$eq": 1}}}) == parse({"$not": {"config.lr": 1}}) == Not(one)
    assert parse({"$nor": [{"config.lr": 1}]}) == Not(AnyOf((one,)))
    assert parse({"$or": [{"config.lr": 1}, {"state": "failed"}]}) == AnyOf(
        (one, Condition(STATE, "in", ("failed",)))
    )
    assert parse({"config.lr": {"$exists": False}}) == Not(Condition(LR, "exists", True))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("config.lr.value", "config.lr"),
        ("config.value", "config.value"),
        ("config.a.b/c d", "config.a.b/c d"),
        ("summary_metrics.val/f1", "summary.val/f1"),
        ("summary.f1.value", "summary.f1.value"),
        ("jobType", "job_type"),
        ("createdAt", "created_at"),
        ("heartbeat", "updated_at"),
        ("username", "user"),
        ("display_name", "display_name"),
    ],
)
def test_a_field_has_the_spellings_that_w_and_b_has(spelling: str, name: str) -> None:
    assert field(spelling).name == name


def test_a_name_is_the_id_or_the_name_that_people_gave() -> None:
    both = AnyOf(
        (Condition(Field("text", "id"), "in", ("x",)), Condition(Field("text", "display_name"), "in", ("x",)))
    )
    assert parse({"name": "x"}) == both
    assert parse({"name": {"$ne": "x"}}) == parse({"name": {"$not": {"$eq": "x"}}}) == Not(both)


def test_a_time_is_a_text_or_a_moment() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    at = Field("time", "created_at")
    assert parse({"created_at": {"$gte": "2026-05-01T12:00Z"}}) == Condition(at, "gte", noon)
    assert parse({"createdAt": {"$lt": noon}}) == Condition(at, "lt", noon)


@pytest.mark.parametrize(
    "filters",
    [
        "state = finished",
        [],
        {1: 2},
        {"unknown": 1},
        {"config": 1},
        {"config.": 1},
        {"config." + "x" * 20_000: 1},
        {"config.lr": {"$where": "1"}},
        {"config.lr": {"x": 1}},
        {"config.lr": {}},
        {"config.lr": {"$gt": 1, "x": 2}},
        {"config.lr": object()},
        {"config.lr": b"x"},
        {"config.lr": {"$gt": None}},
        {"config.lr": {"$gt": [1]}},
        {"config.lr": {"$gt": float("nan")}},
        {"config.lr": {"$in": "abc"}},
        {"config.lr": {"$in": [{}]}},
        {"config.lr": {"$exists": 1}},
        {"config.lr": {"$regex": 1}},
        {"config.lr": {"$regex": "x" * (MAX_REGEX + 1)}},
        {"config.lr": "\ud800"},
        {"config.lr": ["\x00"]},
        {"config.\ud800": 1},
        {"group": 10**5000},
        {"state": "done"},
        {"state": 1.5},
        {"tags": {"$gt": "a"}},
        {"created_at": "yesterday"},
        {"created_at": 5},
        {"created_at": {"$regex": "2026"}},
        {"last_step": {"$gt": "5"}},
        {"$where": "this.x"},
        {"$or": {}},
        {"$or": []},
        {"$and": "ab"},
        {"$or": [1]},
        {"$not": [{}]},
        {"$expr": {}},
        {"config.a": {"$in": list(range(MAX_VALUES + 1))}},
        {"$and": [{"config.a": n} for n in range(MAX_CONDITIONS + 1)]},
        {"tags": {"$in": [f"t{n}" for n in range(MAX_CONDITIONS + 1)]}},
    ],
)
def test_what_is_no_filter_is_refused(filters: object) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(filters)  # type: ignore[arg-type]
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("wrap", [lambda f: {"$and": [f]}, lambda f: {"$not": f}, lambda f: {"$nor": [f]}])
def test_a_filter_is_not_endlessly_deep(wrap) -> None:  # type: ignore[no-untyped-def]
    filters: dict[str, object] = {"config.a": 1}
    for _ in range(MAX_DEPTH):
        filters = wrap(filters)
    parse(filters)
    for _ in range(5000):
        filters = wrap(filters)
    with pytest.raises(InvalidFilter, match="deep"):
        parse(filters)


@pytest.mark.parametrize("key", ["config.a", "name"])
def test_a_not_of_nots_is_not_endlessly_deep(key: str) -> None:
    test: dict[str, object] = {"$eq": "1"}
    for _ in range(5000):
        test = {"$not": test}
    with pytest.raises(InvalidFilter, match="deep"):
        parse({key: test})


def test_a_pattern_that_makes_other_engines_hang_is_searched_for_at_once() -> None:
    start = time.perf_counter()
    assert not matcher("(a+)+$")("a" * 100_000 + "b")
    assert not matcher("(a|a)*c")("a" * 10_000)
    assert time.perf_counter() - start < 5
    assert matcher("^b.t$")("bat")
    assert matcher("(?i)B.T")("a bat")


@pytest.mark.parametrize("pattern", ["(a", "[", "(?=a)b", r"(a)\1", r"(\w{1000}){1000}", "*"])
def test_a_pattern_that_can_not_be_searched_for_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidFilter, match="no regular expression that can be used"):
        matcher(pattern)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("-summary_metrics.val/f1", Order(Field("value", "summary.val/f1"), True)),
        ("+config.lr", Order(LR)),
        ("config.lr.value", Order(LR)),
        ("-created_at", Order(Field("time", "created_at"), True)),
        ("name", Order(Field("text", "display_name"))),
        ("+heartbeat", Order(Field("time", "updated_at"))),
        ("state", Order(STATE)),
    ],
)
def test_an_order_is_a_sign_and_a_field(text: str, order: Order) -> None:
    assert parse_order(text) == order


@pytest.mark.parametrize(
    "text", ["", "-", "--created_at", "+-state", "tags", "loss", "config.", 5, None, "x" * 100_000]
)
def test_what_runs_can_not_be_sorted_by_is_refused(text: object) -> None:
    with pytest.raises(InvalidArgument, match="sorted by"):
        parse_order(text)  # type: ignore[arg-type]
