"""Values as people read them; nothing that they show can steer a terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.core import display


@given(st.text(st.characters()))
def test_what_is_shown_is_printable(text: str) -> None:
    shown = display.printable(text)
    assert shown.isprintable()
    assert shown.encode().decode() == shown


@given(st.text().filter(str.isprintable))
def test_printable_text_is_shown_as_it_is(text: str) -> None:
    assert display.printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\nb", r"a\nb"),
        ("\udcff", r"\udcff"),
        ("日", "日"),
    ],
)
def test_what_steers_is_written_out(text: str, shown: str) -> None:
    assert display.printable(text) == shown


def test_a_moment_is_shown_in_utc() -> None:
    assert display.moment(datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))) == "2026-05-01 12:00:00 UTC"
    assert display.moment(datetime(2026, 5, 1, 12, tzinfo=UTC)) == "2026-05-01 12:00:00 UTC"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, "?"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1449, "1.4 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_400_000, "1.4 MB"),
        (20_000_000_000, "20.0 GB"),
        (999_499_999_999_999, "999 TB"),
        (999_500_000_000_000, "1.0 PB"),
        (1_234_000_000_000_000_000, "1,234.0 PB"),
    ],
)
def test_a_size_is_shown_in_three_digits_or_so(size: int | None, shown: str) -> None:
    assert display.size(size) == shown


def test_a_count_has_its_noun_in_the_right_number() -> None:
    shown = [display.count(n, "run") for n in (0, 1, 2, 1000)]
    assert shown == ["0 runs", "1 run", "2 runs", "1,000 runs"]


def test_a_digest_is_shown_without_its_tail() -> None:
    assert display.short("sha256:" + "0123456789abcdef" * 4) == "sha256:0123456789ab"
    assert display.short("sha256:abcdef", 4) == "sha256:abcd"
    assert display.short("\x1b") == r"\x1b"
