import os
import signal
import sys
import threading

import pytest

from lineal.client.program import Program, told

TALKS = "import os, sys; open(sys.argv[1], 'w').write(sys.argv[2] + os.environ['WORD']); sys.exit(3)"


def test_a_program_gets_its_words_and_variables_and_tells_its_exit_code(tmp_path):
    program = Program([sys.executable, "-c", TALKS, str(tmp_path / "said"), "$(id);"], {"WORD": "`x`"})
    assert program.wait() == 3
    assert (tmp_path / "said").read_text() == "$(id);`x`"


@pytest.mark.parametrize("words", [["no-such-program-at-all"], ["a\0b"]])
def test_a_program_that_can_not_be_started_says_so(words):
    with pytest.raises((OSError, ValueError)):
        Program(words, {})


def waits(fifo, body):
    """A program that says when it is ready by opening the pipe."""
    script = (
        f"import os, signal, subprocess, sys, time\n{body}\nopen({str(fifo)!r}, 'w').write('ready')\ntime.sleep(60)"
    )
    os.mkfifo(fifo)
    program = Program([sys.executable, "-c", script], {})
    assert fifo.read_text() == "ready"
    return program


def test_a_program_that_is_asked_ends_by_itself(tmp_path):
    program = waits(tmp_path / "pipe", "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))")
    program.end()
    assert program.asked
    assert program.wait() == 7


def test_a_program_that_does_not_hear_is_killed(tmp_path):
    program = waits(tmp_path / "pipe", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    program.end(grace_s=0.1)
    assert program.wait() == -signal.SIGKILL


def test_what_it_started_ends_with_it(tmp_path):
    body = f"child = subprocess.Popen(['sleep', '60'])\nopen({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))"
    program = waits(tmp_path / "pipe", body)
    child = int((tmp_path / "child").read_text())
    program.end()
    assert program.wait() == -signal.SIGTERM
    assert _gone(child)


def _gone(pid):
    """Whether the process ended; it may wait for somebody to hear of it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_several_may_ask_it_to_end_and_one_that_ended_is_left_alone(tmp_path):
    program = waits(tmp_path / "pipe", "")
    threads = [threading.Thread(target=program.end) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert program.wait() == -signal.SIGTERM
    program.end()
    program.kill()
    done = Program(["true"], {})
    assert done.wait() == 0
    done.end()
    assert not done.asked


def test_how_a_program_ended_is_told_in_words():
    assert told(0) == ""
    assert told(2) == "its program ended with exit code 2"
    assert told(-9) == "its program was ended by SIGKILL"
    assert told(-250) == "its program was ended by signal 250"
