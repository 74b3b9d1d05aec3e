"""Spaces and evidence that several tests look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lineal.sweeps.search import Evidence, Plan, suggest
from lineal.sweeps.space import Parameter, Space

PLANE = Space((Parameter("x", "uniform"), Parameter("y", "uniform")))
MIXED = Space(
    (
        Parameter("lr", "log_uniform_values", low=1e-5, high=1.0),
        Parameter("layers", "int_uniform", low=1, high=4),
        Parameter("kind", "categorical", values=("a", [1, 2], None, True)),
        Parameter("fixed", "constant", values=(7,)),
        Parameter("momentum", "uniform", when={"kind": ("a", None)}),
        Parameter("width", "q_log_uniform_values", low=8, high=512, q=8, when={"layers": (2, 3)}),
        Parameter("gate", "categorical", values=("x", "y"), when={"kind": ([1, 2],)}),
    )
)
SMALL = Space((Parameter("n", "int_uniform", low=1, high=3), Parameter("c", "categorical", values=("a", "b", True))))


def searched(
    space: Space, plan: Plan, count: int, result: Callable[[dict[str, Any]], Evidence], start: tuple[Evidence, ...] = ()
) -> list[Evidence]:
    """The evidence after so many trials, one after the other."""
    evidence = list(start)
    for number in range(count):
        evidence.append(result(suggest(space, plan, evidence, number)))
    return evidence


def bowl(point: dict[str, Any]) -> Evidence:
    """Least at (0.3, 0.8)."""
    return Evidence(point, ((point["x"] - 0.3) ** 2 + (point["y"] - 0.8) ** 2,))


def mixed_cost(point: dict[str, Any]) -> Evidence:
    cost = abs(len(str(point["lr"])) - 4) + point["layers"] + point.get("momentum", 0.7) + point.get("width", 99) / 100
    return Evidence(point, (cost,))
