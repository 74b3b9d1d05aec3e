import contextlib
import io
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lineal.client.capture import console as module
from lineal.client.capture.console import Console

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def console(capsys):
    """A console that is stopped after the test; the test starts it, as pytest changes the streams before it."""
    found = Console()
    yield found
    found.stop()


def texts(console: Console, **how: bool) -> list[str]:
    return [line.text for line in console.take(**how)]


def run(program: str, *words: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *words],
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        **how,
    )


def test_what_is_printed_is_shown_at_once_and_gathered(console, capsys):
    out = sys.stdout
    console.start()
    before = time.time()
    print("one", 2)
    print("half", end="")
    assert out.getvalue() == "one 2\nhalf"
    (line,) = console.take()
    assert (line.stream, line.text) == ("stdout", "one 2")
    assert before <= line.time_s <= time.time()
    assert console.take() == []
    assert texts(console, final=True) == ["half"]


def test_both_streams_are_heard_in_the_order_they_were_written_to(console):
    console.start()
    print("a")
    print("b", file=sys.stderr)
    print("c")
    assert [(line.stream, line.text) for line in console.take()] == [
        ("stdout", "a"),
        ("stderr", "b"),
        ("stdout", "c"),
    ]


def test_lines_written_at_once_are_heard(console):
    console.start()
    sys.stdout.writelines(["a\n", "b\n"])
    assert texts(console) == ["a", "b"]


def test_streams_stay_what_they_are(capsys):
    out = sys.stdout
    before = sys.stdout, sys.stderr
    console = Console()
    console.start()
    assert (sys.stdout, sys.stderr) == before
    assert sys.stdout.write("äöü") == 3
    console.stop()
    assert (sys.stdout, sys.stderr) == before
    assert "write" not in vars(out)
    assert "write" not in vars(sys.stderr)


def test_after_the_end_nothing_is_heard_and_what_was_is_kept(console):
    console.start()
    print("before")
    console.stop()
    console.stop()
    print("after")
    assert texts(console, final=True) == ["before"]


def test_starting_twice_is_starting_once_and_starting_again_hears_again(console, capsys):
    out = sys.stdout
    console.start()
    console.start()
    print("a")
    console.stop()
    print("b")
    console.start()
    print("c")
    assert texts(console) == ["a", "c"]
    assert out.getvalue() == "a\nb\nc\n"


def test_a_logging_handler_made_before_is_heard(capsys):
    log = logging.Logger("early")
    log.addHandler(logging.StreamHandler(sys.stdout))
    console = Console()
    console.start()
    log.warning("careful")
    console.stop()
    assert texts(console) == ["careful"]


def test_a_stream_wrapped_by_others_since_is_left_to_them_and_passes_through(console, capsys):
    out = sys.stdout
    console.start()
    heard: list[str] = []
    inner = sys.stdout.write

    def theirs(text: str) -> int:
        heard.append(text)
        return inner(text)

    vars(out)["write"] = theirs
    console.stop()
    assert vars(out)["write"] is theirs
    print("x")
    assert (out.getvalue(), "".join(heard), texts(console, final=True)) == ("x\n", "x\n", [])


def test_consoles_that_overlap_leave_nothing_behind(capsys):
    out = sys.stdout
    first, second = Console(), Console()
    first.start()
    second.start()
    print("a")
    first.stop()
    print("b")
    second.stop()
    print("c")
    assert (texts(first), texts(second)) == (["a"], ["a", "b"])
    assert "write" not in vars(out)


def test_a_stream_wrapped_before_gets_its_wrapping_back(capsys):
    out = sys.stdout

    def theirs(text: str) -> int:
        return type(out).write(out, text.upper())

    vars(out)["write"] = theirs
    console = Console()
    console.start()
    print("x")
    console.stop()
    assert vars(out)["write"] is theirs
    assert (out.getvalue(), texts(console)) == ("X\n", ["x"])


def test_redirected_output_is_not_the_consoles(console, capsys):
    console.start()
    with contextlib.redirect_stdout(io.StringIO()) as elsewhere:
        print("hidden")
    print("shown")
    assert (elsewhere.getvalue(), texts(console)) == ("hidden\n", ["shown"])


def test_without_streams_or_with_one_for_both_nothing_breaks(console):
    with contextlib.redirect_stderr(sys.stdout):
        console.start()
        print("once", file=sys.stderr)
        console.stop()
    assert texts(console) == ["once"]
    with contextlib.redirect_stderr(None), contextlib.redirect_stdout(None):
        console.start()
        console.stop()
    assert console.take(final=True) == []


class Closed:
    """A stream that nothing can be set on."""

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)


def test_a_stream_that_can_not_be_listened_to_works_on(console, caplog):
    stream = Closed()
    with caplog.at_level(logging.DEBUG, "lineal"), contextlib.redirect_stdout(stream):  # type: ignore[type-var]
        console.start()
        print("x")
        console.stop()
    assert stream.text == "x\n"
    assert "stdout is not recorded" in caplog.text


def test_a_closed_stream_raises_what_it_raised_before_and_only_there(console):
    with contextlib.redirect_stdout(io.StringIO()) as stream:
        console.start()
        print("a")
        stream.close()
        with pytest.raises(ValueError, match="closed file"):
            print("b")
        assert texts(console) == ["a"]
        console.stop()


def test_what_is_no_text_is_refused_as_before(console, capsys):
    console.start()
    with pytest.raises(TypeError):
        sys.stdout.write(b"bytes")  # type: ignore[arg-type]
    assert texts(console, final=True) == []


def test_what_is_no_text_is_passed_over_where_the_stream_takes_it(console):
    class Anything:
        def write(self, data: object) -> None: ...

    stream = Anything()
    with contextlib.redirect_stdout(stream):  # type: ignore[type-var]
        console.start()
        stream.write(b"x" * 5000)
        stream.write(3)
        stream.write("y\n")
        console.stop()
    assert texts(console) == ["y"]


def test_a_print_within_a_print_is_safe(console):
    class Chatty(io.StringIO):
        def write(self, text: str) -> int:
            if text == "outer":
                print("inner")
            return super().write(text)

    with contextlib.redirect_stdout(Chatty()):
        console.start()
        print("outer")
        console.stop()
    assert texts(console) == ["inner", "outer"]


def test_a_signal_handler_may_print_and_take(console):
    console.start()
    heard: list[str] = []

    def handler(number: int, frame: object) -> None:
        print("signal")
        heard.extend(line.text for line in console.take())

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        for number in range(200):
            print(number)
            if number % 10 == 0:
                signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    heard += texts(console)
    assert heard.count("signal") == 20
    assert [text for text in heard if text != "signal"] == [str(number) for number in range(200)]


def test_a_handler_that_takes_while_its_own_thread_is_taking_gets_nothing(console, monkeypatch):
    console.start()
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    print("a")
    with console._taking:
        assert console.take() == []
    assert texts(console) == ["a"]


def test_lines_of_many_threads_are_all_heard_while_they_are_taken(console):
    console.start()
    heard: list[str] = []

    def write(thread: int) -> None:
        for number in range(300):
            sys.stdout.write(f"{thread} {number} {'x' * random.randrange(2000)}\n")

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        heard += texts(console)
    heard += texts(console)
    pairs = [tuple(map(int, text.split(" ")[:2])) for text in heard]
    assert sorted(pairs) == [(thread, number) for thread in range(8) for number in range(300)]
    assert console.dropped == 0


def test_when_nobody_takes_the_newest_lines_are_kept_and_the_others_counted(capsys):
    console = Console(max_lines=100)
    console.start()
    for number in range(5000):
        print(number)
    console.stop()
    assert texts(console) == [str(number) for number in range(4900, 5000)]
    assert console.dropped == 4900


def test_long_texts_that_nobody_takes_do_not_fill_memory(capsys):
    console = Console()
    console.start()
    for number in range(40):
        print(f"{number} {'x' * (1 << 20)}")
    console.stop()
    assert sum(len(text) for _, _, text in console._pieces) < 18 << 20
    found = texts(console)
    assert found[-1].startswith("39 xxx")
    assert len(found) + console.dropped == 40


def test_a_single_text_of_a_million_lines_does_not_fill_memory(console):
    console.start()
    sys.stdout.write("".join(f"{number}\n" for number in range(300_000)))
    assert texts(console) == [str(number) for number in range(290_000, 300_000)]
    assert console.dropped == 290_000


def test_a_progress_bar_that_runs_for_hours_is_one_line(console):
    console.start()
    for number in range(200_000):
        sys.stdout.write(f"\r{number}")
    print()
    assert texts(console) == ["199999"]


def test_under_capsys_and_capfd_all_is_as_before(capsys):
    console = Console()
    console.start()
    print("seen")
    print("error", file=sys.stderr)
    console.stop()
    assert capsys.readouterr() == ("seen\n", "error\n")
    assert texts(console) == ["seen", "error"]


def test_a_real_stream_keeps_its_terminal_descriptor_and_encoding(tmp_path):
    program = """
import sys
from lineal.client.capture.console import Console
facts = lambda: [(s.isatty(), s.fileno(), s.encoding, s.errors, s.line_buffering, s.buffer, s.name)
                 for s in (sys.stdout, sys.stderr)]
before = facts()
console = Console(); console.start()
assert facts() == before
sys.stdout.buffer.write(b"raw\\n"); sys.stdout.flush()
print("text", flush=True)
sys.stdout.reconfigure(line_buffering=True)
print("line")
assert [line.text for line in console.take()] == ["text", "line"]
"""
    done = run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"raw\ntext\nline\n", b"")


def test_a_reader_that_has_gone_ends_the_program_as_it_would_without_us():
    program = """
import sys
from lineal.client.capture.console import Console
if sys.argv[1] == "1":
    console = Console(); console.start()
for number in range(100_000):
    print(number)
"""
    ends = []
    for listen in "01":
        process = subprocess.Popen(
            [sys.executable, "-c", program, listen],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        last = process.stderr.read().splitlines()[-1:]
        process.stderr.close()
        ends.append((process.wait(timeout=60), last))
    assert ends[0] == ends[1]
    assert b"BrokenPipe" in ends[1][1][0]


def test_a_program_that_ends_while_it_is_heard_ends_in_peace():
    program = """
import atexit, os, sys
from lineal.client.capture.console import Console
Console().start()
class Late:
    def __del__(self): print("late", flush=True)
keep = Late()
atexit.register(print, "bye")
if os.fork() == 0:
    print("child"); sys.exit()
os.wait()
print("last", end="")
"""
    done = run(program)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(done.stdout.split(b"\n")) == sorted([b"child", b"lastbye", b"bye", b"late", b"late", b""])


def test_a_print_costs_little_more():
    def cost_us() -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(2000):
                print("loss 0.25", file=stream)
            times.append((time.perf_counter() - began) / 2000 * 1e6)
        return min(times)

    with open(os.devnull, "w") as stream:
        alone = cost_us()
        console = Console()
        with contextlib.redirect_stdout(stream):
            console.start()
            heard = cost_us()
            console.stop()
    assert heard - alone < 10  # about 1 on an idle machine
