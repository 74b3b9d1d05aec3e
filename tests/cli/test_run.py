import json
from pathlib import Path

import pytest

import lineal
from lineal import Api


@pytest.fixture
def store(cli, log):
    """Runs one (failed, with a traceback, a file and an input) and two, both in the project vision."""
    log("digits", {"a": "1"}, project="vision")
    Path("notes.txt").write_text("x")
    config = {"lr": 0.1, "opt": {"name": "sgd"}, "evil": "\x1b[2J"}
    with (
        pytest.raises(ValueError, match="boom"),
        lineal.init(project="vision", id="one", name="first", config=config) as run,
    ):
        run.use_artifact("digits:v0")
        run.save("notes.txt")
        for step in range(50):
            run.log({"loss": 1 / (step + 1), "val/x": step})
        raise ValueError("boom \x1b[31m")
    log("digits", {"a": "2"}, project="vision")
    with lineal.init(project="vision", id="two", name="second", config={"lr": 0.2, "new": True}) as run:
        run.use_artifact("digits:v1")
        run.log({"loss": 0.5})
    return cli


def test_show_tells_all_that_is_known(store):
    said = store("run", "show", "one")
    assert said.code == 0
    assert "\x1b" not in said.out
    for text in (
        "local/vision/one",
        "failed with exit code 1",
        "opt.name  sgd",
        "notes.txt",
        "digits:v0",
        "ValueError",
    ):
        assert text in said.out
    assert any("loss" in line and "█" in line for line in said.out.splitlines())
    found = json.loads(store("run", "show", "one", "--json").out)
    assert (found["run"]["id"], found["inputs"][0]["ref"]) == ("one", "local/vision/digits:v0")
    assert (found["files"][0]["path"], found["metrics"]) == ("notes.txt", ["loss", "val/x"])


def test_a_run_is_named_by_id_path_or_name(store):
    for name in ("two", "local/vision/two", "vision/two", "second"):
        assert "local/vision/two" in store("run", "show", name).out
    assert store("run", "show", "nobody").code == 3
    run = Api().run("one")
    run.name = "second"
    run.update()
    said = store("run", "show", "second")
    assert said.code == 2
    assert "two, one" in said.err


def test_diff_shows_what_differs(store):
    said = store("run", "diff", "one", "two")
    lines = [line.strip() for line in said.out.splitlines()]
    for text in (
        "~ lr: 0.1 → 0.2",
        "+ new: true",
        "- opt.name: sgd",
        "~ vision/digits: v0 → v1",
        "~ loss: 0.02 → 0.5",
    ):
        assert text in lines
    found = json.loads(store("run", "diff", "one", "two", "--json").out)
    assert found["config"] == {
        "lr": [0.1, 0.2],
        "new": [None, True],
        "opt.name": ["sgd", None],
        "evil": ["\x1b[2J", None],
    }
    assert "Nothing that was recorded differs." in store("run", "diff", "two", "two").out


def test_plot_draws_each_key(store):
    said = store("run", "plot", "one", "loss", "val/x", "--width", "40", "--height", "5")
    lines = said.out.splitlines()
    assert len(lines) == 2 * 7
    assert "\x1b" not in said.out
    assert lines[0].startswith("loss  first (one), 50 points")
    said = store("run", "plot", "one", "acc")
    assert (said.code, "it has" in said.err) == (3, True)


def test_stop_asks_a_run_that_runs(store):
    assert store("run", "stop", "two").code == 4
    run = lineal.init(project="vision", id="live")
    assert store("run", "stop", "live").out.startswith("Asked")
    assert Api().run("live")._record.stop_asked_by == "ada"
    run.finish()


def test_delete_asks_first_and_refuses_what_is_needed(store, monkeypatch):
    import click

    monkeypatch.setattr(click, "confirm", lambda *_, **__: (_ for _ in ()).throw(click.Abort))
    assert store("run", "delete", "two").code == 130
    assert Api().run("two").id == "two"
    said = store("run", "delete", "one", "two", "--yes")
    assert said.out == "Deleted one, two.\n"
    assert store("run", "show", "one").code == 3
    maker = Api().artifact("digits:v0").logged_by()
    assert maker is not None
    assert store("run", "delete", maker.id, "-y").code == 4


def test_export_writes_a_file_or_standard_output(store, place):
    said = store("run", "export", "two", "--format", "csv")
    assert said.out.splitlines()[0] == "_step,_timestamp,loss"
    assert said.out.splitlines()[1].endswith(",0.5")
    assert store("run", "export", "two", "-o", "two.jsonl").out == f"Wrote 1 row to {place.work}/two.jsonl\n"
    assert json.loads(Path("two.jsonl").read_text())["loss"] == 0.5


def test_tail_ends_with_a_run_that_has_ended(store):
    said = store("run", "tail", "one", "-n", "2", "--only", "metrics")
    lines = said.out.splitlines()
    assert lines[0].startswith("step 48  ")
    assert lines[1].startswith("step 49  ")
    assert "\x1b" not in said.out
    assert "first (one) failed, exit code 1" in said.err
    assert lines[-1].startswith("ValueError: boom")


def test_runs_complete_on_the_shell(store):
    from click import Context

    from lineal.cli.main import cli
    from lineal.cli.options import RUN

    context = Context(cli, info_name="lineal")
    context.params = {"url": None, "entity": None, "project": "vision"}
    found = [item.value for item in RUN.shell_complete(context, None, "")]  # type: ignore[arg-type]
    assert found[:2] == ["two", "second"]
    assert [item.value for item in RUN.shell_complete(context, None, "fir")] == ["first"]  # type: ignore[arg-type]
