"""The types of columns as revisions write them, on both engines; what schema.py says today may say more tomorrow."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Float, ForeignKey, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy import String as Varying

ID = BigInteger().with_variant(Integer(), "sqlite")
MOMENT = DateTime(timezone=True).with_variant(BigInteger(), "sqlite")
BIG, INTEGER, SMALL, REAL, JSON_TEXT, BYTES = BigInteger(), Integer(), SmallInteger(), Float(), JSON(), LargeBinary()
TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def short(length: int) -> Any:
    """A text of at most that length on SQLite's paper; of any length, ordered by code point, on PostgreSQL."""
    return Varying(length).with_variant(Text(collation="C"), "postgresql")


def key() -> Column[Any]:
    """The internal id that a table counts up by itself."""
    return Column("id", ID, primary_key=True)


def of(name: str, target: str, **more: Any) -> Column[Any]:
    """The column `name` with the id of a row of the table `target`."""
    more.setdefault("nullable", False)
    return Column(name, ID, ForeignKey(f"{target}.id"), **more)


def some(name: str, kind: Any, **more: Any) -> Column[Any]:
    """A column that is never empty."""
    return Column(name, kind, nullable=False, **more)
