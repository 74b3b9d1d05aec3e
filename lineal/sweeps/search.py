"""What to try next, as a pure function of what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lineal.core.errors import MissingDependency
from lineal.sweeps import sampling
from lineal.sweeps.model import Goal, Method
from lineal.sweeps.space import Point, Space

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


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
    """The point for trial `number`; the same arguments give the same point. `evidence` is oldest first.

    A grid's and a random point are by number alone. Raises unavailable.dependency where bayes or tpe miss SciPy.
    """
    if plan.method == "grid":
        from lineal.sweeps import grid

        return grid.point(space, number)
    import numpy as np

    random = np.random.default_rng([plan.seed % 2**64, number % 2**64])
    if plan.method == "random":
        return sampling.draw(space, random)
    check_installed(plan.method)
    from lineal.sweeps import bayes, tpe
    from lineal.sweeps.encoding import Encoding
    from lineal.sweeps.history import read

    encoding = Encoding(space)
    if not encoding.width:
        return sampling.draw(space, random)
    known = read(encoding, plan, evidence)
    with np.errstate(all="ignore"), _blas().limit(limits=1):
        if plan.method == "bayes":
            return bayes.suggest(encoding, known, plan.seed, number, random)
        return tpe.suggest(encoding, known, plan.seed, number, random)


def check_installed(method: Method) -> None:
    """Raises unavailable.dependency where the method needs what isn't installed here."""
    if method in ("bayes", "tpe"):
        try:
            import scipy  # noqa: F401
            import threadpoolctl  # noqa: F401
        except ImportError:
            raise MissingDependency(
                f'a sweep with method {method} needs SciPy: pip install "lineal[sweeps]"'
            ) from None


@cache
def _blas() -> ThreadpoolController:
    """The libraries under NumPy and SciPy. On matrices as small as ours more threads cost more than they bring."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
