"""Operations that another transaction outpaced are done again, a few times, and nothing else is."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from lineal.backend.connect import connect
from lineal.backend.local.again import TRIES, repeating, repeating_operations
from lineal.backend.port import Backend
from lineal.backend.port_runs import Runs
from lineal.core import settings
from lineal.core.errors import DatabaseBusy, RunNotFound


def outpaced() -> DatabaseBusy:
    """The error that a deadlock becomes."""
    problem = DatabaseBusy("others kept changing the same rows; try again")
    problem.__cause__ = psycopg.errors.DeadlockDetected()
    return problem


def test_an_operation_succeeds_once_the_others_are_through() -> None:
    calls: list[int] = []

    @repeating
    def act(number: int) -> int:
        calls.append(number)
        if len(calls) < 3:
            raise outpaced()
        return number

    assert act(7) == 7
    assert calls == [7, 7, 7]


@pytest.mark.parametrize(
    ("problem", "tries"), [(outpaced(), TRIES), (DatabaseBusy("held for 60 s"), 1), (RunNotFound("none"), 1)]
)
def test_tries_are_bounded_and_other_troubles_are_told_at_once(problem: Exception, tries: int) -> None:
    calls: list[int] = []

    @repeating
    def act() -> None:
        calls.append(1)
        raise problem

    with pytest.raises(type(problem)):
        act()
    assert len(calls) == tries


def test_every_operation_of_a_port_repeats_and_says_what_it_is() -> None:
    @repeating_operations
    class Mine(Runs):
        def get(self, run_id):  # type: ignore[no-untyped-def]
            """Mine."""

        def other(self) -> None: ...

    assert Mine.get.__wrapped__.__doc__ == Mine.get.__doc__ == "Mine."  # type: ignore[attr-defined]
    assert not hasattr(Mine.other, "__wrapped__")


@pytest.fixture
def backend(tmp_path: Path, postgres_url: str) -> Backend:
    given = {"url": postgres_url, "store": str(tmp_path / "store"), "cache_dir": str(tmp_path / "cache")}
    return connect(settings.load(tmp_path, user="ada", **given))


def test_a_real_deadlock_ends_in_the_operation_being_done(backend: Backend, postgres_url: str) -> None:
    for name in ("child", "parent"):
        backend.runs.start(name)
    lock = "SELECT 1 FROM runs WHERE run_id = %s FOR UPDATE"
    with psycopg.connect(postgres_url) as stranger:  # locks in the other order, and is slow to look for deadlocks
        stranger.execute("SET deadlock_timeout = '1h'")
        stranger.execute(lock, ["parent"])
        thread = threading.Thread(target=backend.runs.fork, args=("child", "parent", 3))
        thread.start()
        with psycopg.connect(postgres_url, autocommit=True) as watch:
            while not watch.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                pass
        stranger.execute(lock, ["child"])  # returns once the operation gave way
        stranger.commit()
        thread.join()
    assert backend.runs.get("child").parent == "parent"
    backend.close()
