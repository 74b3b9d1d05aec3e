"""Reading curves: one key of 50 runs of 100,000 steps, thinned out to 1,000 points each.

It is measured against pyarrow reading the same two columns of one plain Parquet file per run, and the same buckets
made by numpy: about what any reader of such files has to do.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cell

_KEYS = 10
_POINTS = 1000


def seed(folder: Path, runs: int, steps: int) -> None:
    """Logs the runs, and writes the same rows as plain Parquet files."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    import lineal

    for number in range(runs):
        walks = np.random.default_rng(number).normal(size=(_KEYS, steps)).cumsum(axis=1)
        columns = {f"m{key}": walks[key] for key in range(_KEYS)}
        rows = (dict(zip(columns, values, strict=True)) for values in walks.T.tolist())
        with lineal.init(project="p", id=f"run{number}", settings={"system": False, "console": "off"}) as run:
            for values in rows:
                run.log(values)
        table = pa.table({"step": np.arange(steps), **columns})
        pq.write_table(table, folder / f"run{number}.parquet", compression="zstd")


def by_lineal(backend: Any, runs: int) -> object:
    return backend.runs.samples([f"run{number}" for number in range(runs)], ["m3"], points=_POINTS)


def by_arrow(folder: Path, runs: int) -> object:
    import numpy as np
    import pyarrow.parquet as pq

    found = []
    for number in range(runs):
        table = pq.read_table(folder / f"run{number}.parquet", columns=["step", "m3"])
        steps, values = table.column("step").to_numpy(), table.column("m3").to_numpy()
        edges = np.linspace(steps[0], steps[-1] + 1, _POINTS + 1)[:-1]
        starts = np.unique(np.searchsorted(steps, edges))
        lasts = np.append(starts[1:], len(steps)) - 1
        mean = np.add.reduceat(values, starts) / (lasts - starts + 1)
        low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
        found.append([part.tolist() for part in (steps[lasts], low, high, mean, values[lasts])])
    return found


def main() -> None:
    """Logs the runs, or reads them both ways."""
    here = cell.parse()
    runs, steps = here.choose(full=50, quick=2), here.choose(full=100_000, quick=2_000)
    os.environ |= {"LINEAL_URL": str(here.folder / "store"), "LINEAL_DIR": str(here.folder / "runs")}
    if here.seed:
        seed(here.folder, runs, steps)
        return
    from lineal.client.connection import connection

    backend = connection().backend
    times = here.choose(full=9, quick=2)
    by_lineal(backend, runs)
    by_arrow(here.folder, runs)
    here.record("curves.read", cell.median_of(lambda: by_lineal(backend, runs), times=times)[0])
    here.record("curves.arrow", cell.median_of(lambda: by_arrow(here.folder, runs), times=times)[0])


if __name__ == "__main__":
    main()
