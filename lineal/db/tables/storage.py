"""Tables of storage: objects, and the blobs that lie in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, SmallInteger, Table, Text

from lineal.db.tables.columns import UtcTime, metadata, row_id

objects = Table(
    "objects",
    metadata,
    Column("id", row_id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("object_id", row_id, ForeignKey("objects.id"), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("fast", LargeBinary(16), nullable=False),
    Column("codec", SmallInteger, nullable=False),
    # A server looks at what else lies in a pack; PostgreSQL also at every object that is deleted, for the key above.
    Index("blobs_by_object", "object_id", "offset").ddl_if(dialect="postgresql"),
    sqlite_with_rowid=False,
)
