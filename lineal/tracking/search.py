"""Finding runs: a filter and an order become statements that follow an index and stop early; pages by keyset.

Runs come in segments, one statement each: those that have the order's key, then (for a value) those whose value is a
text, then those that lack it. Regular expressions are searched for here, in the candidates that the rest of the
filter leaves, a page of narrow rows at a time, so that every database finds the same runs.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from lineal.core.clock import format_time, parse_time
from lineal.core.errors import InvalidArgument
from lineal.db.schema import run_keys, run_values, runs
from lineal.db.session import Session
from lineal.tracking.filters import All, AnyOf, Condition, Field, Node, Not, Order, matcher
from lineal.tracking.leaves import columns
from lineal.tracking.model import CRASHED_AFTER_S

_CANDIDATES = 2000
_VALUES = run_values.alias("v")
_RUNS = runs.alias("r")
_COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
}


class _Place(FunctionElement[int]):
    """Where a text has another in it, upper and lower case told apart; 0: nowhere."""

    type = Integer()
    name = "strpos"
    inherit_cache = True


@compiles(_Place)
def _place(element: Any, compiler: Any, **more: Any) -> str:
    name = "instr" if compiler.dialect.name == "sqlite" else "strpos"
    return f"{name}({compiler.process(element.clauses, **more)})"


class Found(NamedTuple):
    """Row ids of the runs that were found, in order, and the cursor of the next page."""

    ids: list[int]
    after: str | None


NONE = Found([], None)


Seen = Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool] | None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at the moment `at`, by which a silent run counts as crashed or not.

    `seen` makes of the columns of entity and project which runs are looked at; None: all.
    """

    where: Node
    at: datetime
    project: str | None = None
    entity: str | None = None
    seen: Seen | None = None


def find(session: Session, question: Question, order: Order, *, limit: int, after: str | None = None) -> Found:
    """Up to `limit` runs, ties newest first, those that lack the order's key last."""
    start = _parse_cursor(after, order) if after else None
    found: list[tuple[int, Any, int]] = []
    for number, segment in enumerate(_segments(order, question)):
        if start is not None and number < start.segment:
            continue
        here = start if start is not None and number == start.segment else None
        for value, id_ in _walk(session, question, segment, order, here, limit + 1 - len(found)):
            found.append((number, value, id_))
        if len(found) > limit:
            last = found[limit - 1]
            return Found([id_ for _, _, id_ in found[:limit]], _format_cursor(order, _Cursor(*last)))
    return Found([id_ for _, _, id_ in found], None)


def count(session: Session, question: Question) -> int:
    """How many runs there are to be found."""
    everyone = _Segment(runs, runs.c.id, None, true())
    residue = _Residue(question, everyone)
    if not residue.columns:
        return session.scalar(_narrowed(select(func.count()).select_from(runs), question, everyone, residue)) or 0
    walked = _walk(session, question, everyone, Order(Field("text", "id")), None, None)
    return sum(1 for _ in walked)


def list_projects(session: Session, entity: str | None = None) -> set[tuple[str, str]]:
    """The projects (entity, project) that have runs, of the entity or of all."""
    wanted = select(runs.c.entity, runs.c.project).distinct()
    wanted = wanted if entity is None else wanted.where(runs.c.entity == entity)
    return {(row[0], row[1]) for row in session.execute(wanted)}


# ---- segments and pages --------------------------------------------------------------------------------------


class _Segment(NamedTuple):
    """Rows to walk: where they are, which column names the run, which sorts them (None: by the run alone)."""

    source: FromClause
    run: ColumnElement[int]
    sort: ColumnElement[Any] | None
    where: ColumnElement[bool]


class _Cursor(NamedTuple):
    """The last row that was seen."""

    segment: int
    value: Any
    run: int


def _segments(order: Order, question: Question) -> list[_Segment]:
    field = order.field
    if field.kind != "value":
        column = _column(field, runs, question)
        lacks = (column.is_(None) | (column == "")) if field.kind == "text" else column.is_(None)
        return [
            _Segment(runs, runs.c.id, column, not_(lacks)),
            _Segment(runs, runs.c.id, None, lacks),
        ]
    sorted_ = run_values.alias("s")
    here = sorted_.c.key_id == _key(field)
    there = (_VALUES.c.run_id == runs.c.id) & (_VALUES.c.key_id == _key(field))
    has = (_VALUES.c.number.is_not(None)) | (_VALUES.c.text.is_not(None))
    return [
        _Segment(sorted_, sorted_.c.run_id, sorted_.c.number, here & sorted_.c.number.is_not(None)),
        _Segment(
            sorted_,
            sorted_.c.run_id,
            sorted_.c.text,
            here & sorted_.c.number.is_(None) & sorted_.c.text.is_not(None),
        ),
        _Segment(runs, runs.c.id, None, ~exists(select(_VALUES.c.run_id).where(there, has))),
    ]


def _walk(
    session: Session, question: Question, segment: _Segment, order: Order, after: _Cursor | None, limit: int | None
) -> Iterator[tuple[Any, int]]:
    """The sort values and row ids of the segment's runs behind the cursor, `limit` of them at most."""
    residue = _Residue(question, segment)
    sort: ColumnElement[Any] = segment.run if segment.sort is None else segment.sort
    base = select(sort, segment.run, *residue.columns).select_from(segment.source)
    base = _narrowed(base, question, segment, residue)
    by = [segment.run.desc()]
    if segment.sort is not None:
        by = [sort.desc() if order.descending else sort.asc(), *by]
    base = base.order_by(*by)
    at_once = _CANDIDATES if residue.columns or limit is None else limit
    last = None if after is None else (after.value, after.run)
    left = limit
    while left is None or left > 0:
        page = base if last is None else base.where(_behind(segment, order, *last))
        rows = session.execute(page.limit(at_once)).all()
        for row in rows:
            if residue.holds(row):
                yield (None if segment.sort is None else row[0]), row[1]
                left = None if left is None else left - 1
                if left == 0:
                    return
        if len(rows) < at_once:
            return
        last = rows[-1][0], rows[-1][1]


def _behind(segment: _Segment, order: Order, value: Any, run: int) -> ColumnElement[bool]:
    if segment.sort is None:
        return segment.run < run
    further, bound = ("lt", "lte") if order.descending else ("gt", "gte")
    behind = or_(_COMPARE[further](segment.sort, value), segment.run < run)
    return and_(_COMPARE[bound](segment.sort, value), behind)  # the bound is what an index can use


def _narrowed(base: Select[Any], question: Question, segment: _Segment, residue: _Residue) -> Select[Any]:
    """The statement with all conditions that the database decides."""
    placed = [
        Condition(Field("text", name), "in", (given,))
        for name, given in (("project", question.project), ("entity", question.entity))
        if given is not None
    ]
    parts = [_clause(part, segment, question) for part in (*placed, *residue.sure)]
    table = runs if segment.source is runs else _RUNS
    seen = None if question.seen is None else question.seen(table.c.entity, table.c.project)
    if seen is not None:
        here = seen if table is runs else exists(select(_RUNS.c.id).where(_RUNS.c.id == segment.run, seen))
        parts.append(here)
    return base.where(segment.where, *parts)


def _format_cursor(order: Order, last: _Cursor) -> str:
    value = format_time(last.value) if isinstance(last.value, datetime) else last.value
    body = [order.field.name, order.descending, last.segment, value, last.run]
    return base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode().rstrip("=")


def _parse_cursor(text: str, order: Order) -> _Cursor:
    """The cursor that the text is. Raises invalid.argument unless it was made for this order."""
    try:
        body = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        name, descending, segment, value, run = body
        if [name, descending] != [order.field.name, order.descending]:
            raise ValueError
        if not all(type(number) is int and 0 <= number < 2**63 for number in (segment, run)):
            raise ValueError
        kinds = {"value": (float, str), "text": (str,), "time": (str,), "number": (int,)}[order.field.kind]
        if type(value) is not (*kinds, type(None))[segment]:
            raise ValueError
        return _Cursor(segment, parse_time(value) if order.field.kind == "time" and value else value, run)
    except (ValueError, TypeError, IndexError, InvalidArgument):
        raise InvalidArgument("the cursor is not of a page in this order; start without one") from None


# ---- conditions ----------------------------------------------------------------------------------------------


def _clause(node: Node, segment: _Segment, question: Question) -> ColumnElement[bool]:
    """The tree, which has no regular expressions in it, as one expression over the segment's rows."""
    if isinstance(node, Condition):
        if node.field.kind == "value":
            return _value_clause(node, segment)
        if segment.source is runs:
            return _column_clause(node, runs, question)
        holds = _column_clause(node, _RUNS, question)
        return exists(select(_RUNS.c.id).where(_RUNS.c.id == segment.run, holds))
    if isinstance(node, Not):
        return not_(_clause(node.part, segment, question))
    parts = [_clause(part, segment, question) for part in node.parts]
    return and_(true(), *parts) if isinstance(node, All) else or_(false(), *parts)


def _value_clause(node: Condition, segment: _Segment) -> ColumnElement[bool]:
    if node.op == "exists":
        inside = f"{node.field.name}."
        below = select(run_keys.c.id).where(
            (run_keys.c.name == node.field.name) | (func.substr(run_keys.c.name, 1, len(inside)) == inside)
        )
        return exists(select(_VALUES.c.run_id).where(_VALUES.c.run_id == segment.run, _VALUES.c.key_id.in_(below)))
    if node.op != "in":
        number, text = columns(node.value)
        compared = (
            _COMPARE[node.op](_VALUES.c.number, number) if text is None else _COMPARE[node.op](_VALUES.c.text, text)
        )
        return _probe(node.field, segment, compared)
    if node.value == (None,):
        return not_(_probe(node.field, segment, _VALUES.c.number.is_not(None) | _VALUES.c.text.is_not(None)))
    kept = [columns(value) for value in node.value]
    numbers = [number for number, text in kept if text is None]
    texts = [text for number, text in kept if number is None]
    among: list[ColumnElement[bool]] = [
        (_VALUES.c.number == number) & (_VALUES.c.text == text)
        for number, text in dict.fromkeys(kept)
        if number is not None and text is not None
    ]
    if numbers:
        among.append(_one_of(_VALUES.c.number, numbers))
    if texts:
        among.append(_one_of(_VALUES.c.text, texts))
    return _probe(node.field, segment, or_(false(), *among))


def _probe(field: Field, segment: _Segment, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the segment's run has a value under the key of which the condition holds."""
    mine = (_VALUES.c.run_id == segment.run) & (_VALUES.c.key_id == _key(field))
    return exists(select(_VALUES.c.run_id).where(mine, condition))


def _column_clause(node: Condition, table: FromClause, question: Question) -> ColumnElement[bool]:
    if node.field.kind == "tags":
        text = cast(table.c.tags, Text)
        if node.op == "exists":
            return text != "[]"
        # the list is JSON: a tag follows its start or a comma, and a quote inside a tag follows a backslash
        starts = [f"{before}{json.dumps(tag)}" for tag in node.value for before in ("[", ", ")]
        return or_(false(), *(_Place(text, literal(start)) > 0 for start in starts))
    column = _column(node.field, table, question)
    there = column.is_not(None)
    if node.op == "exists":
        return there & (column != "") if node.field.kind == "text" else there
    holds = _one_of(column, node.value) if node.op == "in" else _COMPARE[node.op](column, node.value)
    return there & holds if node.field.kind == "time" else holds  # two-valued, as `not` needs it


def _one_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    return column == values[0] if len(values) == 1 else column.in_(list(dict.fromkeys(values)))


def _column(field: Field, table: FromClause, question: Question) -> ColumnElement[Any]:
    """The field as an expression over rows of runs."""
    if field.name == "state":  # as `runs.of_row` shows it
        silent = table.c.seen_at < question.at - timedelta(seconds=CRASHED_AFTER_S)
        return case(((table.c.state == "running") & silent, "crashed"), else_=table.c.state)
    if field.name == "updated_at":
        return func.coalesce(table.c.seen_at, table.c.created_at, type_=table.c.created_at.type)
    return table.c[{"id": "run_id", "display_name": "name"}.get(field.name, field.name)]


# ---- regular expressions -------------------------------------------------------------------------------------


class _Residue:
    """What a filter asks of each candidate beyond its `sure` parts, from more `columns` of the statement."""

    def __init__(self, question: Question, segment: _Segment) -> None:
        self._question, self._segment = question, segment
        parts = question.where.parts if isinstance(question.where, All) else (question.where,)
        self.sure = [part for part in parts if not _searches(part)]
        self.columns: list[ColumnElement[Any]] = []
        self._tests = [self._test(part) for part in parts if _searches(part)]

    def holds(self, row: Row[Any]) -> bool:
        """Whether the row of the statement meets what is left."""
        return all(test(row) for test in self._tests)

    def _test(self, node: Node) -> Callable[[Row[Any]], bool]:
        if isinstance(node, Not):
            inner = self._test(node.part)
            return lambda row: not inner(row)
        if isinstance(node, All | AnyOf):
            tests, join = [self._test(part) for part in node.parts], all if isinstance(node, All) else any
            return lambda row: join(test(row) for test in tests)
        if node.op != "regex":
            place = self._add(case((_clause(node, self._segment, self._question), 1), else_=0))
            return lambda row: bool(row[place])
        place, found = self._add(self._text(node.field)), matcher(node.value)
        if node.field.kind == "tags":
            return lambda row: any(found(tag) for tag in row[place] or ())
        return lambda row: row[place] is not None and found(row[place])

    def _add(self, column: ColumnElement[Any]) -> int:
        self.columns.append(column.label(f"asked_{len(self.columns)}"))
        return len(self.columns) + 1  # behind the sort value and the run

    def _text(self, field: Field) -> ColumnElement[Any]:
        """The text to search in, for the segment's run."""
        if field.kind == "value":
            mine = (_VALUES.c.run_id == self._segment.run) & (_VALUES.c.key_id == _key(field))
            return select(_VALUES.c.text).where(mine).scalar_subquery()
        if self._segment.source is runs:
            return _column(field, runs, self._question)
        column = _column(field, _RUNS, self._question)
        return select(column).where(_RUNS.c.id == self._segment.run).scalar_subquery()


def _searches(node: Node) -> bool:
    if isinstance(node, Condition):
        return node.op == "regex"
    return _searches(node.part) if isinstance(node, Not) else any(_searches(part) for part in node.parts)


def _key(field: Field) -> ColumnElement[int]:
    return select(run_keys.c.id).where(run_keys.c.name == field.name).scalar_subquery()
