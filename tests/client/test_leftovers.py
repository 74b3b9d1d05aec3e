import os
from datetime import timedelta
from pathlib import Path

import pytest

from lineal.client import leftovers
from lineal.client.journal import Journal
from lineal.client.leftovers import Story
from lineal.core import clock, errors

from .leavings import DIE, left, move, offline, python, runs_dir


def test_what_waits_is_told_oldest_first_with_how_far_it_came():
    with offline(id="ended", project="p") as run:
        for step in range(3):
            run.log({"a": step})
        Path(run.dir, "own.txt").write_text("x" * 5000)
    assert python('run = offline(id="dead", project="q")\nrun.log({"a": 1})' + DIE).returncode == -9
    alive = offline(id="alive")
    alive.log({"a": 1})
    alive._outbox.flush()
    found = leftovers.find([runs_dir()])
    assert [(x.run_id, x.project, x.rows, x.state) for x in found] == [
        ("ended", "p", 3, "ended"),
        ("dead", "q", 1, "crashed"),
        ("alive", "default", 1, "under way"),
    ]
    assert found[0].size_bytes > 5000
    assert all(x.started_at <= x.seen_at <= clock.now() for x in found)


def test_a_place_that_is_not_there_holds_nothing(tmp_path):
    assert leftovers.find([tmp_path / "nothing"]) == []
    assert leftovers.find([tmp_path]) == []


def test_a_folder_its_journal_and_the_folder_around_it_name_the_same_once():
    with offline(id="r1"):
        pass
    (folder,) = left()
    assert leftovers.folders([folder, folder / "run.journal", runs_dir(), f"{folder}/"]) == [folder]


def test_a_path_of_no_run_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(errors.InvalidSource):
            leftovers.folders([path])


def test_a_story_tells_how_its_run_began_and_what_it_said(monkeypatch):
    monkeypatch.setenv("LINEAL_USER", "grace")
    before = clock.now()
    with offline(id="r1", project="p", name="n", resume="allow") as run:
        run.log({"a": 1})
    story = Story(left()[0])
    assert (story.beginning.run_id, story.project, story.beginning.resume) == ("r1", "p", "allow")
    assert (story.user, story.entity, story.offline, story.primary) == ("grace", "local", True, True)
    assert before <= story.started_at <= clock.now()
    assert [frame.kind for frame in story] == [frame.kind for frame in story]
    assert [frame.kind for frame in story][-1] == "finish"
    assert story.damaged_bytes() == 0


@pytest.mark.parametrize("facts", [{}, {"run_id": "r1"}, {"at": "now", "facts": {}, "run_id": "r", "code": {}}])
def test_a_journal_that_begins_otherwise_is_no_story(tmp_path, facts):
    journal = Journal(tmp_path / "r")
    journal.append("start", facts)
    journal.close()
    with pytest.raises(errors.InvalidSource):
        Story(tmp_path / "r")
    assert [x.state for x in leftovers.find([tmp_path])] == ["unreadable"]


def test_an_empty_journal_may_be_about_to_begin(tmp_path):
    Journal(tmp_path / "r").close()
    assert leftovers.young(tmp_path / "r")
    assert leftovers.find([tmp_path]) == []
    os.utime(tmp_path / "r" / "run.journal", times=(0, 0))
    assert not leftovers.young(tmp_path / "r")


def test_what_was_left_long_ago_says_so():
    with offline(id="r1"):
        pass
    move(left()[0], timedelta(days=-30))
    (found,) = leftovers.find([runs_dir()])
    assert clock.now() - found.started_at > timedelta(days=29)


def test_what_the_store_refused_is_told():
    with offline(id="r1"):
        pass
    (left()[0] / leftovers.REFUSED).write_text("log 3: no")
    assert [x.state for x in leftovers.find([runs_dir()])] == ["refused"]
