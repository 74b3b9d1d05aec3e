"""What makes a method of a port an operation: its HTTP method, path and permission, as data on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

Permission = Literal["read", "write", "promote", "delete", "admin"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """How an operation is asked for over HTTP, and which permission it needs."""

    method: str
    path: str
    needs: Permission


def operation(method: str, path: str, *, needs: Permission) -> Callable[[F], F]:
    """Declares the decorated method of a port as an operation."""

    def declare(function: F) -> F:
        function.operation = Operation(method, path, needs)  # type: ignore[attr-defined]
        return function

    return declare
