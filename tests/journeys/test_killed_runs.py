"""`kill -9` at random moments while a run logs: what was accepted more than a second before is not lost.

It is in the store, or, where the machine was too busy for that, in the journal, from which `lineal sync` brings it.

`LINEAL_CRASH_SEED` repeats a failure; the seed is part of every assertion's message.
"""

import os
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from tests.client import told
from tests.installation import Installation

KILLS = 20
AT_ONCE = 2
SEED = int(os.environ.get("LINEAL_CRASH_SEED") or random.SystemRandom().randrange(1 << 30))

TRAIN = """
import lineal, sys, time
run = lineal.init(id=sys.argv[1], settings=lineal.Settings(console=False, system=False, packages=False))
pause = float(sys.argv[2])
n = 0
while True:
    run.log({"n": n, "x": n / 3, "text": f"row {n}"})
    if n % 10 == 0:
        print(n, time.time(), flush=True)
    n += 1
    time.sleep(pause)
"""


def start(installation: Installation, *words: str) -> subprocess.Popen[str]:
    command = [str(installation.python), "-c", TRAIN, *words]
    return subprocess.Popen(command, env=installation.environment(), stdout=subprocess.PIPE, text=True)


def alive(process: subprocess.Popen[str], seconds: float) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)


def accepted(process: subprocess.Popen[str]) -> tuple[int, int]:
    """The last row that `log` took at all, and more than a second before the process is killed now."""
    process.send_signal(signal.SIGKILL)
    killed_at = time.time()
    out, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, SEED
    said = [(int(n), float(at)) for n, at in (line.split() for line in out.splitlines(True) if line.endswith("\n"))]
    return max((n for n, _ in said), default=-1), max((n for n, at in said if at < killed_at - 1), default=-1)


def holds(run_id: str, last: int, safe: int) -> None:
    found = told.points(run_id, "n")
    assert [*found.items()] == [(n, n) for n in range(len(found))], (SEED, run_id)
    assert len(found) > safe, (SEED, run_id, len(found), safe, last)
    assert told.record(run_id).last_step >= len(found) - 1, SEED


def test_what_log_accepted_a_second_before_a_kill_is_not_lost(installation, cli):
    chance = random.Random(SEED)
    later = 0
    for kill in range(0, KILLS, AT_ONCE):
        pause = chance.choice(["0", "0.0005", "0.003"])
        together = {f"k{kill + n}": start(installation, f"k{kill + n}", pause) for n in range(AT_ONCE)}
        for process in together.values():
            assert process.stdout
            process.stdout.readline()
        alive(process, chance.uniform(0, 2.5))
        for run_id, process in together.items():
            last, safe = accepted(process)
            holds(run_id, last, -1)
            if len(told.points(run_id, "n")) <= safe:
                assert cli("sync", "--all").code == 0
            holds(run_id, last, safe)
            later += safe >= 0
    assert later, SEED
    assert told.connection().backend.store.fsck().problems == (), SEED


@pytest.mark.parametrize("pause", ["0", "0.003"])
def test_it_is_in_the_journal_where_the_store_was_locked_and_sync_brings_it(installation, place, cli, pause):
    process = start(installation, "run", pause)
    assert process.stdout
    process.stdout.readline()
    with closing(sqlite3.connect(place.store / "lineal.db", isolation_level=None)) as rows:
        rows.execute("BEGIN IMMEDIATE")
        alive(process, 2.5)
        last, safe = accepted(process)
        rows.execute("ROLLBACK")
    assert safe > 0
    assert len(told.points("run", "n")) < safe
    assert cli("sync", "--all").code == 0
    holds("run", last, safe)
