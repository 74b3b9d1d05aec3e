import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as RichConsole
from rich.progress import Progress
from tqdm import tqdm

from lineal.client.capture.terminal import MAX_LINE_CHARS, Line, Terminal


def lines(*pieces: str, final: bool = True) -> list[str]:
    terminal = Terminal("stdout")
    for number, piece in enumerate(pieces):
        terminal.write(float(number), piece)
    return [line.text for line in terminal.take(final=final)]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", text).rstrip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\n\nb", ["a", "", "b"]),
        ("", []),
        ("\n", [""]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("10%\r20%\r100%\n", ["100%"]),
        ("10%\r", ["10%"]),
        ("10%\r\r\n", ["10%"]),
        ("10%\r\x1b[2Kdone\n", ["done"]),
        ("10%\x1b[K\r20%\x1b[K\n", ["20%"]),
        ("\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
        ("a\nb\n\x1b[2A\rA\nB\nc\n", ["A", "B", "c"]),
        ("a\nb\n\x1b[1FB\x1b[1Ec\n", ["a", "B", "c"]),
        ("\x1b[99Aa\n\x1b[99Bb\n", ["a", "b"]),
        (f"a\n\x1b[{'9' * 5000}Ab\n", ["a", f"\x1b[{'9' * 5000}Ab"]),
        ("a\vb\x85c\u2028d\n", ["a\vb\x85c\u2028d"]),
    ],
)
def test_text_becomes_the_lines_that_a_terminal_shows_in_the_end(text, shown):
    assert lines(text) == shown
    if "\x1b" not in text:
        assert lines(*text) == shown


def test_a_line_bears_the_time_and_stream_of_what_was_written_to_it_last():
    terminal = Terminal("stderr")
    terminal.write(1.0, "a")
    terminal.write(2.0, "b\n\nc")
    assert terminal.take(final=True) == [Line(2.0, "stderr", "ab"), Line(2.0, "stderr", ""), Line(2.0, "stderr", "c")]


def test_a_line_without_an_end_is_given_only_at_the_end():
    terminal = Terminal("stdout")
    terminal.write(1.0, "a\nb")
    assert [line.text for line in terminal.take()] == ["a"]
    assert terminal.take() == []
    terminal.write(2.0, "c\n")
    assert [line.text for line in terminal.take()] == ["bc"]
    terminal.write(3.0, "d")
    assert [line.text for line in terminal.take(final=True)] == ["d"]
    assert terminal.take(final=True) == []


def test_long_lines_are_cut_where_it_is_said():
    exact = "x" * MAX_LINE_CHARS
    assert lines(exact + "\n", "y" * 3 * MAX_LINE_CHARS + "\n") == [exact, "y" * MAX_LINE_CHARS + "…"]
    assert lines(*["z" * 999] * 100) == ["z" * MAX_LINE_CHARS + "…"]
    assert lines("w" * (2 * MAX_LINE_CHARS), "\rshort\n") == ["short"]


def test_one_progress_bar_is_one_line():
    out = io.StringIO()
    for _ in tqdm(range(50), file=out, mininterval=0, desc="train"):
        pass
    (line,) = lines(out.getvalue())
    assert line.startswith("train: 100%|") and "50/50" in line


def test_nested_progress_bars_are_a_line_each_however_often_they_are_taken():
    out, terminal, taken = io.StringIO(), Terminal("stderr"), []
    with (
        tqdm(total=3, file=out, mininterval=0, desc="epoch", position=0) as epochs,
        tqdm(total=60, file=out, mininterval=0, desc="step", position=1) as steps,
    ):
        for _ in range(60):
            steps.update()
            epochs.update(0.05)
            terminal.write(1.0, out.getvalue())
            out.seek(0)
            out.truncate()
            taken += terminal.take()
    terminal.write(2.0, out.getvalue())
    taken += terminal.take(final=True)
    texts = [line.text for line in taken if line.text.strip()]
    assert len(texts) <= 3  # the first state of the outer one may have been taken before the inner one came
    assert any("60/60" in text for text in texts)


def test_a_live_display_of_several_lines_is_shown_once():
    out = io.StringIO()
    console = RichConsole(file=out, force_terminal=True, width=80)
    with Progress(console=console, auto_refresh=False) as progress:
        tasks = [progress.add_task(name, total=20) for name in ("one", "two", "three")]
        for _ in range(20):
            for task in tasks:
                progress.update(task, advance=1)
            progress.refresh()
    texts = [plain(line) for line in lines(out.getvalue()) if plain(line)]
    assert [text.split()[0] for text in texts] == ["one", "two", "three"]
    assert all("100%" in text for text in texts)


def test_after_a_display_has_ended_lines_are_given_at_once_again():
    terminal = Terminal("stdout")
    terminal.write(1.0, "bar 0\nbar 1\x1b[A\r")
    assert terminal.take() == []
    terminal.write(2.0, "bar 0 done\nbar 1 done\nplain\n")
    assert [line.text for line in terminal.take()] == ["bar 0 done", "bar 1 done", "plain"]
    terminal.write(3.0, "more\n")
    assert [line.text for line in terminal.take()] == ["more"]


@given(st.lists(st.text(alphabet="ab\n\r \x1b[2AKBEF;", max_size=30), max_size=20), st.integers(0, 2**20 - 1))
def test_no_text_is_too_odd_and_taking_between_loses_no_complete_line(pieces, takes):
    terminal = Terminal("stdout")
    taken: list[Line] = []
    for number, piece in enumerate(pieces):
        terminal.write(1.0, piece)
        if takes >> number & 1:
            taken += terminal.take()
    taken += terminal.take(final=True)
    assert not any("\n" in line.text or "\r" in line.text for line in taken)
    text = "".join(pieces)
    if "\x1b" not in text and "\r" not in text:
        *complete, last = text.split("\n")
        assert [line.text for line in taken] == complete + [last] * bool(last)
