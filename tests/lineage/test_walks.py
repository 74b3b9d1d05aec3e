"""Walks and edges on rows alone, beyond what the contract shows: chunks, large sets, both ways of counting."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from lineal.db import schema
from lineal.db.session import Database, Session, open_file
from lineal.lineage import edges, walks

NOON = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database: Database = open_file(str(tmp_path / "lineal.db"))
    with database.begin() as opened:
        yield opened
    database.close()


def line(session: Session, length: int) -> None:
    """Version 1 → run 1 → version 2 → run 2 → …"""
    collection = {"id": 1, "entity": "e", "project": "p", "name": "c", "type": "t", "created_at": NOON}
    session.execute(insert(schema.collections).values(description="", next_number=0, **collection))
    run = {"entity": "e", "project": "p", "name": "", "job_type": "", "state": "running", "user": "", "host": ""}
    more = {"config": {}, "code": {}, "created_at": NOON}
    session.execute(insert(schema.runs), [{"id": n, "run_id": f"r{n}", **run, **more} for n in range(1, length + 1)])
    version = {"collection_id": 1, "digest": b"0" * 32, "size": 0, "file_count": 0, "metadata": {}, "tags": []}
    made = {"description": "", "created_at": NOON, "created_by": ""}
    numbers = range(1, length + 2)
    session.execute(insert(schema.versions), [{"id": n, "number": n, **version, **made} for n in numbers])
    for n in range(1, length + 1):
        edges.record(session, n, n, output=False, at=NOON)
        edges.record(session, n, n + 1, output=True, at=NOON)


def test_a_walk_over_more_nodes_than_a_query_can_name(session: Session) -> None:
    line(session, 3000)
    reached = walks.reach(session, versions=[1], up=False)
    assert reached == walks.Reached(set(range(2, 3002)), set(range(1, 3001)))
    assert len(walks.names(session, reached)) == 6000
    assert len(edges.of_runs(session, reached.runs)) == 6000


@pytest.mark.parametrize("depth", [1, 23, 24, 25, 26, 39, 40, 1000])
@pytest.mark.parametrize("up", [True, False])
def test_both_ways_of_counting_steps_agree(session: Session, depth: int, up: bool) -> None:
    line(session, 40)
    reached = walks.reach(session, versions=[41 if up else 1], up=up, depth=depth)
    assert (len(reached.runs), len(reached.versions)) == (min(depth, 40), min(depth, 40))
    of_run = walks.reach(session, runs=[40 if up else 1], up=up, depth=depth)
    assert (len(of_run.runs), len(of_run.versions)) == (min(depth, 40) - 1, min(depth, 40))


@pytest.mark.parametrize("depth", [None, 3, 30])
def test_a_ring_ends_by_itself_however_it_is_counted(session: Session, depth: int | None) -> None:
    line(session, 2)
    edges.record(session, 2, 1, output=True, at=NOON)
    for up in (True, False):
        assert walks.reach(session, versions=[1], up=up, depth=depth).runs == {1, 2}
        assert 1 in walks.reach(session, versions=[1], up=up, depth=depth).versions


def test_nothing_to_start_from_reaches_nothing(session: Session) -> None:
    assert walks.reach(session, up=True) == walks.Reached(set(), set())
