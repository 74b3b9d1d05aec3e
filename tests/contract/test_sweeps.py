"""The sentences of `port_sweeps.Sweeps`, held against every implementation."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lineal.core import errors
from lineal.sweeps.model import Taken, Trial
from lineal.tracking.model import Batch
from lineal.tracking.rows import encode

from .conftest import Desk

GRID = {"method": "grid", "parameters": {"lr": {"values": [0.1, 0.2]}, "depth": {"values": [1, 2, 3]}}}
RANDOM = {
    "method": "random",
    "metric": {"name": "loss"},
    "parameters": {"lr": {"min": 0.0, "max": 1.0}, "optimizer": {"parameters": {"name": {"value": "sgd"}}}},
}
BAYES = {**RANDOM, "method": "bayes"}


def sweep(desk: Desk, config: dict[str, Any] = RANDOM, **more: Any) -> str:
    return desk.backend.sweeps.create("s1", {**config, **more}).id


def take(desk: Desk, token: str, agent: str = "a1") -> Taken:
    return desk.backend.sweeps.take("s1", agent, token)


def taken(desk: Desk, token: str, agent: str = "a1") -> Trial:
    trial = take(desk, token, agent).trial
    assert trial is not None
    return trial


def run(desk: Desk, trial: Trial, state: str = "finished", loss: Any = None, message: str = "") -> Trial:
    """The trial after its run logged a loss and ended."""
    desk.backend.runs.start(trial.run_id, sweep="s1")
    if loss is not None:
        desk.backend.runs.append(trial.run_id, "w", 1, Batch(summary={"loss": loss}))
    desk.backend.runs.finish(trial.run_id, state, message=message)  # type: ignore[arg-type]
    return trial_of(desk, trial.number)


def trial_of(desk: Desk, number: int) -> Trial:
    return next(one for one in desk.backend.sweeps.list_trials("s1") if one.number == number)


def log(desk: Desk, trial: Trial, seq: int, *losses: Any) -> Any:
    rows = encode([(seq * 100 + place, 1.0, {"loss": loss}) for place, loss in enumerate(losses)])
    return desk.backend.runs.append(trial.run_id, "w", seq, Batch({"history": rows}, seq * 100 + len(losses)))


# ---- made, changed, gone -------------------------------------------------------------------------------------


def test_a_sweep_says_what_it_was_made_with(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(user="grace", project="vision")
    made = desk.backend.sweeps.create("s1", {**GRID, "name": "depths"})
    assert (made.id, made.path, made.name, made.state, made.user) == (
        "s1",
        "local/vision/s1",
        "depths",
        "running",
        "grace",
    )
    assert made.config["parameters"] == GRID["parameters"]
    assert (made.expected_run_count, made.counts, made.best) == (6, {}, None)
    assert desk.backend.sweeps.get("s1") == made
    assert desk.backend.sweeps.list(project="vision") == [made]


def test_making_a_sweep_again_is_the_same_sweep(desk: Desk) -> None:
    made = desk.backend.sweeps.create("s1", GRID)
    assert desk.backend.sweeps.create("s1", GRID) == made
    with pytest.raises(errors.SweepExists):
        desk.backend.sweeps.create("s1", RANDOM)


@pytest.mark.parametrize(
    "wrong",
    [{**GRID, "method": "guess"}, {"method": "random"}, {**RANDOM, "parameters": {"lr": {"min": 1, "max": 0}}}],
)
def test_a_config_that_cannot_be_right_is_refused_and_leaves_nothing(desk: Desk, wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidSweep):
        desk.backend.sweeps.create("s1", wrong)
    assert desk.backend.sweeps.list() == []


def test_sweeps_are_listed_newest_first_page_by_page(desk: Desk) -> None:
    for number in range(5):
        desk.backend.sweeps.create(f"s{number}", GRID)
    first = desk.backend.sweeps.list(limit=2)
    assert [one.id for one in first] == ["s4", "s3"]
    assert [one.id for one in desk.backend.sweeps.list(limit=9, after="s3")] == ["s2", "s1", "s0"]


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    for asked in (
        lambda: desk.backend.sweeps.get("s9"),
        lambda: desk.backend.sweeps.change("s9", state="paused"),
        lambda: desk.backend.sweeps.delete("s9"),
        lambda: desk.backend.sweeps.take("s9", "a", "t"),
        lambda: desk.backend.sweeps.beat("s9", "a"),
        lambda: desk.backend.sweeps.leave("s9", "a"),
        lambda: desk.backend.sweeps.list_trials("s9"),
        lambda: desk.backend.sweeps.insight("s9"),
    ):
        with pytest.raises(errors.SweepNotFound):
            asked()
    sweep(desk)
    with pytest.raises(errors.TrialNotFound):
        desk.backend.sweeps.end("s1", 0, "r", "failed")


def test_a_paused_sweep_has_its_agents_wait_until_it_is_resumed(desk: Desk) -> None:
    sweep(desk)
    desk.backend.sweeps.change("s1", state="paused", name="later")
    answer = take(desk, "t1")
    assert (answer.trial, answer.wait, answer.state, answer.message) == (None, True, "paused", "paused by ada")
    resumed = desk.backend.sweeps.change("s1", state="running")
    assert (resumed.name, resumed.message) == ("later", "")
    assert taken(desk, "t2").number == 0


def test_a_stopped_sweep_gives_nothing_out_but_what_runs_may_end(desk: Desk) -> None:
    sweep(desk)
    trial = taken(desk, "t1")
    desk.backend.sweeps.change("s1", state="stopped")
    answer = take(desk, "t2")
    assert (answer.trial, answer.wait, answer.state) == (None, False, "stopped")
    assert desk.backend.sweeps.beat("s1", "a1", [0]).gone == ()
    assert run(desk, trial, loss=0.5).state == "finished"


def test_a_cancelled_sweep_asks_its_runs_to_stop_and_stays_cancelled(desk: Desk) -> None:
    sweep(desk)
    trial = taken(desk, "t1")
    desk.backend.runs.start(trial.run_id, sweep="s1")
    desk.backend.sweeps.change("s1", state="cancelled")
    orders = desk.backend.sweeps.beat("s1", "a1", [0])
    assert (orders.state, orders.gone) == ("cancelled", (0,))
    assert "cancelled" in (log(desk, trial, 1, 0.5).stop_asked_by or "")
    desk.backend.runs.finish(trial.run_id, "killed")
    ended = trial_of(desk, 0)
    assert (ended.state, "cancelled" in ended.message) == ("stopped", True)
    with pytest.raises(errors.SweepEnded):
        desk.backend.sweeps.change("s1", state="running")


def test_a_deleted_sweep_leaves_its_runs_and_stops_those_that_run(desk: Desk) -> None:
    sweep(desk)
    trial, late = taken(desk, "t1"), taken(desk, "t2")
    desk.backend.runs.start(trial.run_id, sweep="s1")
    assert desk.backend.sweeps.delete("s1").id == "s1"
    assert "its sweep" in (log(desk, trial, 1, 0.5).stop_asked_by or "")
    assert desk.backend.runs.start(trial.run_id, sweep="s1").sweep == "s1", "what it has left to say is taken"
    assert desk.backend.runs.finish(trial.run_id, "killed").state == "killed"
    with pytest.raises(errors.TrialNotFound):
        desk.backend.runs.start(late.run_id, sweep="s1")
    with pytest.raises(errors.SweepNotFound):
        take(desk, "t3")


# ---- trials and their runs -----------------------------------------------------------------------------------


def test_a_trial_becomes_the_run_with_its_id_and_parameters(desk: Desk) -> None:
    sweep(desk)
    answer = take(desk, "t1")
    trial = answer.trial
    assert trial is not None
    assert (trial.number, trial.state, trial.attempt, trial.agent) == (0, "running", 1, "a1")
    assert answer.config == {"lr": trial.params["lr"], "optimizer": {"name": "sgd"}}
    given = {"lr": 9, "epochs": 3, "optimizer": {"name": "adam", "beta": 0.9}}
    started = desk.backend.runs.start(trial.run_id, sweep="s1", config=given)
    assert started.config == {"lr": trial.params["lr"], "epochs": 3, "optimizer": {"name": "sgd", "beta": 0.9}}
    assert (started.sweep, started.trial) == ("s1", 0)
    assert [one.id for one in desk.backend.runs.list(filters={"sweep": "s1"}).runs] == [trial.run_id]
    found = desk.backend.runs.list(filters={"config.lr": {"$lte": trial.params["lr"]}}).runs
    assert [one.id for one in found] == [trial.run_id]


def test_asking_again_with_the_same_token_gives_the_same_trial(desk: Desk) -> None:
    sweep(desk)
    first = taken(desk, "t1")
    assert taken(desk, "t1") == first
    assert taken(desk, "t2").number == 1


def test_a_trial_ends_with_its_run_with_the_metric_of_the_summary(desk: Desk) -> None:
    sweep(desk)
    ended = run(desk, taken(desk, "t1"), loss=0.25)
    assert (ended.state, ended.values, ended.message) == ("finished", {"loss": 0.25}, "")
    assert ended.ended_at is not None
    run(desk, taken(desk, "t2"), loss=0.125)
    run(desk, taken(desk, "t3"), loss=0.5)
    told = desk.backend.sweeps.get("s1")
    assert (told.best, told.counts) == (1, {"finished": 3})


@pytest.mark.parametrize(
    ("loss", "said"),
    [(None, "never logged"), ("0.3", "text"), (float("nan"), "NaN"), (float("inf"), "as inf")],
)
def test_a_run_without_a_usable_metric_fails_its_trial_and_says_why(desk: Desk, loss: Any, said: str) -> None:
    sweep(desk)
    trial = taken(desk, "t1")
    desk.backend.runs.start(trial.run_id, sweep="s1")
    summary = {"acc": 1.0} if loss is None else {"loss": loss}
    desk.backend.runs.append(trial.run_id, "w", 1, Batch(summary=summary))
    desk.backend.runs.finish(trial.run_id)
    ended = trial_of(desk, 0)
    assert (ended.state, ended.values) == ("failed", {})
    assert said.lower() in ended.message.lower()
    assert "loss" in ended.message


def test_a_failed_run_fails_its_trial_with_the_last_line_of_what_it_said(desk: Desk) -> None:
    sweep(desk)
    ended = run(desk, taken(desk, "t1"), "failed", message="Traceback\n  there\nValueError: no such data\n")
    assert (ended.state, ended.message) == ("failed", "ValueError: no such data")


def test_a_run_that_somebody_stopped_counts_with_what_it_had(desk: Desk) -> None:
    sweep(desk)
    trial = taken(desk, "t1")
    desk.backend.runs.start(trial.run_id, sweep="s1")
    desk.backend.runs.append(trial.run_id, "w", 1, Batch(summary={"loss": 0.5}))
    desk.backend.runs.stop(trial.run_id)
    desk.backend.runs.finish(trial.run_id, "killed")
    ended = trial_of(desk, 0)
    assert (ended.state, ended.values, ended.message) == ("stopped", {"loss": 0.5}, "stopped by ada")


def test_what_only_the_agent_knows_ends_a_trial_too_but_only_once(desk: Desk) -> None:
    sweep(desk)
    trial = taken(desk, "t1")
    ended = desk.backend.sweeps.end("s1", 0, trial.run_id, "failed", message="exit code 3")
    assert (ended.state, ended.message) == ("failed", "exit code 3")
    assert desk.backend.sweeps.end("s1", 0, trial.run_id, "stopped", message="no") == ended
    other = taken(desk, "t2")
    assert desk.backend.sweeps.end("s1", 1, "another", "failed").state == "running"
    assert run(desk, other, loss=1.0).state == "finished"


def test_a_run_that_finishes_after_its_trial_was_given_up_counts_after_all(desk: Desk) -> None:
    sweep(desk)
    trial = taken(desk, "t1")
    desk.backend.sweeps.end("s1", 0, trial.run_id, "failed", message="lost")
    assert run(desk, trial, loss=0.5).state == "finished"


# ---- leases --------------------------------------------------------------------------------------------------


def again(desk: Desk, agent: str = "a2") -> Trial:
    """The trial that is offered once its lease has run out."""
    for attempt in range(10_000):
        trial = take(desk, f"again{attempt}", agent).trial
        if trial is not None:
            return trial
        threading.Event().wait(0.05)
    raise AssertionError("nothing came back")


def test_a_trial_that_nobody_spoke_for_is_offered_again_as_another_run(desk: Desk) -> None:
    sweep(desk, run_cap=1, lease_s=1, max_attempts=2)
    first = taken(desk, "t1")
    desk.backend.runs.start(first.run_id, sweep="s1")
    second = again(desk)
    assert (second.number, second.params, second.attempt) == (0, first.params, 2)
    assert second.run_id != first.run_id
    assert "another run" in (log(desk, first, 1, 0.1).stop_asked_by or "")
    assert desk.backend.sweeps.beat("s1", "a1", [0]).gone == (0,)
    desk.backend.runs.finish(first.run_id)
    assert trial_of(desk, 0).state == "running"
    assert run(desk, second, loss=0.5).state == "finished"
    assert desk.backend.sweeps.get("s1").state == "finished"


def test_a_trial_that_was_lost_often_enough_has_failed(desk: Desk) -> None:
    sweep(desk, run_cap=1, lease_s=1, max_attempts=1)
    taken(desk, "t1")
    for attempt in range(10_000):
        answer = take(desk, f"again{attempt}", "a2")
        if not answer.wait:
            break
        threading.Event().wait(0.05)
    ended = trial_of(desk, 0)
    assert (answer.trial, answer.state, ended.state) == (None, "finished", "failed")
    assert "lost" in ended.message


def test_beats_and_batches_keep_a_trial(desk: Desk) -> None:
    sweep(desk, run_cap=1, lease_s=1)
    trial = taken(desk, "t1")
    desk.backend.runs.start(trial.run_id, sweep="s1")
    for seq in range(1, 15):
        if seq % 2:
            assert desk.backend.sweeps.beat("s1", "a1", [0]).gone == ()
        else:
            log(desk, trial, seq // 2, 0.1)
        threading.Event().wait(0.1)
        assert take(desk, f"other{seq}", "a2").trial is None
    assert trial_of(desk, 0).attempt == 1


def test_a_preempted_run_is_offered_again_as_the_same_run(desk: Desk) -> None:
    sweep(desk)
    first = taken(desk, "t1")
    assert run(desk, first, "preempted").state == "waiting"
    second = taken(desk, "t2", "a2")
    assert (second.run_id, second.attempt, second.agent) == (first.run_id, 1, "a2")
    assert desk.backend.runs.start(second.run_id, sweep="s1", resume="allow").state == "running"
    desk.backend.runs.append(second.run_id, "w2", 1, Batch(summary={"loss": 0.5}))
    desk.backend.runs.finish(second.run_id)
    assert trial_of(desk, 0).state == "finished"


@pytest.mark.parametrize("state", ["killed", "crashed"])
def test_a_run_that_was_ended_from_outside_is_offered_again_as_another(desk: Desk, state: str) -> None:
    sweep(desk)
    first = taken(desk, "t1")
    assert run(desk, first, state).state == "waiting"
    second = taken(desk, "t2")
    assert (second.number, second.attempt, second.run_id != first.run_id) == (0, 2, True)


def test_the_trials_of_an_agent_that_leaves_are_offered_at_once_unless_their_runs_go_on(desk: Desk) -> None:
    sweep(desk)
    going, waiting = taken(desk, "t1"), taken(desk, "t2")
    desk.backend.runs.start(going.run_id, sweep="s1")
    left = desk.backend.sweeps.leave("s1", "a1", message="five failures in a row")
    assert (left.message, left.left_at is not None) == ("five failures in a row", True)
    assert (trial_of(desk, 0).state, trial_of(desk, 1).state) == ("running", "waiting")
    assert taken(desk, "t3", "a2").number == waiting.number
    assert [one.id for one in desk.backend.sweeps.list_agents("s1")] == ["a1", "a2"]


# ---- grids, caps, targets ------------------------------------------------------------------------------------


def test_a_grid_is_exact_under_many_agents(desk: Desk) -> None:
    sweep(desk, GRID)

    def work(agent: str) -> list[Trial]:
        found = []
        for turn in range(100):
            answer = take(desk, f"{agent}-{turn}", agent)
            if answer.trial is None:
                if answer.wait:
                    continue
                return found
            found.append(run(desk, answer.trial, loss=1.0))
        return found

    with ThreadPoolExecutor(4) as pool:
        ran = [trial for mine in pool.map(work, ["a", "b", "c", "d"]) for trial in mine]
    assert sorted(trial.number for trial in ran) == list(range(6))
    assert len(Counter((trial.params["lr"], trial.params["depth"]) for trial in ran)) == 6
    told = desk.backend.sweeps.get("s1")
    assert (told.state, told.message) == ("finished", "every point of the grid was tried")


def test_a_cap_ends_a_sweep_when_the_last_trial_has_ended(desk: Desk) -> None:
    sweep(desk, run_cap=2)
    one, two = taken(desk, "t1"), taken(desk, "t2")
    answer = take(desk, "t3")
    assert (answer.trial, answer.wait) == (None, True)
    run(desk, one, loss=1)
    run(desk, two, "failed")
    told = desk.backend.sweeps.get("s1")
    assert (told.state, told.expected_run_count, told.message) == ("finished", 2, "all 2 trials were run")
    answer = take(desk, "t4")
    assert (answer.trial, answer.wait, answer.message) == (None, False, "all 2 trials were run")


def test_a_target_that_is_reached_ends_the_sweep(desk: Desk) -> None:
    sweep(desk, metric={"name": "loss", "target": 0.1})
    run(desk, taken(desk, "t1"), loss=0.2)
    assert desk.backend.sweeps.get("s1").state == "running"
    run(desk, taken(desk, "t2"), loss=0.05)
    told = desk.backend.sweeps.get("s1")
    assert (told.state, told.message) == ("finished", "trial 1 reached the target: loss is 0.05")


def test_a_trial_beyond_a_constraint_is_not_the_best(desk: Desk) -> None:
    sweep(desk, constraints=[{"name": "latency_ms", "max": 20}])
    for loss, latency in ((0.5, 10), (0.1, 30), (0.4, 20)):
        trial = taken(desk, f"t{loss}")
        desk.backend.runs.start(trial.run_id, sweep="s1")
        desk.backend.runs.append(trial.run_id, "w", 1, Batch(summary={"loss": loss, "latency_ms": latency}))
        desk.backend.runs.finish(trial.run_id)
    assert [one.feasible for one in desk.backend.sweeps.list_trials("s1")] == [True, False, True]
    assert desk.backend.sweeps.get("s1").best == 2


# ---- what is learnt ------------------------------------------------------------------------------------------


def test_the_same_history_gives_the_same_suggestions(desk: Desk) -> None:
    def played(sweep_id: str) -> list[Any]:
        desk.backend.sweeps.create(sweep_id, BAYES)
        points = []
        for turn in range(6):
            trial = desk.backend.sweeps.take(sweep_id, "a", f"t{turn}").trial
            assert trial is not None
            points.append(trial.params["lr"])
            desk.backend.runs.start(trial.run_id, sweep=sweep_id)
            desk.backend.runs.append(trial.run_id, "w", 1, Batch(summary={"loss": (trial.params["lr"] - 0.3) ** 2}))
            desk.backend.runs.finish(trial.run_id)
        return points

    first = played("s1")
    assert played("s2") == first
    assert len(set(first)) == 6


def test_agents_at_once_get_different_points(desk: Desk) -> None:
    sweep(desk, BAYES)
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda agent: taken(desk, f"t{agent}", f"a{agent}"), range(4)))
    assert sorted(trial.number for trial in got) == [0, 1, 2, 3]
    assert len({trial.params["lr"] for trial in got}) == 4


def test_prior_runs_are_evidence(desk: Desk) -> None:
    for number, lr in enumerate((0.1, 0.5, 0.9)):
        desk.backend.runs.start(f"r{number}", config={"lr": lr})
        desk.backend.runs.append(f"r{number}", "w", 1, Batch(summary={"loss": lr}))
        desk.backend.runs.finish(f"r{number}")
    desk.backend.runs.start("r9", config={"depth": 1})
    with pytest.raises(errors.InvalidSweep, match="r9"):
        desk.backend.sweeps.create("s1", BAYES, prior_runs=["r9"])
    with pytest.raises(errors.RunNotFound):
        desk.backend.sweeps.create("s1", BAYES, prior_runs=["r7"])
    desk.backend.sweeps.create("s1", BAYES, prior_runs=["r0", "r1", "r2"])
    assert taken(desk, "t1").number == 0
    assert desk.backend.sweeps.get("s1").counts == {"running": 1}


def test_hyperband_stops_a_trial_that_falls_behind_and_says_where(desk: Desk) -> None:
    sweep(desk, early_terminate={"type": "hyperband", "min_iter": 3, "eta": 3})
    for number in range(3):
        trial = taken(desk, f"t{number}")
        desk.backend.runs.start(trial.run_id, sweep="s1")
        assert log(desk, trial, 1, 0.5, 0.4, 0.3, 0.2).stop_asked_by is None
        desk.backend.runs.append(trial.run_id, "w", 2, Batch(summary={"loss": 0.2}))
        desk.backend.runs.finish(trial.run_id)
    bad = taken(desk, "t9")
    desk.backend.runs.start(bad.run_id, sweep="s1")
    assert log(desk, bad, 1, 9.0, 9.0).stop_asked_by is None
    heard = log(desk, bad, 2, 9.0)
    assert "hyperband at iteration 3" in (heard.stop_asked_by or "")
    assert desk.backend.runs.get(bad.run_id).stop_asked_by == heard.stop_asked_by
    desk.backend.runs.append(bad.run_id, "w", 3, Batch(summary={"loss": 9.0}))
    desk.backend.runs.finish(bad.run_id, "killed")
    ended = trial_of(desk, 3)
    assert (ended.state, ended.values, ended.iterations) == ("stopped", {"loss": 9.0}, 3)
    assert ended.message.startswith("stopped by hyperband at iteration 3 (band 1")


def test_insight_tells_the_best_so_far(desk: Desk) -> None:
    sweep(desk)
    for number, loss in enumerate((0.5, 0.7, 0.2)):
        run(desk, taken(desk, f"t{number}"), loss=loss)
    told = desk.backend.sweeps.insight("s1")
    assert list(map(tuple, told.best_so_far)) == [(0, 0.5), (1, 0.5), (2, 0.2)]


def test_trials_are_listed_by_number_page_by_page(desk: Desk) -> None:
    sweep(desk)
    for number in range(5):
        taken(desk, f"t{number}")
    assert [one.number for one in desk.backend.sweeps.list_trials("s1", limit=2)] == [0, 1]
    assert [one.number for one in desk.backend.sweeps.list_trials("s1", after="1")] == [2, 3, 4]
