"""The local backend as a server's caller sees it: every operation an act that asks first and leaves a row."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import cache, cached_property, wraps
from typing import Any, TypeVar

from lineal.backend import port, port_access, port_runs, port_sweeps
from lineal.backend.declared import NOUNS
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.context import Context
from lineal.backend.local.guard import Act, acting
from lineal.backend.local.holding import HeldBlobs
from lineal.core.plain import plain

# Batches are numbered by writer and kept, a trial says which agent took it: a row for each would double every write.
_A_RECORD_ITSELF = {"runs.append", "sweeps.take", "sweeps.beat"}
_SHOWN = 1000
T = TypeVar("T")


class ServedBackend(LocalBackend):
    """The store as `context.caller` may see and change it."""

    blobs: HeldBlobs  # type: ignore[assignment]

    def __init__(self, context: Context, *, url: str) -> None:
        super().__init__(context, url=url)
        self.blobs = HeldBlobs(context)

    @cached_property
    def artifacts(self) -> port.Artifacts:  # type: ignore[override]
        return _acting("artifacts", super().artifacts, self.context)

    @cached_property
    def runs(self) -> port_runs.Runs:  # type: ignore[override]
        return _acting("runs", super().runs, self.context)

    @cached_property
    def sweeps(self) -> port_sweeps.Sweeps:  # type: ignore[override]
        return _acting("sweeps", super().sweeps, self.context)

    @cached_property
    def lineage(self) -> port.Lineage:  # type: ignore[override]
        return _acting("lineage", super().lineage, self.context)

    @cached_property
    def store(self) -> port.Stores:  # type: ignore[override]
        return _acting("store", super().store, self.context)

    @cached_property
    def access(self) -> port_access.Access:  # type: ignore[override]
        return super().access  # which asks and records by itself


def _acting(noun: str, local: T, here: Context) -> T:
    made: T = _kind(noun)(local, here)
    return made


@cache
def _kind(noun: str) -> Callable[..., Any]:
    """The port's noun, each operation of which runs as an act around the one that it is given."""

    def begin(self: Any, inner: Any, here: Context) -> None:
        self._inner, self._here = inner, here

    declared = {name: f for base in NOUNS[noun].__mro__ for name, f in vars(base).items() if hasattr(f, "operation")}
    methods = {name: _method(noun, name, function) for name, function in declared.items()}
    return type(f"Served{NOUNS[noun].__name__}", (NOUNS[noun],), {"__init__": begin, **methods})


def _method(noun: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    operation, needs = f"{noun}.{name}", function.operation.needs  # type: ignore[attr-defined]
    changes = needs != "read" and operation not in _A_RECORD_ITSELF

    @wraps(function)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        given = signature.bind(self, *args, **named).arguments
        del given["self"]
        act = Act(operation, needs, changes)
        if changes:
            act.subject, act.after = _subject(given), _told(given)
        with acting(self._here.database, self._here.caller, self._here.user, act):
            return getattr(self._inner, name)(*args, **named)

    return call


def _subject(given: Mapping[str, Any]) -> str:
    """What the act is about, as far as its arguments tell; where it asks, it tells more exactly."""
    name, value = next(iter(given.items()), ("", ""))
    return f"run:{value}" if name == "run_id" else value if isinstance(value, str) else ""


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for, as plain JSON; of what is long only how long it is."""
    told = {}
    for name, value in given.items():
        if value is not None:
            shown = plain(value, ())
            size = len(json.dumps(shown, default=str))
            told[name] = shown if size <= _SHOWN else f"({size} characters)"
    return told
