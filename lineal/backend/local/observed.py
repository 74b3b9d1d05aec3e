"""Spans around what a backend asks of its database and its store, for whoever collects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

from lineal.backend.local.backend import LocalBackend

Span = Callable[..., AbstractContextManager[Any]]
_WHOLE = ("read", "add_file", "delete")
_MAX_STATEMENT = 2000


def observe(backend: LocalBackend, span: Span) -> None:
    """Has `span(name, **facts)` around each statement, told without its parameters, and each use of an object."""

    def statement(text: str) -> AbstractContextManager[Any]:
        return span("database " + text[:30].split(" ", 1)[0].upper(), **{"db.query.text": text[:_MAX_STATEMENT]})

    backend.context.database.watch(statement)
    store: Any = backend.blobs.store
    for name in _WHOLE:
        setattr(store, name, _whole(getattr(store, name), f"store {name}", span))
    store.open = _opened(store.open, span)


def _whole(function: Callable[..., Any], name: str, span: Span) -> Callable[..., Any]:
    @wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        with span(name):
            return function(*given, **named)

    return called


def _opened(function: Callable[..., Any], span: Span) -> Callable[..., Any]:
    @contextmanager
    def opened(key: str) -> Iterator[Any]:
        with span("store open"), function(key) as file:
            yield file

    return opened
