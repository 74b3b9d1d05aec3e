"""Operations repeated where another transaction had to go first: PostgreSQL undid ours, and nothing had happened.

An operation may be repeated as a whole, since ids are its caller's and each transaction leaves all or nothing. Rows
are locked in one order everywhere, so that this is the exception; docs/decisions/0012-postgresql.md.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from lineal.core.errors import DatabaseBusy
from lineal.db.postgres import outpaced

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)

TRIES = 6
_PAUSE_S = 0.02


def repeating(function: Callable[P, R]) -> Callable[P, R]:
    """The function, called up to six times in all while it is outpaced, with growing pauses of random length."""

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        for tried in range(TRIES - 1):
            try:
                return function(*args, **kwargs)
            except DatabaseBusy as problem:
                if not outpaced(problem):
                    raise
            time.sleep(random.uniform(0, _PAUSE_S * 2**tried))  # noqa: S311
        return function(*args, **kwargs)

    return called


def repeating_operations(kind: C) -> C:
    """The class, with every method repeating that its port declares as an operation."""
    for name in dir(kind):
        function: Any = getattr(kind, name)
        if any(hasattr(vars(base).get(name), "operation") for base in kind.__mro__):
            setattr(kind, name, repeating(function))
    return kind
