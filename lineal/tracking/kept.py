"""What is kept beside a run's rows: files and alerts, read back; and all that a run recorded, forgotten."""

from __future__ import annotations

from sqlalchemy import delete, select

from lineal.db.schema import run_alerts, run_chunks, run_files, run_parts, run_values, run_writers, runs
from lineal.db.session import Session
from lineal.storage import digest as digests
from lineal.storage.digest import Digest
from lineal.tracking.model import Alert, RunFile

_TABLES = (run_writers, run_chunks, run_parts, run_files, run_alerts, run_values)


def list_files(session: Session, id_: int) -> list[RunFile]:
    """The files of the run, by path."""
    rows = session.execute(select(run_files).where(run_files.c.run_id == id_).order_by(run_files.c.path))
    return [RunFile(row.path, digests.format(Digest(row.digest)), row.size) for row in rows]


def list_alerts(session: Session, id_: int) -> list[Alert]:
    """The alerts of the run, oldest first."""
    rows = session.execute(select(run_alerts).where(run_alerts.c.run_id == id_).order_by(run_alerts.c.id))
    return [Alert(row.alert_id, row.title, row.text, row.level, row.at, row.channels) for row in rows]


def forget(session: Session, id_: int) -> None:
    """Deletes the run's row and everything it recorded; edges and versions are others' to see to first."""
    for table in _TABLES:
        session.execute(delete(table).where(table.c.run_id == id_))
    session.execute(delete(runs).where(runs.c.id == id_))
