"""The search for the most promising row: many starts, L-BFGS along what is free, single changes of what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from numpy.random import Generator

    from lineal.sweeps.acquisition import Promise
    from lineal.sweeps.encoding import Encoding, Floats

ALL = 2000  # a space of at most so many points is looked through
POOL = 1024  # rows at random that are looked at first
NEAR = 256  # rows close to good trials that are, too
STARTS = 5
MOST = 64  # values of one parameter that are tried at a time
ROUNDS = 4  # of climbing and changing, at most


def ranked(encoding: Encoding, promise: Promise, good: Floats, random: Generator) -> Iterator[Floats]:
    """Rows, the most promising first; `good` are rows near which there may be more of their kind."""
    size = encoding.size
    if size is not None and size <= ALL:
        rows = _every(encoding)
    else:
        rows = np.vstack([encoding.draw(random, POOL), _near(encoding, good, random)])
    values = promise.at(encoding.embed(rows))
    order = np.argsort(-values, kind="stable")
    if size is None or size > ALL:
        climbed = [_climb(encoding, promise, rows[index], values[index], random) for index in order[:STARTS]]
        climbed.sort(key=lambda found: -found[1])
        yield from (row for row, _ in climbed)
    yield from rows[order]


def _every(encoding: Encoding) -> Floats:
    grids = np.meshgrid(*(column.options for column in encoding.columns), indexing="ij")
    return np.unique(encoding.settle(np.column_stack([grid.ravel() for grid in grids])), axis=0)


def _near(encoding: Encoding, good: Floats, random: Generator) -> Floats:
    """Rows that differ from good ones by a little, or in a few choices."""
    rows = good[random.integers(len(good), size=NEAR)]
    drawn = encoding.cells(random, NEAR)
    reach = 10.0 ** random.uniform(-2.5, -0.5, size=(NEAR, 1))
    for index, column in enumerate(encoding.columns):
        if column.count:
            changed = (random.random(NEAR) < 1 / encoding.width) | (rows[:, index] < 0)
            rows[changed, index] = drawn[changed, index]
        else:
            moved = rows[:, index] + reach[:, 0] * random.standard_normal(NEAR)
            rows[:, index] = np.clip(moved, 0.0, 1.0)
    return encoding.settle(rows)


def _climb(
    encoding: Encoding, promise: Promise, row: Floats, value: float, random: Generator
) -> tuple[Floats, float]:
    """A row of more promise than that one, as far as single steps lead."""
    for _ in range(ROUNDS):
        row, value = _slide(encoding, promise, row, value)
        changed, better = _change(encoding, promise, row, value, random)
        if not better > value:
            break
        row, value = changed, better
    return row, value


def _slide(encoding: Encoding, promise: Promise, row: Floats, value: float) -> tuple[Floats, float]:
    """The row moved along what is free and active in it."""
    moving = encoding.free.copy()
    for index, alive in encoding.activity(row[None]).items():
        moving[index] &= alive[0]
    if not moving.any():
        return row, value
    spots = encoding.spots[moving]
    embedded = encoding.embed(row[None])[0]
    scales = promise.divisors[spots]

    def loss(moved: Floats) -> tuple[float, Floats]:
        embedded[spots] = moved * scales
        value, slope = promise.with_slope(embedded)
        return -value, -slope[spots] * scales

    found = minimize(
        loss,
        row[moving] / scales,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0 / scale) for scale in scales],
        options={"maxiter": 50, "maxfun": 80, "ftol": 1e-7, "gtol": 1e-4},
    )
    if not -found.fun > value:
        return row, value
    moved = row.copy()
    moved[moving] = np.clip(found.x * scales, 0.0, 1.0)
    return moved, -float(found.fun)


def _change(
    encoding: Encoding, promise: Promise, row: Floats, value: float, random: Generator
) -> tuple[Floats, float]:
    """The best row that differs in one cell of those that aren't free."""
    tried = []
    for index, column in enumerate(encoding.columns):
        if encoding.free[index]:
            continue
        options = random.random(16) if column.free else column.options
        options = options if len(options) <= MOST else random.choice(options, MOST, replace=False)
        changed = np.repeat(row[None], len(options), axis=0)
        changed[:, index] = options
        tried.append(changed)
    if not tried:
        return row, value
    rows = encoding.settle(np.vstack(tried))
    values = promise.at(encoding.embed(rows))
    best = int(np.argmax(values))
    return rows[best], float(values[best])
