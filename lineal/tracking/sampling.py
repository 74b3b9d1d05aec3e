"""A key thinned out for drawing: buckets of equal width in steps, each with its lowest and highest value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineal.core.errors import InvalidArgument
from lineal.tracking.arrays import numbers_in
from lineal.tracking.model import Samples

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

MAX_POINTS = 100_000


def numbers(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """The steps and values of the points of `table` that are numbers: (int64, float64), as they lie."""

    steps, number = table.column("step"), table.column("number")
    if not number.null_count:
        return numbers_in(steps), numbers_in(number)
    import pyarrow as pa
    import pyarrow.compute as pc

    values = pc.coalesce(number, table.column("integer").cast(pa.float64(), safe=False))
    kept = values.is_valid()
    if not pc.all(kept).as_py():
        return numbers_in(steps.filter(kept)), numbers_in(values.filter(kept))
    return numbers_in(steps), numbers_in(values)


def thin(run: str, key: str, steps: np.ndarray, values: np.ndarray, points: int) -> Samples:
    """The key in at most `points` buckets. `steps` ascend. NaN stands for a bucket only where it has nothing else."""
    import numpy as np

    if not 1 <= points <= MAX_POINTS:
        raise InvalidArgument(f"points is {points}; from 1 to {MAX_POINTS} buckets can be asked for")
    count = len(steps)
    if count <= points:
        plain = values.tolist()
        return Samples(run, key, count, steps.tolist(), plain, plain, plain, plain)
    first, last = int(steps[0]), int(steps[-1])
    edges = first + (np.arange(1, points, dtype="float64") * ((last - first + 1) / points)).astype("int64")
    ends = np.searchsorted(steps, edges, side="left")
    starts = np.unique(np.concatenate([[0], ends]))
    starts = starts[starts < count]
    lasts = np.append(starts[1:], count) - 1
    with np.errstate(all="ignore"):
        mean = np.add.reduceat(values, starts) / (lasts - starts + 1)
    return Samples(
        run,
        key,
        count,
        steps[lasts].tolist(),
        np.fmin.reduceat(values, starts).tolist(),
        np.fmax.reduceat(values, starts).tolist(),
        mean.tolist(),
        values[lasts].tolist(),
    )
