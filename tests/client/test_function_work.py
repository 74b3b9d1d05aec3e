import pytest

import lineal
from lineal.client.function_work import FunctionWork
from lineal.client.trial import Assigned


@pytest.fixture
def mine():
    """A trial that was taken."""
    sweep_id = lineal.sweep({"method": "grid", "parameters": {"lr": {"values": [0.1]}}}, project="digits")
    given = lineal.Api()._connection.backend.sweeps.take(sweep_id, "here", "token").trial
    return Assigned(sweep_id, given.number, given.run_id, "local", "digits", None, given.params)


def test_the_function_is_called_as_the_trial_and_its_run_ended(mine):
    seen = []
    assert FunctionWork(lambda: seen.append(lineal.init().config["lr"])).run(mine) == ""
    assert seen == [0.1]
    assert mine.run.state == "finished"
    assert lineal.run is None


def test_why_the_function_failed_is_told_and_its_run_fails(mine):
    def fails():
        lineal.init()
        raise ValueError

    assert FunctionWork(fails).run(mine) == "ValueError"
    assert mine.run.state == "failed"


def test_a_function_without_a_run_has_failed(mine):
    assert FunctionWork(lambda: None).run(mine) == "its function ended without a run: call lineal.init() in it"


def test_an_interrupt_ends_the_run_and_goes_on(mine):
    def interrupted():
        lineal.init()
        raise KeyboardInterrupt

    work = FunctionWork(interrupted)
    work.end()
    with pytest.raises(KeyboardInterrupt):
        work.run(mine)
    assert mine.run.state == "killed"
