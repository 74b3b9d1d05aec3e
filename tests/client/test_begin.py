import json

import pytest

from lineal.client import begin
from lineal.client.begin import Beginning, Point
from lineal.client.connection import connection
from lineal.core import clock, errors
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode

FACTS = {
    "project": "p",
    "name": "first",
    "job_type": "",
    "group": "",
    "tags": ["a"],
    "notes": "",
    "config": {"lr": 0.1},
}


def recorded(run_id: str, *, last_step: int) -> None:
    runs = connection().backend.runs
    runs.start(run_id, config={"old": 1})
    rows = [(step, 0.0, {"a": step}) for step in range(last_step + 1)]
    runs.append(run_id, "w0", 1, Batch(rows={"history": encode(rows)}, last_step=last_step))


@pytest.mark.parametrize(
    "beginning",
    [
        Beginning("r1", "w1", FACTS, {"commit": "abc"}),
        Beginning("r1", "w1", FACTS, {}, "must", Point("r1", 3)),
        Beginning("r1", "w1", FACTS, {}, "never", None, Point("r0", 10**17)),
    ],
)
def test_a_beginning_survives_a_journal(beginning):
    assert begin.parse(json.loads(json.dumps(beginning.to_json()))) == beginning


def test_a_run_begins_once_however_often_it_is_begun():
    runs = connection().backend.runs
    at = clock.now()
    told = Beginning("r1", "w1", FACTS, {"commit": "abc"}, "never")
    first = begin.begin(runs, told, at=at)
    assert (first.created_at, first.project, first.name, first.tags) == (at, "p", "first", ("a",))
    assert begin.begin(runs, told, at=at).created_at == at
    with pytest.raises(errors.RunExists):
        begin.begin(runs, Beginning("r1", "w2", FACTS, {}, "never"), at=at)


def test_a_rewound_run_goes_on_from_there_with_what_is_given_on_top():
    recorded("r1", last_step=9)
    runs = connection().backend.runs
    told = Beginning("r1", "w1", FACTS, {}, None, Point("r1", 4))
    for _ in range(2):
        run = begin.begin(runs, told)
        assert (run.last_step, run.state, run.name, run.config) == (4, "running", "first", {"old": 1, "lr": 0.1})


def test_a_forked_run_has_its_parent_s_history_and_only_its_own_config():
    recorded("r0", last_step=9)
    runs = connection().backend.runs
    told = Beginning("r1", "w1", FACTS, {}, "never", None, Point("r0", 4))
    for _ in range(2):
        run = begin.begin(runs, told)
        assert (run.last_step, run.parent, run.parent_step, run.config) == (4, "r0", 4, {"lr": 0.1})


@pytest.mark.parametrize("points", [{"rewind": Point("none", 1)}, {"fork": Point("none", 1)}])
def test_a_point_of_no_run_is_refused(points):
    with pytest.raises(errors.RunNotFound):
        begin.begin(connection().backend.runs, Beginning("r1", "w1", FACTS, {}, "never", **points))
