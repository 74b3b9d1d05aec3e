"""A PostgreSQL of the cell's own: `database(python)` is the URL of an empty one.

Run as a script, with Lineal's Python, which has the server's programs, it starts one, prints the URL and stops it
when its stdin ends; so a cell whose Python is a peer's has it too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def database(python: Path) -> Iterator[str]:
    """The URL of an empty database, as long as the block lasts."""
    process = subprocess.Popen([str(python), __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("PostgreSQL doesn't start; the log says why")
        yield url
    finally:
        process.stdin.close()
        process.wait()


def multiply(cursor: Any, tables: Mapping[str, tuple[str, ...]], *, times: int) -> None:
    """Copies all rows of the tables until they are there `times` times, their keys moved on for each copy.

    `tables` names each table's keys: numbers, moved on by the size of what they count; and names that end in five
    digits, counted on. The planner is told of the new sizes.
    """
    sizes = {}
    for table in tables:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}" if "id" in tables[table] else "SELECT 0")
        sizes[table] = cursor.fetchone()[0]
    for table, keys in tables.items():
        cursor.execute(f"SELECT * FROM {table} LIMIT 0")
        columns = [column[0] for column in cursor.description]
        values = [_moved(column, table, sizes) if column in keys else f'"{column}"' for column in columns]
        names, copied = ", ".join(f'"{column}"' for column in columns), ", ".join(values)
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {copied} FROM {table}, generate_series(1, {times - 1}) AS copy"
        )
    _plan(cursor, tables)


def _moved(column: str, table: str, sizes: Mapping[str, int]) -> str:
    if column == "name":
        return "left(name, -5) || lpad(copy::text, 5, '0')"
    counted = table if column == "id" else f"{column.removesuffix('_id')}s"
    return f'"{column}" + copy * {sizes[counted]}'


def _plan(cursor: Any, tables: Iterable[str]) -> None:
    for table in tables:
        cursor.execute(f"ANALYZE {table}")


def main() -> None:
    """Prints the URL of an empty database, and waits."""
    sys.path.insert(0, str(_ROOT))
    from tests.postgres import new_database, own_server

    with own_server() as server:
        print(new_database(server.url), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
