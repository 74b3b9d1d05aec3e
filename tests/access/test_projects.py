"""Who may read a project."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from lineal.access import projects
from lineal.core.errors import InvalidArgument, InvalidName
from lineal.db.schema import collections, runs
from tests.access.conftest import NOON


def test_a_project_is_its_teams_until_somebody_says_otherwise(session) -> None:
    assert projects.visibility(session, "vision", "digits") == "team"
    made = projects.get_or_add(session, "vision", "digits", at=NOON)
    assert projects.get_or_add(session, "vision", "digits", at=NOON) == made
    assert projects.set_visibility(session, "vision", "digits", "private", at=NOON) == "team"
    assert projects.visibility(session, "vision", "digits") == "private"
    assert [(p.path, p.visibility, p.created_at) for p in projects.list_all(session)] == [
        ("vision/digits", "private", NOON)
    ]


def test_what_can_be_no_project_is_refused(session) -> None:
    with pytest.raises(InvalidName):
        projects.get_or_add(session, "vision", "a/b", at=NOON)
    with pytest.raises(InvalidArgument):
        projects.set_visibility(session, "vision", "digits", "open", at=NOON)
    assert projects.list_all(session) == []


def test_projects_from_before_there_were_rows_get_one(session) -> None:
    line = {"entity": "e", "type": "model", "created_at": NOON, "next_number": 0}
    session.execute(insert(collections), [{**line, "project": "a", "name": name} for name in ("m", "n")])
    run = {"state": "finished", "config": {}, "code": {}, "user": "u", "host": "h", "created_at": NOON, "name": "r"}
    session.execute(insert(runs), [{**run, "entity": "e", "project": p, "run_id": p} for p in ("a", "b")])
    projects.set_visibility(session, "e", "b", "private", at=NOON)
    projects.record_all(session, at=NOON)
    projects.record_all(session, at=NOON)
    assert [(p.path, p.visibility) for p in projects.list_all(session)] == [("e/a", "team"), ("e/b", "private")]
