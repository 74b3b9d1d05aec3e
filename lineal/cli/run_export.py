"""The rows of a run as files of other programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO

from lineal.cli.output import json_text
from lineal.client import frames
from lineal.client.run_view import RunView
from lineal.core.errors import InvalidArgument

Format = Literal["csv", "jsonl", "parquet"]
_BY_SUFFIX: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def write(
    view: RunView, format_: Format | None, output: str | None, *, keys: Sequence[str] | None, stream: str
) -> tuple[int, str | None]:
    """How many rows were written, and to which file; None: to standard output. Raises invalid.argument."""
    chosen = format_ or _BY_SUFFIX.get(Path(output or "").suffix.lower(), "csv")
    if output is None and chosen == "parquet" and sys.stdout.isatty():
        raise InvalidArgument("parquet does not belong on a terminal; name a file with -o")
    rows = view.scan_history(keys, stream=stream)
    with _opened(output) as file:
        if chosen == "parquet":
            written = _parquet(file, list(rows))
        elif chosen == "jsonl":
            written = _jsonl(file, rows)
        else:
            written = _csv(file, rows, _columns(view, keys, stream))
    return written, None if output is None else str(Path(output).absolute())


@contextmanager
def _opened(output: str | None) -> Iterator[BinaryIO]:
    if output is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        file = Path(output).open("wb")  # noqa: SIM115 - closed below
    except OSError as problem:
        raise InvalidArgument(f"{output} can't be written: {problem.strerror}") from None
    with file:
        yield file


def _columns(view: RunView, keys: Sequence[str] | None, stream: str) -> list[str]:
    if keys is not None:
        return list(dict.fromkeys(["_step", *keys]))
    named = view._connection.backend.runs.list_keys(view.id, stream="history" if stream == "default" else stream)  # type: ignore[arg-type]
    return ["_step", "_timestamp", *named]


def _csv(file: BinaryIO, rows: Iterator[dict[str, Any]], columns: list[str]) -> int:
    import io

    text: TextIO = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    written = 0
    for row in rows:
        cells = (row.get(column) for column in columns)
        writer.writerow([json_text(cell) if isinstance(cell, dict | list | bool) else cell for cell in cells])
        written += 1
    text.flush()
    text.detach()  # type: ignore[attr-defined]
    return written


def _jsonl(file: BinaryIO, rows: Iterator[dict[str, Any]]) -> int:
    written = 0
    for row in rows:
        file.write(json_text(row).encode() + b"\n")
        written += 1
    return written


def _parquet(file: BinaryIO, rows: list[dict[str, Any]]) -> int:
    frames.need("pyarrow")
    from pyarrow import parquet

    parquet.write_table(frames.to_arrow(frames.of_rows(rows)), file, compression="zstd")
    return len(rows)
