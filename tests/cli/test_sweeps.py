import json
import subprocess
import sys

import pytest

import lineal
from lineal.core.clock import new_id
from tests.processes import ROOT

YAML = """
name: find lr
method: grid
metric: {name: loss, goal: minimize}
parameters:
  lr: {values: [3, 1, 2]}
program: train.py
command: ["${interpreter}", "${program}", "${args}"]
"""
TRAIN = """
import lineal
with lineal.init(config={"lr": 9}) as run:
    run.log({"loss": run.config.lr})
"""


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """Programs import this checkout."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def file(place):
    (place.work / "train.py").write_text(TRAIN)
    path = place.work / "sweep.yaml"
    path.write_text(YAML)
    return path


def made(cli, file, *more):
    said = cli("sweep", "create", file, "--project", "digits", *more)
    assert said.code == 0, said.err
    return said.out.strip()


def swept(function, **config):
    """A sweep whose trials all ran."""
    given = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [3, 1, 2]}}}
    sweep_id = lineal.sweep(given | config, project="digits")
    lineal.agent(sweep_id, function)
    return sweep_id


def train():
    with lineal.init() as run:
        run.log({"loss": run.config.lr})


def logs_models(*names, times=1):
    def function():
        with lineal.init() as run:
            for name in names:
                for _ in range(times):
                    artifact = lineal.Artifact(name, "model")
                    artifact.add(f"{run.config.lr} {new_id()}", "weights.txt")
                    run.log_artifact(artifact)
            run.log({"loss": run.config.lr})

    return function


# ---- from a file to its end ------------------------------------------------------------------------------------


def test_a_sweep_is_made_run_by_an_agent_and_shown(cli, file):
    said = cli("--project", "digits", "sweep", "create", file)
    sweep_id = said.out.strip()
    assert said.err.splitlines() == [
        "Sweep find lr is ready in local/digits; run its trials with:",
        f"lineal agent local/digits/{sweep_id}",
    ]
    ran = cli("agent", sweep_id, "--parallel", "2")
    assert (ran.code, ran.err.splitlines()[-1]) == (0, "The agent ran 3 trials.")
    shown = cli("sweep", "show", sweep_id)
    assert shown.code == 0
    assert "state        finished: every point of the grid was tried" in shown.out
    assert "trials       3 finished; 0 of 3 remain" in shown.out
    listed = cli("sweep", "ls").out
    assert "find lr" in listed
    assert "3 of 3" in listed


def test_a_sweep_of_many_names_and_runs_before_it(cli, file):
    with lineal.init(config={"lr": 2}) as run:
        run.log({"loss": 2})
    said = cli("sweep", "create", file, "--name", "other", "--prior-run", run.id, "--json")
    made_ = json.loads(said.out)
    assert (made_["name"], made_["project"], made_["expected_run_count"]) == ("other", "default", 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: grid\nparameters: [1\n", "sweep.yaml, line 3"),
        ("method: magic\nparameters: {lr: {values: [1]}}\n", "method 'magic' is unknown"),
        ("method: grid\n", "parameters is missing"),
        ("method: bayes\nparameters: {lr: {min: 0.0, max: 1.0}}\n", "metric is missing"),
    ],
)
def test_a_file_that_can_not_be_right_is_told(cli, file, text, message):
    file.write_text(text)
    said = cli("sweep", "create", file)
    assert said.code == 2
    assert message in said.err
    assert "invalid.sweep" in said.err


def test_a_file_that_is_not_there_is_told(cli):
    said = cli("sweep", "create", "none.yaml")
    assert (said.code, "none.yaml can't be read" in said.err) == (2, True)


def test_a_sweep_is_paused_resumed_stopped_and_cancelled(cli, file):
    sweep_id = made(cli, file)
    for command, state in (("pause", "paused"), ("resume", "running"), ("stop", "stopped"), ("cancel", "cancelled")):
        assert cli("sweep", command, sweep_id).code == 0
        assert lineal.Api().sweep(sweep_id).state == state
    assert cli("sweep", "resume", sweep_id).code == 4
    assert json.loads(cli("sweep", "show", sweep_id, "--json").out)["sweep"]["state"] == "cancelled"


def test_a_sweep_is_deleted_once_that_is_confirmed(cli, file):
    sweep_id = made(cli, file)
    assert cli("sweep", "rm", sweep_id).code != 0
    assert lineal.Api().sweep(sweep_id)
    assert cli("sweep", "rm", sweep_id, "--yes").code == 0
    assert cli("sweep", "show", sweep_id).code == 3


@pytest.mark.parametrize("command", ["show", "pause", "best", "rm"])
def test_a_sweep_that_is_not_there_is_told(cli, command):
    said = cli("sweep", command, "nothing")
    assert said.code == 3
    assert "not_found.sweep" in said.err


def test_without_sweeps_the_list_says_how_to_make_one(cli):
    assert "lineal sweep create" in cli("sweep", "ls").out
    assert json.loads(cli("sweep", "ls", "--json").out) == []


# ---- agents ----------------------------------------------------------------------------------------------------


def test_an_agent_runs_as_many_trials_as_it_is_told(cli, file):
    sweep_id = made(cli, file)
    assert cli("agent", f"digits/{sweep_id}", "--count", "1").code == 0
    assert len(lineal.Api().sweep(sweep_id).trials) == 1


def test_an_agent_that_stops_itself_says_why_and_exits_with_a_code(cli, file):
    (file.parent / "train.py").write_text("raise SystemExit(3)")
    sweep_id = made(cli, file)
    file.write_text(YAML + "max_failures: 2\n")
    sweep_id = made(cli, file)
    said = cli("agent", sweep_id)
    assert said.code == 1
    why = "stopped itself after 2 failed trials in a row; the last: its program ended with exit code 3"
    assert said.err.splitlines()[-1] == f"The agent {why}"
    assert why in cli("sweep", "show", sweep_id).out


def test_an_agent_of_a_sweep_without_a_program_is_refused(cli):
    sweep_id = lineal.sweep({"method": "grid", "parameters": {"lr": {"values": [1]}}})
    said = cli("agent", sweep_id)
    assert (said.code, "names no `program`" in said.err) == (2, True)


def test_an_agent_that_gets_a_sigterm_exits_with_its_code(cli, file):
    (file.parent / "train.py").write_text("import os, signal; os.kill(os.getppid(), signal.SIGTERM)")
    sweep_id = made(cli, file)
    words = [sys.executable, "-m", "lineal", "agent", sweep_id]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 143, done.stderr
    assert lineal.Api().sweep(sweep_id).agents[0].left_at is not None


# ---- the best --------------------------------------------------------------------------------------------------


def test_the_best_run_is_shown_with_its_config_value_and_models(cli):
    sweep_id = swept(logs_models("net"))
    said = cli("sweep", "best", sweep_id)
    assert said.code == 0
    assert f"trial        1 of sweep {sweep_id}" in said.out
    assert "loss         1" in said.out
    assert "lr           1" in said.out
    assert "model        local/digits/net:v1" in said.out
    told = json.loads(cli("sweep", "best", sweep_id, "--json").out)
    assert (told["trial"]["number"], told["run"]["config"], told["promoted"]) == (1, {"lr": 1}, None)
    assert [model["collection"] for model in told["models"]] == ["net"]


def test_the_model_of_the_best_run_is_promoted(cli):
    sweep_id = swept(logs_models("net"))
    said = cli("sweep", "best", sweep_id, "--promote", "production")
    assert said.out.splitlines()[-1] == "digits/net:production is now v1."
    assert lineal.Api(project="digits").artifact("net:production").version == "v1"
    assert f"best of sweep {sweep_id}" in cli("history", "digits/net").out
    again = json.loads(cli("sweep", "best", sweep_id, "--promote", "production", "--json").out)
    assert again["promoted"]["number"] == 1


def test_of_several_models_one_is_chosen_by_its_collection(cli):
    sweep_id = swept(logs_models("net", "tiny", times=2))
    said = cli("sweep", "best", sweep_id, "--promote", "production")
    assert said.code == 2
    assert "digits/net, digits/tiny; say which one with --collection" in said.err
    for name in ("net", "digits/tiny"):
        assert cli("sweep", "best", sweep_id, "--promote", "production", "--collection", name).code == 0
    assert lineal.Api(project="digits").artifact("tiny:production").version == "v3"
    missing = cli("sweep", "best", sweep_id, "--promote", "production", "--collection", "huge")
    assert (missing.code, "no model 'huge'; it logged digits/net, digits/tiny" in missing.err) == (3, True)


def test_a_best_run_without_a_model_has_nothing_to_promote(cli):
    said = cli("sweep", "best", swept(train), "--promote", "production")
    assert said.code == 3
    assert "logged no artifact of type 'model'" in said.err


def test_a_sweep_without_a_value_has_no_best_run(cli, file):
    said = cli("sweep", "best", made(cli, file))
    assert (said.code, "has come to a value yet" in said.err) == (3, True)


def test_of_several_metrics_no_run_is_the_best(cli):
    def trades():
        with lineal.init() as run:
            run.log({"loss": run.config.lr, "size": -run.config.lr})

    sweep_id = swept(trades, metric=None, metrics=[{"name": "loss"}, {"name": "size"}])
    said = cli("sweep", "best", sweep_id)
    assert said.code == 2
    assert "Pareto front: " in said.err
