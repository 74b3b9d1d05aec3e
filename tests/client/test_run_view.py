import math
from pathlib import Path

import pytest

import lineal
from lineal import Api
from lineal.client.run_view import RunView
from lineal.core import errors


@pytest.fixture
def view() -> RunView:
    """A run of 100 steps with loss in all, acc in every tenth, a text at the end, and a file."""
    Path("model.txt").write_text("weights")
    with lineal.init(project="vision", id="r1", name="first", config={"opt": {"lr": 0.1}}, tags=["a"]) as run:
        for step in range(100):
            row = {"loss": 100 - step} | ({"acc": step / 100} if step % 10 == 0 else {})
            run.log(row | ({"verdict": "good"} if step == 99 else {}))
        run.save("model.txt")
    return Api().run("r1")


def test_a_run_says_what_it_is(view: RunView) -> None:
    assert (view.id, view.name, view.display_name, view.state) == ("r1", "first", "first", "finished")
    assert (view.entity, view.project, view.path, view.url) == ("local", "vision", "local/vision/r1", None)
    assert (view.config, view.tags, view.user, view.lastHistoryStep) == ({"opt": {"lr": 0.1}}, ["a"], "ada", 99)
    assert view.summary["loss"] == 1
    assert view.created_at.endswith("Z")
    assert view.finished_at is not None
    assert view.created_at <= view.heartbeat_at
    assert view.metadata["username"] == "ada"
    assert repr(view) == "<Run local/vision/r1 (finished)>"


def test_history_picks_rows_evenly_with_the_last_among_them(view: RunView) -> None:
    rows = view.history(samples=12, pandas=False)
    assert [row["_step"] for row in rows] == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
    assert rows[-1]["verdict"] == "good"
    assert set(rows[0]) == {"_step", "_timestamp", "loss", "acc"}
    assert [row["_step"] for row in view.history(samples=1, pandas=False)] == [99]


def test_history_of_keys_has_the_rows_with_all_of_them(view: RunView) -> None:
    rows = view.history(keys=["loss", "acc"], pandas=False)
    assert [row["_step"] for row in rows] == list(range(0, 100, 10))
    assert rows[3] == {"_step": 30, "loss": 70, "acc": 0.3}
    assert view.history(keys=["nothing"], pandas=False) == []
    assert [set(row) for row in view.history(keys=["loss"], x_axis="acc", samples=1, pandas=False)] == [
        {"_step", "loss", "acc"}
    ]


def test_history_is_a_dataframe(view: RunView) -> None:
    pytest.importorskip("pandas")
    frame = view.history(keys=["loss", "_step"])
    assert list(frame.columns) == ["_step", "loss"]
    assert frame["loss"].iloc[-1] == 1
    assert math.isnan(view.history()["acc"].iloc[1])


def test_a_scan_gives_every_row_page_by_page(view: RunView) -> None:
    rows = list(view.scan_history(page_size=7))
    assert [row["_step"] for row in rows] == list(range(100))
    assert rows[99]["verdict"] == "good"
    assert list(view.scan_history(["acc"], page_size=3, min_step=15, max_step=40)) == [
        {"_step": 20, "acc": 0.2},
        {"_step": 30, "acc": 0.3},
    ]
    assert [row["_step"] for row in view.scan_history(["_step"], max_step=2)] == [0, 1]
    assert list(view.scan_history(stream="system", max_step=0)) == []


def test_rows_of_several_writers_are_all_there() -> None:
    from lineal.backend.connect import connect
    from lineal.core.settings import load
    from lineal.tracking.model import Batch
    from lineal.tracking.rows import encode

    with lineal.init(id="shared"):
        pass
    backend = connect(load())
    for writer in ("rank0", "rank1"):
        data = encode([(step, 1.0, {"loss": step}) for step in range(3)], writer)
        backend.runs.append("shared", writer, 1, Batch({"history": data}, 2))
    backend.close()
    rows = Api().run("shared").history(keys=["loss"], pandas=False)
    assert [(row["_step"], row["loss"]) for row in rows] == [(0, 0), (0, 0), (1, 1), (1, 1), (2, 2), (2, 2)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda view: view.history(samples=0),
        lambda view: view.history(keys="loss"),
        lambda view: view.history(stream="nothing"),
        lambda view: list(view.scan_history("loss")),
    ],
)
def test_what_can_not_be_asked_for_is_refused(view: RunView, ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(errors.InvalidArgument):
        ask(view)


def test_files_are_listed_and_downloaded(view: RunView) -> None:
    assert [file.name for file in view.files()] == ["model.txt"]
    assert view.files(["other"]) == []
    file = view.file("model.txt")
    assert Path(file.download("there")).read_text() == "weights"
    with pytest.raises(errors.EntryNotFound, match="no file 'other'"):
        view.file("other")


def test_artifacts_are_those_it_made_and_used(log) -> None:  # type: ignore[no-untyped-def]
    log("digits", {"a": "1"})
    log("model", {"w": "1"}, "model", uses=("digits:v0",))
    maker = Api().artifact("model").logged_by()
    assert maker is not None
    view = Api().run(maker.id)
    assert [artifact.name for artifact in view.logged_artifacts()] == ["model:v0"]
    assert [artifact.name for artifact in view.used_artifacts()] == ["digits:v0"]
    with pytest.raises(errors.RunInUse):
        view.delete()


def test_changes_are_stored_by_update(view: RunView) -> None:
    view.name, view.notes, view.group, view.tags = "new", "why", "g", ["b"]
    view.config["opt"]["lr"] = 0.5
    view.config["seed"] = 7
    view.summary["best"] = math.nan
    view.update()
    again = Api().run("r1")
    assert (again.name, again.notes, again.group, again.tags) == ("new", "why", "g", ["b"])
    assert again.config == {"opt": {"lr": 0.5}, "seed": 7}
    assert math.isnan(again.summary["best"])
    assert again.summary["loss"] == 1
    assert [run.id for run in Api().runs("vision", {"config.opt.lr": 0.5})] == ["r1"]


def test_a_summary_stores_itself_when_it_is_updated(view: RunView) -> None:
    view.summary["a"] = 1
    view.summary.update({"b": 2})
    view.summary.update()
    assert {key: Api().run("r1").summary[key] for key in "ab"} == {"a": 1, "b": 2}


def test_config_and_summary_can_be_replaced(view: RunView) -> None:
    view.config = {"only": 1}
    view.summary = {"x": 1}
    view.save()
    assert (Api().run("r1").config, dict(Api().run("r1").summary)) == ({"only": 1}, {"x": 1})


def test_loading_forgets_what_was_not_stored(view: RunView) -> None:
    view.notes = "lost"
    assert view.load(force=False).notes == "lost"
    assert view.load().notes == ""


def test_what_is_no_config_is_refused_by_key(view: RunView) -> None:
    view.config["x"] = object()
    with pytest.raises(errors.InvalidMetadata, match=r"config\.x"):
        view.update()


def test_a_run_can_be_asked_to_stop_while_it_runs(view: RunView) -> None:
    with pytest.raises(errors.RunFinished):
        view.stop()
    with lineal.init(id="live"):
        live = Api().run("live")
        live.stop()
        assert live._record.stop_asked_by == "ada"


def test_a_deleted_run_is_gone(view: RunView) -> None:
    view.delete()
    with pytest.raises(errors.RunNotFound):
        Api().run("r1")


def test_a_run_is_followed_until_it_has_ended() -> None:
    with lineal.init(id="followed") as run:
        run.log({"a": 1, "b": 2})
        run.log({"a": 3})
    events = list(lineal.Api().run("followed").follow(keys=["a"]))
    assert [row["a"] for event in events if event.kind == "rows" for row in event.data["rows"]] == [1, 3]
    assert [event.data["state"] for event in events if event.kind == "state"] == ["finished"]
    last = list(lineal.Api().run("followed").follow(last=1))
    assert [row["a"] for event in last if event.kind == "rows" for row in event.data["rows"]] == [3]
