import signal
from datetime import timedelta

import pytest

import lineal
from lineal.core import clock
from lineal.tracking.model import CRASHED_AFTER_S
from tests.client import told

LOGGED = "for n in range(100):\n    run.log({'a': n})\n"
START = "import lineal, os, signal, sys\nrun = lineal.init(id='run')\n" + LOGGED


@pytest.fixture
def ended(installation):
    """Runs a program to its end: its exit code, its stderr, and what the store then knows of the run `run`."""

    def run(code, **choices):
        exit_code, _, err = told.said(told.start(installation, code, **choices))
        return exit_code, err, told.record("run")

    return run


def values():
    return [*told.points("run", "a").values()]


def test_a_program_that_just_ends_has_finished_and_all_it_logged_is_there(ended):
    code, err, record = ended(START)
    assert (code, err, record.state) == (0, "", "finished")
    assert values() == list(range(100))


@pytest.mark.parametrize("block", [True, False], ids=["with", "without a block"])
@pytest.mark.parametrize(
    ("what", "code", "state", "exit_code", "message"),
    [
        ("raise ValueError('the reason')", 1, "failed", 1, "ValueError: the reason"),
        ("1/0", 1, "failed", 1, "ZeroDivisionError"),
        ("sys.exit(3)", 3, "failed", 3, ""),
        ("sys.exit('no data')", 1, "failed", 1, "no data"),
        ("sys.exit()", 0, "finished", 0, ""),
        ("raise KeyboardInterrupt", -signal.SIGINT, "killed", 130, ""),
        ("os.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(9)", -signal.SIGINT, "killed", 130, ""),
        ("os.kill(os.getpid(), signal.SIGTERM)\nimport time; time.sleep(9)", 143, "killed", 143, "SIGTERM"),
    ],
)
def test_how_the_program_ends_is_how_the_run_ends(ended, block, what, code, state, exit_code, message):
    body = what.replace("\n", "\n    ")
    program = f"{START}with run:\n    {body}\n" if block else f"{START}{what}\n"
    found, err, record = ended(program)
    assert (found, record.state, record.exit_code) == (code, state, exit_code)
    assert message in record.message
    assert values() == list(range(100))
    if "Error" in message:
        assert "Traceback (most recent call last)" in record.message
        assert "train.py" in record.message
        assert message in err


def test_a_run_whose_machine_is_taken_away_is_preempted(ended):
    code, _, record = ended(START + "run.mark_preempting()\nos.kill(os.getpid(), signal.SIGTERM)\n")
    assert (code, record.state) == (143, "preempted")


def test_somebody_elses_handler_of_sigterm_stays(ended):
    program = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: print('mine', file=sys.stderr))\n"
        + START
        + "os.kill(os.getpid(), signal.SIGTERM)\nrun.log({'a': 100})\n"
    )
    code, err, record = ended(program)
    assert (code, err, record.state, values()[-1]) == (0, "mine\n", "finished", 100)


def test_a_handler_that_finishes_the_run_may_interrupt_anything(ended):
    """Also `log`, a read of the summary, or `finish` itself."""
    program = (
        START
        + """
import faulthandler, threading, time
faulthandler.dump_traceback_later(60, exit=True)
def handle(*_):
    run.log({'h': 1})
    run.finish(exit_code=5)
    raise SystemExit(5)
signal.signal(signal.SIGTERM, handle)
main = threading.main_thread().ident
threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGTERM)).start()
while True:
    run.log({'b': 1})
    run.summary['c'] = run.summary['b']
"""
    )
    code, _, record = ended(program)
    assert (code, record.state, record.exit_code) == (5, "failed", 5)
    assert told.points("run", "h")


def test_an_exception_in_the_users_own_excepthook_changes_nothing(ended):
    before = "import sys\ndef hook(*_):\n    raise RuntimeError('mine')\nsys.excepthook = hook\n"
    code, err, record = ended(before + START + "raise ValueError('reason')\n")
    assert (code, record.state) == (1, "failed")
    assert "ValueError: reason" in record.message
    assert "RuntimeError: mine" in err


def test_an_exit_handler_registered_before_the_run_started_still_runs_after_it(ended):
    program = (
        "import atexit\natexit.register(lambda: print('last', lineal.run, run.state, file=sys.stderr))\n" + START
    )
    _, err, record = ended(program)
    assert err == "last None finished\n"
    assert record.state == "finished"


def test_an_exit_handler_registered_after_it_may_still_log(ended):
    code, err, record = ended(START + "import atexit\natexit.register(lambda: run.log({'late': 1}))\n")
    assert (code, err, record.state) == (0, "", "finished")
    assert told.points("run", "late") == {100: 1}


def test_files_and_media_are_stored_when_the_interpreter_is_already_on_its_way_out(ended):
    program = (
        START
        + """
import numpy as np
run.log({"image": lineal.Image(np.zeros((8, 8), dtype="uint8"))})
for n in range(3):
    open(os.path.join(run.dir, f"weights-{n}.bin"), "wb").write(os.urandom(300_000))
"""
    )
    code, err, record = ended(program)
    assert (code, err, record.state) == (0, "", "finished")
    found = told.files("run")
    assert [path for path in found if path.startswith("media/image/")]
    assert {found.get(f"weights-{n}.bin") for n in range(3)} == {300_000}


def test_a_thread_that_fails_does_not_fail_the_run(ended):
    code, err, record = ended(
        START + "import threading\nt = threading.Thread(target=lambda: 1/0)\nt.start()\nt.join()\n"
    )
    assert (code, record.state) == (0, "finished")
    assert "ZeroDivisionError" in err


def test_two_runs_at_once_both_end_with_the_process(ended):
    second = "other = lineal.init(id='other', reinit='create_new')\nother.log({'b': 1})\n"
    code, _, record = ended(START + second + "raise ValueError('no')\n")
    assert (code, record.state, told.record("other").state) == (1, "failed", "failed")
    assert told.points("other", "b") == {0: 1}


@pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_process_that_dies_without_a_word_reads_as_crashed_after_a_silence(ended, how, monkeypatch):
    code, _, record = ended(START + "import time; time.sleep(1.5)\n" + how)
    assert code in (0, -signal.SIGKILL)
    assert record.state == "running"
    assert values() == list(range(100))
    later = clock.now() + timedelta(seconds=CRASHED_AFTER_S + 5)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert told.record("run").state == "crashed"
    assert lineal.Api().run("run").state == "crashed"


def test_finish_says_how_it_ended_whatever_the_program_does_later(ended):
    code, _, record = ended(START + "run.finish(exit_code=1)\nsys.exit(0)\n")
    assert (code, record.state, record.exit_code) == (0, "failed", 1)


def test_a_long_message_keeps_its_end(ended):
    _, _, record = ended(START + "raise ValueError('x' * 200_000 + 'the end')\n")
    assert record.message.endswith("the end\n")
    assert len(record.message) < 70_000


# ---- more than one process -----------------------------------------------------------------------------------


def test_a_forked_child_neither_logs_into_the_run_nor_ends_it(ended):
    program = (
        START
        + """
pid = os.fork()
if pid == 0:
    run.log({'a': -1}); run.log({'a': -2}); run.summary['child'] = 1; run.config.child = 1
    run.finish()
    sys.exit(7)
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 7
run.log({'a': 100})
"""
    )
    code, err, record = ended(program)
    assert (code, record.state) == (0, "finished")
    assert "Exception ignored" not in err
    assert err.count("a forked process can't log into run run") == 1
    assert values() == list(range(101))
    assert "child" not in record.summary


def test_a_forked_child_is_ended_by_a_signal_as_if_there_were_no_run(ended):
    program = (
        START
        + """
import time
pid = os.fork()
if pid == 0:
    time.sleep(60)
    os._exit(0)
time.sleep(0.1)
os.kill(pid, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGTERM
"""
    )
    code, err, record = ended(program)
    assert (code, err, record.state) == (0, "", "finished")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_write_into_one_run_each_row_marked_and_the_primary_ends_it(ended, method):
    program = f"""
        import lineal, multiprocessing, os

        def work(rank):
            shared = lineal.Settings(mode="shared", primary=False, label=f"rank-{{rank}}")
            run = lineal.init(id="run", settings=shared)
            for n in range(50):
                run.log({{"a": 100 * rank + n}})
            if rank == 2:
                raise SystemExit(1)

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            with lineal.init(id="run", settings=lineal.Settings(mode="shared", label="main")) as run:
                workers = [context.Process(target=work, args=(rank,)) for rank in (1, 2)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
                assert [worker.exitcode for worker in workers] == [0, 1]
                assert lineal.Api().run("run").state == "running"
                run.log({{"a": 0}})
        """
    code, err, record = ended(program)
    assert (code, record.state) == (0, "finished"), err
    found: dict[str, list[int]] = {}
    for row in told.connection().backend.runs.rows("run"):
        found.setdefault(row["_writer"], []).append(row["a"])
    assert found == {"main": [0], "rank-1": list(range(100, 150)), "rank-2": list(range(200, 250))}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_run_of_a_workers_own_ends_with_the_worker(ended, method):
    program = f"""
        import lineal, multiprocessing

        def work(fail):
            lineal.init(id="failed" if fail else "worked").log({{"a": 1}})
            if fail:
                raise ValueError("the reason")

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            lineal.init(id="run")
            for fail in (False, True):
                worker = context.Process(target=work, args=(fail,))
                worker.start()
                worker.join()
        """
    code, _, record = ended(program)
    assert (code, record.state, told.record("worked").state) == (0, "finished", "finished")
    failed = told.record("failed")
    assert (failed.state, "ValueError: the reason" in failed.message) == ("failed", True)
    assert told.points("worked", "a") == {0: 1}


def test_the_hooks_are_only_there_once_a_run_has_started(installation):
    program = "import sys, signal, lineal\nhook, leave = sys.excepthook, sys.exit\nimport lineal.client.run\n"
    program += "assert (sys.excepthook, sys.exit) == (hook, leave)\nassert signal.getsignal(15) == signal.SIG_DFL\n"
    assert told.said(told.start(installation, program))[0] == 0
