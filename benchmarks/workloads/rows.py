"""Seeding by rows: a system's own first rows, made through its API, copied with a few columns changed.

It makes stores of tens of thousands of versions in a second, whatever other columns a table has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

Change = Mapping[str, object]


def clone(database: Path, tables: Mapping[str, Iterable[Change]]) -> None:
    """For each table, adds a copy of its first row for each mapping of columns to values; rows in conflict yield."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        for table, changes in tables.items():
            cursor = connection.execute(f"SELECT * FROM {table} LIMIT 1")
            first = dict(zip((column[0] for column in cursor.description), cursor.fetchone(), strict=True))
            marks = ", ".join("?" * len(first))
            rows = [tuple({**first, **change}.values()) for change in changes]
            connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


def numbered(database: Path, table: str) -> dict[str, int]:
    """The ids of the table's rows by their names."""
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        return {name: id_ for id_, name in connection.execute(f"SELECT id, name FROM {table}")}


def clone_group(database: Path, tables: Mapping[str, tuple[str, ...]], *, times: int) -> None:
    """Copies all rows of the tables until they are there `times` times, their keys moved on for each copy.

    `tables` names each table's keys: numbers, moved on by the size of what they count; and names that end in digits,
    counted on.
    """
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        sizes = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
        for table, keys in tables.items():
            cursor = connection.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            found = [dict(zip(columns, row, strict=True)) for row in cursor]
            steps = {
                key: sizes[table if key == "id" else f"{key.removesuffix('_id')}s"] for key in keys if key != "name"
            }
            copies = (
                {**row, **{key: row[key] + step * copy for key, step in steps.items()}, **_named(row, keys, copy)}
                for copy in range(1, times)
                for row in found
            )
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", (tuple(row.values()) for row in copies))


def _named(row: Change, keys: tuple[str, ...], copy: int) -> Change:
    return {"name": f"{str(row['name'])[:-5]}{copy:05d}"} if "name" in keys else {}
