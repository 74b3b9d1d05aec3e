import copy
import json
import re
from pathlib import Path

import pytest

import lineal
from lineal import Api, Artifact
from lineal.core import errors


def state_of(run: lineal.Run) -> str:
    return Api().run(run.id).state


# ---- starting and ending -------------------------------------------------------------------------------------


def test_a_run_is_current_from_init_to_finish():
    assert lineal.run is None
    assert lineal.config is None
    run = lineal.init(project="digits", job_type="train", config={"lr": 0.1})
    assert lineal.run is run
    assert lineal.config.lr == 0.1
    assert (run.entity, run.project, run.job_type, run.state) == ("local", "digits", "train", "running")
    assert re.fullmatch(r"[a-z]+-[a-z]+-[0-9]+", run.name)
    assert run.path == f"local/digits/{run.id}"
    assert len(run.id) == 8
    assert state_of(run) == "running"
    lineal.finish()
    assert lineal.run is None
    assert (run.state, state_of(run)) == ("finished", "finished")
    assert "finished" in repr(run)


def test_finishing_without_a_run_or_twice_does_nothing():
    lineal.finish()
    run = lineal.init()
    run.finish()
    run.finish(exit_code=1)
    assert state_of(run) == "finished"


@pytest.mark.parametrize(("code", "state"), [(None, "finished"), (0, "finished"), (1, "failed"), (137, "failed")])
def test_an_exit_code_other_than_zero_is_a_failure(code, state):
    run = lineal.init()
    lineal.finish(exit_code=code)
    assert state_of(run) == state


@pytest.mark.parametrize(
    ("problem", "state"),
    [
        (ValueError("no"), "failed"),
        (KeyboardInterrupt(), "killed"),
        (SystemExit(3), "failed"),
        (SystemExit("no data"), "failed"),
        (SystemExit(), "finished"),
        (SystemExit(0), "finished"),
    ],
)
def test_what_leaves_the_block_says_how_the_run_ended(problem, state):
    with pytest.raises(type(problem)), lineal.init() as run:
        raise problem
    assert state_of(run) == state
    assert lineal.run is None


def test_a_second_init_ends_the_first_run():
    first = lineal.init(name="first")
    second = lineal.init(name="second")
    assert lineal.run is second
    assert state_of(first) == "finished"
    assert state_of(second) == "running"
    first.finish(exit_code=1)
    assert lineal.run is second


def test_an_id_that_is_there_goes_on_with_that_run_where_asked_to():
    first = lineal.init(id="night-1", config={"lr": 1})
    with pytest.raises(errors.RunExists, match="resume='allow'"):
        lineal.init(id="night-1")
    again = lineal.init(id="night-1", resume="allow")
    assert again.id == first.id
    assert again.config.lr == 1


@pytest.mark.parametrize("names", [{"project": "../x"}, {"id": "a b"}, {"entity": "é"}, {"project": "registry"}])
def test_names_that_cannot_be_are_refused_before_anything_starts(names):
    with pytest.raises(errors.Invalid):
        lineal.init(**names)
    assert lineal.run is None


def test_after_its_end_a_run_takes_nothing_more(log):
    log("digits", {"a": "1"})
    run = lineal.init()
    run.finish()
    draft = Artifact("late", "dataset")
    draft.add("1", "a")
    for act in (
        lambda: run.use_artifact("digits:v0"),
        lambda: run.log_artifact(draft),
        lambda: run.config.update(lr=1),
    ):
        with pytest.raises(errors.RunFinished, match="start another one"):
            act()
    assert not Api().artifact_exists("late")
    assert "lr" not in run.config


def test_without_a_run_the_short_forms_say_what_to_do():
    draft = Artifact("digits", "dataset")
    for act in (
        lambda: lineal.use_artifact("digits"),
        lambda: lineal.log_artifact("."),
        lambda: lineal.link_artifact(draft, "registry/digits"),
    ):
        with pytest.raises(errors.RunNotFound, match=r"lineal\.init"):
            act()


# ---- config --------------------------------------------------------------------------------------------------


def test_config_is_items_and_attributes_and_every_change_is_recorded():
    run = lineal.init(config={"lr": 0.1, "layers": (64, 32)})
    run.config.batch = 8
    run.config["seed"] = 0
    with pytest.raises(errors.ConfigChanged, match="allow_val_change"):
        run.config.update({"lr": 0.2}, wd=0.01)
    run.config.update({"lr": 0.2}, wd=0.01, allow_val_change=True)
    del run.config["batch"]
    expected = {"lr": 0.2, "layers": [64, 32], "seed": 0, "wd": 0.01}
    assert dict(run.config) == expected
    run.finish()
    assert dict(Api().run(run.id).config) == expected
    assert (run.config.seed, run.config["wd"], len(run.config), "lr" in run.config) == (0, 0.01, 4, True)


def test_a_setting_that_is_not_there_is_an_attribute_error_or_a_key_error():
    run = lineal.init()
    with pytest.raises(AttributeError, match="has no 'lr'"):
        _ = run.config.lr
    with pytest.raises(KeyError):
        _ = run.config["lr"]
    assert run.config.get("lr", 1) == 1


def test_config_that_json_cannot_say_is_refused_and_the_old_one_stays():
    run = lineal.init(config={"lr": 1})
    with pytest.raises(errors.InvalidMetadata, match=r"config\.bad"):
        run.config.bad = object()
    assert dict(run.config) == {"lr": 1}


def test_config_can_be_copied():
    run = lineal.init(config={"lr": 1})
    assert dict(copy.copy(run.config)) == {"lr": 1}


def test_config_takes_numbers_of_numpys_kind():
    numpy = pytest.importorskip("numpy")
    run = lineal.init(config={"lr": numpy.float32(0.5), "n": numpy.int64(3)})
    assert json.dumps(dict(run.config)) == '{"lr": 0.5, "n": 3}'


# ---- artifacts -----------------------------------------------------------------------------------------------


def test_a_file_becomes_an_artifact_of_its_own_name(write):
    folder = write({"weights.bin": "w"})
    with lineal.init() as run:
        artifact = run.log_artifact(folder / "weights.bin", type="model", aliases=["best"], tags=["small"])
    assert (artifact.name, artifact.type, artifact.tags) == ("weights:v0", "model", ["small"])
    assert Api().artifact("weights:best").logged_by().id == run.id


def test_a_folder_becomes_an_artifact_of_the_name_given(write):
    with lineal.init():
        artifact = lineal.log_artifact(str(write({"a": "1", "b/c": "2"})), name="digits", type="dataset")
    assert [entry.path for entry in artifact.files()] == ["a", "b/c"]


def test_a_path_without_a_type_is_refused(write):
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="needs a type"):
        run.log_artifact(write({"a": "1"}))


def test_logging_what_is_logged_is_refused(log):
    artifact = log("digits", {"a": "1"})
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="logged already"):
        run.log_artifact(artifact)


@pytest.mark.parametrize("given", [{"aliases": "best"}, {"tags": "checked"}])
def test_one_text_where_a_list_belongs_is_refused_not_taken_apart(write, given):
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="list of texts"):
        run.log_artifact(write({"a": "1"}), "digits", "dataset", **given)
    assert not Api().artifact_exists("digits")


def test_a_used_version_is_pinned_whatever_its_alias_does_later(log):
    log("digits", {"a": "1"}, aliases=["best"])
    with lineal.init() as run:
        used = run.use_artifact("digits:best", type="dataset", use_as="training-data")
        log_again = Artifact("digits", "dataset")
        log_again.add("2", "a")
        run.log_artifact(log_again, aliases=["best"])
        assert used.version == "v0"
        assert Path(used.file("out")).read_text() == "1"
    (edge,) = [e for e in used.lineage("down").edges if e.target == f"run:{run.id}"]
    assert (edge.source, edge.role) == ("version:local/default/digits:v0", "training-data")


def test_a_version_of_another_type_than_asked_for_is_refused_and_not_recorded(log):
    digits = log("digits", {"a": "1"})
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="is a 'dataset', not a 'model'"):
        run.use_artifact("digits", type="model")
    assert digits.used_by() == []


def test_a_role_is_a_name(log):
    log("digits", {"a": "1"})
    with lineal.init() as run, pytest.raises(errors.InvalidName, match="role"):
        run.use_artifact("digits", use_as="training data\x1b[31m")


def test_an_artifact_can_be_used_as_the_handle_it_is(log):
    artifact = log("digits", {"a": "1"})
    log("digits", {"a": "2"})
    with lineal.init() as run:
        assert run.use_artifact(artifact).version == "v0"
    assert [r.id for r in artifact.used_by()] == [run.id]


def test_a_draft_cannot_be_used_for_the_latest_of_its_name(log):
    log("digits", {"a": "1"})
    draft = Artifact("digits", "dataset")
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="log it first"):
        run.use_artifact(draft)


def test_what_is_not_there_is_not_found_by_its_kind(log):
    log("digits", {"a": "1"})
    with lineal.init() as run:
        for ref, kind in {
            "letters": errors.CollectionNotFound,
            "digits:v7": errors.VersionNotFound,
            "digits:best": errors.VersionNotFound,
        }.items():
            with pytest.raises(kind):
                run.use_artifact(ref)


def test_linking_a_draft_logs_it_first():
    draft = Artifact("model", "model")
    draft.add("w", "w")
    with lineal.init() as run:
        linked = lineal.link_artifact(draft, "registry/classifiers", aliases=["staging"])
    assert linked.source_qualified_name == "local/default/model:v0"
    assert Api().artifact("registry/classifiers:staging").source_qualified_name == "local/default/model:v0"
    assert Api().artifact("model").logged_by().id == run.id


# ---- the process around it -----------------------------------------------------------------------------------


def last_run(place) -> dict[str, object]:
    import sqlite3

    with sqlite3.connect(place.store / "lineal.db") as rows:
        rows.row_factory = sqlite3.Row
        found = dict(rows.execute("SELECT * FROM runs ORDER BY id DESC").fetchone())
    rows.close()
    return found


@pytest.mark.parametrize(
    ("ending", "state", "code"),
    [
        ("pass", "finished", 0),
        ("raise ValueError('no')", "failed", 1),
        ("import sys; sys.exit(0)", "finished", 0),
        ("raise KeyboardInterrupt", "killed", -2),
    ],
)
def test_a_run_ends_with_its_process(place, shell, ending, state, code):
    Path("train.py").write_text(f"import lineal\nlineal.init()\n{ending}\n")
    done = shell("exec python train.py")
    assert (done.returncode, last_run(place)["state"]) == (code, state)
    assert ("Traceback" in done.stderr) == (code != 0)


def test_the_program_is_recorded(place, shell):
    Path("train.py").write_text("import lineal\nlineal.init(name='n')\n")
    shell("python train.py", check=True)
    assert json.loads(last_run(place)["code"]) == {"program": "train.py"}


def test_what_a_user_set_as_excepthook_is_still_called(shell):
    Path("train.py").write_text(
        "import sys, lineal\nsys.excepthook = lambda *_: print('mine')\nlineal.init()\nraise ValueError\n"
    )
    assert shell("python train.py").stdout == "mine\n"
