import os
import signal
import sys
import textwrap
import threading

import pytest

import lineal
from lineal.client import patience
from lineal.client.agent import Agent, agent_of
from lineal.client.connection import connection
from lineal.core.errors import InvalidArgument, MissingDependency, StoreUnavailable, SweepNotFound
from tests.processes import ROOT, start_child

__all__ = ["start_child"]  # a fixture


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """Programs import this checkout."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def swept(count=3, **more):
    config = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": list(range(count))}}}
    return lineal.sweep(config | more, project="digits")


def view(sweep_id):
    return lineal.Api().sweep(sweep_id)


def states(sweep_id):
    return [trial.state for trial in view(sweep_id).trials]


def train():
    with lineal.init() as run:
        run.log({"loss": run.config.lr})


# ---- functions -----------------------------------------------------------------------------------------------


def test_an_agent_calls_the_function_for_every_trial_until_there_are_none_left():
    sweep_id = swept(3)
    assert lineal.agent(sweep_id, train) == 3
    found = view(sweep_id)
    assert found.state == "finished"
    assert [(trial.state, trial.values) for trial in found.trials] == [("finished", {"loss": n}) for n in range(3)]
    assert lineal.agent(sweep_id, train) == 0
    (one, other) = found.agents
    assert one.left_at is not None
    assert (one.message, other.message) == ("", "")


def test_count_is_how_many_it_runs():
    sweep_id = swept(3)
    assert lineal.agent(f"local/digits/{sweep_id}", train, count=2) == 2
    assert states(sweep_id) == ["finished", "finished"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"parallel": 0}, "parallel is 0"),
        ({"parallel": 257}, "1 to 256"),
        ({"function": "train"}, "function is a str"),
    ],
)
def test_what_no_agent_can_do_is_refused(asked, message):
    with pytest.raises(InvalidArgument, match=message):
        agent_of(connection(), swept(), **asked)


def test_an_agent_needs_the_store(monkeypatch):
    sweep_id = swept()
    monkeypatch.setenv("LINEAL_MODE", "offline")
    with pytest.raises(InvalidArgument, match="LINEAL_MODE is offline"):
        lineal.agent(sweep_id, train)


def test_a_sweep_that_is_not_there_is_told():
    with pytest.raises(SweepNotFound):
        lineal.agent("nothing", train)
    with pytest.raises(SweepNotFound, match="is in local/digits"):
        lineal.agent(f"other/{swept()}", train)


def test_an_exception_fails_its_trial_and_the_agent_goes_on(caplog):
    def fails_first():
        run = lineal.init()
        if run.config.lr == 0:
            raise ValueError("too small")
        run.log({"loss": 1})

    sweep_id = swept(2)
    assert lineal.agent(sweep_id, fails_first) == 2
    first, second = view(sweep_id).trials
    assert (first.state, first.message) == ("failed", "ValueError: too small")
    assert second.state == "finished"
    run = lineal.Api().run(first.run_id)
    assert (run.state, run.exit_code) == ("failed", 1)
    assert "fails_first" in run.message
    assert lineal.run is None
    assert "trial 0 failed" in caplog.text


def test_a_function_that_starts_no_run_fails_its_trial():
    sweep_id = swept(2)
    assert lineal.agent(sweep_id, lambda: None) == 2
    assert {(trial.state, trial.message) for trial in view(sweep_id).trials} == {
        ("failed", "its function ended without a run: call lineal.init() in it")
    }


def test_a_run_that_was_left_open_is_finished():
    sweep_id = swept(1)
    lineal.agent(sweep_id, lambda: lineal.init().log({"loss": 5}))
    assert view(sweep_id).trials[0].values == {"loss": 5}


def test_an_agent_with_too_many_failures_in_a_row_stops_itself_and_says_why(caplog):
    def fails():
        with lineal.init():
            raise ValueError("no CUDA device")

    sweep_id = swept(9, max_failures=2)
    assert lineal.agent(sweep_id, fails) == 2
    said = "stopped itself after 2 failed trials in a row; the last: ValueError: no CUDA device"
    assert f"the agent {said}" in caplog.text
    assert [agent.message for agent in view(sweep_id).agents] == [said]
    assert states(sweep_id) == ["failed", "failed"]


def test_failures_count_only_in_a_row():
    def fails_when_even():
        with lineal.init() as run:
            if run.config.lr % 2 == 0:
                raise ValueError("even")
            run.log({"loss": 1})

    assert lineal.agent(swept(6, max_failures=2), fails_when_even) == 6


def test_a_metric_that_is_never_logged_fails_the_trial():
    def forgets():
        lineal.init().log({"other": 1})

    sweep_id = swept(5, max_failures=1)
    assert lineal.agent(sweep_id, forgets) == 1
    (trial,) = view(sweep_id).trials
    assert trial.state == "failed"
    assert "loss" in trial.message


def test_a_run_that_is_asked_to_stop_is_no_failure():
    def is_stopped():
        run = lineal.init()
        run.log({"loss": 1})
        lineal.Api().run(run.id).stop()
        while True:
            run.log({"loss": 1})
            run._outbox.flush()

    sweep_id = swept(2, max_failures=1)
    assert lineal.agent(sweep_id, is_stopped) == 2
    assert states(sweep_id) == ["stopped", "stopped"]


@pytest.mark.parametrize(("code", "state"), [(0, "finished"), (3, "failed")])
def test_a_function_that_exits_ends_its_trial_and_not_the_agent(code, state):
    def leaves():
        lineal.init().log({"loss": 1})
        sys.exit(code)

    sweep_id = swept(2)
    assert lineal.agent(sweep_id, leaves) == 2
    assert states(sweep_id) == [state, state]


def test_an_interrupt_ends_the_run_and_the_agent_and_the_trial_is_offered_again():
    def interrupted():
        with lineal.init() as run:
            run.log({"loss": 1})
            raise KeyboardInterrupt

    sweep_id = swept(1)
    with pytest.raises(KeyboardInterrupt):
        lineal.agent(sweep_id, interrupted)
    (trial,) = view(sweep_id).trials
    assert trial.state == "waiting"
    assert lineal.Api().run(trial.run_id).state == "killed"
    assert view(sweep_id).agents[0].left_at is not None
    assert lineal.agent(sweep_id, train) == 1
    assert [(trial.state, trial.attempt) for trial in view(sweep_id).trials] == [("finished", 2)]


def test_a_preempted_run_goes_on_as_the_same_run():
    ids = []

    def preempted():
        with lineal.init() as run:
            ids.append(run.id)
            run.log({"loss": 2})
            run.mark_preempting()
            raise KeyboardInterrupt

    def goes_on():
        with lineal.init() as run:
            ids.append(run.id)
            assert run.resumed
            run.log({"loss": 1})

    sweep_id = swept(1)
    with pytest.raises(KeyboardInterrupt):
        lineal.agent(sweep_id, preempted)
    assert states(sweep_id) == ["waiting"]
    assert lineal.agent(sweep_id, goes_on) == 1
    assert len(set(ids)) == 1
    assert [row["loss"] for row in lineal.Api().run(ids[0]).scan_history(["loss"])] == [2, 1]
    assert view(sweep_id).trials[0].values == {"loss": 1}


def test_a_run_that_was_never_sent_is_sent_by_the_agent(monkeypatch):
    sweep_id = swept(1)

    def offline():
        with lineal.init(mode="offline") as run:
            run.log({"loss": 3})

    assert lineal.agent(sweep_id, offline) == 1
    assert view(sweep_id).trials[0].values == {"loss": 3}


# ---- a store that is away, a sweep that is gone ----------------------------------------------------------------


class Away:
    """The store's sweeps, which can't be reached for the first calls of each operation; what was done is kept."""

    def __init__(self, inner, times=2, problem=StoreUnavailable):
        self._inner, self._times, self._problem = inner, times, problem
        self.calls: dict[str, int] = {}

    def __getattr__(self, name):
        operation = getattr(self._inner, name)

        def call(*args, **kwargs):
            self.calls[name] = self.calls.get(name, 0) + 1
            if self.calls[name] <= self._times:
                if name == "take":
                    operation(*args, **kwargs)  # it was done, and only the answer got lost
                raise self._problem("gone for a minute")
            return operation(*args, **kwargs)

        return call


def lossy(monkeypatch, sweep_id, **more):
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.001)
    worker = agent_of(connection(), sweep_id, train)
    away = Away(worker._sweeps, **more)
    monkeypatch.setattr(Agent, "_sweeps", property(lambda _: away))
    return worker


def test_a_store_that_is_gone_for_a_while_loses_no_trial_and_doubles_none(monkeypatch):
    sweep_id = swept(3)
    assert lossy(monkeypatch, sweep_id).run() == 3
    found = view(sweep_id)
    assert [trial.state for trial in found.trials] == ["finished"] * 3
    assert len(found.runs) == 3
    assert found.agents[0].left_at is not None


def test_what_waiting_does_not_mend_ends_the_agent(monkeypatch):
    with pytest.raises(MissingDependency):
        lossy(monkeypatch, swept(3), times=1, problem=MissingDependency).run()


def test_a_sweep_that_is_deleted_under_its_agent_ends_it():
    sweep_id = swept(3)

    def deletes():
        with lineal.init() as run:
            view(sweep_id).delete()
            while True:
                run.log({"loss": 1})
                run._outbox.flush()

    with pytest.raises(SweepNotFound, match=f"sweep {sweep_id} is gone"):
        lineal.agent(sweep_id, deletes)


def test_a_trial_of_a_cancelled_sweep_hears_of_it_and_the_agent_leaves():
    sweep_id = swept(3)

    def cancels():
        with lineal.init() as run:
            run.log({"loss": 1})
            view(sweep_id).cancel()
            while True:
                run.log({"loss": 1})
                run._outbox.flush()

    assert lineal.agent(sweep_id, cancels) == 1
    assert states(sweep_id) == ["stopped"]
    assert view(sweep_id).state == "cancelled"


def test_an_agent_waits_while_the_sweep_is_paused(monkeypatch):
    sweep_id = swept(1)
    view(sweep_id).pause()
    said = []

    def say(text):
        said.append(text)
        if text.startswith("Waiting"):
            view(sweep_id).resume()

    assert agent_of(connection(), sweep_id, train, say=say).run() == 1
    assert [text for text in said if text.startswith("Waiting")] == ["Waiting: paused by ada."]


def test_two_agents_never_get_the_same_trial():
    sweep_id = swept(6)
    first = agent_of(connection(), sweep_id, train, count=3)
    second = agent_of(connection(), sweep_id, train, count=3)
    assert first.id != second.id
    assert first.run() + second.run() == 6
    assert sorted(trial.params["lr"] for trial in view(sweep_id).trials) == list(range(6))


# ---- programs ------------------------------------------------------------------------------------------------


def program(tmp_path, body, name="train.py"):
    path = tmp_path / name
    path.write_text("import lineal, os, signal, sys, time\n" + textwrap.dedent(body))
    return str(path)


TRAINS = """
with lineal.init() as run:
    run.log({"loss": run.config.lr})
assert f"--lr={run.config.lr}" in sys.argv, sys.argv
"""


def programmed(tmp_path, body, count=3, **more):
    return swept(count, program=program(tmp_path, body), command=["${interpreter}", "${program}", "${args}"], **more)


def test_a_program_is_run_for_every_trial(tmp_path):
    sweep_id = programmed(tmp_path, TRAINS, 2)
    assert lineal.agent(sweep_id) == 2
    assert [trial.values for trial in view(sweep_id).trials] == [{"loss": 0}, {"loss": 1}]


def test_several_programs_run_at_once(tmp_path):
    """Each waits for the other, so that one after the other would never end."""
    body = """
    with lineal.init() as run:
        run.log({"loss": 1})
        mine, other = (f"pipe{n}" for n in (run.config.lr, 1 - run.config.lr))
        open(mine, "w").close() if run.config.lr else open(other).close()
    """
    os.mkfifo("pipe1")
    sweep_id = programmed(tmp_path, body, 2)
    assert agent_of(connection(), sweep_id, parallel=2).run() == 2
    assert states(sweep_id) == ["finished", "finished"]


def test_a_program_that_ends_without_a_run_fails_its_trial(tmp_path):
    sweep_id = programmed(tmp_path, "sys.exit(5 * ('--lr=0' in sys.argv))", 2)
    assert lineal.agent(sweep_id) == 2
    assert [trial.message for trial in view(sweep_id).trials] == [
        "its program ended with exit code 5",
        "its program ended without a run: call lineal.init() in it",
    ]


def test_a_program_that_can_not_be_started_stops_the_agent_after_some_failures():
    sweep_id = swept(9, command=["/no/such/program", "${args}"], max_failures=3)
    worker = agent_of(connection(), sweep_id)
    assert worker.run() == 3
    assert worker.message.startswith("stopped itself after 3 failed trials in a row; the last: its program can't be")
    assert states(sweep_id) == ["failed"] * 3


def test_a_program_killed_at_once_is_offered_again_until_there_were_enough_attempts(tmp_path):
    body = """
    run = lineal.init()
    run.log({"loss": 1})
    run._outbox.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    """
    sweep_id = programmed(tmp_path, body, 1, max_attempts=2)
    assert lineal.agent(sweep_id) == 2
    found = view(sweep_id)
    (trial,) = found.trials
    assert (trial.state, trial.attempt) == ("failed", 2)
    assert [run.state for run in found.runs] == ["crashed", "crashed"]


def test_a_cancelled_sweep_ends_its_programs(tmp_path):
    body = """
    run = lineal.init()
    open("pipe", "w").close()
    time.sleep(60)
    """
    os.mkfifo("pipe")
    sweep_id = programmed(tmp_path, body, 2, lease_s=1)
    worker = agent_of(connection(), sweep_id)
    thread = threading.Thread(target=worker.run)
    thread.start()
    open("pipe").close()
    view(sweep_id).cancel()
    thread.join(30)
    assert not thread.is_alive()
    assert lineal.Api().sweep(sweep_id).trials[0].state in ("stopped", "failed")


AGENT = "import lineal, sys; lineal.agent(sys.argv[1])"


def test_a_sigterm_ends_the_agent_and_its_programs_and_their_trials_are_offered_again(tmp_path, start_child):
    body = """
    run = lineal.init()
    run.log({"loss": 2})
    open("pipe", "w").close()
    time.sleep(60)
    """
    os.mkfifo("pipe")
    sweep_id = programmed(tmp_path, body, 1)
    child = start_child(AGENT, sweep_id)
    open("pipe").close()
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 143
    found = view(sweep_id)
    assert [(trial.state, trial.attempt) for trial in found.trials] == [("waiting", 1)]
    assert [run.state for run in found.runs] == ["killed"]
    assert found.agents[0].left_at is not None
    program(tmp_path, TRAINS)
    assert lineal.agent(sweep_id) == 1
    assert states(sweep_id) == ["finished"]


FUNCTION = """
import lineal, time
def train():
    with lineal.init() as run:
        run.log({"loss": 1})
        open("pipe", "w").close()
        time.sleep(60)
lineal.agent(sys.argv[1], train)
"""


def test_a_sigterm_ends_a_function_and_its_trial_is_offered_again(start_child):
    os.mkfifo("pipe")
    sweep_id = swept(1)
    child = start_child(FUNCTION, sweep_id)
    open("pipe").close()
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 143
    assert states(sweep_id) == ["waiting"]
    assert view(sweep_id).agents[0].left_at is not None


def test_an_agent_killed_at_once_leaves_its_program_which_comes_to_its_end(tmp_path, start_child):
    body = """
    with lineal.init() as run:
        open("pipe", "w").close()
        open("go").close()
        run.log({"loss": 2})
    """
    os.mkfifo("pipe")
    os.mkfifo("go")
    sweep_id = programmed(tmp_path, body, 1)
    child = start_child(AGENT, sweep_id)
    open("pipe").close()
    child.kill()
    child.wait(60)
    open("go", "w").close()
    assert lineal.agent(sweep_id) == 0
    assert [trial.values for trial in view(sweep_id).trials] == [{"loss": 2}]


def test_what_an_agent_says_names_trials_runs_and_parameters():
    said = []
    sweep_id = swept(1)
    agent_of(connection(), sweep_id, train, say=said.append).run()
    run_id = view(sweep_id).trials[0].run_id
    assert said == [
        f"Trial 0 (run {run_id}): lr=0",
        "There is nothing left to take: every point of the grid was tried.",
    ]
