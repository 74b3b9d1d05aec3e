import threading
from types import SimpleNamespace

import pytest

import lineal
from lineal.client.beats import Beats
from lineal.core.errors import StoreUnavailable, SweepNotFound

CONFIG = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [1, 2]}}}


@pytest.fixture
def taken():
    """A sweep, and the number of a trial that the agent `here` took."""
    sweep_id = lineal.sweep(CONFIG)
    sweeps = lineal.Api()._connection.backend.sweeps
    return SimpleNamespace(id=sweep_id, sweeps=sweeps, number=sweeps.take(sweep_id, "here", "token").trial.number)


class Heard:
    """What beats hear, and when they did."""

    def __init__(self):
        self.gone, self.refused = [], []
        self.something = threading.Event()

    def on_gone(self, numbers):
        self.gone += numbers
        self.something.set()

    def on_refused(self, problem):
        self.refused.append(problem)
        self.something.set()


def beats(sweeps, sweep_id, heard):
    return Beats(sweeps, sweep_id, "here", interval_s=0.02, gone=heard.on_gone, refused=heard.on_refused)


def test_a_beat_keeps_a_trial_the_agents(taken):
    said = threading.Event()
    before = taken.sweeps.list_agents(taken.id)[0].seen_at

    def beat(sweep_id, agent, numbers):
        orders = taken.sweeps.beat(sweep_id, agent, numbers)
        assert (numbers, orders.gone) == ([taken.number], ())
        said.set()
        return orders

    heard = Heard()
    beating = beats(SimpleNamespace(beat=beat), taken.id, heard)
    beating.add(taken.number)
    beating.start()
    assert said.wait(10)
    beating.stop()
    assert not beating._thread.is_alive()
    assert taken.sweeps.list_agents(taken.id)[0].seen_at > before
    assert (heard.gone, heard.refused) == ([], [])


def test_a_trial_that_is_somebody_elses_by_now_is_told(taken):
    heard = Heard()
    beating = beats(taken.sweeps, taken.id, heard)
    beating.add(taken.number)
    taken.sweeps.change(taken.id, state="cancelled")
    beating.start()
    assert heard.something.wait(10)
    beating.stop()
    assert heard.gone[0] == taken.number


def test_one_that_the_agent_has_ended_itself_is_not_told(taken):
    asked = threading.Event()
    heard = Heard()

    def beat(sweep_id, agent, numbers):
        orders = taken.sweeps.beat(sweep_id, agent, numbers)
        beating.remove(taken.number)
        asked.set()
        return orders

    beating = beats(SimpleNamespace(beat=beat), taken.id, heard)
    beating.add(taken.number)
    taken.sweeps.change(taken.id, state="cancelled")
    beating.start()
    assert asked.wait(10)
    beating.stop()
    assert heard.gone == []


def test_a_store_that_is_away_is_asked_again_and_a_sweep_that_is_gone_is_told(taken):
    heard, calls = Heard(), []

    def beat(sweep_id, agent, numbers):
        calls.append(numbers)
        if len(calls) < 3:
            raise StoreUnavailable("away")
        return taken.sweeps.beat(sweep_id, agent, numbers)

    taken.sweeps.delete(taken.id)
    beating = beats(SimpleNamespace(beat=beat), taken.id, heard)
    beating.start()
    assert heard.something.wait(10)
    beating.stop()
    assert len(calls) == 3
    assert [type(problem) for problem in heard.refused] == [SweepNotFound]
