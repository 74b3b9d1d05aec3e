"""The sentences of `port.Runs` on what runs record and how it is read back, held against every implementation."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lineal.backend.local import record
from lineal.core import errors
from lineal.core.clock import new_run_id
from lineal.tracking import parts, runs, streams
from lineal.tracking.model import Batch
from lineal.tracking.rows import MAX_STEP, Row, encode

from .conftest import Desk
from .damage import behind, flip_blob

Open = Callable[..., Desk]
Values = dict[str, Any]
_taken: dict[tuple[str, str], int] = {}


def say(desk: Desk, run: str, *rows: tuple[int, Values], writer: str = "", by: str = "p1", **more: Any) -> int:
    """Appends rows (step, values) as one batch, with times a tenth of the steps; the number of the batch."""
    seq = _taken[run, by] = _taken.get((run, by), 0) + 1
    put(desk, run, seq, *rows, writer=writer, by=by, **more)
    return seq


def put(
    desk: Desk,
    run: str,
    seq: int,
    *rows: tuple[int, Values],
    writer: str = "",
    by: str = "p1",
    stream: Any = "history",
) -> None:
    timed: list[Row] = [(step, step / 10, values) for step, values in rows]
    last = max((step for step, _ in rows), default=-1)
    batch = Batch({stream: encode(timed, writer)}, last_step=last if stream == "history" else -1)
    desk.backend.runs.append(run, by, seq, batch)


def seen(desk: Desk, run: str, **asked: Any) -> list[Values]:
    """The rows, without their times."""
    return [{k: v for k, v in row.items() if k != "_timestamp"} for row in desk.backend.runs.rows(run, **asked)]


def curve(desk: Desk, run: str, key: str = "a", **asked: Any) -> list[tuple[int, Any]]:
    steps, values = desk.backend.runs.columns(run, [key], **asked)[key]
    return list(zip(steps, values, strict=True))


@pytest.fixture(params=["as it is", "merged often"])
def often(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Once as it is, and once with rows merged into files all the time."""
    if request.param == "merged often":
        monkeypatch.setattr(record, "_TAIL_CHUNKS", 2)
        monkeypatch.setattr(record, "_FAN_IN", 2)
        monkeypatch.setattr(parts, "_AT_ONCE", 7)
    return


# ---- appending -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("often")
def test_rows_are_read_back_as_they_were_logged(desk: Desk) -> None:
    desk.run("r1")
    for step in range(12):
        say(desk, "r1", (step, {"a": step * 0.5, "n": step, "t": f"no {step}", "ok": step > 3}))
    rows = desk.backend.runs.rows("r1")
    assert rows[5] == {"_step": 5, "_timestamp": 0.5, "a": 2.5, "n": 5, "t": "no 5", "ok": True}
    assert [row["_step"] for row in rows] == list(range(12))
    assert (type(rows[5]["a"]), type(rows[5]["n"])) == (float, int)
    assert desk.backend.runs.list_keys("r1") == ["a", "n", "ok", "t"]
    assert desk.backend.runs.get("r1").last_step == 11


def test_a_batch_that_was_taken_already_changes_nothing(desk: Desk) -> None:
    desk.run("r1")
    put(desk, "r1", 1, (0, {"a": 1}))
    put(desk, "r1", 2, (1, {"a": 2}))
    put(desk, "r1", 1, (0, {"a": 9}), (7, {"b": 1}))
    put(desk, "r1", 2, (5, {"a": 9}))
    assert seen(desk, "r1") == [{"_step": 0, "a": 1}, {"_step": 1, "a": 2}]
    put(desk, "r1", 1, (2, {"a": 3}), by="p2")
    assert curve(desk, "r1") == [(0, 1), (1, 2), (2, 3)]


def test_a_taken_batch_that_is_large_changes_nothing_either(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_TAIL_CHUNKS", 0)
    desk.run("r1")
    put(desk, "r1", 1, (0, {"a": 1}))
    before = {stored.key for stored in behind(desk.backend).blobs.store.list()}
    put(desk, "r1", 1, (0, {"a": 2}))
    assert {stored.key for stored in behind(desk.backend).blobs.store.list()} == before
    assert curve(desk, "r1") == [(0, 1)]


@pytest.mark.usefixtures("often")
def test_several_calls_for_a_step_are_one_row_and_the_last_value_counts(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", (0, {"a": 1}), (0, {"b": 2}))
    say(desk, "r1", (0, {"a": 3}))
    assert seen(desk, "r1") == [{"_step": 0, "a": 3, "b": 2}]
    desk.backend.runs.finish("r1")
    assert seen(desk, "r1") == [{"_step": 0, "a": 3, "b": 2}]


@pytest.mark.usefixtures("often")
def test_writers_of_one_run_keep_rows_of_their_own(desk: Desk) -> None:
    desk.run("r1")
    for step in range(5):
        for writer in ("rank1", "rank0"):
            say(
                desk,
                "r1",
                (step, {"a": float(writer[-1]), **({"b": 1} if step == 4 else {})}),
                writer=writer,
                by=writer,
            )
    wanted = [
        {"_step": s, "a": float(w), "_writer": f"rank{w}"} | ({"b": 1} if s == 4 else {})
        for s in range(5)
        for w in (0, 1)
    ]
    assert seen(desk, "r1") == wanted
    desk.backend.runs.finish("r1")
    assert seen(desk, "r1") == wanted
    assert seen(desk, "r1", keys=["b"]) == [{k: v for k, v in row.items() if k != "a"} for row in wanted[-2:]]
    (sample,) = desk.backend.runs.samples(["r1"], ["a"], points=3)
    assert (sample.count, max(sample.high), min(sample.low)) == (10, 1.0, 0.0)
    assert list(sample.steps) == sorted(sample.steps)


def test_rows_with_all_keys_are_not_made_of_two_writers(desk: Desk) -> None:
    desk.run("r1")
    for step in range(30):
        say(desk, "r1", (step, {"a": 1}), writer="w1", by="w1")
        say(desk, "r1", (step, {"b": 1, **({"a": 2} if step > 27 else {})}), writer="w2", by="w2")
    assert [row["_step"] for row in seen(desk, "r1", keys=["a", "b"], limit=1)] == [28]
    assert [row["_step"] for row in seen(desk, "r1", keys=["a", "b"])] == [28, 29]


def test_numbers_that_are_no_numbers_survive(desk: Desk) -> None:
    desk.run("r1")
    values: Values = {
        "nan": math.nan,
        "inf": math.inf,
        "low": -math.inf,
        "big": 2**80,
        "list": [1, math.inf],
        "no": None,
    }
    say(desk, "r1", (0, values))
    for _ in range(2):
        (row,) = seen(desk, "r1")
        assert math.isnan(row.pop("nan"))
        assert row == {"_step": 0, **{key: value for key, value in values.items() if key != "nan"}}
        desk.backend.runs.finish("r1")


@pytest.mark.parametrize("stream", ["system", "console"])
def test_streams_do_not_mix(desk: Desk, stream: Any) -> None:
    desk.run("r1")
    say(desk, "r1", (3, {"a": 1}))
    say(desk, "r1", (10**15, {"a": "line\x00 \x1b[1m\ud800"}), stream=stream)
    for _ in range(2):
        assert curve(desk, "r1") == [(3, 1)]
        assert curve(desk, "r1", stream=stream) == [(10**15, "line\x00 \x1b[1m\ud800")]
        assert desk.backend.runs.list_keys("r1", stream=stream) == ["a"]
        desk.backend.runs.finish("r1")


@pytest.mark.parametrize("seq", [0, -1, 2**63])
def test_a_number_that_no_batch_has_is_refused(desk: Desk, seq: int) -> None:
    desk.run("r1")
    with pytest.raises(errors.InvalidArgument):
        desk.backend.runs.append("r1", "p1", seq, Batch())


@pytest.mark.parametrize(
    ("batch", "kind"),
    [
        (Batch({"history": b"no rows"}), errors.InvalidRows),
        (Batch({"history": encode([(-1, 0.0, {"a": 1})])}), errors.InvalidRows),
        (Batch({"other": encode([])}), errors.InvalidArgument),  # type: ignore[dict-item]
        (Batch(last_step=MAX_STEP + 1), errors.InvalidArgument),
        (Batch(last_step=-2), errors.InvalidArgument),
        (Batch(config={"a": object()}), errors.InvalidMetadata),
        (Batch(summary={"a": "\x00"}), errors.InvalidMetadata),
    ],
    ids=["no rows", "negative", "stream", "step", "low step", "config", "summary"],
)
def test_a_batch_that_is_wrong_is_refused_whole_and_its_number_stays_free(
    desk: Desk, batch: Batch, kind: type[errors.Error]
) -> None:
    desk.run("r1")
    with pytest.raises(kind):
        desk.backend.runs.append("r1", "p1", 1, batch)
    put(desk, "r1", 1, (0, {"a": 1}))
    assert curve(desk, "r1") == [(0, 1)]


@pytest.mark.parametrize("writer", ["", "a/b", "a\n", "x" * 200])
def test_a_writer_has_a_name(desk: Desk, writer: str) -> None:
    desk.run("r1")
    with pytest.raises(errors.InvalidName):
        desk.backend.runs.append("r1", writer, 1, Batch())


def test_a_run_that_has_ended_still_takes_what_its_writers_had_to_say(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", (0, {"a": 1}))
    desk.backend.runs.finish("r1")
    say(desk, "r1", (1, {"a": 2}), by="p2")
    assert desk.backend.runs.get("r1").state == "finished"
    assert curve(desk, "r1") == [(0, 1), (1, 2)]


def test_a_run_that_is_not_there_has_no_history(desk: Desk) -> None:
    ask = desk.backend.runs
    for call in (
        lambda: put(desk, "nobody", 1, (0, {"a": 1})),
        lambda: ask.rows("nobody"),
        lambda: ask.columns("nobody", ["a"]),
        lambda: ask.samples(["nobody"], ["a"]),
        lambda: ask.list_keys("nobody"),
        lambda: ask.rewind("nobody", 0),
        lambda: ask.fork("nobody", "nobody2", 0),
    ):
        with pytest.raises(errors.RunNotFound):
            call()


def test_many_small_batches_become_few_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_TAIL_CHUNKS", 4)
    desk.run("r1")
    for step in range(150):
        say(desk, "r1", (step, {"a": step}))
    assert len(list(behind(desk.backend).blobs.store.list())) < 25
    assert curve(desk, "r1") == [(step, step) for step in range(150)]
    desk.backend.runs.finish("r1")
    assert len(list(behind(desk.backend).blobs.store.list())) == 1
    assert curve(desk, "r1") == [(step, step) for step in range(150)]


# ---- reading ---------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """A run `r1` with `a` at every and `b` at every third of 30 steps, some in a file and some not."""
    desk.run("r1")
    for step in range(30):
        say(desk, "r1", (step, {"a": step, **({"b": step / 2} if step % 3 == 0 else {})}))
        if step == 20:
            desk.backend.runs.finish("r1")
    return desk


def test_rows_come_in_pages_by_step(filled: Desk) -> None:
    found, step = [], 0
    while rows := seen(filled, "r1", limit=7, min_step=step):
        assert len(rows) <= 7
        found += rows
        step = rows[-1]["_step"] + 1
    assert found == seen(filled, "r1")
    assert len(found) == 30


def test_rows_within_bounds_and_with_all_keys(filled: Desk) -> None:
    assert [row["_step"] for row in seen(filled, "r1", min_step=3, max_step=6)] == [3, 4, 5]
    assert seen(filled, "r1", keys=["b", "a"], min_step=1, max_step=9) == [
        {"_step": 3, "a": 3, "b": 1.5},
        {"_step": 6, "a": 6, "b": 3.0},
    ]
    assert seen(filled, "r1", keys=["b"], limit=2) == [{"_step": 0, "b": 0.0}, {"_step": 3, "b": 1.5}]
    assert seen(filled, "r1", keys=["a", "none"]) == []
    assert seen(filled, "r1", min_step=30) == []
    assert seen(filled, "r1", min_step=9, max_step=9) == []
    assert seen(filled, "r1", keys=["_step", "b"], max_step=1) == [{"_step": 0, "b": 0.0}]
    assert filled.backend.runs.rows("r1", keys=[], max_step=1) == [{"_step": 0, "_timestamp": 0.0}]


@pytest.mark.parametrize("limit", [0, -1, 10**7])
def test_a_limit_that_makes_no_sense_is_refused(filled: Desk, limit: int) -> None:
    with pytest.raises(errors.InvalidArgument):
        filled.backend.runs.rows("r1", limit=limit)


def test_a_page_never_parts_the_rows_of_a_step(desk: Desk) -> None:
    desk.run("r1")
    for writer in ("w1", "w2", "w3"):
        say(desk, "r1", *((step, {"a": 1}) for step in range(4)), writer=writer, by=writer)
    assert [row["_step"] for row in seen(desk, "r1", limit=7)] == [0, 0, 0, 1, 1, 1]
    assert [row["_step"] for row in seen(desk, "r1", limit=2)] == [0, 0, 0]


def test_columns_of_keys_that_are_missing_are_empty(filled: Desk) -> None:
    found = filled.backend.runs.columns("r1", ["none", "b", "b"], min_step=4, max_step=10)
    assert {key: (list(steps), list(values)) for key, (steps, values) in found.items()} == {
        "none": ([], []),
        "b": ([6, 9], [3.0, 4.5]),
    }


def test_samples_of_several_runs_at_once(filled: Desk) -> None:
    filled.run("r2")
    say(filled, "r2", *((step, {"a": math.nan if step % 2 else -1.0, "t": "x"}) for step in range(1000)))
    found = filled.backend.runs.samples(["r2", "r1", "r2"], ["a", "t", "none", "a"], points=10)
    assert [(sample.run, sample.key, sample.count) for sample in found] == [("r2", "a", 1000), ("r1", "a", 30)]
    assert (list(found[0].low), len(found[0].steps)) == ([-1.0] * 10, 10)
    (few,) = filled.backend.runs.samples(["r1"], ["b"], min_step=3, max_step=10)
    assert (list(few.steps), list(few.last)) == ([3, 6, 9], [1.5, 3.0, 4.5])
    with pytest.raises(errors.InvalidArgument):
        filled.backend.runs.samples(["r1"], ["a"], points=0)


def test_steps_up_to_the_last_that_there_is(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", (0, {"a": 1}), (MAX_STEP, {"a": 2}))
    for _ in range(2):
        assert curve(desk, "r1") == [(0, 1), (MAX_STEP, 2)]
        assert [row["_step"] for row in seen(desk, "r1")] == [0, MAX_STEP]
        assert curve(desk, "r1", min_step=MAX_STEP, max_step=MAX_STEP + 1) == [(MAX_STEP, 2)]
        desk.backend.runs.finish("r1")
    assert desk.backend.runs.get("r1").last_step == MAX_STEP


# ---- rewind and fork -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("often")
def test_a_rewound_run_goes_on_from_the_step(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", *((step, {"a": step, **({"late": 1} if step > 5 else {})}) for step in range(10)))
    desk.backend.runs.append("r1", "p9", 1, Batch(summary={"a": 9, "late": 1, "kept": "mine"}))
    desk.backend.runs.finish("r1", "failed", exit_code=3, message="oh")
    run = desk.backend.runs.rewind("r1", 4)
    assert (run.state, run.finished_at, run.exit_code, run.message, run.last_step) == ("running", None, None, "", 4)
    assert run.summary == {"a": 4, "kept": "mine"}
    assert curve(desk, "r1") == [(step, step) for step in range(5)]
    assert desk.backend.runs.list_keys("r1") == ["a"]
    say(desk, "r1", (5, {"a": 50}))
    desk.backend.runs.rewind("r1", 7)
    say(desk, "r1", (6, {"a": 60}))
    wanted = [*((step, step) for step in range(5)), (5, 50), (6, 60)]
    assert curve(desk, "r1") == wanted
    desk.backend.runs.finish("r1")
    assert curve(desk, "r1") == wanted
    desk.backend.runs.start("r1", resume="must")
    say(desk, "r1", (7, {"a": 70}))
    desk.backend.runs.finish("r1")
    assert curve(desk, "r1") == [*wanted, (7, 70)]


def record_of(desk: Desk, run: str) -> dict[bool, list[list[tuple[str, int]]]]:
    """What the run's files hold: of those that are seen and those that are hidden, the points of each."""
    found: dict[bool, list[list[tuple[str, int]]]] = {False: [], True: []}
    with behind(desk.backend).context.database.read() as session:
        files = streams.list_parts(session, runs.get(session, run).id, "history")
    for file in files:
        source = behind(desk.backend).runs._open(behind(desk.backend).blobs.find([file.digest])[file.digest].key)  # type: ignore[attr-defined]
        table = source.read().to_pydict()
        found[file.hidden].append([p for p in zip(table["key"], table["step"], strict=True) if p[0] != "_timestamp"])
    return found


@pytest.mark.usefixtures("often")
def test_rows_that_a_rewind_took_away_stay_in_the_record(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", *((step, {"a": step}) for step in range(6)))
    desk.backend.runs.rewind("r1", 2)
    say(desk, "r1", (3, {"a": 30}), (4, {"a": 40}))
    desk.backend.runs.rewind("r1", 3)
    desk.backend.runs.finish("r1")
    assert record_of(desk, "r1")[False] == [[("a", 0), ("a", 1), ("a", 2), ("a", 3)]]
    assert sorted(record_of(desk, "r1")[True]) == [[("a", 3), ("a", 4), ("a", 5)], [("a", 4)]]
    desk.backend.store.gc(desk.backend.store.plan_gc(grace_s=0))
    assert len(record_of(desk, "r1")[True]) == 2
    assert curve(desk, "r1") == [(0, 0), (1, 1), (2, 2), (3, 30)]


def test_a_rewind_leaves_out_of_the_summary_what_none_can_hold(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", (0, {"a": "x\x00", "b": math.nan, "c": 1}))
    summary = dict(desk.backend.runs.rewind("r1", 0).summary)
    assert math.isnan(summary.pop("b"))
    assert summary == {"c": 1}


@pytest.mark.usefixtures("often")
def test_many_rewinds_with_many_rows_still_take_rows_together(desk: Desk) -> None:
    desk.run("r1")
    for _ in range(6):
        for step in range(5):
            say(desk, "r1", (step, {"a": step}))
        desk.backend.runs.rewind("r1", 1)
    assert curve(desk, "r1") == [(0, 0), (1, 1)]
    desk.backend.runs.finish("r1")
    assert curve(desk, "r1") == [(0, 0), (1, 1)]


@pytest.mark.parametrize("step", [-1, MAX_STEP + 1])
def test_a_step_that_no_run_has_can_not_be_gone_back_to(desk: Desk, step: int) -> None:
    desk.run("r1")
    desk.run("r2")
    with pytest.raises(errors.InvalidArgument):
        desk.backend.runs.rewind("r1", step)
    with pytest.raises(errors.InvalidArgument):
        desk.backend.runs.fork("r2", "r1", step)


@pytest.mark.usefixtures("often")
def test_a_fork_starts_with_the_history_of_its_running_parent(desk: Desk) -> None:
    desk.run("r1")
    say(desk, "r1", *((step, {"a": step, **({"late": 1} if step > 4 else {})}) for step in range(4)))
    say(desk, "r1", (4, {"a": 4}), (5, {"a": 5}))
    desk.run("r2", config={"lr": 1})
    forked = desk.backend.runs.fork("r2", "r1", 3)
    assert (forked.parent, forked.parent_step, forked.last_step, forked.summary) == ("r1", 3, 3, {"a": 3})
    assert desk.backend.runs.fork("r2", "r1", 3) == forked
    say(desk, "r2", (4, {"a": 44}), by="p2")
    say(desk, "r1", (6, {"a": 6}))
    assert curve(desk, "r2") == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 44)]
    desk.run("r3")
    desk.backend.runs.fork("r3", "r2", 100)
    desk.backend.runs.rewind("r2", 0)
    assert curve(desk, "r3") == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 44)]
    assert desk.backend.runs.get("r3").last_step == 4
    assert curve(desk, "r2") == [(0, 0)]
    assert curve(desk, "r1") == [(step, step) for step in range(7)]
    desk.backend.store.gc(desk.backend.store.plan_gc(grace_s=0))
    assert len(curve(desk, "r3")) == 5


def test_a_fork_of_a_run_without_rows_has_none(desk: Desk) -> None:
    desk.run("r1")
    desk.run("r2")
    assert desk.backend.runs.fork("r2", "r1", 5).last_step == -1
    assert seen(desk, "r2") == []


def test_a_run_with_rows_or_forks_or_a_parent_can_not_become_a_fork(desk: Desk) -> None:
    for run in ("r1", "r2", "r3", "r4"):
        desk.run(run)
    say(desk, "r1", (0, {"a": 1}))
    desk.backend.runs.fork("r2", "r1", 0)
    desk.backend.runs.fork("r4", "r3", 0)
    desk.run("liar")
    desk.backend.runs.append("liar", "p1", 1, Batch({"history": encode([(5, 0.0, {"a": 1})])}))
    for run, parent in (("r1", "r2"), ("r2", "r3"), ("r3", "r4"), ("liar", "r1")):
        with pytest.raises(errors.RunExists):
            desk.backend.runs.fork(run, parent, 0)
    with pytest.raises(errors.InvalidArgument):
        desk.backend.runs.fork("r3", "r3", 0)


# ---- damage ----------------------------------------------------------------------------------------------------


def damaged(desk: Desk) -> None:
    """A run `r1` with its first file damaged, and the others sound."""
    desk.run("r1")
    for step in range(4):
        say(desk, "r1", (step, {"a": step}))
    with behind(desk.backend).context.database.read() as session:
        (file, *_) = streams.list_parts(session, runs.get(session, "r1").id, "history")
    flip_blob(desk.backend, file.digest)


def test_a_run_whose_rows_are_damaged_still_takes_rows_and_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_TAIL_CHUNKS", 1)
    monkeypatch.setattr(record, "_FAN_IN", 3)
    damaged(desk)
    for step in range(4, 20):
        say(desk, "r1", (step, {"a": step}))
    with pytest.raises(errors.CorruptRows):
        curve(desk, "r1")
    assert desk.backend.runs.finish("r1").state == "finished"
    problems = [(p.code, p.subject) for p in desk.backend.store.fsck().problems]
    assert ("damaged_run", "local/default/r1") in problems


# ---- against a model -------------------------------------------------------------------------------------------

logged = st.lists(
    st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from("abc"), st.integers(0, 99), max_size=3)), max_size=5
)
Logged = tuple[str, int, Values]


class Histories(RuleBasedStateMachine):
    """Runs under all that may happen to their rows, beside plain lists of what must be seen."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self.seen: dict[str, list[Logged]] = {}
        self.last: dict[str, tuple[Any, ...]] = {}
        self.touched = ""

    def pick(self, place: int) -> str:
        self.touched = list(self.seen)[place % len(self.seen)]
        return self.touched

    @precondition(lambda self: len(self.seen) < 4)
    @rule()
    def start(self) -> None:
        self.touched = self.desk.run(new_run_id())
        self.seen[self.touched] = []

    @precondition(lambda self: self.seen)
    @rule(place=st.integers(0, 3), rows=logged, writer=st.sampled_from(["", "w0", "w1"]))
    def append(self, place: int, rows: Sequence[tuple[int, Values]], writer: str) -> None:
        run = self.pick(place)
        seq = say(self.desk, run, *rows, writer=writer)
        self.seen[run] += [(writer, step, values) for step, values in rows]
        self.last[run] = (seq, rows, writer)

    @precondition(lambda self: self.last)
    @rule(place=st.integers(0, 3))
    def append_again(self, place: int) -> None:
        if (run := self.pick(place)) in self.last:
            seq, rows, writer = self.last[run]
            put(self.desk, run, seq, *rows, writer=writer)

    @precondition(lambda self: self.seen)
    @rule(place=st.integers(0, 3), step=st.integers(0, 9))
    def rewind(self, place: int, step: int) -> None:
        run = self.pick(place)
        self.desk.backend.runs.rewind(run, step)
        self.seen[run] = [row for row in self.seen[run] if row[1] <= step]

    @precondition(lambda self: 0 < len(self.seen) < 4)
    @rule(place=st.integers(0, 3), step=st.integers(0, 9))
    def fork(self, place: int, step: int) -> None:
        parent = self.pick(place)
        self.start()
        self.desk.backend.runs.fork(self.touched, parent, step)
        self.seen[self.touched] = [row for row in self.seen[parent] if row[1] <= step]

    @precondition(lambda self: self.seen)
    @rule(place=st.integers(0, 3))
    def finish(self, place: int) -> None:
        self.desk.backend.runs.finish(self.pick(place))

    @precondition(lambda self: self.seen)
    @rule(place=st.integers(0, 3))
    def resume(self, place: int) -> None:
        self.desk.backend.runs.start(self.pick(place), resume="must")

    @rule()
    def collect_garbage(self) -> None:
        self.desk.backend.store.gc(self.desk.backend.store.plan_gc(grace_s=0))

    def check(self, run: str) -> None:
        rows: dict[tuple[int, str], Values] = {}
        points: dict[str, dict[tuple[int, str], Any]] = {key: {} for key in "abc"}
        for writer, step, values in self.seen[run]:
            marked = {"_step": step, **({"_writer": writer} if writer else {})}
            rows[step, writer] = rows.get((step, writer), {}) | marked | values
            for key, value in values.items():
                points[key][step, writer] = value
        assert seen(self.desk, run) == [rows[place] for place in sorted(rows)]
        assert seen(self.desk, run, keys=["a"], min_step=2, max_step=8) == [
            {key: value for key, value in rows[place].items() if key not in "bc"}
            for place in sorted(rows)
            if "a" in rows[place] and 2 <= place[0] < 8
        ]
        assert self.desk.backend.runs.list_keys(run) == [key for key in "abc" if points[key]]
        for key in "abc":
            assert curve(self.desk, run, key) == [(place[0], points[key][place]) for place in sorted(points[key])]
        found = {sample.key: list(sample.last) for sample in self.desk.backend.runs.samples([run], ["a", "b"])}
        assert found == {k: [float(v) for _, v in sorted(points[k].items())] for k in "ab" if points[k]}

    def teardown(self) -> None:
        for run in self.seen:
            self.check(run)
        super().teardown()


@pytest.mark.usefixtures("often")
def test_histories_are_those_of_a_plain_model(desk: Desk) -> None:
    run_state_machine_as_test(
        lambda: Histories(desk),
        settings=settings(
            max_examples=10,
            stateful_step_count=16,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert desk.backend.store.fsck().problems == ()
