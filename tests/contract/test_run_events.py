"""The sentences of `port.Runs.events`, held against every implementation."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from lineal.backend.local import record
from lineal.core import errors
from lineal.core.clock import new_run_id
from lineal.tracking.model import Alert, Batch, Event

from .conftest import Desk
from .test_history import Values, put, say


@pytest.fixture(params=["as it is", "merged often"], autouse=True)
def often(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "merged often":
        monkeypatch.setattr(record, "_TAIL_CHUNKS", 2)
        monkeypatch.setattr(record, "_FAN_IN", 2)
    return


class Follower:
    """Somebody who follows a run, and what they know of its rows by what they were told."""

    def __init__(self, desk: Desk, run: str, **asked: Any) -> None:
        self.desk, self.run, self.asked = desk, run, asked
        self.after: str | None = None
        self.rows: dict[tuple[int, str], Values] = {}
        self.ended = False
        self.told = 0

    def look(self) -> list[Event]:
        """Every event up to now."""
        found: list[Event] = []
        first = self.asked
        while True:
            page = self.desk.backend.runs.events(self.run, after=self.after, **first)
            found += page.events
            self.after, self.ended = page.after, page.ended
            for event in page.events:
                self._hear(event)
            if not page.more:
                return found

    def _hear(self, event: Event) -> None:
        if event.kind == "reset":
            self.rows.clear()
        elif event.kind == "rows":
            for row in event.data["rows"]:
                self.told += 1
                values = {k: v for k, v in row.items() if not k.startswith("_")}
                self.rows.setdefault((row["_step"], row.get("_writer", "")), {}).update(values)


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


def rows_in(events: list[Event]) -> list[Values]:
    found = [dict(row) for event in events if event.kind == "rows" for row in event.data["rows"]]
    return [{k: v for k, v in row.items() if k != "_timestamp"} for row in found]


def recorded(desk: Desk, run: str) -> dict[tuple[int, str], Values]:
    return {
        (row["_step"], row.get("_writer", "")): {k: v for k, v in row.items() if not k.startswith("_")}
        for row in desk.backend.runs.rows(run)
    }


def test_a_follower_hears_of_everything_once_and_of_the_end(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    first = follower.look()
    assert sorted(kinds(first)) == ["state", "summary"]
    assert first[-1].data["state"] == "running"
    for step in range(7):
        say(desk, "r1", (step, {"a": step}))
        assert rows_in(follower.look()) == [{"_step": step, "a": step}]
        assert follower.look() == []
        assert not follower.ended
    say(desk, "r1", (7, {"a": 7}))
    desk.backend.runs.finish("r1", "failed", exit_code=3, message="boom")
    last = follower.look()
    assert rows_in(last) == [{"_step": 7, "a": 7}]
    assert kinds(last) == ["rows", "state"]
    assert {**last[-1].data, "finished_at": ""} == {
        "state": "failed",
        "exit_code": 3,
        "message": "boom",
        "finished_at": "",
        "stop_asked_by": None,
    }
    assert follower.ended
    assert follower.look() == []


def test_every_event_has_the_cursor_behind_it(desk: Desk) -> None:
    desk.run("r1")
    for stream in ("history", "console"):
        put(desk, "r1", 1, (0, {"a": 1}), by=stream, stream=stream)
    events = desk.backend.runs.events("r1", streams=["console", "history"]).events
    assert [(event.kind, event.stream) for event in events][:2] == [("rows", "console"), ("rows", "history")]
    for place, event in enumerate(events):
        later = desk.backend.runs.events("r1", streams=["console", "history"], after=event.after).events
        assert [(e.kind, e.stream, e.data) for e in later] == [
            (e.kind, e.stream, e.data) for e in events[place + 1 :]
        ]


def test_pages_are_bounded_and_lead_to_everything(desk: Desk) -> None:
    desk.run("r1")
    for part in range(10):
        say(desk, "r1", *((step, {"a": step}) for step in range(part * 10, part * 10 + 10)))
    page = desk.backend.runs.events("r1", limit=7)
    assert (len(rows_in(list(page.events))), page.more) == (7, True)
    assert [row["a"] for row in rows_in(Follower(desk, "r1", limit=7).look())] == list(range(100))


@pytest.mark.parametrize("last", [0, 1, 3, 99])
def test_one_may_begin_with_the_last_rows(desk: Desk, last: int) -> None:
    desk.run("r1")
    for step in range(6):
        say(desk, "r1", (step, {"a": step}))
    follower = Follower(desk, "r1", last=last)
    assert [row["a"] for row in rows_in(follower.look())] == list(range(max(6 - last, 0), 6))
    say(desk, "r1", (6, {"a": 6}))
    desk.backend.runs.finish("r1")
    assert [row["a"] for row in rows_in(follower.look())] == [6]


def test_only_the_keys_asked_for_are_told(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1", keys=["a"])
    say(desk, "r1", (0, {"a": 1, "b": 2}), (1, {"b": 3}), (2, {"a": 4}))
    assert rows_in(follower.look()) == [{"_step": 0, "a": 1}, {"_step": 2, "a": 4}]


def test_more_values_of_a_row_are_told_when_they_come(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    say(desk, "r1", (5, {"a": 1}))
    follower.look()
    say(desk, "r1", (5, {"b": 2}))
    desk.backend.runs.finish("r1")
    follower.look()
    assert follower.rows == {(5, ""): {"a": 1, "b": 2}}


def test_late_rows_of_lower_steps_are_told(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    for step in (10, 3, 11, 4, 5, 12):
        say(desk, "r1", (step, {"a": step}))
        follower.look()
        assert follower.rows == recorded(desk, "r1")


def test_late_rows_that_were_mixed_with_those_told_begin_the_stream_anew(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    say(desk, "r1", (10, {"a": 1}))
    follower.look()
    say(desk, "r1", (3, {"a": 2}))
    desk.backend.runs.finish("r1")
    assert kinds(follower.look()) == ["reset", "rows", "state"]
    assert follower.rows == recorded(desk, "r1")


def test_writers_are_followed_each_by_itself(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    for step in range(5):
        say(desk, "r1", (step * 10, {"a": step}), writer="fast", by="p1")
        say(desk, "r1", (step, {"a": step}), writer="slow", by="p2")
        assert "reset" not in kinds(follower.look())
        assert follower.rows == recorded(desk, "r1")
    say(desk, "r1", (5, {"a": 5}), writer="slow", by="p2")
    desk.backend.runs.finish("r1")
    assert kinds(follower.look()) == ["rows", "state"]
    assert follower.rows == recorded(desk, "r1")
    assert follower.told == 11


def test_after_a_rewind_what_is_left_is_told_anew(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    for step in range(6):
        say(desk, "r1", (step, {"a": step}))
    follower.look()
    desk.backend.runs.rewind("r1", 2)
    say(desk, "r1", (3, {"a": 33}))
    events = follower.look()
    assert kinds(events)[:2] == ["reset", "rows"]
    assert [row["a"] for row in rows_in(events)] == [0, 1, 2, 33]
    say(desk, "r1", (4, {"a": 44}))
    desk.backend.runs.finish("r1")
    assert rows_in(follower.look()) == [{"_step": 4, "a": 44}]
    assert follower.rows == recorded(desk, "r1")


def test_what_a_run_says_beside_its_rows_is_told(desk: Desk) -> None:
    desk.run("r1")
    follower = Follower(desk, "r1")
    follower.look()
    alert = Alert("a1", "loss is up", "it is 7", "warn", datetime(2026, 1, 2, tzinfo=UTC))
    desk.backend.runs.append("r1", "p9", 1, Batch(summary={"loss": float("inf")}, alerts=[alert]))
    events = follower.look()
    assert kinds(events) == ["alert", "summary"]
    assert {name: events[0].data[name] for name in ("id", "title", "at")} == {
        "id": "a1",
        "title": "loss is up",
        "at": "2026-01-02T00:00:00Z",
    }
    assert events[1].data == {"summary": {"loss": float("inf")}}
    desk.backend.runs.stop("r1")
    assert [(e.kind, e.data["stop_asked_by"]) for e in follower.look()] == [("state", "ada")]
    assert follower.look() == []


@pytest.mark.parametrize("after", ["x", "", "AAAA", "é", "a" * 70_000, "eJyrVkrOz0vLTFeyUjAEACKCBFc"])
def test_what_is_no_cursor_is_refused_or_begins_anew(desk: Desk, after: str) -> None:
    desk.run("r1")
    if after:
        with pytest.raises(errors.InvalidArgument, match="after"):
            desk.backend.runs.events("r1", after=after)
    else:
        assert desk.backend.runs.events("r1", after=after).events


def test_what_can_not_be_asked_is_refused(desk: Desk) -> None:
    desk.run("r1")
    for wrong in ({"streams": ["diary"]}, {"limit": 0}, {"limit": 10_001}, {"last": -1}):
        with pytest.raises(errors.InvalidArgument):
            desk.backend.runs.events("r1", **wrong)
    with pytest.raises(errors.RunNotFound):
        desk.backend.runs.events("r2")


def test_a_follower_who_looks_now_and_then_knows_what_is_recorded(
    open_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes in, is merged, rewound and ended between looks."""
    desk = open_desk()
    monkeypatch.setattr(record, "_TAIL_CHUNKS", 3)
    monkeypatch.setattr(record, "_FAN_IN", 2)

    class Following(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.run = new_run_id()
            desk.run(self.run)
            self.follower = Follower(desk, self.run, limit=5)
            self.left = {writer: set(range(200)) for writer in ("", "x", "y")}

        @rule(steps=st.lists(st.integers(0, 12), min_size=1, max_size=4), writer=st.sampled_from(["", "x", "y"]))
        def log(self, steps: list[int], writer: str) -> None:
            """Rows at steps that are new, in any order."""
            new = [step for step in dict.fromkeys(steps) if step in self.left[writer]]
            self.left[writer].difference_update(new)
            say(
                desk,
                self.run,
                *((step, {"a": step, f"k{step % 3}": 1}) for step in new),
                writer=writer,
                by=writer or "p",
            )

        @rule(step=st.integers(0, 12))
        def rewind(self, step: int) -> None:
            desk.backend.runs.rewind(self.run, step)

        @rule()
        def finish(self) -> None:
            desk.backend.runs.finish(self.run)

        @rule()
        def look(self) -> None:
            self.follower.look()
            assert self.follower.rows == recorded(desk, self.run)
            told = self.follower.told
            self.follower.look()
            assert self.follower.told == told

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Following,
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
