"""The record."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lineal.access import audit
from lineal.access.model import Caller
from lineal.core.errors import InvalidArgument
from tests.access.conftest import NOON

ADA = Caller(1, "ada", key_prefix="abc", address="1.2.3.4", request_id="r1")


@pytest.fixture
def record(session):
    def record_(n: int, operation: str, subject: str, caller: Caller | None = ADA, **more) -> None:
        audit.add(session, caller, operation, subject, at=NOON + timedelta(minutes=n), **more)

    return record_


def test_a_row_says_who_did_what_from_where(session, record) -> None:
    record(0, "artifacts.move_alias", "e/p/m:prod", before={"version": "v1"}, after={"version": "v2"}, why="better")
    (row,) = audit.page(session).rows
    assert (row.at, row.user, row.key_prefix, row.address, row.request_id) == (NOON, "ada", "abc", "1.2.3.4", "r1")
    assert (row.operation, row.subject, row.outcome, row.why) == (
        "artifacts.move_alias",
        "e/p/m:prod",
        "done",
        "better",
    )
    assert (row.before, row.after) == ({"version": "v1"}, {"version": "v2"})
    record(1, "store.gc", "store", None, user="root", outcome="refused")
    row = audit.page(session).rows[0]
    assert (row.user, row.key_prefix, row.outcome, row.before) == ("root", "", "refused", None)


def test_rows_are_found_by_what_they_say(session, record) -> None:
    record(0, "a", "e/p/m:v1")
    record(1, "b", "e/p/m", Caller(2, "bob"))
    record(2, "a", "e/p", outcome="refused")
    record(3, "a", "e/pq")
    record(4, "a", "e/p/m2")

    def found(**given) -> list[str]:
        return [row.subject for row in audit.page(session, **given).rows]

    assert found(user="bob") == ["e/p/m"]
    assert found(operation="b") == ["e/p/m"]
    assert found(subject="e/p") == ["e/p/m2", "e/p", "e/p/m", "e/p/m:v1"]
    assert found(subject="e/p/m") == ["e/p/m", "e/p/m:v1"]
    assert found(outcome="refused") == ["e/p"]
    assert found(since=NOON + timedelta(minutes=3)) == ["e/p/m2", "e/pq"]
    assert found(until=NOON + timedelta(minutes=1)) == ["e/p/m:v1"]
    assert found(user="bob", operation="a") == []


def test_pages_join_up_without_gaps_or_repeats(session, record) -> None:
    for n in range(7):
        record(n, "a", f"s{n}")
    seen, cursor = [], None
    while True:
        page = audit.page(session, limit=3, after=cursor)
        seen += [row.subject for row in page.rows]
        if (cursor := page.cursor) is None:
            break
    assert seen == [f"s{n}" for n in reversed(range(7))]


def test_whatever_was_asked_for_can_be_recorded(session, record) -> None:
    record(0, "a", "x\0\ud800" + "y" * 9000, why="\0", after={"big": "z" * 100_000})
    (row,) = audit.page(session).rows
    assert row.subject.startswith("x\\0\\ud800y")
    assert row.why == "\\0"
    assert list(row.after or {}) == ["left_out"]


def test_what_is_no_page_is_refused(session) -> None:
    for given in (
        {"limit": 0},
        {"limit": 1001},
        {"after": "x"},
        {"after": "-1"},
        {"after": "²"},
        {"after": "9" * 30},
    ):
        with pytest.raises(InvalidArgument):
            audit.page(session, **given)
