"""How good the best of 30 trials is: its regret, the difference to the least value that there is, for 20 seeds.

`alone`: two functions, one trial at a time. `four`: the same, four pending at all times. `tables`: two models that
scikit-learn trained. Seeds are spread over the cores, one thread each.
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import cell
import problems
import searchers

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PENDING = {"alone": 1, "four": 4, "tables": 1}
_WORKS = {"four": ".four"}


_FIRST_SEED = 5000  # lower ones were looked at while the search was written


class Job(NamedTuple):
    """One search."""

    name: str
    kind: str
    seed: int
    trials: int


class Found(NamedTuple):
    seconds: float
    regret: float
    peak_mb: float


def main() -> None:
    """A measurement for each seed: the regret, and the seconds that the searcher took."""
    here = cell.parse()
    single_thread()
    names = list(problems.SPACES if here.form == "tables" else problems.FUNCTIONS)
    for name in names:
        problem(here, name)  # trains the tables before they are asked by all
    seeds, trials = here.choose(full=20, quick=1), here.choose(full=30, quick=12)
    kinds = [kind for kind in searchers.SEARCHERS[here.system] if here.form != "four" or kind != ".random"]
    jobs = [
        Job(name, kind, seed, trials)
        for name in names
        for kind in kinds
        for seed in range(_FIRST_SEED, _FIRST_SEED + seeds)
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        done = (map if here.quick else pool.map)(run, [here] * len(jobs), jobs)
        for job, found in zip(jobs, done, strict=True):
            work = f"sweeps.{job.name}{_WORKS.get(here.form, '')}{job.kind}"
            here.record(work, found.seconds, regret=found.regret, trials=trials, peak_mb=found.peak_mb)


def single_thread() -> None:
    """Every system's linear algebra takes one thread; called before any is loaded."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))


def problem(here: cell.Cell, name: str) -> problems.Problem:
    if name in problems.FUNCTIONS:
        return problems.FUNCTIONS[name]
    return problems.table(name, here.data, here.lineal, quick=here.quick)


def run(here: cell.Cell, job: Job) -> Found:
    """What comes of the search; the oldest of what is pending is told first."""
    asked, pending = problem(here, job.name), _PENDING[here.form]
    started = time.perf_counter()
    searcher = searchers.SEARCHERS[here.system][job.kind](asked, job.seed, parallel=pending > 1)
    waiting: deque[tuple[Any, float]] = deque()
    best = math.inf
    for number in range(job.trials + pending - 1):
        if number < job.trials:
            token, point = searcher.ask()
            waiting.append((token, asked.value(point)))
        if number >= pending - 1:
            token, value = waiting.popleft()
            searcher.tell(token, value)
            best = min(best, value)
    seconds = time.perf_counter() - started
    return Found(seconds, best - asked.least, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
