"""Rows keep moments exactly and refuse those without a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import StatementError

from lineal.db import schema
from lineal.db.schema import UtcTime
from lineal.db.session import Database, open_file

moments = Table("moments", MetaData(), Column("at", UtcTime))
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_file(str(tmp_path / "lineal.db"))
    with database.begin() as session:
        moments.create(session)
    return database


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(at=st.none() | st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones))
def test_a_moment_is_read_back_to_the_microsecond_in_utc(database: Database, at: datetime | None) -> None:
    with database.begin() as session:
        session.execute(moments.delete())
        session.execute(insert(moments).values(at=at))
        found = session.scalar(select(moments.c.at))
    assert found == at
    assert found is None or found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises((TypeError, StatementError), match="without a time zone"), database.begin() as session:
        session.execute(insert(moments).values(at=datetime(2026, 5, 1)))


def test_moments_sort_by_time(database: Database) -> None:
    early, late = datetime(1969, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    with database.begin() as session:
        session.execute(insert(moments), [{"at": late}, {"at": early}])
        assert session.scalars(select(moments.c.at).order_by(moments.c.at)).all() == [early, late]


def test_elsewhere_a_moment_is_a_timestamp_with_a_zone() -> None:
    dialect = postgresql.dialect()
    assert UtcTime().compile(dialect) == "TIMESTAMP WITH TIME ZONE"
    at = datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert UtcTime().process_bind_param(at, dialect) == at
    assert UtcTime().process_result_value(at, dialect) == datetime(2026, 5, 1, 12, tzinfo=UTC)
    with pytest.raises(TypeError):
        UtcTime().process_bind_param(datetime(2026, 5, 1), dialect)


def test_every_moment_in_the_schema_refuses_naive_ones() -> None:
    columns = [c for t in schema.metadata.tables.values() for c in t.columns if c.name.endswith("_at")]
    assert len(columns) > 10
    assert all(isinstance(c.type, UtcTime) for c in columns)
