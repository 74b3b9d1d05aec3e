"""The multiples of a step between two ends, exact where floats are not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

Number = int | float


@dataclass(frozen=True, slots=True)
class Multiples:
    """`first` to `first + count - 1` times the step; ints where the step is a whole number."""

    step: Fraction
    first: int
    count: int
    whole: bool

    def at(self, place: int) -> Number:
        """The one at that place, the smallest at 0."""
        value = (self.first + place) * self.step
        return int(value) if self.whole else float(value)


def multiples(low: Number, high: Number, step: Number) -> Multiples:
    """The multiples of `step` from `low` to `high`, both included, with all three taken as they are written."""
    exact = written(step)
    first, last = math.ceil(written(low) / exact), math.floor(written(high) / exact)
    return Multiples(exact, first, max(0, last - first + 1), float(step).is_integer())


def written(number: Number) -> Fraction:
    """The number that `number` is written as: a tenth for 0.1, which as a float is a little more."""
    return Fraction(repr(number))
