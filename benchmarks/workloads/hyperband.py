"""How many iterations hyperband saves: 40 synthetic learning curves of 81 iterations, four at a time, for 20 seeds.

All systems have the same curves; they only say which of them end early. `worse` is 1 where the best value found is
not the one that is found when all go on to the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import cell
import trials

_ETA, _FIRST, _AT_ONCE = 3, 9, 4

Curve = list[float]


class Lineal:
    """`log` says whether the trial has to end, as its other adapters do."""

    def __init__(self, length: int) -> None:
        from lineal.sweeps import stopping

        self._stopping: Any = stopping
        self._hyperband = stopping.Hyperband(min_iter=_FIRST, eta=_ETA)
        self._progress: dict[int, Any] = {}

    def log(self, trial: int, iteration: int, value: float) -> bool:
        known = self._progress.get(trial, self._stopping.Progress())
        now = self._stopping.advance(known, [value], self._hyperband, "minimize")
        self._progress[trial] = now
        others = [progress for number, progress in self._progress.items() if number != trial]
        return self._stopping.verdict(self._hyperband, "minimize", now, others, known.iterations) is not None

    def end(self, trial: int, value: float) -> None:
        pass


class ToTheEnd:
    """Nothing ends early."""

    def __init__(self, length: int) -> None:
        pass

    def log(self, trial: int, iteration: int, value: float) -> bool:
        return False

    def end(self, trial: int, value: float) -> None:
        pass


class Optuna:
    """Its `HyperbandPruner`."""

    def __init__(self, length: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruner, sampler = self._pruner(optuna.pruners, length), optuna.samplers.RandomSampler(seed=0)
        self._study = optuna.create_study(pruner=pruner, sampler=sampler)
        self._trials: dict[int, Any] = {}

    def _pruner(self, of: Any, length: int) -> Any:
        return of.HyperbandPruner(_FIRST, length, _ETA)

    def log(self, trial: int, iteration: int, value: float) -> bool:
        if trial not in self._trials:
            self._trials[trial] = self._study.ask()
        self._trials[trial].report(value, iteration)
        return bool(self._trials[trial].should_prune())

    def end(self, trial: int, value: float) -> None:
        self._study.tell(self._trials[trial], value)


class OptunaHalving(Optuna):
    def _pruner(self, of: Any, length: int) -> Any:
        return of.SuccessiveHalvingPruner(_FIRST, _ETA)


class Sweeps:
    """What wandb's local controller asks."""

    def __init__(self, length: int) -> None:
        import sweeps

        self._sweeps: Any = sweeps
        self._runs: dict[int, Any] = {}
        self._config = {
            "method": "random",
            "metric": {"name": "y", "goal": "minimize"},
            "parameters": {"x": {"min": 0.0, "max": 1.0}},
            "early_terminate": {"type": "hyperband", "min_iter": _FIRST, "eta": _ETA},
        }

    def log(self, trial: int, iteration: int, value: float) -> bool:
        state = self._sweeps.RunState.running
        run = self._runs.setdefault(trial, self._sweeps.SweepRun(name=str(trial), state=state))
        run.history.append({"y": value})
        stopped = self._sweeps.stop_runs(self._config, list(self._runs.values()))
        return any(each.name == run.name for each in stopped)

    def end(self, trial: int, value: float) -> None:
        self._runs[trial].state = self._sweeps.RunState.finished


ADAPTERS: dict[str, dict[str, Callable[[int], Any]]] = {
    "lineal": {"": Lineal, ".all": ToTheEnd},
    "optuna": {"": Optuna, ".halving": OptunaHalving},
    "sweeps": {"": Sweeps},
}


def main() -> None:
    """A measurement for each seed: the iterations, and whether something was lost."""
    here = cell.parse()
    trials.single_thread()
    count, length = here.choose(full=40, quick=9), here.choose(full=81, quick=27)
    for kind, make in ADAPTERS[here.system].items():
        for seed in range(here.choose(full=20, quick=2)):
            made = curves(random.Random(seed), count, length)
            went: list[tuple[int, float]] = []
            seconds = cell.timed(lambda: went.append(run(make(length), made)))  # noqa: B023
            (iterations, best), least = went[0], min(map(min, made))
            here.record(f"sweeps.stop{kind}", seconds, iterations=iterations, worse=int(best > least))


def curves(source: random.Random, count: int, length: int) -> list[Curve]:
    """Losses that fall as a power of the iteration to a floor of their own, with noise; fast ones aren't the lowest."""
    made = []
    for _ in range(count):
        floor, rate = 0.1 + 0.9 * source.random() ** 2, source.uniform(0.5, 1.5)
        noise = 0.02 * source.random()
        made.append([floor + (1.5 - floor) * n**-rate + source.gauss(0, noise) for n in range(1, length + 1)])
    return made


def run(adapter: Any, made: list[Curve]) -> tuple[int, float]:
    """How many iterations there were, and the best value of all."""
    waiting, running = list(range(len(made)))[::-1], {}  # type: list[int], dict[int, int]
    iterations, best = 0, float("inf")
    while waiting or running:
        while waiting and len(running) < _AT_ONCE:
            running[waiting.pop()] = 0
        for trial in list(running):
            running[trial] += 1
            value = made[trial][running[trial] - 1]
            iterations, best = iterations + 1, min(best, value)
            if adapter.log(trial, running[trial], value) or running[trial] == len(made[trial]):
                adapter.end(trial, value)
                del running[trial]
    return iterations, best


if __name__ == "__main__":
    main()
