"""What was read back as tables of pandas, polars or pyarrow, which are loaded when one is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from lineal.core.errors import MissingDependency
from lineal.tracking.leaves import flatten
from lineal.tracking.model import Run, Samples

Columns = dict[str, list[Any]]
_FACTS = ("id", "name", "project", "state", "created_at", "finished_at", "user", "host", "group", "job_type")


def need(name: str) -> ModuleType:
    """The library of that name. Raises unavailable.dependency."""
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError:
        raise MissingDependency(f"this needs {name}, which is not installed: pip install {name}") from None


def of_runs(runs: Iterable[Run]) -> Columns:
    """A row for each run: facts, then `config.…` and `summary.…` by dotted key, None where a run lacks one."""
    rows = [dict(_of_run(run)) for run in runs]
    keys = dict.fromkeys(key for row in rows for key in row)
    facts = [key for key in keys if not key.startswith(("config.", "summary."))]
    values = sorted(key for key in keys if key not in facts)
    return {key: [row.get(key) for row in rows] for key in (*facts, *values)}


def _of_run(run: Run) -> Iterator[tuple[str, Any]]:
    for name in _FACTS:
        yield name, getattr(run, name)
    yield "tags", list(run.tags)
    yield "notes", run.notes
    yield "last_step", run.last_step
    yield from flatten(run.config, "config")
    yield from flatten(run.summary, "summary")


def of_rows(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """The rows by column, `_step` first, None where a row lacks the key."""
    keys = dict.fromkeys(key for row in rows for key in row)
    ordered = sorted(keys, key=lambda key: (key != "_step", key.startswith("_"), key))
    return {key: [row.get(key) for row in rows] for key in ordered}


def of_samples(samples: Iterable[Samples]) -> Columns:
    """A row for each bucket: run, key, `_step`, and its last value, the lowest, highest and mean."""
    found: Columns = {name: [] for name in ("run", "key", "_step", "value", "low", "high", "mean")}
    for one in samples:
        found["run"] += [one.run] * len(one.steps)
        found["key"] += [one.key] * len(one.steps)
        for name, values in zip(
            ("_step", "value", "low", "high", "mean"), (one.steps, one.last, one.low, one.high, one.mean), strict=True
        ):
            found[name] += list(values)
    return found


def to_pandas(columns: Columns) -> Any:
    """The columns as a pandas DataFrame."""
    pandas = need("pandas")
    frame = pandas.DataFrame(columns, copy=False)
    for key in ("created_at", "finished_at"):
        if key in columns:
            frame[key] = pandas.to_datetime(frame[key], utc=True)
    return frame


def to_arrow(columns: Columns) -> Any:
    """The columns as a pyarrow Table; one with values of several kinds as their JSON."""
    pyarrow = need("pyarrow")
    return pyarrow.table({key: _array(pyarrow, values) for key, values in columns.items()})


def to_polars(columns: Columns) -> Any:
    """The columns as a polars DataFrame; one with values of several kinds as their JSON."""
    return need("polars").from_arrow(to_arrow(columns))


def _array(pyarrow: ModuleType, values: list[Any]) -> Any:
    if all(value is None for value in values):
        return pyarrow.nulls(len(values))
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and len(kinds) == 2:
        return pyarrow.array([None if value is None else float(value) for value in values], pyarrow.float64())
    if len(kinds) == 1 and not kinds & {dict}:
        try:
            return pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, OverflowError):  # lists of several kinds, 10**30
            pass
    return pyarrow.array([value if value is None or isinstance(value, str) else _json(value) for value in values])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
