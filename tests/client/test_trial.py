import json
import subprocess
import sys
import threading

import pytest

import lineal
from lineal.client import patience, trial
from lineal.client.connection import connection
from lineal.client.trial import Assigned
from lineal.core.errors import InvalidSettings, StoreUnavailable, TrialNotFound
from tests.processes import ROOT

CONFIG = {
    "method": "grid",
    "metric": {"name": "loss"},
    "parameters": {
        "lr": {"values": [0.1, 0.2]},
        "optimizer": {"parameters": {"name": {"values": ["sgd"]}}},
    },
}


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """Programs import this checkout."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def mine():
    """A trial that was taken, of a sweep in the project `digits`."""
    sweep_id = lineal.sweep(CONFIG, project="digits")
    sweeps = lineal.Api()._connection.backend.sweeps
    given = sweeps.take(sweep_id, "here", "token").trial
    return Assigned(sweep_id, given.number, given.run_id, "local", "digits", None, given.params)


def trials_of(mine):
    return lineal.Api().sweep(mine.sweep).trials


def test_outside_of_a_trial_there_is_none():
    assert trial.find() is None


def test_a_run_inside_a_trial_takes_its_id_place_and_parameters_from_it(mine):
    with trial.assigned(mine), lineal.init(config={"epochs": 3, "optimizer": {"momentum": 0.9}}) as run:
        assert (run.id, run.path) == (mine.run_id, f"local/digits/{mine.run_id}")
        assert run.config.as_dict() == {
            "epochs": 3,
            "lr": 0.1,
            "optimizer": {"name": "sgd", "momentum": 0.9},
        }
        assert (run.name, run.config.optimizer.name) == ("trial-0", "sgd")
        run.log({"loss": 0.5})
    stored = lineal.Api().run(run.id)
    assert stored.config == {"epochs": 3, "lr": 0.1, "optimizer": {"name": "sgd", "momentum": 0.9}}
    (ended,) = trials_of(mine)
    assert (ended.state, ended.values) == ("finished", {"loss": 0.5})


def test_what_the_trial_decides_is_left_out_with_a_warning(mine, caplog):
    with trial.assigned(mine), lineal.init(id="own", project="other", resume="must", name="mine") as run:
        run.log({"loss": 1})
    assert (run.id, run.project, run.name) == (mine.run_id, "digits", "mine")
    assert "which says its run_id, resume, project" in caplog.text


def test_parameters_of_a_trial_stay_whatever_the_script_sets(mine, caplog):
    with trial.assigned(mine), lineal.init(config={"lr": 5, "optimizer": {"name": "adam"}}) as run:
        assert not caplog.records, "what init is given are defaults for a run outside of any sweep"
        run.config.update({"lr": 6, "seed": 1})
        run.config.update({"lr": 7}, allow_val_change=True)
        run.config.lr = 8
        run.config["optimizer"]["name"] = "lion"
        run.config.optimizer = {"name": "rmsprop", "eps": 1}
        run.config.optimizer.update(beta=2)
        del run.config["lr"]
        run.config.setdefaults({"lr": 9})
        expected = {"lr": 0.1, "optimizer": {"name": "sgd", "eps": 1, "beta": 2}, "seed": 1}
        assert run.config.as_dict() == expected
        assert caplog.messages == [
            "config 'lr' is the sweep's, 0.1; 6 is left out",
            "config 'optimizer.name' is the sweep's, sgd; lion is left out",
        ]
        run.log({"loss": 1})
    assert lineal.Api().run(run.id).config == expected


def test_what_a_script_has_set_itself_it_may_not_change_by_accident_in_a_trial_either(mine):
    with trial.assigned(mine), lineal.init() as run:
        run.config.update({"optimizer": {"name": "adam", "momentum": 0.9}})
        with pytest.raises(lineal.errors.ConfigChanged):
            run.config.update({"optimizer": {"momentum": 0.5}})
        run.config.update({"optimizer": {"momentum": 0.9}})
        assert run.config.optimizer == {"name": "sgd", "momentum": 0.9}
        run.log({"loss": 1})


def test_the_first_run_is_the_trials_and_a_second_one_is_its_own(mine, caplog):
    with trial.assigned(mine):
        with lineal.init() as first:
            first.log({"loss": 1})
        assert not caplog.records
        with lineal.init() as second:
            pass
    assert first.id == mine.run_id
    assert second.id != mine.run_id
    assert f"trial 0 of sweep {mine.sweep} has its run already" in caplog.text
    assert "lr" not in second.config
    with lineal.init() as outside:
        assert outside.project == "default"


def test_a_trial_waits_for_a_store_that_is_away(mine, monkeypatch, caplog):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)
    runs = connection(project="digits", entity="local").backend.runs
    start, problems = runs.start, [StoreUnavailable("away"), StoreUnavailable("away")]

    def away(*args, **kwargs):
        begun = start(*args, **kwargs)  # it was done, and only the answer got lost
        if problems:
            raise problems.pop()
        return begun

    monkeypatch.setattr(runs, "start", away, raising=False)
    with trial.assigned(mine), lineal.init() as run:
        run.log({"loss": 1})
    assert caplog.messages == ["the store can't be reached: away; it is tried again"]
    assert trials_of(mine)[0].values == {"loss": 1}


def test_a_trial_that_another_run_has_become_starts_none(mine):
    mine.run_id = "elsewhere"
    with trial.assigned(mine), pytest.raises(TrialNotFound):
        lineal.init()


def test_a_run_that_is_switched_off_has_the_parameters_too(mine):
    with trial.assigned(mine), lineal.init(mode="disabled") as run:
        assert run.config["lr"] == 0.1
    assert mine.run is None
    assert trials_of(mine)[0].state == "running"


def test_an_offline_run_becomes_the_trial_once_it_is_sent(mine, cli):
    with trial.assigned(mine), lineal.init(mode="offline") as run:
        assert run.config.as_dict() == {"lr": 0.1, "optimizer": {"name": "sgd"}}
        run.log({"loss": 0.25})
    assert cli("sync", "--all").code == 0
    assert trials_of(mine)[0].values == {"loss": 0.25}


# ---- programs ------------------------------------------------------------------------------------------------

SCRIPT = """
import os, subprocess, sys, lineal
with lineal.init(config={"lr": 1, "epochs": 2}) as run:
    run.log({"loss": run.config.lr})
    own = [name for name in os.environ if name in ("LINEAL_SWEEP", "LINEAL_TRIAL", "LINEAL_RUN_ID")]
    print(run.id, run.project, run.config["lr"], own)
"""


def told(script, variables, **more):
    import os

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(maxsplit=3)


def test_a_program_hears_of_its_trial_from_the_environment(mine):
    run_id, project, lr, own = told(SCRIPT, mine.variables())
    assert (run_id, project, lr, own.strip()) == (mine.run_id, "digits", "0.1", "[]")
    assert trials_of(mine)[0].state == "finished"


def test_the_same_script_runs_alone_unchanged(mine):
    _, project, lr, _ = told(SCRIPT, {})
    assert (project, lr) == ("default", "1")
    assert trials_of(mine)[0].state == "running"


def test_programs_that_a_trial_starts_are_not_the_trial(mine):
    script = f"""
import subprocess, sys, lineal
run = lineal.init()
subprocess.run([sys.executable, "-c", {SCRIPT!r}], check=True)
run.log({{"loss": 4}})
run.finish()
"""
    run_id, _, lr, _ = told(script, mine.variables())
    assert run_id != mine.run_id
    assert lr == "1"
    assert trials_of(mine)[0].values == {"loss": 4}


def test_variables_say_what_they_were_made_of(mine, monkeypatch):
    for name, value in mine.variables().items():
        monkeypatch.setenv(name, value)
    found = trial.find()
    assert found is not None
    assert (found.sweep, found.number, found.run_id, found.entity, found.project) == (
        mine.sweep,
        mine.number,
        mine.run_id,
        "local",
        "digits",
    )
    assert found.params == {"lr": 0.1, "optimizer.name": "sgd"}


@pytest.mark.parametrize(
    ("number", "params"), [("x", "{}"), ("", "{}"), ("1", "{"), ("1", "[]1"), ("1", "7"), ("1", "[" * 100_000)]
)
def test_variables_that_no_agent_sets_are_refused(monkeypatch, number, params):
    monkeypatch.setenv("LINEAL_SWEEP", "s")
    monkeypatch.setenv("LINEAL_RUN_ID", "r")
    monkeypatch.setenv("LINEAL_TRIAL", number)
    monkeypatch.setenv("LINEAL_TRIAL_PARAMS", params)
    with pytest.raises(InvalidSettings, match="unset the variables LINEAL_SWEEP and LINEAL_RUN_ID"):
        lineal.init()


def test_a_variable_alone_makes_no_trial(monkeypatch):
    monkeypatch.setenv("LINEAL_SWEEP", "s")
    assert trial.find() is None


def test_parameters_are_told_as_json(mine):
    assert json.loads(mine.variables()["LINEAL_TRIAL_PARAMS"]) == {"lr": 0.1, "optimizer.name": "sgd"}


def test_a_run_that_is_asked_to_stop_is_not_preempted_though_its_machine_may_be_taken_away(mine):
    with trial.assigned(mine), pytest.raises(lineal.errors.RunStopped), lineal.init() as run:
        run.mark_preempting()
        run.log({"loss": 0.5})
        lineal.Api().run(run.id).stop()
        for _ in range(10_000):
            run.log({"loss": 0.4})
            threading.Event().wait(0.01)
    (ended,) = trials_of(mine)
    assert (ended.state, lineal.Api().run(run.id).state) == ("stopped", "killed")
