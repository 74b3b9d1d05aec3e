"""The sentences of `port.Runs` on writers that begin, end and are heard late, held against every implementation."""

from datetime import timedelta

import pytest

from lineal.core import clock, errors
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode

from .conftest import Desk


def rows(*steps: int) -> dict[str, bytes]:
    return {"history": encode([(step, 1000.0 + step, {"loss": float(step)}) for step in steps])}


def steps(desk: Desk, run_id: str) -> list[int]:
    return [row["_step"] for row in desk.backend.runs.rows(run_id)]


def test_a_run_that_is_told_of_later_began_and_ended_when_it_did(desk: Desk) -> None:
    began, ended = clock.now() - timedelta(days=3), clock.now() - timedelta(days=2)
    assert desk.backend.runs.start("r1", created_at=began).created_at == began
    assert desk.backend.runs.get("r1").state == "running"
    assert desk.backend.runs.finish("r1", at=ended).finished_at == ended


def test_a_clock_may_be_a_little_wrong_but_not_by_more_than_a_day(desk: Desk) -> None:
    desk.backend.runs.start("r1", created_at=clock.now() + timedelta(hours=23))
    for told in (clock.now() + timedelta(hours=25), clock.now() + timedelta(days=3000)):
        with pytest.raises(errors.InvalidArgument):
            desk.backend.runs.start("r2", created_at=told)
        with pytest.raises(errors.InvalidArgument):
            desk.backend.runs.finish("r1", at=told)
    with pytest.raises(errors.RunNotFound):
        desk.backend.runs.get("r2")


def test_a_run_never_ends_before_it_began(desk: Desk) -> None:
    began = desk.backend.runs.start("r1").created_at
    assert desk.backend.runs.finish("r1", at=began - timedelta(hours=1)).finished_at == began


def test_what_a_writer_began_it_may_begin_again(desk: Desk) -> None:
    runs = desk.backend.runs
    first = runs.start("r1", resume="never", writer="w1", name="mine")
    assert runs.start("r1", resume="never", writer="w1", name="mine").created_at == first.created_at
    with pytest.raises(errors.RunExists):
        runs.start("r1", resume="never", writer="w2")
    with pytest.raises(errors.RunExists):
        runs.start("r1", resume="never")
    assert runs.last_seq("r1", "w2") == -1


def test_how_far_a_writer_has_come_is_told(desk: Desk) -> None:
    runs = desk.backend.runs
    assert runs.last_seq("r1", "w1") == -1
    runs.start("r1")
    assert runs.last_seq("r1", "w1") == -1
    runs.start("r1", writer="w1")
    assert runs.last_seq("r1", "w1") == 0
    runs.append("r1", "w1", 1, Batch(rows=rows(0)))
    runs.append("r1", "w1", 7, Batch())
    assert runs.last_seq("r1", "w1") == 7
    runs.append("r1", "w1", 3, Batch(rows=rows(1)))
    assert (runs.last_seq("r1", "w1"), steps(desk, "r1")) == (7, [0])


def test_a_resumption_that_is_told_of_after_the_end_leaves_the_end(desk: Desk) -> None:
    runs = desk.backend.runs
    runs.start("r1")
    ended = runs.finish("r1", "failed", exit_code=3)
    before, after = clock.now() - timedelta(minutes=1), clock.now() + timedelta(minutes=1)
    told = runs.start("r1", resume="allow", created_at=before, tags=["late"])
    assert (told.state, told.exit_code, told.finished_at, told.tags) == ("failed", 3, ended.finished_at, ("late",))
    assert runs.start("r1", resume="allow", created_at=after).state == "running"


def test_a_writer_rewinds_once(desk: Desk) -> None:
    runs = desk.backend.runs
    runs.start("r1")
    runs.append("r1", "w1", 1, Batch(rows=rows(0, 1, 2, 3), last_step=3))
    runs.rewind("r1", 1, writer="w2")
    runs.rewind("r1", 1, writer="w2")
    runs.append("r1", "w2", 1, Batch(rows=rows(2), last_step=2))
    assert runs.rewind("r1", 1, writer="w2").last_step == 2
    assert steps(desk, "r1") == [0, 1, 2]
    runs.rewind("r1", 0, writer="w3")
    assert steps(desk, "r1") == [0]


@pytest.mark.parametrize("writer", ["", "a/b", "x" * 200])
def test_a_writer_has_a_name(desk: Desk, writer: str) -> None:
    with pytest.raises(errors.InvalidName):
        desk.backend.runs.start("r1", writer=writer)
