"""The sentences of `port.Runs`, held against every implementation."""

from collections.abc import Callable

import pytest

from lineal.core import clock, errors

from .conftest import Desk

Open = Callable[..., Desk]


def test_a_run_says_what_it_was_started_with(open_desk: Open) -> None:
    desk = open_desk(user="grace", project="vision")
    before = clock.now()
    code = {"commit": "abc", "dirty": True}
    run = desk.backend.runs.start("r1", name="first", job_type="train", config={"lr": 0.1}, code=code)
    assert before <= run.created_at <= clock.now()
    assert (run.id, run.path, run.name, run.job_type) == ("r1", "local/vision/r1", "first", "train")
    assert (run.state, run.config, run.code, run.user) == ("running", {"lr": 0.1}, code, "grace")
    assert run.finished_at is None
    assert desk.backend.runs.get("r1") == run


def test_starting_a_run_again_is_the_same_run(desk: Desk) -> None:
    first = desk.backend.runs.start("r1", config={"a": 1})
    assert desk.backend.runs.start("r1", project="elsewhere", config={"a": 2}) == first


def test_a_run_without_a_name_is_named_by_its_id(desk: Desk) -> None:
    assert desk.backend.runs.start("r1").name == "r1"


@pytest.mark.parametrize("state", ["finished", "failed", "killed", "crashed"])
def test_a_run_ends_once_and_stays_as_it_ended(desk: Desk, state: str) -> None:
    desk.run("r1")
    ended = desk.backend.runs.finish("r1", state)
    assert (ended.state, ended.finished_at is not None) == (state, True)
    assert desk.backend.runs.finish("r1", "failed") == ended
    assert desk.backend.runs.start("r1") == ended


@pytest.mark.parametrize("state", ["running", "", "done"])
def test_a_run_does_not_end_in_a_state_that_is_no_end(desk: Desk, state: str) -> None:
    desk.run("r1")
    with pytest.raises(errors.InvalidArgument):
        desk.backend.runs.finish("r1", state)
    assert desk.backend.runs.get("r1").finished_at is None


def test_the_config_of_a_run_is_replaced_even_when_it_has_ended(desk: Desk) -> None:
    desk.run("r1", config={"a": 1})
    assert desk.backend.runs.change("r1", config={"b": 2}).config == {"b": 2}
    desk.backend.runs.finish("r1")
    assert desk.backend.runs.change("r1", config={"c": 3}).config == {"c": 3}


def test_numbers_that_are_not_finite_survive_in_a_config(desk: Desk) -> None:
    nan, inf = float("nan"), float("inf")
    desk.run("r1", config={"low": {"at": [-inf, inf]}, "gone": nan})
    config = desk.backend.runs.get("r1").config
    assert config["low"] == {"at": [-inf, inf]}
    assert config["gone"] != config["gone"]


@pytest.mark.parametrize("value", [object(), b"x", 1j])
def test_a_config_that_json_cannot_say_is_refused_by_key(desk: Desk, value: object) -> None:
    with pytest.raises(errors.InvalidMetadata, match=r"score\.valid\[1\]"):
        desk.run("r", config={"score": {"valid": [1, value]}})


def test_a_run_that_is_not_there_is_not_found(desk: Desk) -> None:
    for ask in (
        lambda: desk.backend.runs.get("nobody"),
        lambda: desk.backend.runs.finish("nobody"),
        lambda: desk.backend.runs.change("nobody", config={}),
    ):
        with pytest.raises(errors.RunNotFound):
            ask()


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "x" * 65, "run:x", "r\n"])
def test_a_run_id_is_a_name_of_at_most_64_letters(desk: Desk, run_id: str) -> None:
    with pytest.raises(errors.InvalidName):
        desk.backend.runs.start(run_id)


@pytest.mark.parametrize("text", ["half a character: \ud800", "a NUL: \x00"])
def test_texts_of_a_run_that_no_database_can_hold_are_refused(desk: Desk, text: str) -> None:
    with pytest.raises(errors.Invalid):
        desk.run("r1", name=text)
    with pytest.raises(errors.Invalid):
        desk.run("r1", job_type=text)
    with pytest.raises(errors.RunNotFound):
        desk.backend.runs.get("r1")
