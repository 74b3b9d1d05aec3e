import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

import lineal
from lineal.client import outbox as outboxes
from lineal.client.journal import read
from tests.client import told

QUIET = lineal.Settings(console=False, system=False, packages=False, environment=False, git=False)
UNSHARE = ("unshare", "-m") if os.getuid() == 0 else ("unshare", "-Urm")


def until(true, patience_s=30.0):
    """Whether it became true in time."""
    deadline = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


@contextmanager
def locked(store):
    """Another process's hand on the database."""
    rows = sqlite3.connect(store / "lineal.db", isolation_level=None, check_same_thread=False)
    rows.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        rows.execute("ROLLBACK")
        rows.close()


def journalled(run):
    """How many rows of the history the run's journal holds."""
    from lineal.tracking.rows import decode

    return sum(
        decode(frame.rows["history"]).count for frame in read(run._outbox.journal.folder) if "history" in frame.rows
    )


def test_what_was_logged_is_soon_in_the_store_without_a_word():
    with lineal.init(settings=QUIET) as run:
        run.log({"a": 1})
        assert until(lambda: told.rows(run.id) == [{"a": 1}])


def test_a_locked_store_keeps_nothing_from_the_journal_nor_the_training_from_going_on(place):
    with lineal.init(settings=QUIET) as run:
        run.log({"a": 0})
        assert until(lambda: told.rows(run.id))
        with locked(place.store):
            run.log({"a": 1})
            assert until(lambda: journalled(run) == 2, 2)
            started = time.monotonic()
            for n in range(2, 30_000):
                run.log({"a": n, "b": n, "c": n, "d": n, "e": n, "f": n, "g": n})
            assert run.summary["a"] == 29_999
            assert time.monotonic() - started < 10
            assert until(lambda: journalled(run) == 30_000, 5)
            assert told.rows(run.id) == [{"a": 0}]
    assert [*told.points(run.id, "a").values()] == list(range(30_000))
    assert told.record(run.id).state == "finished"


def test_a_store_that_stays_away_does_not_keep_the_program_and_what_it_lacks_can_be_sent(place, caplog, cli):
    run = lineal.init(id="late", settings=lineal.Settings(patience_s=0.5, console=False))
    run.log({"a": 0})
    assert until(lambda: told.rows(run.id))
    with locked(place.store):
        run.log({"a": 1})
        started = time.monotonic()
        run.finish()
        assert time.monotonic() - started < 10
    assert "run late is not wholly in the store; send the rest with: lineal sync" in caplog.text
    assert until(lambda: not any(t.name == "lineal-send-late" for t in threading.enumerate()), 90)
    lineal.client.connection.close_all()
    assert cli("sync", "--all").code == 0
    assert told.points("late", "a") == {0: 0, 1: 1}
    assert told.record("late").state == "finished"


def test_little_is_held_in_memory_while_the_store_is_away(place, monkeypatch):
    monkeypatch.setattr(outboxes, "_MEMORY_BYTES", 10_000)
    with lineal.init(settings=QUIET) as run, locked(place.store):
        for n in range(20):
            for _ in range(100):
                run.log({"a": n, "t": os.urandom(50).hex()})
            run._outbox._turn()
        kept = [letter for letter in run._outbox._sender._letters if letter.batch is not None]
        assert sum(letter.size for letter in kept) < 50_000
    assert len(told.rows(run.id)) == 2000
    assert run._outbox.refused == 0


def test_the_journal_forgets_what_was_sent(monkeypatch):
    monkeypatch.setattr(outboxes, "_JOURNAL_BYTES", 10_000)
    with lineal.init(settings=QUIET) as run:
        for _ in range(20):
            run.log({"t": os.urandom(2000).hex()})
            run._outbox._turn()
            assert until(lambda: run._outbox._sender.idle)
        assert run._outbox.journal.size < 40_000
    assert len(told.rows(run.id)) == 20


def test_a_journal_that_cannot_be_written_costs_nothing_while_the_store_takes_it(caplog):
    with lineal.init(settings=QUIET) as run:
        run.log({"a": 0})
        assert until(lambda: told.rows(run.id))
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, run._outbox.journal._file)
        os.close(full)
        for n in range(1, 100):
            run.log({"a": n})
        assert until(lambda: len(told.rows(run.id)) == 100)
    assert caplog.text.count("the journal can't be written") == 1
    assert [*told.points(run.id, "a").values()] == list(range(100))
    assert told.record(run.id).state == "finished"


def test_neither_journal_nor_store_leaves_the_training_alone_and_memory_bounded(place, caplog, monkeypatch):
    monkeypatch.setattr(outboxes, "_HELD_BYTES", 100_000)
    with lineal.init(settings=lineal.Settings(patience_s=0.2, console=False)) as run:
        run.log({"a": 0})
        assert until(lambda: told.rows(run.id))
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, run._outbox.journal._file)
        os.close(full)
        with locked(place.store):
            for _ in range(50):
                run.log({"t": os.urandom(5000).hex()})
                run._outbox._turn()
            assert sum(held.size for held in run._outbox._held) < 120_000
        assert run._outbox.refused > 0
    assert caplog.text.count("there is no room") == 1
    assert told.points(run.id, "a") == {0: 0}


def test_a_run_folder_that_is_deleted_meanwhile_costs_nothing():
    with lineal.init(settings=QUIET) as run:
        run.log({"a": 0})
        assert until(lambda: told.rows(run.id))
        shutil.rmtree(run._outbox.journal.folder)
        run.log({"a": 1})
        run._files.add("late.txt", b"late")
    assert told.points(run.id, "a") == {0: 0, 1: 1}
    assert told.files(run.id) == {"late.txt": 4}


def test_a_run_that_is_deleted_from_the_store_does_not_end_the_training(caplog):
    run = lineal.init(settings=QUIET)
    run.log({"a": 0})
    assert until(lambda: told.rows(run.id))
    told.connection().backend.runs.finish(run.id)
    told.connection().backend.runs.delete(run.id)
    for n in range(10):
        run.log({"a": n})
        run._outbox._turn()
    run.finish()
    assert caplog.text.count("not_found.run") == 1


def test_whoever_asks_a_run_to_stop_is_heard_in_log():
    run = lineal.init(settings=QUIET)
    told.connection().backend.runs.stop(run.id)
    run.log({"a": 1})

    def stopped():
        try:
            run.log({"a": 1})
        except lineal.errors.RunStopped as problem:
            return "asked to stop by ada" in problem.message
        return False

    assert until(stopped, 5)
    run.log({"a": 2})
    run.finish()


def test_finish_of_many_threads_at_once_is_one_end():
    run = lineal.init(settings=QUIET)
    for n in range(1000):
        run.log({"a": n})
    threads = [threading.Thread(target=run.finish, args=(code,)) for code in (0, 1, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*told.points(run.id, "a").values()] == list(range(1000))
    assert told.record(run.id).state == run.state


def test_a_part_that_fails_to_end_does_not_keep_the_run_from_ending():
    def fail():
        raise RuntimeError("no")

    run = lineal.init(settings=QUIET)
    run._before_end.append(fail)
    run.log({"a": 1})
    run.finish()
    assert (told.record(run.id).state, told.rows(run.id)) == ("finished", [{"a": 1}])


# ---- streams, folders, disks ---------------------------------------------------------------------------------

PROGRAM = (
    "import lineal, os, sys\nrun = lineal.init(id='run')\nfor n in range(100):\n    run.log({'a': n})\n    print(n)\n"
)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full"])
def test_closed_streams_do_not_matter(installation, closed):
    with open("train.py", "w") as file:
        file.write(PROGRAM if closed != ">/dev/full" else PROGRAM.replace("    print(n)\n", ""))
    command = ["bash", "-c", f"exec {installation.python} train.py {closed}"]
    assert subprocess.run(command, check=False, env=installation.environment(), timeout=60).returncode == 0
    assert len(told.points("run", "a")) == 100
    assert told.record("run").state == "finished"


def test_a_runs_folder_that_cannot_be_made_is_said_at_the_start(place, monkeypatch):
    (place.home / "file").write_text("")
    monkeypatch.setenv("LINEAL_DIR", str(place.home / "file"))
    with pytest.raises(lineal.errors.Unavailable, match="the run's folder"):
        lineal.init()
    assert list(told.connection().backend.runs.list().runs) == []


@pytest.fixture
def on_small_disk(installation, tmp_path):
    """Runs a program that finds a disk of 2 MB of its own at the folder given: its exit code, its words."""

    def run(folder, code, *, how="-t tmpfs -o size=2m tmpfs"):
        folder.mkdir(parents=True, exist_ok=True)
        saved = tmp_path / "saved"
        mount = f'mount {how} "{folder}" && "$@"; code=$?; cp -r "{folder}" "{saved}"; exit $code'
        prefix = (*UNSHARE, "sh", "-c", mount, "sh")
        can = shutil.which("unshare") and sys.platform == "linux"
        if not can or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
            pytest.skip("this machine lets nobody mount a small disk")
        shutil.rmtree(saved, ignore_errors=True)
        command = [*prefix, str(installation.python), "-c", code]
        done = subprocess.run(
            command, check=False, env=installation.environment(), capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stderr, saved

    return run


FILLING = """
import lineal, os, time
run = lineal.init(id="run", settings=lineal.Settings(patience_s=1, console=False, system=False))
run.log({"first": 1})
time.sleep(1.5)
for n in range(60):
    run.log({"t": os.urandom(40_000).hex()})
    time.sleep(0.02)
print("trained")
"""


def test_a_full_disk_below_the_runs_folder_is_said_and_the_store_has_it_all(place, on_small_disk):
    code, said, _ = on_small_disk(place.cache / "runs", FILLING)
    assert code == 0, said
    assert "the journal can't be written: no space left" in said
    assert "Traceback" not in said
    assert len(told.points("run", "t")) == 60
    assert told.record("run").state == "finished"


def test_a_full_disk_below_the_store_is_said_and_what_it_has_stays_whole(place, on_small_disk, monkeypatch, cli):
    code, said, saved = on_small_disk(place.store, FILLING)
    assert code == 0, said
    assert "the store can't take what is logged" in said
    assert "lineal sync" in said
    assert "Traceback" not in said
    monkeypatch.setenv("LINEAL_URL", str(saved))
    assert told.points("run", "first") == {0: 1}
    assert told.connection().backend.store.fsck().problems == ()
    assert cli("sync", "--all").code == 0
    assert len(told.points("run", "t")) == 60


STARTING = """
import lineal
try:
    lineal.init(id="run").log({"a": 1})
except lineal.errors.Unavailable as problem:
    raise SystemExit(f"said: {problem.message}")
"""


def test_a_runs_folder_that_is_read_only_is_said_at_the_start(place, on_small_disk):
    code, said, _ = on_small_disk(place.cache / "runs", STARTING, how="-t tmpfs -o ro tmpfs")
    assert code == 1
    assert said.startswith("said: no permission to write the run's folder")
    assert list(told.connection().backend.runs.list().runs) == []


def test_a_store_that_is_read_only_is_said_at_the_start_and_stays_as_it_is(place, on_small_disk):
    with lineal.init(id="before", settings=QUIET) as run:
        run.log({"a": 1})
    lineal.client.connection.close_all()
    code, said, _ = on_small_disk(place.store, STARTING, how=f'-o bind,ro "{place.store}"')
    assert code == 1
    assert said.startswith("said: the store is read-only")
    assert list((place.cache / "runs").iterdir()) == []
    assert [run.id for run in told.connection().backend.runs.list().runs] == ["before"]


def test_logging_as_fast_as_it_can_keeps_memory_flat(installation):
    program = """
        import lineal, time, psutil
        me = psutil.Process()
        run = lineal.init(settings=lineal.Settings(console=False, system=False))
        row = {f"k{n}": float(n) for n in range(10)}
        def train(seconds):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for _ in range(100):
                    run.log(row)
            return me.memory_info().rss >> 20
        print(train(4), train(4))
        """
    code, out, err = told.said(told.start(installation, program))
    assert (code, err) == (0, "")
    before, after = map(int, out.split())
    assert after < before + 40, (before, after)
    assert after < 220


def test_a_clock_that_jumps_back_turns_no_times_back(installation):
    program = """
        import lineal, time
        run = lineal.init(id="run", settings=lineal.Settings(system_interval_s=0.3))
        real = time.time
        for n in range(10):
            run.log({"a": n}); print(n)
            time.sleep(0.15)
            time.time = lambda: real() - 7200 * (n // 3)
        """
    code, _, err = told.said(told.start(installation, program))
    assert (code, err) == (0, "")
    for stream in ("history", "system", "console"):
        times = [row["_timestamp"] for row in told.connection().backend.runs.rows("run", stream=stream)]
        assert times == sorted(times)
        assert times
        assert times[-1] - times[0] < 60
