"""The guarded view of a file, and the words that header readers share."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.storage.header_window import Unreadable, Window, named, quoted, shown, with_shape


def test_a_window_ends_at_the_stated_size() -> None:
    window = Window(io.BytesIO(b"abcdef"), 4)
    assert window.read() == b"abcd"
    assert window.read(3) == b""
    assert window.seek(-1, io.SEEK_END) == window.tell() == 3
    assert window.read(9) == b"d"
    assert window.seek(-2, io.SEEK_CUR) == 2
    assert window.seek(99) == 99
    assert window.read(1) == b""


def test_take_gives_all_or_nothing() -> None:
    window = Window(io.BytesIO(b"abcdef"), 6)
    assert window.take(1, 3) == b"bcd"
    for start, count in ((4, 3), (7, 1), (-1, 1)):
        with pytest.raises(Unreadable, match="cut short"):
            window.take(start, count)


def test_a_huge_read_is_refused_before_memory_is_taken() -> None:
    window = Window(io.BytesIO(b""), 1 << 62)
    with pytest.raises(Unreadable, match="too large"):
        window.read(1 << 61)
    with pytest.raises(Unreadable, match="too large"):
        window.read()


def test_a_failing_file_is_asked_once() -> None:
    class Failing(io.BytesIO):
        asked = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.asked += 1
            raise TimeoutError

    file = Failing()
    window = Window(file, 9)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            window.read(1)
    assert isinstance(window.failure, TimeoutError)
    assert file.asked == 1


def test_names_that_come_again_are_numbered() -> None:
    pairs = [("a", "1"), ("a", "2"), ("a #2", "3"), ("a", "4"), ("", "5"), ("", "6")]
    assert list(named(pairs)) == ["a", "a #2", "a #2 #2", "a #3", "", " #2"]


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(Unreadable, match="100,000 parts"):
        named(("", "") for _ in range(100_001))


@given(st.lists(st.sampled_from(["a", "a #2", "a #3", "b"])))
def test_no_part_is_lost_to_another(names: list[str]) -> None:
    assert list(named((name, str(i)) for i, name in enumerate(names)).values()) == [str(i) for i in range(len(names))]


def test_a_scalar_has_no_brackets() -> None:
    assert with_shape("int64", []) == "int64"
    assert with_shape("int64", [2, 0]) == "int64[2, 0]"


def test_names_with_blanks_are_quoted() -> None:
    assert [quoted(name) for name in ("a", "", "a b", "ä…")] == ["a", "''", "'a b'", "ä…"]


def test_text_is_escaped_and_clipped() -> None:
    assert shown("tab\tü\U000e0001") == r"tab\tü\U000e0001"
    assert len(shown("x" * 500)) == 200
