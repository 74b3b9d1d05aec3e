"""Runs on rows alone, beyond what the contract shows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineal.core.errors import InvalidName, RunFinished, RunNotFound
from lineal.db.session import Session, open_file
from lineal.tracking import runs
from lineal.tracking.model import Run

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = open_file(str(tmp_path / "lineal.db"))
    with database.begin() as opened:
        yield opened
    database.close()


def run(run_id: str) -> Run:
    return Run(run_id, "e", "p", run_id, "", "running", {}, {}, "ada", "host", NOON)


def test_runs_are_found_by_row_id_in_any_number(session: Session) -> None:
    started = [runs.add(session, run(f"r{n}")) for n in range(30)]
    found = runs.list_by_id(session, [s.id for s in started])
    assert {id_: r.id for id_, r in found.items()} == {s.id: s.run.id for s in started}
    assert runs.list_by_id(session, []) == {}


def test_a_run_that_is_not_there_is_none_or_not_found(session: Session) -> None:
    assert runs.find(session, "nobody") is None
    with pytest.raises(RunNotFound):
        runs.get(session, "nobody")


def test_ending_a_run_again_keeps_the_first_end(session: Session) -> None:
    runs.add(session, run("r"))
    runs.finish(session, "r", "failed", at=NOON)
    runs.finish(session, "r", "finished", at=NOON + timedelta(hours=1))
    ended = runs.get(session, "r").run
    assert (ended.state, ended.finished_at) == ("failed", NOON)
    with pytest.raises(RunFinished):
        runs.get(session, "r", running=True)


def test_a_run_id_fits_its_column(session: Session) -> None:
    assert runs.add(session, run("r" * 64)).run.id == "r" * 64
    with pytest.raises(InvalidName):
        runs.add(session, run("r" * 65))
