import csv
import io
import json
import math

import pytest

import lineal


@pytest.fixture
def store(cli):
    """Three runs a, b, c in the project vision, c failed, and one in the project text."""
    for n, run_id in enumerate("abc"):
        run = lineal.init(
            project="vision", id=run_id, name=f"run {n}", config={"lr": n / 10, "opt": {"x.y": n}}, tags=["t"]
        )
        for step in range(30):
            run.log({"acc": step * n})
        run.finish(1 if run_id == "c" else 0)
    lineal.init(project="text", id="other", name="evil \x1b[31m\u202ename", config={"m": {"k": [1]}}).finish()
    return lambda *words: cli("--project", "vision", *words)


def first(said) -> list[str]:
    return [line.split()[0] for line in said.out.splitlines()[1:]]


def test_runs_of_the_project_are_listed_newest_first(store):
    said = store("runs")
    assert said.out.splitlines()[0].split() == ["ID", "NAME", "STATE", "CREATED", "TAGS"]
    assert first(said) == ["c", "b", "a"]
    assert "failed" in said.out.splitlines()[1]


def test_without_a_project_all_are_listed_with_theirs(store, cli):
    said = cli("runs")
    assert said.out.splitlines()[0].split()[0] == "PROJECT"
    assert first(said) == ["text", "vision", "vision", "vision"]
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out


def test_runs_are_filtered_and_sorted_and_what_they_are_sorted_by_is_shown(store):
    said = store("runs", "--filter", "config.lr > 0 and state in (finished, failed)", "--sort", "-summary.acc")
    assert first(said) == ["c", "b"]
    assert "summary.acc" in said.out.splitlines()[0]
    assert "58" in said.out.splitlines()[1]
    assert store("runs", "--filter", "config.lr > 5").out == "No run fits.\n"


def test_columns_are_chosen(store):
    said = store("runs", "--columns", "name, config.lr,config.opt.x.y,summary.nothing,jobType")
    assert said.out.splitlines()[0].split() == [
        "NAME",
        "config.lr",
        "config.opt.x.y",
        "summary.nothing",
        "JOB",
        "TYPE",
    ]
    assert said.out.splitlines()[1].split() == ["run", "2", "0.2", "2", "-"]


def test_a_metric_is_drawn_for_each_run(store):
    said = store("runs", "--spark", "acc", "--spark", "nothing")
    assert "▁" in said.out.splitlines()[1]
    assert "█" in said.out.splitlines()[1]


def test_json_and_csv_are_for_programs(store, cli):
    found = json.loads(store("runs", "--json", "--limit", "1").out)
    assert [(run["id"], run["config"]["lr"], run["path"]) for run in found] == [("c", 0.2, "local/vision/c")]
    rows = list(csv.DictReader(io.StringIO(store("runs", "--csv", "-c", "id,created_at,tags,config.lr").out)))
    assert [row["id"] for row in rows] == ["c", "b", "a"]
    assert rows[0]["created_at"].endswith("Z")
    assert (rows[0]["tags"], rows[0]["config.lr"]) == ('["t"]', "0.2")


def test_numbers_that_json_can_not_say_are_texts_there(store, cli):
    lineal.init(project="odd", id="nan", config={"x": math.nan, "y": [math.inf]}).finish()
    (found,) = json.loads(cli("--project", "odd", "runs", "--json").out, parse_constant=pytest.fail)
    assert found["config"] == {"x": "nan", "y": ["inf"]}


def test_a_list_that_is_cut_says_so(store):
    said = store("runs", "--limit", "2")
    assert first(said) == ["c", "b"]
    assert "more than 2" in said.err
    assert store("runs", "--limit", "3").err == ""


def test_an_empty_project_says_where_runs_are(store, cli):
    assert "there are text, vision" in cli("--project", "nothing", "runs").out
    assert "lineal.init()" in cli("--url", "elsewhere", "runs").out


@pytest.mark.parametrize(
    "word", ["--filter=loss > 1", "--filter=(", "--sort=loss", "--columns=loss", "--columns=,", "--limit=0"]
)
def test_what_can_not_be_asked_is_refused(store, word):
    assert store("runs", word).code == 2
