"""Edges on rows alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.db.session import Session, open_file
from lineal.lineage import edges
from lineal.lineage.edges import RowEdge

from .test_walks import NOON, line


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = open_file(str(tmp_path / "lineal.db"))
    with database.begin() as opened:
        yield opened
    database.close()


def test_recording_an_edge_again_changes_nothing(session: Session) -> None:
    line(session, 2)
    before = edges.of_run(session, 1)
    edges.record(session, 1, 1, output=False, at=NOON)
    assert edges.of_run(session, 1) == before
    edges.record(session, 1, 1, output=False, role="valid", at=NOON)
    assert len(edges.of_run(session, 1)) == len(before) + 1


def test_an_edge_without_a_role_says_which_way_it_points(session: Session) -> None:
    line(session, 1)
    assert sorted(edges.of_run(session, 1)) == [RowEdge(1, 1, False, "input"), RowEdge(1, 2, True, "output")]


def test_edges_are_found_from_either_end(session: Session) -> None:
    line(session, 2)
    assert {(e.run, e.output) for e in edges.of_version(session, 2)} == {(1, True), (2, False)}
    assert {(e.run, e.version) for e in edges.of_versions(session, [1, 3])} == {(1, 1), (2, 3)}
    assert len(edges.of_runs(session, [1, 2])) == 4
    assert edges.of_runs(session, []) == []
    assert edges.used_versions(session) == {1, 2}
    assert edges.count_uses(session) == 2
