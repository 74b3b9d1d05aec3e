import json
from itertools import takewhile

import pytest

import lineal


def swept(function, count=None, **config):
    given = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [3, 1, 2]}}}
    given |= config
    sweep_id = lineal.sweep({key: value for key, value in given.items() if value is not None}, project="digits")
    lineal.agent(sweep_id, function, count=count)
    return sweep_id


def train():
    with lineal.init() as run:
        run.log({"loss": run.config.lr, "size": -run.config.lr})


def column(text, title):
    """The words of a column of the table of trials, by line."""
    rows = text.splitlines()
    start = next(at for at, row in enumerate(rows) if row.startswith("TRIAL"))
    place = rows[start].split().index(title)
    listed = takewhile(lambda row: row.strip() and row.split()[0].isdigit(), rows[start + 1 :])
    return [row.split()[place] for row in listed]


def test_a_sweep_that_nobody_has_run_yet_has_a_page(cli):
    sweep_id = lineal.sweep({"method": "random", "parameters": {"lr": {"min": 0.0, "max": 1.0}}})
    said = cli("sweep", "show", sweep_id)
    assert said.code == 0
    assert "trials       none yet; no end to them is set" in said.out
    assert "No trial has been taken yet" in said.out
    told = json.loads(cli("sweep", "show", sweep_id, "--json").out)
    assert (told["trials"], told["agents"], told["sweep"]["id"]) == ([], [], sweep_id)


def test_trials_are_listed_best_first(cli):
    said = cli("sweep", "show", swept(train)).out
    assert column(said, "loss") == ["1", "2", "3"]
    assert column(said, "TRIAL") == ["1", "2", "0"]
    most = {"metric": {"name": "loss", "goal": "maximize"}}
    assert column(cli("sweep", "show", swept(train, **most)).out, "loss") == ["3", "2", "1"]


def test_the_best_so_far_is_drawn(cli):
    said = cli("sweep", "show", swept(train)).out
    assert "best loss so far, by trial" in said
    assert "┤" in said


def test_trials_that_failed_come_last_and_say_why(cli):
    def fails_first():
        with lineal.init() as run:
            if run.config.lr == 3:
                raise ValueError("too \x1b[31mlarge")
            run.log({"loss": run.config.lr})

    said = cli("sweep", "show", swept(fails_first)).out
    assert column(said, "STATE") == ["finished", "finished", "failed"]
    assert "ValueError: too" in said
    assert "\x1b" not in said
    assert "2 finished, 1 failed; 0 of 3 remain" in said


def test_trials_that_are_still_to_end_are_shown_and_so_is_how_many_remain(cli):
    sweep_id = swept(train, count=1)
    sweeps = lineal.Api()._connection.backend.sweeps
    sweeps.take(sweep_id, "here", "token")
    said = cli("sweep", "show", sweep_id).out
    assert "1 running, 1 finished; 1 of 3 remain" in said
    assert column(said, "STATE") == ["finished", "running"]
    assert "2 agents, 1 at work" in said
    assert "here" in said


def test_many_trials_are_shown_in_part_or_all(cli):
    sweep_id = swept(train, parameters={"lr": {"values": list(range(23))}})
    said = cli("sweep", "show", sweep_id).out
    assert len(column(said, "TRIAL")) == 20
    assert "… and 3 more; --all shows every one" in said
    assert len(column(cli("sweep", "show", sweep_id, "--all").out, "TRIAL")) == 23


def test_with_enough_trials_it_is_told_which_parameters_matter(cli):
    pytest.importorskip("sklearn")
    grid = {"lr": {"values": list(range(6))}, "idle": {"values": ["a", "b"]}}
    sweep_id = swept(train, parameters=grid)
    said = cli("sweep", "show", sweep_id).out
    assert "PARAMETER" in said
    assert "+1.00" in said
    weights = json.loads(cli("sweep", "show", sweep_id, "--json").out)["insight"]["weights"]
    assert [one["parameter"] for one in weights] == ["lr", "idle"]


def test_of_several_metrics_the_front_is_told(cli):
    several = {"metric": None, "metrics": [{"name": "loss"}, {"name": "size", "goal": "maximize"}]}
    said = cli("sweep", "show", swept(train, **several)).out
    assert "metric       loss (minimize), size (maximize)" in said
    assert "Pareto front: trials 1" in said
    assert column(said, "TRIAL")[0] == "1"


def test_a_constraint_that_is_broken_is_remarked(cli):
    said = cli("sweep", "show", swept(train, constraints=[{"name": "size", "min": -2}])).out
    assert column(said, "TRIAL") == ["1", "2", "0"]
    assert said.count("breaks a constraint") == 1


def test_constants_are_no_column(cli):
    parameters = {"lr": {"values": [1, 2]}, "seed": {"value": 7}, "layers": {"values": [[1, 2]]}}
    said = cli("sweep", "show", swept(train, parameters=parameters)).out
    header = next(row for row in said.splitlines() if row.startswith("TRIAL"))
    assert "seed" not in header
    assert "[1, 2]" in said
