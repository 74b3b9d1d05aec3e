"""Alerts of runs. Functions on a session that never commit."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from lineal.core.errors import InvalidArgument
from lineal.core.names import check_name
from lineal.db.schema import run_alerts
from lineal.db.session import Session
from lineal.tracking.model import MAX_ALERT_CHARS, MAX_ALERT_TITLE_CHARS, Alert

LEVELS = ("info", "warn", "error")
_MAX_CHANNELS = 100


def add(session: Session, id_: int, alert: Alert) -> None:
    """Records the alert of the run; one with its id that is there already gets its channels' states and repeats.

    Raises invalid.argument.
    """
    _check(alert)
    here = (run_alerts.c.run_id == id_) & (run_alerts.c.alert_id == alert.id)
    if session.execute(
        update(run_alerts).where(here).values(channels=dict(alert.channels), repeats=alert.repeats)
    ).rowcount:
        return
    session.execute(
        insert(run_alerts).values(
            run_id=id_,
            alert_id=alert.id,
            title=alert.title,
            text=alert.text,
            level=alert.level,
            at=alert.at,
            channels=dict(alert.channels),
            repeats=alert.repeats,
        )
    )


def list_of(session: Session, id_: int, *, limit: int | None = None, after: str | None = None) -> list[Alert]:
    """The alerts of the run, oldest first; at most `limit`, behind the one with the id `after`, if there is one."""
    here = (run_alerts.c.run_id == id_) & (run_alerts.c.alert_id == after)
    last = session.scalar(select(run_alerts.c.id).where(here)) if after else None
    return [alert for _, alert in list_new(session, id_, after=last or 0, limit=limit)]


def list_new(session: Session, id_: int, *, after: int, limit: int | None = None) -> list[tuple[int, Alert]]:
    """The alerts of the run behind the one with the row id `after`, oldest first, each with its row id."""
    mine = (run_alerts.c.run_id == id_) & (run_alerts.c.id > after)
    return [
        (row.id, Alert(row.alert_id, row.title, row.text, row.level, row.at, dict(row.channels), row.repeats))
        for row in session.execute(select(run_alerts).where(mine).order_by(run_alerts.c.id).limit(limit))
    ]


def _check(alert: Alert) -> None:
    check_name(alert.id, "alert's id")
    if alert.level not in LEVELS:
        raise InvalidArgument(f"{ascii(alert.level)[:40]} is no level of an alert; there are {', '.join(LEVELS)}")
    if len(alert.title) > MAX_ALERT_TITLE_CHARS or len(alert.text) > MAX_ALERT_CHARS or len(alert.id) > 64:
        raise InvalidArgument(
            f"an alert has at most {MAX_ALERT_TITLE_CHARS} characters of title, {MAX_ALERT_CHARS} of text"
        )
    if len(alert.channels) > _MAX_CHANNELS or not 0 <= alert.repeats < 1 << 31:
        raise InvalidArgument(f"an alert has at most {_MAX_CHANNELS} channels, and is repeated less than 2**31 times")
