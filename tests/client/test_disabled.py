import threading
from pathlib import Path

import pytest

import lineal
from lineal.core import errors
from lineal.core.settings import environment


def everything(folder):
    return sorted(str(path) for path in Path(folder).rglob("*"))


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_run_that_is_switched_off_touches_nothing_and_takes_everything(tmp_path, monkeypatch, how, write):
    write({"a.txt": "1"}, ".")
    if how == "variable":
        monkeypatch.setenv("LINEAL_MODE", "disabled")
    before, threads = everything(tmp_path), threading.active_count()
    chosen = {"mode": "disabled"} if how == "argument" else {}
    run = lineal.init(project="p", name="n", config={"lr": 1, "net": {"depth": 2}}, tags=["t"], **chosen)
    assert lineal.run is run
    assert run.disabled
    for data in ({"a": 1}, {"a": object()}, {1: 2}, {}, {"image": lineal.Image([[0.0]])}):
        run.log(data, step=-5, commit=False)
    lineal.log({"a": 1}, step="no step")
    run.config.lr = 2 if "lr" not in run.config else 1
    run.config.net.depth = 3
    run.summary["best"] = {"acc": 1}
    run.summary.best.acc = 2
    run.define_metric("a", summary="nonsense")
    run.watch(object())
    run.unwatch()
    run.mark_preempting()
    run.name, run.notes, run.tags = "other", "notes", ["u"]
    assert run.save("a.txt") == []
    assert run.log_code() is None
    assert run.log_artifact("a.txt", type="dataset").name == "a"
    assert lineal.log_artifact(lineal.Artifact("x", "dataset")).name == "x"
    assert run.link_artifact(lineal.Artifact("x", "dataset"), "registry/x").name == "x"
    assert (run.name, run.notes, run.tags, run.project, run.state) == ("other", "notes", ("u",), "p", "running")
    assert (run.step, run.resumed, run.offline, run.url, len(run.id)) == (0, False, False, None, 8)
    assert run.config.net.depth == 3
    assert run.summary["best"]["acc"] == 2
    assert repr(run).startswith("<Run local/p/")
    run.finish(exit_code=1)
    assert (run.state, lineal.run) == ("failed", None)
    run.log({"late": 1})
    assert (everything(tmp_path), threading.active_count()) == (before, threads)


def test_it_is_a_context_manager_and_ends_the_run_before(tmp_path):
    before = lineal.init()
    with pytest.raises(ZeroDivisionError), lineal.init(mode="disabled") as run:
        assert before.state == "finished"
        _ = 1 / 0
    assert run.state == "failed"


def test_its_folder_is_made_when_asked_for_and_goes_away():
    run = lineal.init(mode="disabled")
    folder = Path(run.dir)
    (folder / "a").write_text("1")
    assert run.dir == str(folder)
    run._temporary.cleanup()
    assert not folder.exists()


def test_artifacts_that_the_program_needs_are_found_all_the_same(log):
    artifact = log("digits", {"a": "1"})
    run = lineal.init(mode="disabled")
    assert run.use_artifact("digits:latest").version == "v0"
    assert run.use_artifact(artifact) is artifact
    assert artifact.used_by() == []


def test_what_is_no_mode_is_refused():
    with pytest.raises(errors.InvalidSettings, match="no mode"):
        lineal.init(mode="off")
    assert environment("LINEAL_MODE") is None
