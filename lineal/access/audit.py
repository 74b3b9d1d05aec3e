"""The record of what was done and refused: rows are added, never changed. Never commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select

from lineal.access.model import AuditPage, AuditRow, Caller, Outcome
from lineal.core.errors import InvalidArgument
from lineal.core.metadata import check_metadata, check_text
from lineal.db.schema import audit_log
from lineal.db.session import Session

MAX_LIMIT = 1000
_ADD = insert(audit_log)
_MAX_TEXT = 4096
_MAX_FACTS_BYTES = 64 << 10


def add(
    session: Session,
    caller: Caller | None,
    operation: str,
    subject: str,
    *,
    at: datetime,
    user: str = "",
    outcome: Outcome = "done",
    why: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Records one act of the caller's; of the machine's `user` where there is no caller.

    `operation` is `noun.name` as the port has it, `subject` a ref, `run:<id>`, a project's path, `user:<name>`, …
    """
    who = ("", "", "") if caller is None else (caller.key_prefix, caller.address, caller.request_id)
    values = {
        "at": at,
        "user": _text(user if caller is None else caller.name),
        "key_prefix": who[0],
        "address": _text(who[1]),
        "request_id": _text(who[2]),
        "operation": operation,
        "subject": _text(subject),
        "outcome": outcome,
        "why": _text(why),
        "before": _facts(before),
        "after": _facts(after),
    }
    session.execute(_ADD, values)


def page(
    session: Session,
    *,
    user: str | None = None,
    operation: str | None = None,
    subject: str | None = None,
    outcome: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    after: str | None = None,
) -> AuditPage:
    """Rows that meet every condition, newest first, from the cursor `after` on.

    A `subject` is met by what lies below it too: `entity/project` by `entity/project/model:v3`. `since` is met by
    its own moment, `until` is not. Raises invalid.argument.
    """
    if not 0 < limit <= MAX_LIMIT:
        raise InvalidArgument(f"a page has 1 to {MAX_LIMIT} rows, not {limit}")
    table = audit_log.c
    wanted = select(audit_log).order_by(table.id.desc()).limit(limit + 1)
    for column, value in ((table.user, user), (table.operation, operation), (table.outcome, outcome)):
        if value is not None:
            wanted = wanted.where(column == check_text(value, "the filter"))
    if subject:
        check_text(subject, "the subject")
        below = [and_(table.subject > subject + mark, table.subject < subject + chr(ord(mark) + 1)) for mark in "/:@"]
        wanted = wanted.where(or_(table.subject == subject, *below))
    if since is not None:
        wanted = wanted.where(table.at >= since)
    if until is not None:
        wanted = wanted.where(table.at < until)
    if after is not None:
        wanted = wanted.where(table.id < _cursor(after))
    rows = [AuditRow(*row) for row in session.execute(wanted)]
    more = len(rows) > limit
    return AuditPage(tuple(rows[:limit]), str(rows[limit - 1].id) if more else None)


def _cursor(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidArgument(f"{ascii(text)[:40]} is no place in the record; take it from the page before")
    return int(text)


def _text(text: str) -> str:
    """The text as every database can hold it: a record is written, whatever was asked for."""
    return text[:_MAX_TEXT].encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _facts(facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if facts is None:
        return None
    plain = check_metadata(facts, "the record", finite=False)
    size = len(str(plain))
    return plain if size <= _MAX_FACTS_BYTES else {"left_out": f"{size} characters"}
