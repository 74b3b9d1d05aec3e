"""A tree of Parzen estimators: points are tried that are likely among the good trials and unlikely among the others.

Bergstra et al. (NeurIPS 2011); kernels are over all parameters together, as Falkner, Klein and Hutter (BOHB, ICML
2018) have them. Pending trials count among the others, which keeps parallel agents apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

from lineal.sweeps import design
from lineal.sweeps import history as past

if TYPE_CHECKING:
    from numpy.random import Generator

    from lineal.sweeps.encoding import Encoding, Floats
    from lineal.sweeps.history import History

FIRST = 10  # trials that spread out before anything is learnt
DRAWS = 64  # points among which the best is taken
GOOD_SHARE, GOOD_MOST = 0.15, 25
OTHERS_MOST = 1000  # of the other trials the latest, with long histories


def suggest(encoding: Encoding, history: History, seed: int, number: int, random: Generator) -> dict[str, Any]:
    """The point to try. The first few spread out over the space evenly."""
    settled = np.flatnonzero(~history.pending)
    if len(settled) < FIRST or not history.ended.any():
        return encoding.point(design.unseen(encoding, history, design.spread(encoding, seed, number, random)))
    order = settled[np.argsort(past.merit(history)[settled], kind="stable")]
    count = min(int(np.ceil(GOOD_SHARE * len(settled))), GOOD_MOST, int(history.ended.sum()))
    others = np.sort(np.concatenate([order[count:], np.flatnonzero(history.pending)]))[-OTHERS_MOST:]
    good = Parzen(encoding, history.rows[order[:count]])
    bad = Parzen(encoding, history.rows[others])
    drawn = good.draw(random, DRAWS)
    better = drawn[np.argsort(bad.log_density(drawn) - good.log_density(drawn), kind="stable")]
    return encoding.point(design.unseen(encoding, history, [*better, *encoding.draw(random, design.TRIES)]))


class Parzen:
    """A density over rows: a kernel at each known row, and one that is random search's own distribution."""

    def __init__(self, encoding: Encoding, rows: Floats) -> None:
        self.encoding = encoding
        numbers = np.array([not column.count for column in encoding.columns])
        self.rows = np.where(numbers, np.clip(rows, 0.0, 1.0), rows)
        self.known = self.rows >= 0  # a choice of old that there is no more tells nothing
        for index, alive in encoding.activity(rows).items():
            self.known[:, index] &= alive
        width = 0.2 * max(len(rows), 1) ** (-1 / (encoding.width + 4))
        self.width = float(max(width, 1 / min(100, len(rows) + 1)))

    def draw(self, random: Generator, count: int) -> Floats:
        """Settled rows from the density."""
        drawn, fresh = self.encoding.cells(random, count), self.encoding.cells(random, count)
        kernels = random.integers(len(self.rows) + 1, size=count)
        for index, column in enumerate(self.encoding.columns):
            at = np.flatnonzero(kernels < len(self.rows))
            at = at[self.known[kernels[at], index]]
            centre = self.rows[kernels[at], index]
            if column.count:
                stays = random.random(len(at)) >= self._doubt(column.count)
                drawn[at, index] = np.where(stays, centre, fresh[at, index])
            else:
                width = self._width(index)
                low, high = ndtr(-centre / width), ndtr((1 - centre) / width)
                place = low + (high - low) * random.random(len(at))
                drawn[at, index] = np.clip(centre + width * ndtri(place), 0.0, 1.0)
        return self.encoding.settle(drawn)

    def log_density(self, rows: Floats) -> Floats:
        """The density at settled rows, against that of random search."""
        kernels = np.zeros((len(rows), len(self.rows) + 1))
        activity = self.encoding.activity(rows)
        for index, column in enumerate(self.encoding.columns):
            cells, centres = rows[:, index][:, None], self.rows[:, index]
            if column.count:
                doubt, weights = self._doubt(column.count), column.weights()
                own = np.maximum(weights[cells.astype(int)], 1e-12)
                logs = np.log(doubt + (1 - doubt) * (cells == centres) / own)
            else:
                width = self._width(index)
                inside = ndtr((1 - centres) / width) - ndtr(-centres / width)
                logs = -0.5 * ((cells - centres) / width) ** 2 - np.log(width * np.sqrt(2 * np.pi) * inside)
            counts = self.known[:, index] & activity.get(index, np.ones(len(rows), dtype=bool))[:, None]
            kernels[:, :-1] += np.where(counts, logs, 0.0)
        density: Floats = logsumexp(kernels, axis=1) - np.log(kernels.shape[1])
        return density

    def _width(self, index: int) -> float:
        """How wide kernels are along a number: never so narrow that its next value is out of reach."""
        levels = self.encoding.columns[index].levels
        return self.width if levels is None or len(levels) < 2 else max(self.width, 0.5 / len(levels))

    def _doubt(self, count: int) -> float:
        """How likely a kernel takes another choice than its own; less with more trials."""
        return count / (count + len(self.rows) + 1)
