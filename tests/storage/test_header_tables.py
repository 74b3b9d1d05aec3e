"""parquet, csv and tsv: columns and rows, and what hostile files may not do."""

from __future__ import annotations

import csv
import io
import struct
import sys
import tracemalloc
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.storage import headers
from lineal.storage.headers import Header


def read(path: str, data: bytes) -> Header:
    header = headers.read(path, io.BytesIO(data), size_bytes=len(data))
    assert header is not None
    return header


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def nested(depth: int, rows: int = 0) -> bytes:
    """A parquet file without data whose one column lies `depth` groups deep, in thrift's compact protocol."""
    group = b"\x35\x00" + b"\x18\x01a" + b"\x15\x02" + b"\x00"  # required, named a, one child
    leaf = b"\x15\x02" + b"\x25\x00" + b"\x18\x01b" + b"\x00"  # int32, required, named b
    schema = b"\x19\xfc" + varint(depth + 1) + group * depth + leaf
    count = b"\x16" + varint(rows * 2 if rows >= 0 else -rows * 2 - 1)
    footer = b"\x15\x02" + schema + count + b"\x19\x0c" + b"\x00"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


# ---- parquet -------------------------------------------------------------------------------------------


def test_columns_have_arrow_types() -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int32()),
            "when": pa.array([datetime(2026, 5, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
            "tags": [["a"], [], None],
            "box": [{"x": 1.5}, None, None],
        }
    )
    header = read("x.parquet", parquet(table))
    assert header.rows == 3
    assert list(header.parts) == ["id", "when", "tags", "box"]
    assert header.parts["id"] == "int32"
    assert header.parts["when"] == "timestamp[us, tz=UTC]"
    assert header.parts["tags"].startswith("list<")
    assert header.parts["box"] == "struct<x: double>"


def test_columns_of_one_name_are_all_told() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])
    assert read("x.parquet", parquet(table)).parts == {"a": "int64", "a #2": "string"}


def test_a_table_without_rows_has_columns() -> None:
    assert read("x.parquet", parquet(pa.table({"a": pa.array([], pa.int8())}))) == Header("parquet", {"a": "int8"}, 0)


def test_without_pyarrow_the_problem_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(pa.table({"a": [1]}))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    header = read("x.parquet", data)
    assert header.parts == {}
    assert "pip install 'lineal[data]'" in (header.problem or "")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PAR1" + struct.pack("<I", 0) + b"PARE", "its footer is encrypted"),
        (b"PAR1" + struct.pack("<I", 0) + b"PAR2", "it doesn't end as a parquet file does"),
        (b"PAR1" + struct.pack("<I", 10**9) + b"PAR1", "its footer claims 1,000,000,000 bytes"),
        (b"PAR1" + struct.pack("<I", 10**6) + b"PAR1", "it is cut short"),
        (b"PAR1" + struct.pack("<I", 0) + b"PAR1", "it can't be read as parquet"),
        (b"PAR1" + b"\xff" * 50 + struct.pack("<I", 50) + b"PAR1", "it can't be read as parquet"),
    ],
)
def test_a_bad_footer_is_a_problem(data: bytes, why: str) -> None:
    assert (read("x.parquet", data).problem or "").startswith(why)


@pytest.mark.parametrize("depth", [100_000, 900_000])
def test_a_schema_nested_too_deep_is_a_problem(depth: int) -> None:
    assert read("x.parquet", nested(3)).problem is None
    assert (read("x.parquet", nested(depth)).problem or "").startswith("it can't be read as parquet")


def test_a_negative_row_count_is_a_problem() -> None:
    assert read("x.parquet", nested(3, rows=-5)).problem


# ---- csv and tsv ---------------------------------------------------------------------------------------


def test_quoted_newlines_make_no_rows() -> None:
    assert read("x.csv", b'a,"b\nc"\n1,"2\r\n3\n"\n"4 ""quoted""\n",5\n') == Header("csv", {"a": "", "b\nc": ""}, 2)


@pytest.mark.parametrize(
    ("data", "columns", "rows"),
    [
        (b"", [], 0),
        (b"a,b", ["a", "b"], 0),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", ["a", "b"], 1),
        ("a,ü\n1,2\n".encode("utf-16"), ["a", "ü"], 1),
        (b"\n\na,b\n\n1,2\n\n\n", ["a", "b"], 1),
        (b"a\r1\r2\r", ["a"], 2),
        (b"a,a,,\n", ["a", "a #2", "", " #2"], 0),
        (b"caf\xe9\n1\n", ["caf\\xe9"], 1),
        (b'a,b\n1,"never closed\n2,3\n', ["a", "b"], 1),
        (b"a\n1,2,3\n4\n", ["a"], 2),
    ],
)
def test_the_first_record_names_the_columns(data: bytes, columns: list[str], rows: int) -> None:
    header = read("x.csv", data)
    assert (list(header.parts), header.rows, header.problem) == (columns, rows, None)


def test_tabs_separate_the_columns_of_a_tsv_file() -> None:
    assert read("x.tsv", b"a,b\tc\n1\t2\n") == Header("tsv", {"a,b": "", "c": ""}, 1)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), min_size=1))
def test_what_the_csv_module_writes_is_counted(table: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(table)
    assert read("x.csv", b"\xef\xbb\xbf" + text.getvalue().encode()).rows == (
        None if any("\0" in name for name in table[0]) else len(table) - 1
    )


def test_binary_data_is_no_table() -> None:
    assert read("x.csv", b"a\0b,c\n1,2\n").problem == "it is not text"


def test_a_huge_field_leaves_the_rows_uncounted() -> None:
    header = read("x.csv", b'a,b\n1,"' + b"x" * 200_000 + b'"\n')
    assert header.parts == {"a": "", "b": ""}
    assert header.rows is None
    assert "rows can't be counted" in (header.problem or "")


@pytest.mark.parametrize("data", [b"x" * 9_000_000, b"," * 9_000_000, b'"' + b"\n" * 9_000_000])
@pytest.mark.parametrize("start", [b"", b"a\n"])
def test_an_endless_record_takes_little_memory(start: bytes, data: bytes) -> None:
    limit = csv.field_size_limit(1 << 40)
    tracemalloc.start()
    try:
        header = read("x.csv", start + data)
        assert "longer than 4,194,304 characters" in (header.problem or "")
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
        csv.field_size_limit(limit)


def test_too_many_columns_are_a_problem() -> None:
    assert read("x.csv", b"," * 100_001 + b"\n").problem == "it has more than 100,000 parts"


class Repeated(io.RawIOBase):
    """The line `a,b` over and over, for as long as anybody reads; counts what it gave."""

    def __init__(self) -> None:
        self.given, self.at = 0, 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.at = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        self.given += size
        return (b"a,b\n" * (size // 4 + 2))[self.at % 4 :][:size]


def test_rows_of_a_very_large_file_are_not_counted() -> None:
    file = Repeated()
    header = headers.read("x.csv", file, size_bytes=(256 << 20) + 1)  # type: ignore[arg-type]
    assert header == Header("csv", {"a": "", "b": ""}, None)
    assert file.given < 1 << 20
