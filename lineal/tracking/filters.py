"""Filters of runs and the order they come in: mongo-like mappings, read into a frozen tree. Nothing is evaluated.

    {"config.lr": {"$gt": 0.01}, "state": "finished", "$or": [{"tags": "baseline"}, {"group": {"$in": ["a", "b"]}}]}

A condition holds or it doesn't: of a run that lacks the key nothing but `$ne`, `$nin`, `$exists: false` and `null`
hold. Numbers are compared with numbers and texts with texts, `$regex` is searched for in texts, by an engine whose
time is linear in the text (Rust's, which pydantic brings along; no look-around, no back-references).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, get_args

from lineal.core.clock import parse_time
from lineal.core.errors import InvalidArgument, InvalidFilter, InvalidMetadata
from lineal.core.metadata import check_text
from lineal.tracking.model import RunState

Kind = Literal["value", "text", "time", "number", "tags"]
Op = Literal["in", "gt", "gte", "lt", "lte", "regex", "exists"]

MAX_DEPTH = 20
MAX_CONDITIONS = 200
MAX_VALUES = 10_000
MAX_REGEX = 500
_MAX_KEY = 10_000
_MAX_STEP = 2**63 - 1
_COMPARISONS: Mapping[str, Op] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_DENIED = {"$ne": "$eq", "$nin": "$in"}
_OPERATORS = ("$eq", "$ne", "$in", "$nin", *_COMPARISONS, "$regex", "$exists", "$not")

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("id", "name", "display_name", "state", "group", "job_type", "notes", "sweep"), "text"),
    **dict.fromkeys(("user", "host", "project", "entity"), "text"),
    **dict.fromkeys(("created_at", "updated_at", "finished_at"), "time"),
    "last_step": "number",
    "tags": "tags",
}
_ALIASES = {
    "jobType": "job_type",
    "displayName": "display_name",
    "username": "user",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "heartbeat": "updated_at",
    "heartbeat_at": "updated_at",
    "heartbeatAt": "updated_at",
    "finishedAt": "finished_at",
    "lastHistoryStep": "last_step",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What a condition looks at: a column of the run, or a value by its key (`config.lr`, `summary.val.acc`)."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `value` is a tuple for `in`, a moment where the field is one."""

    field: Field
    op: Op
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    """Holds where every part does; without parts, always."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where one part does; without parts, never."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where the part doesn't."""

    part: Node


Node = Condition | All | AnyOf | Not


@dataclass(frozen=True, slots=True)
class Order:
    """The field that runs are sorted by, and which end comes first."""

    field: Field
    descending: bool = False


def parse(filters: Mapping[str, Any] | None) -> Node:
    """The tree that the mapping spells. Raises invalid.filter, naming the key."""
    return _Reader().read({} if filters is None else filters, 0)


def parse_order(text: str) -> Order:
    """The order that `-summary_metrics.acc`, `+config.lr` or `created_at` asks for; `-`: largest or newest first."""
    name = text.strip() if isinstance(text, str) else ""
    try:
        found = field(name.lstrip("+-") if name[:2] not in ("+-", "-+", "--", "++") else "")
    except InvalidFilter:
        found = None
    if found is None or found.kind == "tags":
        raise InvalidArgument(
            f"runs can't be sorted by {_shown(text)}; write + or - and a key, such as -summary_metrics.acc, "
            "+config.lr, -created_at or name"
        )
    return Order(Field("text", "display_name") if found.name == "name" else found, name.startswith("-"))


def field(name: str) -> Field:
    """The field of that name, whichever of its spellings it is. Raises invalid.filter."""
    for prefix, kept in (("config.", "config."), ("summary_metrics.", "summary."), ("summary.", "summary.")):
        key = name.removeprefix(prefix)
        if key and key != name and len(key) <= _MAX_KEY:
            _text("a key", key)
            # W&B keeps {"value": …} under each key of a config, and its filters say so
            return Field("value", kept + (key.removesuffix(".value") or key if kept == "config." else key))
    name = _ALIASES.get(name, name)
    if name not in _KINDS:
        raise InvalidFilter(
            f"runs have no {_shown(name)}; there are config.KEY, summary_metrics.KEY, {', '.join(sorted(_KINDS))}"
        )
    return Field(_KINDS[name], name)


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether the pattern is found in a text, in time that grows with the text only. Raises invalid.filter."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    if len(pattern) > MAX_REGEX:
        raise InvalidFilter(f"a regular expression has at most {MAX_REGEX} characters, not {len(pattern)}")
    try:
        check = SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as problem:
        why = " ".join(str(problem).rpartition("error: ")[2].split())[:200]
        raise InvalidFilter(f"{_shown(pattern)} is no regular expression that can be used here: {why}") from None
    return check.isinstance_python


class _Reader:
    """Reads one filter, and counts what it holds."""

    def __init__(self) -> None:
        self.conditions = 0
        self.values = 0

    def read(self, filters: Any, depth: int) -> Node:
        if not isinstance(filters, Mapping):
            raise InvalidFilter(f"a filter is a mapping such as {{'state': 'finished'}}, not {_shown(filters)}")
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"a filter is nested at most {MAX_DEPTH} levels deep")
        return _all([self._part(key, value, depth) for key, value in filters.items()])

    def _part(self, key: Any, value: Any, depth: int) -> Node:
        if not isinstance(key, str):
            raise InvalidFilter(f"{_shown(key)} is no key of a filter; keys are texts")
        if key in ("$and", "$or", "$nor"):
            if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
                raise InvalidFilter(f"{key} takes a list of filters, not {_shown(value)}")
            parts = tuple(self.read(part, depth + 1) for part in value)
            return All(parts) if key == "$and" else AnyOf(parts) if key == "$or" else Not(AnyOf(parts))
        if key == "$not":
            return Not(self.read(value, depth + 1))
        if key.startswith("$"):
            raise InvalidFilter(f"there is no operator {_shown(key)} here; there are $and, $or, $nor, $not")
        return self._field(field(key), key, value, depth)

    def _field(self, found: Field, key: str, value: Any, depth: int) -> Node:
        if isinstance(value, Mapping):
            if not value or not all(isinstance(op, str) and op.startswith("$") for op in value):
                raise InvalidFilter(
                    f"{key}: compare with a value or with operators such as {{'$gt': 1}}; "
                    f"what is inside a mapping has a dotted key such as {key[:60]}.x"
                )
            return _all([self._test(found, key, op, item, depth) for op, item in value.items()])
        return self._test(found, key, "$eq", value, depth)

    def _test(self, found: Field, key: str, op: str, value: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"a filter is nested at most {MAX_DEPTH} levels deep")
        if op == "$not":
            return Not(self._field(found, key, value, depth + 1))
        if op in _DENIED:
            return Not(self._test(found, key, _DENIED[op], value, depth))
        if found.name == "name":  # to W&B it is the id; people mean the name
            both = [self._test(Field("text", name), key, op, value, depth) for name in ("id", "display_name")]
            return AnyOf(tuple(both))
        self._count(1)
        if op in ("$eq", "$in"):
            return self._among(found, key, op, value)
        if op in _COMPARISONS:
            return Condition(found, _COMPARISONS[op], _ordered(found, key, value))
        return self._other(found, key, op, value)

    def _count(self, conditions: int) -> None:
        self.conditions += conditions
        if self.conditions > MAX_CONDITIONS:
            raise InvalidFilter(f"a filter has at most {MAX_CONDITIONS} conditions, each tag of a list being one")

    def _other(self, found: Field, key: str, op: str, value: Any) -> Node:
        if op == "$exists":
            if not isinstance(value, bool):
                raise InvalidFilter(f"{key}: $exists takes true or false, not {_shown(value)}")
            there = Condition(found, "exists", True)
            return there if value else Not(there)
        if op == "$regex":
            if not isinstance(value, str) or found.kind in ("time", "number"):
                raise InvalidFilter(f"{key}: $regex takes a text and looks into texts")
            matcher(_text(key, value))
            return Condition(found, "regex", value)
        raise InvalidFilter(f"{key}: there is no operator {_shown(op)}; there are {', '.join(_OPERATORS)}")

    def _among(self, found: Field, key: str, op: str, value: Any) -> Node:
        if op == "$in" and not isinstance(value, list | tuple | set | frozenset):
            raise InvalidFilter(f"{key}: $in and $nin take a list, not {_shown(value)}")
        values = list(value) if op == "$in" else [value]
        self.values += len(values)
        if self.values > MAX_VALUES:
            raise InvalidFilter(f"a filter compares with at most {MAX_VALUES} values")
        if found.kind == "tags":  # each is looked for by itself
            self._count(len(values) - 1)
        there = [_comparable(found, key, value) for value in values if value is not None]
        among = Condition(found, "in", tuple(there))
        if len(there) == len(values):
            return among
        null: Node = (
            Condition(found, "in", (None,)) if found.kind == "value" else Not(Condition(found, "exists", True))
        )
        return AnyOf((among, null)) if there else null


def _all(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _comparable(found: Field, key: str, value: Any) -> Any:
    """`value` as the field's values are kept. Raises invalid.filter."""
    if found.kind == "value":
        if isinstance(value, list | tuple) and all(isinstance(item, bool | int | float | str) for item in value):
            return [_text(key, item) if isinstance(item, str) else item for item in value]
        if isinstance(value, bool | int | float | str):
            return _text(key, value) if isinstance(value, str) else value
        raise InvalidFilter(f"{key} is compared with a number, text, true, false or null, not {_shown(value)}")
    if found.kind in ("time", "number"):
        return _ordered(found, key, value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MAX_STEP:
        value = str(value)
    if not isinstance(value, str):
        raise InvalidFilter(f"{key} is compared with a text, not {_shown(value)}")
    if found.name == "state" and value not in get_args(RunState):
        raise InvalidFilter(f"a run is never {_shown(value)}; its state is one of {', '.join(get_args(RunState))}")
    return _text(key, value)


def _ordered(found: Field, key: str, value: Any) -> Any:
    """`value`, if larger and smaller mean something for the field. Raises invalid.filter."""
    if found.kind == "time":
        return _moment(key, value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if found.kind == "number" and number:
        return max(-_MAX_STEP, min(value, _MAX_STEP))
    if found.kind == "value" and number:
        return value
    if found.kind in ("value", "text") and isinstance(value, str):
        return _text(key, value)
    raise InvalidFilter(f"{key} can't be compared with {_shown(value)} in this way")


def _moment(key: str, value: Any) -> datetime:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise InvalidFilter(f"{key} is compared with a time such as '2026-05-01T12:00Z', not {_shown(value)}")
    try:
        return parse_time(value)
    except InvalidArgument as problem:
        raise InvalidFilter(f"{key}: {problem.message[:200]}") from None


def _text(key: str, value: str) -> str:
    try:
        return check_text(value, key[:80])
    except InvalidMetadata as problem:
        raise InvalidFilter(problem.message) from None


def _shown(value: object) -> str:
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        return f"such a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
