import enum
from pathlib import Path

import pytest

import lineal
from lineal.client.integrations.binding import Binding, missing, plain_values
from lineal.core.errors import RunFinished
from tests.client.integrations.reading import model_versions, rows


class Color(enum.Enum):
    RED = "red"


def state_of(run):
    return lineal.Api().run(run.path).state


# ---- which run -----------------------------------------------------------------------------------------------


def test_the_current_run_is_used_and_left_open():
    run = lineal.init(project="digits")
    binding = Binding(None, {"project": "other"})
    assert binding.begin() is run
    binding.end()
    assert lineal.run is run
    assert state_of(run) == "running"


def test_without_a_current_run_one_is_started_with_the_facts_before_the_defaults():
    binding = Binding(None, {"project": "digits", "name": "mine"})
    run = binding.begin(name="theirs", notes=None)
    assert (run.project, run.name, run.job_type) == ("digits", "mine", "train")
    assert lineal.run is run


def test_a_run_that_is_given_is_used_though_another_is_current():
    given = lineal.init(id="given")
    binding = Binding(given, {})
    assert binding.use() is given
    given.finish()
    with pytest.raises(RunFinished):
        binding.log({"loss": 1.0}, "step", 0)
    assert lineal.run is None


def test_what_is_evaluated_after_the_training_lands_in_the_run_that_was_started_for_it():
    binding = Binding(None, {})
    run = binding.begin()
    binding.end()
    assert binding.use() is run
    assert state_of(run) == "running"


def test_the_next_training_of_the_same_callback_gets_a_run_of_its_own():
    binding = Binding(None, {})
    first = binding.begin()
    binding.end()
    second = binding.begin()
    assert second.id != first.id
    assert (state_of(first), state_of(second)) == ("finished", "running")
    third = binding.begin()
    assert (state_of(second), state_of(third)) == ("failed", "running")  # its training never came to its end


def test_the_next_training_of_another_callback_gets_a_run_of_its_own():
    first, second = Binding(None, {}), Binding(None, {})
    before = first.begin()
    assert second.use() is before  # two callbacks of one training
    first.end()
    del first  # it is gone, as when it was made in a function
    after = Binding(None, {}).begin()
    assert after.id != before.id
    assert state_of(before) == "finished"


def test_after_finish_a_new_run_is_started_or_found():
    binding = Binding(None, {})
    first = binding.begin()
    lineal.finish()
    second = lineal.init()
    assert binding.use() is second
    assert state_of(first) == "finished"


def test_a_run_that_is_switched_off_takes_all_and_leaves_nothing(place, write):
    binding = Binding(None, {"mode": "disabled"})
    binding.begin().config.update({"lr": 0.1})
    binding.log({"loss": 1.0}, "step", 0)
    binding.log_model(write({"w": "1"}), None, aliases=["final"])
    binding.end()
    assert not place.store.exists()


# ---- what is logged ------------------------------------------------------------------------------------------


def test_values_are_drawn_over_the_metric_that_was_named_whatever_the_step():
    with lineal.init() as run:
        run.log({"mine": 1}, step=50)
        binding = Binding(None, {})
        for step in (10, 20):
            binding.log({"loss": 1 / step}, "train/step", step)
        run.log({"mine": 2})
        binding.log({"loss": 0.1}, "train/step", 5)
    assert rows(run.path, "train/step", "loss") == [(10, 0.1), (20, 0.05), (5, 0.1)]
    assert [value for (value,) in rows(run.path, "mine")] == [1, 2]


def test_a_file_and_a_folder_become_versions_of_the_runs_model(write):
    folder = write({"a": "1", "b": "2"}, "model")
    with lineal.init() as run:
        binding = Binding(None, {})
        first = binding.log_model(
            folder / "a", None, aliases=["step-1"], metadata={"loss": 0.5, "grad_norm": float("nan")}
        )
        binding.log_model(folder, None, aliases=["best"])
        binding.log_model(folder, "digits-model")
    names = {artifact.name for artifact in model_versions(run.path)}
    assert names == {f"model-{run.id}:v0", f"model-{run.id}:v1", "digits-model:v0"}
    assert (first.metadata, first.aliases) == ({"loss": 0.5}, ["step-1"])


# ---- plain values --------------------------------------------------------------------------------------------


def test_values_that_json_can_say_are_kept_and_objects_left_out():
    assert plain_values(
        {
            "lr": 0.1,
            "name": None,
            "color": Color.RED,
            "file": Path("a/b"),
            "shape": (1, 2),
            "nested": {1: {"deep": True, "object": object()}},
            "kind": dict,
            "act": pytest.raises,
            "object": object(),
            "some": [1, object()],
        }
    ) == {
        "lr": 0.1,
        "name": None,
        "color": "red",
        "file": "a/b",
        "shape": [1, 2],
        "nested": {"1": {"deep": True}},
        "kind": "builtins.dict",
        "act": f"{pytest.raises.__module__}.raises",
    }


def test_numpys_scalars_become_numbers_and_its_arrays_are_left_out():
    numpy = pytest.importorskip("numpy")
    values = {"a": numpy.float32(0.5), "b": numpy.int64(3), "c": numpy.array(2), "d": numpy.zeros(3)}
    assert plain_values(values) == {"a": 0.5, "b": 3, "c": 2}


def test_secrets_are_left_out_and_other_tokens_stay():
    values = {"hub_token": "x", "api_key": "x", "DB_PASSWORD": "x", "pad_token": "[PAD]", "inside": {"secret": "x"}}
    assert plain_values(values) == {"pad_token": "[PAD]", "inside": {}}


def test_what_holds_itself_ends():
    values: dict[str, object] = {"a": 1}
    values["self"] = values
    found = plain_values(values)
    for _ in range(5):
        assert found["a"] == 1
        found = found["self"]


def test_a_missing_framework_is_an_error_that_says_what_to_install():
    assert "pip install keras" in missing("Keras", "keras").message
