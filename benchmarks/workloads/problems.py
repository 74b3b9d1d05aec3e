"""What sweeps are measured on: two functions from the literature, and two models that scikit-learn trained beforehand.

A point is a mapping of dimensions to values; all problems are minimised.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Point = dict[str, Any]

_ALPHA = (1.0, 1.2, 3.0, 3.2)
_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
_P = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


@dataclass(frozen=True)
class Dimension:
    """From `low` to `high`, by its logarithm where `log`, integers where `whole`; or one of `values`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    whole: bool = False
    values: tuple[str, ...] = ()

    def place(self, value: Any, cells: int) -> int:
        """Which of `cells` values, evenly laid from `low` to `high`, is the nearest; for a choice its number."""
        if self.values:
            return self.values.index(str(value))
        low, high, here = (math.log(v) if self.log else float(v) for v in (self.low, self.high, value))
        return round(min(max((here - low) / (high - low), 0.0), 1.0) * (cells - 1))

    def at(self, share: float) -> Any:
        """The value at a share of the way."""
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        if self.log:
            return self._whole(math.exp(math.log(self.low) + share * math.log(self.high / self.low)))
        return self._whole(self.low + share * (self.high - self.low))

    def _whole(self, value: float) -> float:
        return round(value) if self.whole else min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Problem:
    """A function of points with the least value that it has."""

    dimensions: tuple[Dimension, ...]
    value: Callable[[Point], float]
    least: float

    def draw(self, source: random.Random) -> Point:
        """A point by chance."""
        return {each.name: each.at(source.random()) for each in self.dimensions}


def unit_cube(count: int, function: Callable[[list[float]], float], least: float) -> Problem:
    """The function of that many numbers from 0 to 1."""
    names = [f"x{number}" for number in range(count)]
    return Problem(
        tuple(Dimension(name) for name in names), lambda point: function([float(point[n]) for n in names]), least
    )


def branin(x: list[float]) -> float:
    """Branin's function of two numbers, its square of 15 by 15 made the unit square."""
    a, b = x[0] * 15 - 5, x[1] * 15
    bowl = b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6
    return bowl**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10


def hartmann(x: list[float]) -> float:
    """Hartmann's function of six numbers."""
    return -sum(
        alpha * math.exp(-sum(a * (v - p) ** 2 for a, p, v in zip(rows, at, x, strict=True)))
        for alpha, rows, at in zip(_ALPHA, _A, _P, strict=True)
    )


def bowl(x: list[float]) -> float:
    """A bowl with a ripple, of any number of numbers: only for times."""
    return sum((v - 0.3) ** 2 for v in x) + 0.1 * math.sin(9 * x[0])


FUNCTIONS = {"branin": unit_cube(2, branin, 0.397887), "hartmann6": unit_cube(6, hartmann, -3.322368)}
BOWL = unit_cube(7, bowl, 0.0)

SPACES = {
    "svr": (
        Dimension("kernel", values=("rbf", "poly", "sigmoid")),
        Dimension("scaling", values=("standard", "minmax")),
        Dimension("C", 1e-2, 1e2, log=True),
        Dimension("gamma", 1e-4, 1e1, log=True),
        Dimension("epsilon", 1e-3, 1.0, log=True),
    ),
    "mlp": (
        Dimension("activation", values=("relu", "tanh", "logistic")),
        Dimension("solver", values=("adam", "sgd")),
        Dimension("learning_rate", 1e-4, 1.0, log=True),
        Dimension("alpha", 1e-5, 1e1, log=True),
        Dimension("width", 8, 128, log=True, whole=True),
    ),
}


def table(name: str, data: Path, python: Path, *, quick: bool) -> Problem:
    """The model of that name, looked up in what `tables.py` trained with `python`, which it does once."""
    path = data / f"sweeps_{name}{'_quick' if quick else ''}.json"
    if not path.exists():
        data.mkdir(parents=True, exist_ok=True)
        command = [str(python), str(Path(__file__).with_name("tables.py")), name, str(path)]
        subprocess.run([*command, "--quick"] if quick else command, check=True)
    made = json.loads(path.read_text(encoding="utf-8"))
    cells, values, dimensions = made["cells"], made["values"], SPACES[name]

    def value(point: Point) -> float:
        at = 0
        for dimension, count in zip(dimensions, cells, strict=True):
            at = at * count + dimension.place(point[dimension.name], count)
        return float(values[at])

    return Problem(dimensions, value, min(values))
