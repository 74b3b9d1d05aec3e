"""Spans around what takes time: nothing at all, until telemetry is started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

Make = Callable[..., AbstractContextManager[Any]]

_NONE: AbstractContextManager[Any] = nullcontext()
_make: Make | None = None


def span(name: str, **facts: str | int) -> AbstractContextManager[Any]:
    """A block that is told as a span to whoever collects them, if anybody does."""
    return _NONE if _make is None else _make(name, **facts)


def tell(make: Make | None) -> None:
    """Has spans made by `make` from now on; None: by nobody."""
    global _make  # noqa: PLW0603 - one process, one telemetry
    _make = make
