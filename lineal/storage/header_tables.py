"""The columns and row counts of parquet, csv and tsv files."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Iterator
from typing import Any

from lineal.storage.header_window import MAX_PARTS, Contents, Unreadable, Window, named

_MAX_FOOTER_BYTES = 32 << 20
_MAX_RECORD_CHARS = 4 << 20
_MAX_COUNTED_BYTES = 256 << 20
_NO_PYARROW = "its columns are read with pyarrow, which is missing: pip install 'lineal[data]'"


def read_parquet(window: Window) -> Contents:
    """The top columns of a parquet file with their Arrow types, and its rows, from the footer alone."""
    footer = _read_footer(window)
    try:
        metadata = _parse_footer(footer)
    except ImportError:
        raise Unreadable(_NO_PYARROW) from None
    if metadata.num_columns > MAX_PARTS or metadata.num_rows < 0:
        raise Unreadable("its footer has too many columns or a negative row count")
    fields = metadata.schema.to_arrow_schema()
    return Contents(named((field.name, str(field.type)) for field in fields), metadata.num_rows)


def read_csv(window: Window) -> Contents:
    """The names in the first record of a csv file, and how many records follow; uncounted beyond 256 MiB."""
    return _read_records(window, delimiter=",")


def read_tsv(window: Window) -> Contents:
    """The same as `read_csv`, of a file with tabs between its fields."""
    return _read_records(window, delimiter="\t")


def _read_footer(window: Window) -> bytes:
    """The footer of a parquet file, up to the file's end."""
    tail = window.take(window.size_bytes - 8, 8)
    length, magic = int.from_bytes(tail[:4], "little"), tail[4:]
    if magic == b"PARE":
        raise Unreadable("its footer is encrypted")
    if magic != b"PAR1":
        raise Unreadable("it doesn't end as a parquet file does")
    if length > _MAX_FOOTER_BYTES:
        raise Unreadable(f"its footer claims {length:,} bytes, more than {_MAX_FOOTER_BYTES:,}")
    return window.take(window.size_bytes - 8 - length, length) + tail


def _parse_footer(footer: bytes) -> Any:
    """pyarrow's FileMetaData of a file that is all footer: pyarrow never sees the rows."""
    import pyarrow
    import pyarrow.parquet

    # Before it had a limit on depth, pyarrow overflowed the C stack on schemas some thousand groups deep.
    known = inspect.signature(pyarrow.parquet.ParquetFile).parameters
    limits = {"schema_depth_limit": 100} if "schema_depth_limit" in known else {"thrift_container_size_limit": 2000}
    source = pyarrow.BufferReader(b"PAR1" + footer)
    return pyarrow.parquet.ParquetFile(source, **limits).metadata


def _read_records(window: Window, *, delimiter: str) -> Contents:
    records = _records(window, delimiter)
    columns = next(records, [])
    if any("\0" in name for name in columns):
        raise Unreadable("it is not text")
    parts = named((name, "") for name in columns)
    if window.size_bytes > _MAX_COUNTED_BYTES:
        return Contents(parts)
    try:
        return Contents(parts, sum(1 for _ in records))
    except (Unreadable, csv.Error) as bad:
        return Contents(parts, problem=f"its rows can't be counted: {bad}")


def _records(window: Window, delimiter: str) -> Iterator[list[str]]:
    """The records that aren't blank; bytes that are no text are kept as backslash escapes."""
    encoding = "utf-16" if window.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    window.seek(0)
    buffered = io.BufferedReader(window, 256 << 10)
    lines = _Lines(io.TextIOWrapper(buffered, encoding=encoding, errors="backslashreplace", newline=""))
    for record in csv.reader(lines, delimiter=delimiter):
        if record:
            lines.fed = 0
            yield record


class _Lines:
    """The lines of a text; feeds at most 4 Mi characters to one record. Set `fed` to 0 after each."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.fed = 0
        self._text = text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(_MAX_RECORD_CHARS + 1)
        self.fed += len(line)
        if not line:
            raise StopIteration
        if self.fed > _MAX_RECORD_CHARS:
            raise Unreadable(f"a record is longer than {_MAX_RECORD_CHARS:,} characters")
        return line
