"""What came out of trials, as numbers that a search can learn from: lower is better, and no value is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from lineal.sweeps.encoding import Floats, Ints, Mask


_REACH = 8.0  # how many times the better half's range a bad value may lie beyond the median


def standard(values: Floats) -> Floats:
    """The values with mean 0 and deviation 1, the worst ones pulled in: how bad they are matters little."""
    values = values / max(float(np.abs(values).max()), 1e-300)
    middle, best = float(np.median(values)), float(values.min())
    spread = middle - best
    if spread > 0:
        values = np.minimum(values, middle + _REACH * spread)
    deviation = float(values.std())
    return (values - values.mean()) / deviation if deviation > 1e-12 else np.zeros_like(values)


def centred(excess: Floats) -> Floats:
    """A constraint's excesses with 0 where it was, in units of their typical size, the extreme ones pulled in."""
    largest = float(np.abs(excess).max())
    if largest == 0:
        return excess
    scaled = excess / largest
    typical = float(np.median(np.abs(scaled[scaled != 0])))
    return np.clip(scaled / typical, -5.0, 5.0)


def scalar(objectives: Floats, random: Generator) -> Floats:
    """Several objectives as one, weighed at random: ParEGO's augmented Chebyshev (Knowles 2006).

    Minima of it, over all weights, are the Pareto front.
    """
    if objectives.shape[1] == 1:
        return objectives[:, 0]
    columns = []
    for column in objectives.T:
        even = standard(column)
        reach = float(even.max() - even.min())
        columns.append((even - even.min()) / reach if reach > 0 else even)
    weighed = np.column_stack(columns) * random.dirichlet(np.ones(objectives.shape[1]))
    one: Floats = weighed.max(axis=1) + 0.05 * weighed.sum(axis=1)
    return one


def ranks(objectives: Floats) -> Ints:
    """For each row the number of the front that it is on, 0 for what no other row beats."""
    rank = np.full(len(objectives), -1)
    left = np.arange(len(objectives))
    front = 0
    while len(left):
        chosen = left[_undominated(objectives[left])]
        rank[chosen] = front
        left = left[rank[left] < 0]
        front += 1
    return rank


def _undominated(rows: Floats) -> Mask:
    beaten = np.zeros(len(rows), dtype=bool)
    for index in np.argsort(rows.sum(axis=1), kind="stable"):
        if not beaten[index]:
            row = rows[index]
            beaten |= (rows >= row).all(axis=1) & (rows > row).any(axis=1)
    return ~beaten
