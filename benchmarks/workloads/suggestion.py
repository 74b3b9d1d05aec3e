"""How long a suggestion takes after 20, 100 and 300 trials in 7 dimensions, hearing of its value included."""

from __future__ import annotations

import random
import time

import cell
import problems
import searchers
import trials

_TIMES = 5


def main() -> None:
    """The median of some suggestions, each heard of before the next, and after one that isn't counted."""
    here = cell.parse()
    trials.single_thread()
    for size in (20, 100, 300):
        source = random.Random(size)
        points = [problems.BOWL.draw(source) for _ in range(here.choose(full=size, quick=size // 5))]
        for kind, make in searchers.SEARCHERS[here.system].items():
            if kind == ".random":
                continue
            searcher = make(problems.BOWL, 1, parallel=False)
            searcher.load(points, [problems.BOWL.value(point) for point in points])
            step(searcher)
            before, times = time.process_time(), here.choose(full=_TIMES, quick=1)
            taken, count = cell.median_of(lambda: step(searcher), times=times)  # noqa: B023
            cpu_s = (time.process_time() - before) / count
            here.record(f"sweeps.suggest.{size}{kind}", taken, count=count, cpu_s=cpu_s)


def step(searcher: searchers.Searcher) -> None:
    """One suggestion, and its value."""
    token, point = searcher.ask()
    searcher.tell(token, problems.BOWL.value(point))


if __name__ == "__main__":
    main()
