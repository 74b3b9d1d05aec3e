"""A server's start: from the command to the first answer that says it is ready, over a store that is there already."""

from __future__ import annotations

import statistics

import cell
import servers

_TIMES = 5


def main() -> None:
    """The median of several, the first not counted: it compiles, and makes the store."""
    here = cell.parse()
    serving = {"lineal": servers.lineal, "mlflow": servers.mlflow}[here.system]
    taken, memory = [], []
    for _ in range(here.choose(full=_TIMES, quick=1) + 1):
        with serving(here.folder) as server:
            taken.append(server.started_s)
            memory.append(server.peak_mb())
    here.record("http.start", statistics.median(taken[1:]), peak_mb=statistics.median(memory[1:]))


if __name__ == "__main__":
    main()
