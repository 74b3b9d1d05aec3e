"""Alerts of runs. Functions on a session that never commit."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from lineal.db.schema import run_alerts
from lineal.db.session import Session
from lineal.tracking.model import Alert


def add(session: Session, id_: int, alert: Alert) -> None:
    """Records the alert of the run; one with its id that is there already gets its channels' states."""
    here = (run_alerts.c.run_id == id_) & (run_alerts.c.alert_id == alert.id)
    if session.execute(update(run_alerts).where(here).values(channels=dict(alert.channels))).rowcount:
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
        )
    )


def list_of(session: Session, id_: int) -> list[Alert]:
    """The alerts of the run, oldest first."""
    rows = session.execute(select(run_alerts).where(run_alerts.c.run_id == id_).order_by(run_alerts.c.id))
    return [Alert(row.alert_id, row.title, row.text, row.level, row.at, dict(row.channels)) for row in rows]
