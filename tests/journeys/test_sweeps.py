"""Sweeps as people run them: a YAML file, agents as processes that die, hyperband, and the best model promoted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import lineal
from lineal.client.connection import close_all
from lineal.sweeps.model import Trial
from tests.journeys.serving import PATIENCE_S, serving

EXAMPLE = Path(__file__).parents[2] / "examples/sweep"
LONG = """
import lineal, threading
with lineal.init() as run:
    for step in range(400):
        run.log({"loss": run.config["x"] / (step + 1)})
        threading.Event().wait(0.02)
"""
TORCH_SWEEP = """
program: train.py
project: digits-sweep
method: bayes
metric: {name: accuracy, goal: maximize}
run_cap: 8
lease_s: 5
parameters:
  lr: {distribution: log_uniform_values, min: 0.001, max: 1.0}
  optimizer: {values: [SGD, Adam]}
early_terminate: {type: hyperband, min_iter: 3, eta: 3}
"""
TORCH = """
import lineal, torch
from sklearn.datasets import load_digits
torch.manual_seed(0)
torch.set_num_threads(1)
images, kinds = (torch.tensor(part) for part in load_digits(return_X_y=True))
images = images.float() / 16
model = torch.nn.Linear(64, 10)
with lineal.init() as run:
    optimizer = getattr(torch.optim, run.config["optimizer"])(model.parameters(), lr=run.config["lr"])
    for epoch in range(60):
        loss = torch.nn.functional.cross_entropy(model(images[:1200]), kinds[:1200])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found = model(images[1200:]).argmax(1)
        run.log({"loss": loss, "accuracy": (found == kinds[1200:]).float().mean()})
    artifact = lineal.Artifact("digits-network", "model", metadata={"accuracy": run.summary["accuracy"]})
    with artifact.new_file("weights.bin", mode="wb") as file:
        file.write(model.weight.detach().numpy().tobytes())
    run.log_artifact(artifact)
"""


class Ground:
    """A folder where agents run, with a store that they share."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINEAL_")}
        self.env = {**kept, "LINEAL_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1", **variables}
        self.agents: list[subprocess.Popen[str]] = []

    def lineal(self, *words: str) -> str:
        """What the command prints."""
        command = [sys.executable, "-m", "lineal", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.lineal(*words, "--json"))

    def create(self, config: str, program: str | None = None) -> str:
        (self.folder / "sweep.yaml").write_text(textwrap.dedent(config))
        if program is not None:
            (self.folder / "train.py").write_text(program)
        return self.lineal("sweep", "create", "sweep.yaml").split()[0]

    def agent(self, sweep: str, *options: str) -> subprocess.Popen[str]:
        with (self.folder / f"agent{len(self.agents)}.log").open("w") as said:
            started = subprocess.Popen(
                [sys.executable, "-m", "lineal", "agent", sweep, *options],
                cwd=self.folder,
                env=self.env,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.agents.append(started)
        return started

    def told(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("agent*.log")))

    def end(self, *agents: subprocess.Popen[str]) -> None:
        for agent in agents or self.agents:
            assert agent.wait(PATIENCE_S) == 0, self.told()

    def until(self, true: Callable[[], bool]) -> None:
        """Waits for what the store is to say."""
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, self.told()
            threading.Event().wait(0.1)

    def trials(self, sweep: str) -> list[Trial]:
        """Every trial by number, as the store has it now."""
        return list(lineal.Api(self.env["LINEAL_URL"]).sweep(sweep).trials)

    def close(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                kill_whole(agent)
            agent.wait(PATIENCE_S)
        close_all()


def kill_whole(agent: subprocess.Popen[str]) -> None:
    """Ends the agent and its programs, as when their machine loses power."""
    process = psutil.Process(agent.pid)
    for one in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            one.kill()


@pytest.fixture(params=["folder", "postgres"])
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    store = str(tmp_path / "store")
    given = {"LINEAL_URL": store}
    if request.param == "postgres":
        given = {"LINEAL_URL": request.getfixturevalue("postgres_url"), "LINEAL_STORE": store}
        monkeypatch.setenv("LINEAL_STORE", store)
    made = Ground(tmp_path, **given)
    yield made
    made.close()


@pytest.fixture
def by_folder(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, LINEAL_URL=str(tmp_path / "store"))
    yield made
    made.close()


@pytest.mark.parametrize("learner", ["scikit-learn", "torch"])
def test_a_search_by_four_agents_with_hyperband_ends_in_a_promoted_model(by_folder: Ground, learner: str) -> None:
    ground = by_folder
    config = (EXAMPLE / "sweep.yaml").read_text().replace("run_cap: 16", "run_cap: 14\nlease_s: 5")
    program = (EXAMPLE / "train.py").read_text()
    if learner == "torch":
        pytest.importorskip("torch")
        config, program = TORCH_SWEEP, TORCH
    sweep = ground.create(config, program)
    first = [ground.agent(sweep, "--count", "20") for _ in range(4)]
    ground.until(lambda: len(ground.trials(sweep)) >= 5)
    kill_whole(first[0])  # a machine is gone, another agent takes its place
    ground.agent(sweep)
    ground.end(*ground.agents[1:])

    shown = ground.json("sweep", "show", sweep)
    trials = ground.trials(sweep)
    assert (shown["sweep"]["state"], len(trials)) == ("finished", shown["sweep"]["expected_run_count"])
    assert {trial.state for trial in trials} <= {"finished", "stopped"}
    assert all("hyperband at iteration" in trial.message for trial in trials if trial.state == "stopped")
    assert len({json.dumps(dict(trial.params)) for trial in trials}) == len(trials)

    ground.lineal("sweep", "best", sweep, "--promote", "production")
    best = max(trials, key=lambda trial: trial.values["accuracy"])
    model = lineal.Api(ground.env["LINEAL_URL"]).artifact("digits-sweep/digits-network:production")
    assert model.metadata["accuracy"] == best.values["accuracy"]
    assert model.logged_by().id == best.run_id
    assert best.values["accuracy"] > 0.9
    assert f"trial {best.number} of sweep" in ground.lineal("audit", "digits-sweep/digits-network:production")
    tree = ground.lineal("lineage", f"sweep:{sweep}")
    assert "digits-network:v0" in tree


def test_killed_agents_lose_and_double_nothing(ground: Ground) -> None:
    sweep = ground.create(
        """
        method: grid
        program: train.py
        metric: {name: loss}
        lease_s: 3
        parameters: {x: {values: [1, 2, 3, 4, 5, 6]}}
        """,
        LONG.replace("400", "200"),
    )
    agents = [ground.agent(sweep, "--parallel", "2") for _ in range(2)]
    ground.until(lambda: sum(trial.iterations > 3 for trial in ground.trials(sweep)) >= 2)
    for agent in agents:
        kill_whole(agent)
    again = [ground.agent(sweep), ground.agent(sweep)]
    ground.end(*again)
    trials = ground.trials(sweep)
    assert [(trial.state, trial.params["x"]) for trial in trials] == [("finished", x) for x in range(1, 7)]
    assert all(trial.values["loss"] == trial.params["x"] / 200 for trial in trials)
    assert any(trial.attempt > 1 for trial in trials)
    assert len({trial.run_id for trial in trials}) == 6


def test_a_script_that_outlives_its_agent_still_counts(by_folder: Ground) -> None:
    ground = by_folder
    sweep = ground.create(
        """
        method: random
        program: train.py
        run_cap: 1
        metric: {name: loss}
        lease_s: 5
        parameters: {x: {min: 1.0, max: 2.0}}
        """,
        LONG.replace("400", "200"),
    )
    agent = ground.agent(sweep)
    ground.until(lambda: any(trial.iterations > 3 for trial in ground.trials(sweep)))
    agent.kill()
    ground.until(lambda: ground.trials(sweep)[0].state == "finished")
    (trial,) = ground.trials(sweep)
    assert (trial.attempt, trial.iterations) == (1, 200)


def test_a_machine_that_is_taken_away_gives_its_trial_back(by_folder: Ground) -> None:
    """As SLURM and Kubernetes do it: SIGTERM, and somewhere else the same run goes on."""
    ground = by_folder
    program = LONG.replace("with lineal.init() as run:", "with lineal.init() as run:\n    run.mark_preempting()")
    sweep = ground.create(
        """
        method: random
        program: train.py
        run_cap: 1
        metric: {name: loss}
        parameters: {x: {min: 1.0, max: 2.0}}
        """,
        program.replace("range(400)", "range(run.step, 300)"),
    )
    agent = ground.agent(sweep)
    ground.until(lambda: any(trial.iterations > 3 for trial in ground.trials(sweep)))
    before = ground.trials(sweep)[0]
    agent.send_signal(signal.SIGTERM)
    agent.wait(PATIENCE_S)
    assert ground.trials(sweep)[0].state == "waiting"
    ground.end(ground.agent(sweep))
    (after,) = ground.trials(sweep)
    assert (after.state, after.run_id, after.attempt) == ("finished", before.run_id, 1)
    history = lineal.Api(ground.env["LINEAL_URL"]).run(after.run_id).history(keys=["loss"], pandas=False)
    assert [row["_step"] for row in history] == list(range(300))


def test_sixteen_agents_at_once_share_a_grid_without_a_gap(ground: Ground) -> None:
    sweep = ground.create(
        """
        method: grid
        program: train.py
        metric: {name: loss}
        parameters:
          x: {values: [1, 2, 3, 4, 5, 6, 7, 8]}
          y: {values: [a, b, c]}
        """
    )
    script = f"""
import lineal
def train():
    with lineal.init() as run:
        run.log({{"loss": run.config["x"]}})
print(lineal.agent({sweep!r}, train))
"""
    command = [sys.executable, "-c", script]
    more: dict[str, Any] = {"cwd": ground.folder, "env": ground.env, "text": True}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, **more) for _ in range(16)]
    counts = [int(agent.communicate(timeout=PATIENCE_S)[0]) for agent in running]
    trials = ground.trials(sweep)
    assert sum(counts) == len(trials) == 24
    assert len({(trial.params["x"], trial.params["y"]) for trial in trials}) == 24
    assert Counter(trial.state for trial in trials) == {"finished": 24}


def test_a_sweep_that_is_deleted_ends_its_agents_with_a_word(by_folder: Ground) -> None:
    ground = by_folder
    sweep = ground.create(
        """
        method: random
        program: train.py
        metric: {name: loss}
        lease_s: 4
        parameters: {x: {min: 1.0, max: 2.0}}
        """,
        LONG,
    )
    agent = ground.agent(sweep)
    ground.until(lambda: any(trial.iterations > 3 for trial in ground.trials(sweep)))
    (run_id,) = [trial.run_id for trial in ground.trials(sweep)]
    ground.lineal("sweep", "rm", sweep, "--yes")
    assert agent.wait(PATIENCE_S) != 0
    assert "is gone" in ground.told()
    assert lineal.Api(ground.env["LINEAL_URL"]).run(run_id).state in ("killed", "crashed")


def test_a_server_that_is_away_for_a_while_costs_no_trial(tmp_path: Path) -> None:
    with serving(tmp_path / "served") as server:
        ground = Ground(tmp_path, LINEAL_URL=server.url)
        try:
            sweep = ground.create(
                """
                method: grid
                program: train.py
                metric: {name: loss}
                parameters: {x: {values: [1, 2, 3, 4]}}
                """,
                LONG.replace("400", "100"),
            )
            agents = [ground.agent(sweep), ground.agent(sweep)]
            ground.until(lambda: any(trial.iterations > 3 for trial in ground.trials(sweep)))
            server.signal(signal.SIGKILL)
            server.ended()
            with serving(tmp_path / "served", "--port", str(server.port)):
                ground.end(*agents)
                trials = ground.trials(sweep)
            assert [(trial.state, trial.attempt) for trial in trials] == [("finished", 1)] * 4
            assert [trial.values["loss"] for trial in trials] == [x / 100 for x in (1, 2, 3, 4)]
        finally:
            ground.close()


def test_a_tiny_torch_training_is_searched_by_function_agents(by_folder: Ground, monkeypatch: Any) -> None:
    torch = pytest.importorskip("torch")
    ground = by_folder
    for name in ("LINEAL_URL", "LINEAL_CACHE_DIR"):
        monkeypatch.setenv(name, ground.env[name])

    def train() -> None:
        with lineal.init(settings={"console": False, "system": False}) as run:
            torch.manual_seed(0)
            x = torch.linspace(-1, 1, 64).reshape(-1, 1)
            model = torch.nn.Linear(1, 1)
            optimizer = getattr(torch.optim, run.config["optimizer"])(model.parameters(), lr=run.config["lr"])
            for _ in range(30):
                loss = ((model(x) - (3 * x + 1)) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"loss": loss})

    sweep = lineal.sweep(
        {
            "method": "bayes",
            "metric": {"name": "loss", "goal": "minimize"},
            "run_cap": 12,
            "parameters": {
                "lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1.0},
                "optimizer": {"values": ["SGD", "Adam"]},
            },
        },
        project="tiny",
    )
    assert lineal.agent(sweep, train) == 12
    found = lineal.Api().sweep(sweep)
    best = found.best_run()
    assert (found.state, found.expected_run_count, len(found.runs)) == ("finished", 12, 12)
    assert best.summary["loss"] == min(run.summary["loss"] for run in found.runs) < 0.5


def test_ray_runs_four_agents_on_one_machine(by_folder: Ground, request: pytest.FixtureRequest) -> None:
    """Ray decides where agents run, Lineal what they run; a process of its own, since Ray starts many."""
    ground = by_folder
    sweep = ground.create(
        """
        method: grid
        metric: {name: loss}
        parameters: {x: {values: [1, 2, 3, 4, 5, 6, 7, 8]}}
        """
    )
    short = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # the paths of its sockets have at most 107 bytes
    request.addfinalizer(lambda: shutil.rmtree(short, ignore_errors=True))
    script = f"""
import ray

@ray.remote(num_cpus=1)
def agent():
    import lineal

    def train():
        with lineal.init() as run:
            run.log({{"loss": run.config["x"]}})

    return lineal.agent({sweep!r}, train)

ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, _temp_dir={short!r})
print(sum(ray.get([agent.remote() for _ in range(4)])))
"""
    command = [sys.executable, "-c", script]
    env = {**ground.env, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        command, cwd=ground.folder, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "8"
    trials = ground.trials(sweep)
    assert Counter(trial.state for trial in trials) == {"finished": 8}
    agents = lineal.Api(ground.env["LINEAL_URL"]).sweep(sweep).agents
    assert len(agents) == 4
    assert all(agent.left_at is not None for agent in agents)
