"""Bayesian search: a Gaussian process tells what a point promises, and the most promising one is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lineal.sweeps import ascent, bend, design, process, targets
from lineal.sweeps import history as past
from lineal.sweeps.acquisition import Promise

if TYPE_CHECKING:
    from numpy.random import Generator

    from lineal.sweeps.encoding import Encoding, Floats, Ints, Mask
    from lineal.sweeps.history import History
    from lineal.sweeps.process import Process

KNOWN = 400  # trials that the process is conditioned on, at most
BENT = 5  # trials that it takes to tell how values are bent
FITTED = 100  # trials that its hyperparameters are fitted to; more of them only refine that


def suggest(encoding: Encoding, history: History, seed: int, number: int, random: Generator) -> dict[str, Any]:
    """The point to try. The first few spread out over the space evenly."""
    first = min(max(4, len(encoding.owners) + 1), 10)
    ended = int(history.ended.sum())
    if ended < 2 or len(history.rows) < first:
        return encoding.point(design.unseen(encoding, history, design.spread(encoding, seed, number, random)))
    known = _worth_knowing(history, random)
    promise = _promise(encoding, known, random)
    good = known.rows[np.argsort(past.merit(known), kind="stable")[:5]]
    return encoding.point(design.unseen(encoding, history, ascent.ranked(encoding, promise, good, random)))


def _worth_knowing(history: History, random: Generator) -> History:
    """The history, of a long one the best trials and others at random, and the latest of what is pending."""
    settled, pending = np.flatnonzero(~history.pending), np.flatnonzero(history.pending)
    chosen = np.concatenate([_some(past.merit(history)[settled], settled, KNOWN, random), pending[-KNOWN // 8 :]])
    return history.taken(np.sort(chosen))


def _some(merit: Floats, indices: Ints, count: int, random: Generator) -> Ints:
    """At most so many of the indices: the best half of them, and others at random."""
    if len(indices) <= count:
        return indices
    order = indices[np.argsort(merit, kind="stable")]
    half = count // 2
    return np.concatenate([order[:half], random.choice(order[half:], count - half, replace=False)])


def _promise(encoding: Encoding, history: History, random: Generator) -> Promise:
    """What the trials tell about every other point; pending ones are believed to come out as expected.

    The process takes failed trials as bad as the worst that ended.
    """
    settled, pending = ~history.pending, encoding.embed(history.rows[history.pending])
    rows, ended = encoding.embed(history.rows[settled]), history.ended[settled]
    objectives = history.objectives[settled].copy()
    objectives[~ended] = objectives[ended].max(axis=0)
    values = targets.standard(targets.scalar(objectives, random))
    constraints = tuple(
        _constraint(encoding, rows[known], excess[known], pending, random)
        for excess in history.excess[settled].T
        if (known := np.isfinite(excess)).any()
    )
    counted = history.feasible[settled] & _inside(encoding, history.rows[settled])
    if not counted.any():
        if constraints:
            return Promise(None, 0.0, constraints)
        counted = ended
    model = _fitted(encoding, rows, values, random, bends=True)
    best = float(model.predict(rows[counted])[0].min())
    if len(pending):
        believed = model.predict(pending)[0]
        model, best = model.extended(pending, believed), min(best, float(believed.min()))
    return Promise(model, best, constraints)


def _constraint(encoding: Encoding, rows: Floats, excess: Floats, pending: Floats, random: Generator) -> Process:
    """A process of which the constraint is met where it is at most 0, with its own mean for what is pending."""
    model = _fitted(encoding, rows, targets.centred(excess), random)
    return model.extended(pending, model.predict(pending)[0]) if len(pending) else model


def _fitted(encoding: Encoding, rows: Floats, values: Floats, random: Generator, *, bends: bool = False) -> Process:
    """The process of the values; where it `bends`, of the values bent if these are more probable by more than the
    number that is fitted for it costs (Schwarz 1978): noise must not pass for a bend.
    """
    part = _some(values, np.arange(len(rows)), FITTED, random)
    hyper = process.fit(rows[part], encoding.owners, values[part])
    if bends and len(values) >= BENT:
        found, slopes = bend.bent(values, bend.exponent(values))
        other = process.fit(rows[part], encoding.owners, found[part])
        gain = other.evidence + float(slopes[part].sum()) - hyper.evidence
        if found.any() and gain > 0.5 * np.log(len(part)):
            hyper, values = other, found
    if len(rows) > FITTED:
        hyper = process.fit(rows, encoding.owners, values, start=hyper, rounds=5)
    return process.condition(rows, encoding.owners, values, hyper)


def _inside(encoding: Encoding, rows: Floats) -> Mask:
    """Which rows the space has: those of prior runs may be beyond its bounds."""
    choices = np.array([column.count > 0 for column in encoding.columns])
    inside: Mask = ((rows >= 0) & (rows <= 1) | choices).all(axis=1)
    return inside
