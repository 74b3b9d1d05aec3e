"""Many processes that record into one run, others that end it, read it and collect garbage; and `kill -9` of them."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.port import Backend
from tests.contract.damage import age, keys

from .processes import workers
from .workers import opened

KILLS = 20
SEED = int(os.environ.get("LINEAL_CRASH_SEED") or random.SystemRandom().randrange(1 << 30))


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    backend = opened(tmp_path)
    yield backend
    backend.close()


def last_step(lines: list[str]) -> int:
    """The step up to which rows were acknowledged."""
    return max((int(line.split()[1]) for line in lines if line.startswith("done")), default=0)


def recorded(backend: Backend, writer: str) -> int:
    """How many rows the run has of the writer, none of which is missing or there twice."""
    steps, values = backend.runs.columns("r", [writer])[writer]
    assert list(steps) == list(values) == list(range(len(steps))), SEED
    return len(steps)


def live_only(backend: Backend) -> None:
    """Garbage of any age is collected, and nothing else."""
    for key in keys(backend):
        age(backend.blobs.store, key, 4 * 3600)
    backend.store.gc(backend.store.plan_gc(grace_s=0))
    check = backend.store.fsck()
    assert (check.problems, check.garbage) == ((), ()), SEED
    assert len(keys(backend)) == check.blob_count, SEED


def test_six_processes_record_while_others_end_the_run_read_it_and_collect_garbage(
    tmp_path: Path, backend: Backend
) -> None:
    backend.runs.start("r")
    writers = [f"w{n}" for n in range(6)]
    others = [("end", "r"), ("gc", "0"), ("watch", "r", "w0")]
    with workers(tmp_path, [*(("record", "r", writer, "36") for writer in writers), *others]) as started:
        said = {writer: last_step(worker.said()) for writer, worker in zip(writers, started, strict=False)}
        (tmp_path / "stop").touch()
        for worker in started[6:]:
            assert any(line.startswith("done") for line in worker.said())
    assert said == dict.fromkeys(writers, 36 + 2 * 1999)
    assert {writer: recorded(backend, writer) for writer in writers} == said
    backend.runs.finish("r")
    assert {writer: recorded(backend, writer) for writer in writers} == said
    assert backend.runs.list_keys("r") == writers
    live_only(backend)
    assert len(keys(backend)) == 1


def test_a_kill_while_recording_loses_nothing_that_was_acknowledged(tmp_path: Path, backend: Backend) -> None:
    backend.runs.start("r")
    chance = random.Random(SEED)
    acknowledged = {}
    for n in range(KILLS):
        with workers(tmp_path, [("record", "r", f"w{n}", "100000")]) as (worker,):
            acknowledged[f"w{n}"] = last_step(worker.kill(chance.uniform(0, 0.3), heard=n % 4 == 0))
        assert backend.store.fsck().problems == (), SEED
    for writer, steps in acknowledged.items():
        assert recorded(backend, writer) in range(steps, steps + 2001), SEED
    assert sum(acknowledged.values()) > 0, SEED
    before = {writer: recorded(backend, writer) for writer in acknowledged}
    live_only(backend)
    backend.runs.finish("r")
    assert {writer: recorded(backend, writer) for writer in acknowledged} == before
    live_only(backend)


def test_a_kill_while_ending_a_run_leaves_it_whole(tmp_path: Path, backend: Backend) -> None:
    backend.runs.start("r")
    chance = random.Random(SEED)
    with workers(tmp_path, [("record", "r", "w", "40")]) as (worker,):
        steps = last_step(worker.said())
    for n in range(KILLS):
        backend.runs.start("r", resume="must")
        backend.runs.rewind("r", steps - n)  # so that there is something to be done each time
        with workers(tmp_path, [("end", "r")]) as (worker,):
            worker.kill(chance.uniform(0, 0.05), heard=n % 4 == 0)
        assert backend.store.fsck().problems == (), SEED
        assert recorded(backend, "w") == min(steps, steps - n + 1), SEED
    backend.runs.finish("r")
    live_only(backend)
    assert recorded(backend, "w") == steps - KILLS + 2
