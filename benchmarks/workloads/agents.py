"""Hyperband end to end: four agents in processes of their own run 24 trials from a store in a folder.

A trial logs a synthetic curve of 81 iterations, ten of them a second, until it is asked to stop. The best it could
have found is known: the curves are a function of the trials' settings.
"""

from __future__ import annotations

import os
import random
import resource
import time
from multiprocessing import get_context
from pathlib import Path

import cell
import hyperband
import trials

_PAUSE_S = 0.1
_METRIC = "loss"


def main() -> None:
    """The iterations of all trials, as their runs logged them, in `seconds` from the first agent's start."""
    here = cell.parse()
    trials.single_thread()
    count, length = here.choose(full=24, quick=4), here.choose(full=81, quick=10)
    os.environ["LINEAL_URL"] = str(here.folder / "store")
    import lineal

    sweep = lineal.sweep(_config(count, length), project="p")
    context = get_context("spawn")
    agents = [
        context.Process(target=work, args=(here.folder, sweep, length)) for _ in range(here.choose(full=4, quick=2))
    ]
    started = time.perf_counter()
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()
    seconds = time.perf_counter() - started
    assert all(agent.exitcode == 0 for agent in agents), "an agent failed"
    runs = list(lineal.Api(project="p").sweep(sweep).runs)
    assert len(runs) == count, f"{len(runs)} runs of {count} trials"
    iterations = sum(run.summary["iteration"] for run in runs)
    best = min(run.summary["best"] for run in runs)
    least = min(min(curve(run.config["seed"], length)) for run in runs)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of the largest agent
    here.record("sweeps.agents", seconds, iterations=iterations, worse=int(best > least), peak_mb=peak_mb)
    here.record("sweeps.agents.all", seconds, iterations=count * length)


def _config(count: int, length: int) -> dict[str, object]:
    return {
        "method": "random",
        "metric": {"name": _METRIC},
        "parameters": {"seed": {"min": 0, "max": 1 << 30}},
        "early_terminate": {"type": "hyperband", "min_iter": length // 9, "eta": 3},
        "run_cap": count,
    }


def curve(seed: int, length: int) -> hyperband.Curve:
    return hyperband.curves(random.Random(seed), 1, length)[0]


def work(folder: Path, sweep: str, length: int) -> None:
    """One agent, until no trials are left."""
    os.environ["LINEAL_URL"] = str(folder / "store")
    import lineal

    def train() -> None:
        with lineal.init(project="p") as run:
            best = float("inf")
            for iteration, value in enumerate(curve(run.config["seed"], length), 1):
                best = min(best, value)
                run.log({_METRIC: value, "best": best, "iteration": iteration})
                time.sleep(_PAUSE_S)

    lineal.agent(sweep, train, project="p")


if __name__ == "__main__":
    main()
