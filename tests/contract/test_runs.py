"""The sentences of `port.Runs`, held against every implementation."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lineal.core import clock, errors
from lineal.db.schema import run_chunks
from lineal.storage import digest as digests
from lineal.storage.blobs import read_blob
from lineal.tracking.model import CRASHED_AFTER_S, Batch, Heard, RunFile
from lineal.tracking.rows import encode

from .conftest import Desk
from .damage import behind, flip_blob, keys

Open = Callable[..., Desk]
nan, inf = math.nan, math.inf


def test_a_run_says_what_it_was_started_with(open_desk: Open) -> None:
    desk = open_desk(user="grace", project="vision")
    before = clock.now()
    code = {"commit": "abc", "dirty": True}
    run = desk.backend.runs.start("r1", name="first", job_type="train", config={"lr": 0.1}, code=code)
    assert before <= run.created_at <= clock.now()
    assert (run.id, run.path, run.name, run.job_type) == ("r1", "local/vision/r1", "first", "train")
    assert (run.state, run.config, run.code, run.user) == ("running", {"lr": 0.1}, code, "grace")
    assert run.finished_at is None
    assert desk.backend.runs.get("r1") == run


def test_starting_a_run_again_is_the_same_run(desk: Desk) -> None:
    first = desk.backend.runs.start("r1", config={"a": 1})
    assert desk.backend.runs.start("r1", project="elsewhere", config={"a": 2}) == first


def test_a_run_without_a_name_is_named_by_its_id(desk: Desk) -> None:
    assert desk.backend.runs.start("r1").name == "r1"


@pytest.mark.parametrize("state", ["finished", "failed", "killed", "crashed"])
def test_a_run_ends_once_and_stays_as_it_ended(desk: Desk, state: str) -> None:
    desk.run("r1")
    ended = desk.backend.runs.finish("r1", state)
    assert (ended.state, ended.finished_at is not None) == (state, True)
    assert desk.backend.runs.finish("r1", "failed") == ended
    assert desk.backend.runs.start("r1") == ended


@pytest.mark.parametrize("state", ["running", "", "done"])
def test_a_run_does_not_end_in_a_state_that_is_no_end(desk: Desk, state: str) -> None:
    desk.run("r1")
    with pytest.raises(errors.InvalidArgument):
        desk.backend.runs.finish("r1", state)
    assert desk.backend.runs.get("r1").finished_at is None


def test_the_config_of_a_run_is_replaced_even_when_it_has_ended(desk: Desk) -> None:
    desk.run("r1", config={"a": 1})
    assert desk.backend.runs.change("r1", config={"b": 2}).config == {"b": 2}
    desk.backend.runs.finish("r1")
    assert desk.backend.runs.change("r1", config={"c": 3}).config == {"c": 3}


def test_numbers_that_are_not_finite_survive_in_a_config(desk: Desk) -> None:
    nan, inf = float("nan"), float("inf")
    desk.run("r1", config={"low": {"at": [-inf, inf]}, "gone": nan})
    config = desk.backend.runs.get("r1").config
    assert config["low"] == {"at": [-inf, inf]}
    assert config["gone"] != config["gone"]


@pytest.mark.parametrize("value", [object(), b"x", 1j])
def test_a_config_that_json_cannot_say_is_refused_by_key(desk: Desk, value: object) -> None:
    with pytest.raises(errors.InvalidMetadata, match=r"score\.valid\[1\]"):
        desk.run("r", config={"score": {"valid": [1, value]}})


def test_a_run_that_is_not_there_is_not_found(desk: Desk) -> None:
    for ask in (
        lambda: desk.backend.runs.get("nobody"),
        lambda: desk.backend.runs.finish("nobody"),
        lambda: desk.backend.runs.change("nobody", config={}),
    ):
        with pytest.raises(errors.RunNotFound):
            ask()


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "x" * 65, "run:x", "r\n"])
def test_a_run_id_is_a_name_of_at_most_64_letters(desk: Desk, run_id: str) -> None:
    with pytest.raises(errors.InvalidName):
        desk.backend.runs.start(run_id)


@pytest.mark.parametrize("text", ["half a character: \ud800", "a NUL: \x00"])
def test_texts_of_a_run_that_no_database_can_hold_are_refused(desk: Desk, text: str) -> None:
    with pytest.raises(errors.Invalid):
        desk.run("r1", name=text)
    with pytest.raises(errors.Invalid):
        desk.run("r1", job_type=text)
    with pytest.raises(errors.RunNotFound):
        desk.backend.runs.get("r1")


# ---- resuming --------------------------------------------------------------------------------------------------


def test_a_run_that_ended_runs_again_and_keeps_what_is_not_given(desk: Desk) -> None:
    first = desk.backend.runs.start(
        "r1", name="one", job_type="train", group="g", tags=["a"], notes="n", config={"lr": 1, "deep": {"x": nan}}
    )
    desk.backend.runs.append("r1", "p1", 1, Batch(summary={"acc": 1}))
    desk.backend.runs.stop("r1")
    desk.backend.runs.finish("r1", "failed", exit_code=2, message="oh")
    again = desk.backend.runs.start("r1", resume="allow", config={"lr": 2})
    assert (again.state, again.finished_at, again.exit_code, again.message) == ("running", None, None, "")
    assert again.stop_asked_by is None
    assert (again.name, again.job_type, again.group, again.tags, again.notes) == ("one", "train", "g", ("a",), "n")
    assert (again.created_at, again.summary, again.config["lr"]) == (first.created_at, {"acc": 1}, 2)
    assert math.isnan(again.config["deep"]["x"])
    new = desk.backend.runs.start("r1", resume="must", name="two", tags=["b"], notes="m", group="h", job_type="eval")
    assert (new.name, new.tags, new.notes, new.group, new.job_type) == ("two", ("b",), "m", "h", "eval")
    assert found(desk, {"config.lr": 2}) == ["r1"]
    assert found(desk, {"config.lr": 1}) == []


def test_how_to_resume_decides_about_runs_that_are_there_or_not(desk: Desk) -> None:
    runs = desk.backend.runs
    with pytest.raises(errors.RunNotFound):
        runs.start("r1", resume="must")
    with pytest.raises(errors.RunNotFound):
        runs.get("r1")
    assert runs.start("r1", resume="never").state == "running"
    with pytest.raises(errors.RunExists):
        runs.start("r1", resume="never")
    assert runs.start("r2", resume="allow").state == "running"
    for how in ("auto", "", "yes", True):
        with pytest.raises(errors.InvalidArgument):
            runs.start("r3", resume=how)  # type: ignore[arg-type]


def test_a_run_with_a_large_config_is_resumed(desk: Desk) -> None:
    config = {f"key{n}": "x" * 1000 for n in range(2000)}
    desk.run("r1", config=config)
    assert desk.backend.runs.start("r1", resume="allow", config={"a": 1}).config == {**config, "a": 1}


# ---- what batches say beside rows ------------------------------------------------------------------------------


def test_a_batch_replaces_the_config_and_adds_to_the_summary(desk: Desk) -> None:
    desk.run("r1", config={"a": 1, "b": {"c": 2}})
    say = desk.backend.runs.append
    say("r1", "p1", 1, Batch(config={"b": {"d": inf}}, summary={"acc": 0.5, "loss": nan, "best": {"x": 1}}))
    say("r1", "p1", 2, Batch(summary={"acc": 0.75, "best": 3}, metrics=[{"name": "acc"}], environment={"os": "x"}))
    say("r1", "p1", 3, Batch(code={"commit": "c"}))
    run = desk.backend.runs.get("r1")
    assert run.config == {"b": {"d": inf}}
    assert (run.summary["acc"], run.summary["best"], math.isnan(run.summary["loss"])) == (0.75, 3, True)
    assert (run.metrics, run.environment, run.code) == ([{"name": "acc"}], {"os": "x"}, {"commit": "c"})
    say("r1", "p1", 4, Batch(metrics=[], environment={}, config={}))
    run = desk.backend.runs.get("r1")
    assert (run.metrics, run.environment, run.config) == ([], {}, {})


def found(desk: Desk, filters: dict[str, Any]) -> list[str]:
    return [run.id for run in desk.backend.runs.list(filters=filters).runs]


def test_runs_are_found_by_the_present_values_of_config_and_summary_only(desk: Desk) -> None:
    desk.run("r1", config={"a": 1, "deep": {"b": 2}})
    say = desk.backend.runs.append
    say("r1", "p1", 1, Batch(summary={"acc": {"top": 1, "low": 2}, "n": 1}))
    assert found(desk, {"summary_metrics.acc.top": 1}) == ["r1"]
    say("r1", "p1", 2, Batch(summary={"acc": 5}, config={"deep": 3}))
    assert found(desk, {"summary_metrics.acc": 5, "summary_metrics.n": 1, "config.deep": 3}) == ["r1"]
    for gone in ("summary_metrics.acc.top", "summary_metrics.acc.low", "config.a", "config.deep.b"):
        assert found(desk, {gone: {"$exists": True}}) == []
    desk.backend.runs.change("r1", summary={"m": 1}, config={})
    assert found(desk, {"summary_metrics.m": 1}) == ["r1"]
    for gone in ("summary_metrics.acc", "summary_metrics.n", "config.deep"):
        assert found(desk, {gone: {"$exists": True}}) == []


def test_what_is_changed_is_changed_as_a_whole(desk: Desk) -> None:
    desk.run("r1", config={"a": 1})
    run = desk.backend.runs.change(
        "r1",
        name="n",
        notes="x",
        tags=["b", "a", "b"],
        group="g",
        job_type="j",
        config={"b": nan},
        summary={"s": inf},
    )
    assert (run.name, run.notes, run.tags, run.group, run.job_type) == ("n", "x", ("b", "a"), "g", "j")
    assert (list(run.config), run.summary) == (["b"], {"s": inf})
    assert desk.backend.runs.change("r1", name="").name == "r1"
    assert desk.backend.runs.change("r1").notes == "x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"notes": "\x00"},
        {"name": "\ud800"},
        {"group": "g" * 129},
        {"job_type": "j" * 129},
        {"tags": ["t" * 129]},
        {"tags": "abc"},
        {"summary": {"a": 1j}},
        {"config": {"a": "\x00"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_change_that_can_not_be_kept_changes_nothing(desk: Desk, wrong: dict[str, Any]) -> None:
    before = desk.backend.runs.start("r1", config={"a": 1})
    with pytest.raises(errors.Invalid):
        desk.backend.runs.change("r1", **{"notes": "new", **wrong})
    assert desk.backend.runs.get("r1") == before


def test_files_of_a_run_are_those_that_the_store_has(desk: Desk) -> None:
    desk.run("r1")
    one, two = desk.push_bytes(b"one"), desk.push_bytes(b"two!")
    say = desk.backend.runs.append
    say("r1", "p1", 1, Batch(files=[RunFile("b/x.txt", one, 3), RunFile("a", one, 3)]))
    say("r1", "p1", 2, Batch(files=[RunFile("a", one, 3), RunFile("a", two, 4)]))
    wanted = [RunFile("a", two, 4), RunFile("b/x.txt", one, 3)]
    assert list(desk.backend.runs.list_files("r1")) == wanted
    for wrong, kind in (
        (RunFile("c", "sha256:" + "0" * 64, 1), errors.BlobsMissing),
        (RunFile("../c", one, 3), errors.InvalidPath),
        (RunFile("c", "sha256:0", 3), errors.InvalidDigest),
        (RunFile("c", one, -1), errors.InvalidArgument),
    ):
        with pytest.raises(kind):
            say("r1", "p1", 3, Batch(files=[RunFile("d", one, 3), wrong]))
    assert list(desk.backend.runs.list_files("r1")) == wanted


def test_a_taken_batch_says_nothing_twice(desk: Desk) -> None:
    desk.run("r1")
    desk.backend.runs.append("r1", "p1", 2, Batch(summary={"a": 2}))
    desk.backend.runs.append("r1", "p1", 2, Batch(summary={"a": 3}, config={"b": 1}))
    desk.backend.runs.append("r1", "p1", 1, Batch(summary={"a": 1}))
    run = desk.backend.runs.get("r1")
    assert (run.summary, run.config) == ({"a": 2}, {})


# ---- silence, stopping, ending ---------------------------------------------------------------------------------


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock of the store forwards, by seconds in all."""
    real = clock.now

    def move(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=seconds))

    return move


def test_a_run_that_says_nothing_for_long_has_crashed_until_it_speaks(
    desk: Desk, later: Callable[[float], None]
) -> None:
    desk.run("r1")
    desk.run("done")
    desk.backend.runs.finish("done")
    later(CRASHED_AFTER_S - 5)
    assert desk.backend.runs.get("r1").state == "running"
    later(CRASHED_AFTER_S + 5)
    assert (desk.backend.runs.get("r1").state, desk.backend.runs.get("done").state) == ("crashed", "finished")
    assert desk.backend.runs.get("r1").finished_at is None
    assert (found(desk, {"state": "crashed"}), found(desk, {"state": "running"})) == (["r1"], [])
    desk.backend.runs.append("r1", "p1", 1, Batch())
    assert desk.backend.runs.get("r1").state == "running"
    later(3 * CRASHED_AFTER_S)
    assert desk.backend.runs.get("r1").state == "crashed"
    assert desk.backend.runs.start("r1", resume="allow").state == "running"
    later(5 * CRASHED_AFTER_S)
    assert desk.backend.runs.finish("r1", "finished").state == "finished"


def test_even_a_batch_that_was_taken_is_a_sign_of_life(desk: Desk, later: Callable[[float], None]) -> None:
    desk.run("r1")
    desk.backend.runs.append("r1", "p1", 1, Batch())
    later(CRASHED_AFTER_S + 5)
    desk.backend.runs.append("r1", "p1", 1, Batch())
    assert desk.backend.runs.get("r1").state == "running"


def test_a_clock_that_jumps_back_ends_no_run(desk: Desk, later: Callable[[float], None]) -> None:
    desk.run("r1")
    later(-10 * CRASHED_AFTER_S)
    assert desk.backend.runs.get("r1").state == "running"
    assert desk.backend.runs.append("r1", "p1", 1, Batch()).state == "running"
    assert desk.backend.runs.finish("r1").state == "finished"


def test_a_writer_hears_with_its_next_batch_that_the_run_should_stop(open_desk: Open) -> None:
    desk, other = open_desk(), open_desk(user="grace")
    desk.run("r1")
    assert desk.backend.runs.append("r1", "p1", 1, Batch()).stop_asked_by is None
    assert other.backend.runs.stop("r1").stop_asked_by == "grace"
    assert desk.backend.runs.append("r1", "p1", 2, Batch()) == Heard("running", "grace")
    desk.backend.runs.finish("r1", "killed")
    assert desk.backend.runs.append("r1", "p1", 3, Batch()) == Heard("killed", "grace")
    with pytest.raises(errors.RunFinished):
        other.backend.runs.stop("r1")
    with pytest.raises(errors.RunNotFound):
        other.backend.runs.stop("nobody")


def test_how_a_run_ended_is_kept_with_the_text_that_says_why(desk: Desk) -> None:
    desk.run("r1")
    with pytest.raises(errors.Invalid):
        desk.backend.runs.finish("r1", "failed", message="\x00")
    assert desk.backend.runs.get("r1").state == "running"
    ended = desk.backend.runs.finish("r1", "preempted", exit_code=143, message="Traceback …")
    assert (ended.state, ended.exit_code, ended.message) == ("preempted", 143, "Traceback …")


# ---- upkeep ----------------------------------------------------------------------------------------------------


def recorded(desk: Desk) -> RunFile:
    """What a run `r1` has as a file; it has rows as well."""
    desk.run("r1")
    file = RunFile("media/a.txt", desk.push_bytes(b"media"), 5)
    desk.backend.runs.append("r1", "p1", 1, Batch({"history": encode([(0, 0.0, {"a": 1})])}, files=[file]))
    desk.backend.runs.finish("r1")
    return file


def collect(desk: Desk) -> None:
    desk.backend.store.gc(desk.backend.store.plan_gc(grace_s=0))


def test_garbage_collection_keeps_what_a_run_recorded_until_the_run_is_deleted(desk: Desk) -> None:
    file = recorded(desk)
    collect(desk)
    assert read_blob(desk.backend.blobs, digests.parse(file.digest)) == b"media"
    assert desk.backend.runs.rows("r1") == [{"_step": 0, "_timestamp": 0.0, "a": 1}]
    assert desk.backend.store.fsck().problems == ()
    desk.backend.runs.delete("r1")
    collect(desk)
    assert list(behind(desk.backend).blobs.store.list()) == []
    assert desk.backend.store.fsck().problems == ()


def test_a_manifest_that_is_a_file_of_a_run_too_keeps_its_files(desk: Desk) -> None:
    version = desk.log({"a": "kept"})
    manifest = read_blob(desk.backend.blobs, digests.parse(version.digest))
    desk.run("r1")
    desk.backend.runs.append("r1", "p1", 1, Batch(files=[RunFile("m", version.digest, len(manifest))]))
    collect(desk)
    assert desk.backend.store.fsck().problems == ()


def test_a_file_that_takes_the_place_of_another_meanwhile_is_no_garbage(desk: Desk) -> None:
    file = recorded(desk)
    new = RunFile(file.path, desk.push_bytes(b"newer"), 5)
    plan = desk.backend.store.plan_gc(grace_s=0)
    store = behind(desk.backend).blobs.store
    listed = store.list

    def list_late() -> Any:
        """As another process would do it: after gc has made its plan anew, before it deletes."""
        store.list = listed  # type: ignore[method-assign]
        found = [*listed()]
        desk.backend.runs.append("r1", "p1", 2, Batch(files=[new]))
        return found

    store.list = list_late  # type: ignore[method-assign]
    with pytest.raises(errors.PlanOutdated):
        desk.backend.store.gc(plan)
    assert read_blob(desk.backend.blobs, digests.parse(new.digest)) == b"newer"
    assert desk.backend.store.fsck().problems == ()


def test_a_check_names_the_runs_that_lost_something(desk: Desk) -> None:
    file = recorded(desk)
    desk.run("sound")
    flip_blob(desk.backend, digests.parse(file.digest))
    check = desk.backend.store.fsck()
    (problem,) = [problem for problem in check.problems if problem.code == "damaged_run"]
    assert (problem.subject, problem.repaired) == ("local/default/r1", False)
    assert "media/a.txt" in problem.text
    for key in keys(desk.backend):
        behind(desk.backend).blobs.store.delete(key)
    (problem,) = [p for p in desk.backend.store.fsck().problems if p.code == "damaged_run"]
    assert "media/a.txt" in problem.text
    assert "rows of its history" in problem.text


def test_a_check_names_rows_that_came_in_and_can_not_be_read(desk: Desk) -> None:
    desk.run("r1")
    desk.backend.runs.append("r1", "p1", 1, Batch({"console": encode([(0, 0.0, {"a": 1})])}))
    assert desk.backend.store.fsck().problems == ()
    with behind(desk.backend).context.database.begin() as session:
        session.execute(run_chunks.update().values(data=b"\0"))
    (problem,) = desk.backend.store.fsck().problems
    assert (problem.code, problem.subject) == ("damaged_run", "local/default/r1")
    assert "rows of its console" in problem.text
