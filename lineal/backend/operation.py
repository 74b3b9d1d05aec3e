"""What makes a method of a port an operation: its HTTP method, path and permission, as data on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Permission = Literal["read", "write", "promote", "delete", "admin"]
PAGE = 1000
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """How an operation is asked for over HTTP, and which permission it needs."""

    method: str
    path: str
    needs: Permission
    cursor: Callable[[Any], str] | None = None  # what names an item of the list that is answered, if it may grow


def operation(
    method: str, path: str, *, needs: Permission, cursor: Callable[[Any], str] | None = None
) -> Callable[[F], F]:
    """Declares the decorated method of a port as an operation.

    With a `cursor` it lists what may grow and takes `limit` and `after`: at most so many, behind the item of that
    cursor. Without `limit` all are answered; over HTTP they come by PAGE at most.
    """

    def declare(function: F) -> F:
        function.operation = Operation(method, path, needs, cursor)  # type: ignore[attr-defined]
        return function

    return declare
