"""What to try next, as a pure function of what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lineal.sweeps.model import Goal, Method
from lineal.sweeps.space import Point, Space


@dataclass(frozen=True, slots=True)
class Plan:
    """How to search: one goal for each objective, how many constraints there are, and the seed."""

    method: Method
    goals: tuple[Goal, ...]
    seed: int
    constraint_count: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A point that was tried. `values` has one number for each objective, None while it is pending or if it failed.

    `excess` has for each constraint by how much it is broken, not more than 0 where it is met, in the metric's unit.
    """

    point: Point
    values: tuple[float, ...] | None
    failed: bool = False
    excess: tuple[float, ...] = ()


def suggest(space: Space, plan: Plan, evidence: Sequence[Evidence], number: int) -> dict[str, Any]:
    """The point for trial `number`; the same arguments give the same point. Raises unavailable.extra without SciPy.

    `evidence` is oldest first. A grid's point is by number alone.
    """
    raise NotImplementedError
