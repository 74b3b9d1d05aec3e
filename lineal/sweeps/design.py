"""Points that are tried before anything is known, and the care that none is tried twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator

    from lineal.sweeps.encoding import Encoding, Floats
    from lineal.sweeps.history import History

TRIES = 200


def spread(encoding: Encoding, seed: int, number: int, random: Generator) -> Iterator[Floats]:
    """The row of that number in a scrambled Sobol sequence, which fills the space evenly; then rows at random."""
    from scipy.stats.qmc import Sobol

    sequence = Sobol(encoding.width, scramble=True, rng=np.random.default_rng(seed % 2**64))
    if skipped := number % 2**20:  # SciPy can't skip nothing
        sequence.fast_forward(skipped)
    yield encoding.from_cube(sequence.random(1))[0]
    yield from encoding.draw(random, TRIES)


def unseen(encoding: Encoding, history: History, ranked: Iterable[Floats]) -> Floats:
    """The first of the rows that nobody tried, or just the first if all were."""
    first = None
    for row in ranked:
        first = row if first is None else first
        as_tried = encoding.rows([encoding.point(row)])[0][0]
        if not (history.rows == as_tried).all(axis=1).any():
            return row
    assert first is not None
    return first
