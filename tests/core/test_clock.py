"""Time is aware and in UTC, texts of it are read back, and ids sort by time and never repeat."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import clock
from lineal.core.errors import InvalidArgument

zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=zones)


def test_now_is_aware_and_in_utc() -> None:
    assert clock.now().tzinfo is UTC


@given(moments)
def test_a_moment_is_read_back(moment: datetime) -> None:
    text = clock.format_time(moment)
    assert text.endswith("Z")
    assert clock.parse_time(text) == moment
    assert clock.parse_time(text).tzinfo is UTC


def test_a_time_without_a_zone_is_taken_as_utc() -> None:
    assert clock.parse_time("2026-05-01T12:00") == datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert clock.parse_time(" 2026-05-01 ") == datetime(2026, 5, 1, tzinfo=UTC)


def test_a_time_of_another_zone_becomes_utc() -> None:
    assert clock.format_time(clock.parse_time("2026-05-01T12:00+02:00")) == "2026-05-01T10:00:00Z"


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "2026-05-01T25:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        clock.parse_time(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("24h", 86400), ("5 m", 300), ("1w 2d", 9 * 86400), ("1h30m", 5400), ("0s", 0)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert clock.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "24", "-1h", "1.5h", "1y", "1h x", "9" * 12 + "w", "9" * 5000 + "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        clock.parse_duration(text)


@given(st.text("0123456789smhdw ", max_size=30))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        assert clock.parse_duration(text) >= timedelta()
    except InvalidArgument:
        pass


def test_ids_do_not_repeat_and_are_made_of_safe_letters() -> None:
    ids = [clock.new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert {len(i) for i in ids} == {26}
    assert set("".join(ids)) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_ids_sort_by_the_millisecond_they_were_made_in() -> None:
    earlier = clock.new_id()
    start = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == start:
        pass
    assert earlier < clock.new_id()


def test_run_ids_are_short_and_do_not_repeat() -> None:
    ids = {clock.new_run_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(i) for i in ids} == {8}
