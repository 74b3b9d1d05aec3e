"""Points as rows of numbers, for the searches that calculate.

A row has a column for each parameter that can vary: a number's place in its distribution, or the index of a choice.
What is inactive in a point stands at `IDLE`, in the middle, or at `NONE`, a choice of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineal.sweeps import sampling
from lineal.sweeps.space import Parameter, Point, Space, key

if TYPE_CHECKING:
    from numpy.random import Generator

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

IDLE = 0.5
NONE = -1.0


class Column:
    """One parameter that can vary. `count` is how many choices it has, 0 for a number.

    `levels` are the places of a number's values where these are few; other numbers move freely.
    """

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter
        self.keys: dict[Hashable, int] = {}
        self.count = 0
        self.levels: Floats | None = None
        if parameter.distribution in ("constant", "categorical"):
            for index, value in enumerate(parameter.values):
                self.keys.setdefault(key(value), index)
            self.count = len(parameter.values)
        elif (places := sampling.places(parameter)) is not None:
            self.levels = np.array(places)

    @property
    def free(self) -> bool:
        return not self.count and self.levels is None

    @property
    def idle(self) -> float:
        return NONE if self.count else IDLE

    @property
    def options(self) -> Floats:
        """All that a cell may be, of what is not free."""
        return np.arange(self.count, dtype=float) if self.levels is None else self.levels

    def weights(self) -> Floats:
        """How likely random search takes each choice."""
        given = self.parameter.probabilities
        return np.array(given) / sum(given) if given else np.full(self.count, 1 / self.count)

    def cell(self, value: Any) -> float | None:
        """The value's number, None if it can't be one. A choice that isn't among the present ones is `NONE`."""
        if self.count:
            return float(self.keys.get(key(value), NONE))
        return sampling.place_of(self.parameter, value)

    def value(self, cell: float) -> Any:
        if self.count:
            return self.parameter.values[int(cell)]
        return sampling.value_at(self.parameter, float(cell))

    def snap(self, cells: Floats) -> Floats:
        """The cells, each moved to the nearest that is a value's."""
        if self.levels is None:
            return cells
        middles = (self.levels[1:] + self.levels[:-1]) / 2
        return self.levels[np.searchsorted(middles, cells)]

    def draw(self, random: Generator, count: int) -> Floats:
        if self.count:
            return random.choice(self.count, size=count, p=self.weights()).astype(float)
        return self.snap(random.random(count))


class Encoding:
    """The space as columns, and the way from points to rows and back."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.columns = [Column(parameter) for parameter in space.parameters if _varies(parameter)]
        self._index = {column.parameter.name: index for index, column in enumerate(self.columns)}
        self._fixed = {
            parameter.name: parameter for parameter in space.parameters if parameter.name not in self._index
        }
        self.parents = {self._index[name] for p in space.parameters for name in p.when if name in self._index}
        self.free = np.array(
            [column.free and index not in self.parents for index, column in enumerate(self.columns)], dtype=bool
        )
        # one column in the embedding for a number, one for each choice of the others
        widths = [column.count or 1 for column in self.columns]
        self.owners = np.repeat(np.arange(len(widths)), widths)
        self.spots = np.cumsum([0, *widths])[:-1]

    @property
    def width(self) -> int:
        return len(self.columns)

    @property
    def size(self) -> int | None:
        """An upper bound of how many points there are, None where there is no end of them."""
        total = 1
        for column in self.columns:
            if column.free:
                return None
            total *= len(column.options)
        return total

    def rows(self, points: Sequence[Point]) -> tuple[Floats, Mask]:
        """The points as rows, and which of them fit: have a number for every number that is active in them."""
        rows = np.empty((len(points), self.width))
        fit = np.ones(len(points), dtype=bool)
        for index, column in enumerate(self.columns):
            name, conditional = column.parameter.name, bool(column.parameter.when)
            for at, point in enumerate(points):
                cell = column.cell(point[name]) if name in point else None
                if cell is None:
                    cell = column.idle
                    fit[at] &= conditional and not self.space.active(column.parameter, point)
                rows[at, index] = cell
        return rows, fit

    def point(self, row: Floats) -> dict[str, Any]:
        """The point that the row stands for."""
        point: dict[str, Any] = {}
        for parameter in self.space.parameters:
            if self.space.active(parameter, point):
                index = self._index.get(parameter.name)
                fixed = sampling.value_at(parameter, 0.5) if index is None else None
                point[parameter.name] = fixed if index is None else self.columns[index].value(row[index])
        return point

    def settle(self, rows: Floats) -> Floats:
        """The rows as those of points: on levels, idle where inactive, and some choice where that is active."""
        settled = rows.copy()
        for index, column in enumerate(self.columns):
            settled[:, index] = column.snap(settled[:, index])
        for index, alive in self.activity(settled).items():
            idle = self.columns[index].idle
            settled[~alive, index] = idle
            if idle == NONE:
                settled[alive & (settled[:, index] == NONE), index] = 0.0
        return settled

    def activity(self, rows: Floats) -> dict[int, Mask]:
        """For each column that may be inactive, in which of the (snapped) rows it is active."""
        active: dict[str, Mask] = {}
        for parameter in self.space.parameters:
            if parameter.when:
                alive = np.ones(len(rows), dtype=bool)
                for parent, values in parameter.when.items():
                    alive &= self._holds(parent, {key(value) for value in values}, rows) & active.get(parent, True)
                active[parameter.name] = alive
        return {self._index[name]: alive for name, alive in active.items() if name in self._index}

    def embed(self, rows: Floats) -> Floats:
        """The rows with a column for each choice, so that any two choices are at distance 1."""
        if not any(column.count for column in self.columns):
            return rows
        embedded = np.zeros((len(rows), len(self.owners)))
        for index, column in enumerate(self.columns):
            spot = self.spots[index]
            if not column.count:
                embedded[:, spot] = rows[:, index]
                continue
            known = np.flatnonzero(rows[:, index] >= 0)
            embedded[known, spot + rows[known, index].astype(int)] = np.sqrt(0.5)
        return embedded

    def draw(self, random: Generator, count: int) -> Floats:
        """Settled rows at random, as random search would try them."""
        return self.settle(self.cells(random, count))

    def cells(self, random: Generator, count: int) -> Floats:
        """Rows at random in which everything is active."""
        return np.column_stack([column.draw(random, count) for column in self.columns])

    def from_cube(self, cube: Floats) -> Floats:
        """Settled rows from points of the unit cube, in which a choice has as much of its side as it has weight."""
        rows = cube.copy()
        for index, column in enumerate(self.columns):
            if column.count:
                ends = np.cumsum(column.weights())[:-1]
                rows[:, index] = np.searchsorted(ends, cube[:, index], side="right")
        return self.settle(rows)

    def _holds(self, parent: str, allowed: set[Hashable], rows: Floats) -> Mask:
        if parent in self._fixed:
            return np.full(len(rows), key(sampling.value_at(self._fixed[parent], 0.5)) in allowed)
        index = self._index[parent]
        column = self.columns[index]
        cells, place = np.unique(rows[:, index], return_inverse=True)
        return np.array([cell != NONE and key(column.value(cell)) in allowed for cell in cells], dtype=bool)[place]


def _varies(parameter: Parameter) -> bool:
    if parameter.distribution in ("constant", "categorical"):
        return len(parameter.values) > 1
    if parameter.distribution.endswith("normal"):
        return parameter.sigma > 0
    return parameter.distribution.endswith("beta") or parameter.high > parameter.low
