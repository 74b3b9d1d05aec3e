"""What a reproduction came to, beside the run that it brought back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from lineal.backend.port import Backend
from lineal.core.settings import environment
from lineal.tracking.leaves import flatten
from lineal.tracking.model import Run

_TAG = "reproduces:"


class Compared(NamedTuple):
    """A metric in both runs; None: not there."""

    key: str
    before: Any
    after: Any
    equal: bool


def own_tags() -> list[str]:
    """The tags of every run that this process starts: which run it reproduces, if it does."""
    run_id = environment("LINEAL_REPRODUCES")
    return [_TAG + run_id] if run_id and len(run_id) < 100 and run_id.isprintable() else []


def find_reproduction(backend: Backend, run_id: str, since: datetime) -> Run | None:
    """The first run that was started as a reproduction of the run since that moment."""
    page = backend.runs.list(filters={"tags": _TAG + run_id}, order="-created_at", limit=100)
    return next((run for run in reversed(page.runs) if run.created_at >= since), None)


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    """The metrics of both summaries by key, without those that start with `_`, such as the time it took."""
    old, new = _flat(before), _flat(after)
    return [Compared(key, old.get(key), new.get(key), _same(old, new, key)) for key in sorted({*old, *new})]


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    found = {key.removeprefix("."): value for key, value in flatten(summary, "")}
    return {key: value for key, value in found.items() if not key.startswith("_")}


def _same(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    if key not in old or key not in new:
        return False
    one, other = old[key], new[key]
    both_nan = one != one and other != other  # noqa: PLR0124 - only NaN differs from itself
    return bool(both_nan or one == other)
