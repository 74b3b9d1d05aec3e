"""Headers end to end: real files by their own libraries, hostile files, and what people read of a change."""

from __future__ import annotations

import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from lineal.storage import headers
from lineal.storage.headers import Header, HeaderChange

FORMATS = ["safetensors", "npz", "npy", "parquet", "csv", "tsv"]


def read(path: str, data: bytes) -> Header:
    header = headers.read(path, io.BytesIO(data), size_bytes=len(data))
    assert header is not None
    return header


def sample(format_: str) -> bytes:
    out = io.BytesIO()
    match format_:
        case "safetensors":
            return save({"fc.weight": np.zeros((4, 3), np.float32), "steps": np.array(7)}, {"by": "test"})
        case "npz":
            np.savez_compressed(out, x=np.zeros((4, 3)), y=np.zeros(4, np.int64))
        case "npy":
            np.save(out, np.zeros((4, 3), np.float32))
        case "parquet":
            pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), out)
        case "csv":
            out.write(b'a,b\r\n1,"two\nlines"\r\n3,4\r\n')
        case "tsv":
            out.write(b"a\tb\n1\t2\n")
    return out.getvalue()


class FailingFile(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise TimeoutError("the store is away")


class SlowFile(io.BytesIO):
    """A file that gives a few bytes at a time, as sockets do, and counts them."""

    given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        some = super().read(min(size or 0, 7))
        self.given += len(some)
        return some


def test_each_format_is_told_by_its_suffix() -> None:
    assert [read(f"folder/file.{format_}", sample(format_)) for format_ in FORMATS] == [
        Header("safetensors", {"steps": "int64", "fc.weight": "float32[4, 3]"}, None),
        Header("npz", {"x": "float64[4, 3]", "y": "int64[4]"}, None),
        Header("npy", {"array": "float32[4, 3]"}, None),
        Header("parquet", {"a": "int64", "b": "string"}, 2),
        Header("csv", {"a": "", "b": ""}, 2),
        Header("tsv", {"a": "", "b": ""}, 1),
    ]


def test_the_case_of_a_suffix_does_not_matter() -> None:
    assert read("DATA.CSV", b"a\n").format == "csv"


@pytest.mark.parametrize("path", ["model.bin", "csv", ".csv", "data.csv/readme", "data.csv.gz", "x.", ""])
def test_an_unknown_format_is_none_and_is_not_read(path: str) -> None:
    assert headers.read(path, FailingFile(b"a,b\n"), size_bytes=4) is None


@pytest.mark.parametrize("format_", FORMATS)
def test_an_empty_file_raises_nothing(format_: str) -> None:
    header = read(f"x.{format_}", b"")
    assert header.parts == {}
    assert header.problem or header.rows == 0


@pytest.mark.parametrize("format_", ["safetensors", "npz", "npy", "parquet"])
def test_a_truncated_file_is_a_problem_not_a_crash(format_: str) -> None:
    data = sample(format_)
    for length in range(len(data)):
        assert read(f"x.{format_}", data[:length]).problem, length


@pytest.mark.parametrize("format_", ["safetensors", "npz", "parquet", "csv", "tsv"])
def test_a_file_shorter_than_its_stated_size_is_a_problem(format_: str) -> None:
    data = sample(format_)
    header = headers.read(f"x.{format_}", io.BytesIO(data), size_bytes=len(data) + 100)
    assert header is not None
    assert header.problem


@pytest.mark.parametrize("format_", FORMATS)
@given(data=st.binary(max_size=400))
def test_random_bytes_raise_nothing(format_: str, data: bytes) -> None:
    headers.describe(headers.compare(None, read(f"x.{format_}", data)))


@pytest.mark.parametrize("format_", FORMATS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(spots=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_files_raise_nothing(format_: str, spots: list[tuple[int, int]]) -> None:
    data = bytearray(sample(format_))
    for place, byte in spots:
        data[-1 - place % len(data)] = byte
    headers.describe(headers.compare(None, read(f"x.{format_}", bytes(data))))


@pytest.mark.parametrize("format_", FORMATS)
def test_an_error_of_the_store_is_raised_as_it_came(format_: str) -> None:
    data = sample(format_)
    with pytest.raises(TimeoutError, match="the store is away"):
        headers.read(f"x.{format_}", FailingFile(data), size_bytes=len(data))


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_that_gives_few_bytes_at_a_time_is_read_all_the_same(format_: str) -> None:
    data = sample(format_)
    assert headers.read(f"x.{format_}", SlowFile(data), size_bytes=len(data)) == read(f"x.{format_}", data)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_file_stays_open(format_: str) -> None:
    file = io.BytesIO(sample(format_))
    headers.read(f"x.{format_}", file, size_bytes=len(file.getvalue()))
    assert not file.closed


@pytest.mark.parametrize("format_", ["safetensors", "npz", "npy", "parquet"])
def test_the_data_itself_is_not_read(format_: str) -> None:
    out = io.BytesIO()
    values = np.random.default_rng(0).random(200_000)
    match format_:
        case "safetensors":
            out.write(save({"x": values}))
        case "npz":
            np.savez_compressed(out, x=values)
        case "npy":
            np.save(out, values)
        case "parquet":
            pq.write_table(pa.table({"x": values}), out)
    file = SlowFile(out.getvalue())
    header = headers.read(f"x.{format_}", file, size_bytes=len(out.getvalue()))
    assert header is not None
    assert header.problem is None
    assert file.given < 80_000 < len(out.getvalue())


def test_a_header_is_frozen_and_travels_between_processes() -> None:
    header = read("x.csv", b"a,b\n")
    assert pickle.loads(pickle.dumps(header)) == header
    with pytest.raises(AttributeError):
        header.rows = 3  # type: ignore[misc]


def test_a_file_on_disk_is_read_like_one_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(sample("npz"))
    with path.open("rb") as file:
        assert headers.read(path.name, file, size_bytes=path.stat().st_size) == read("x.npz", sample("npz"))
    path.write_bytes(b"PK")
    with path.open("rb") as file:
        header = headers.read(path.name, file, size_bytes=2)
    assert header is not None
    assert header.problem == "it is cut short"


# ---- compare and describe ------------------------------------------------------------------------------


def test_a_change_of_tensors_is_told_line_by_line() -> None:
    before = Header("safetensors", {"fc.weight": "float32[64, 10]", "old": "int8[3]", "same": "bool"}, None)
    after = Header("safetensors", {"fc.weight": "float32[128, 10]", "same": "bool", "new": "float32[10]"}, None)
    change = headers.compare(before, after)
    assert change == HeaderChange(
        kind="tensor",
        added={"new": "float32[10]"},
        removed={"old": "int8[3]"},
        changed={"fc.weight": ("float32[64, 10]", "float32[128, 10]")},
        rows_before=None,
        rows_after=None,
        problems=(),
    )
    assert not change.empty
    assert headers.describe(change) == [
        "- tensor old int8[3]",
        "+ tensor new float32[10]",
        "~ fc.weight float32[64, 10] → float32[128, 10]",
    ]


def test_a_change_of_rows_is_told() -> None:
    change = headers.compare(read("x.csv", b"a\n1\n2\n"), read("x.csv", b"a,b c,\n1\n"))
    assert not change.empty
    assert headers.describe(change) == ["+ column 'b c'", "+ column ''", "rows 2 → 1"]


def test_rows_alone_are_a_change() -> None:
    change = headers.compare(Header("csv", {}, 1797), Header("csv", {}, 1790))
    assert not change.empty
    assert headers.describe(change) == ["rows 1797 → 1790"]


def test_the_array_of_an_npy_file_needs_no_kind() -> None:
    header = read("x.npy", sample("npy"))
    assert headers.describe(headers.compare(None, header)) == ["+ array float32[4, 3]"]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_header_does_not_differ_from_itself(format_: str) -> None:
    header = read(f"x.{format_}", sample(format_))
    change = headers.compare(header, header)
    assert change.empty
    assert headers.describe(change) == []


def test_nothing_against_nothing_is_empty() -> None:
    assert headers.compare(None, None).empty


def test_rows_that_nobody_counted_are_no_change() -> None:
    assert headers.compare(Header("csv", {}, 5), Header("csv", {}, None)).empty


def test_parts_of_a_file_that_is_not_there_are_new_or_gone() -> None:
    header = Header("npz", {"x": "int8[1]"}, None)
    assert headers.describe(headers.compare(None, header)) == ["+ array x int8[1]"]
    assert headers.describe(headers.compare(header, None)) == ["- array x int8[1]"]


def test_a_file_with_a_problem_does_not_count_as_one_without_parts() -> None:
    good, bad = Header("npz", {"x": "int8[1]"}, None), Header("npz", {}, None, "it is cut short")
    assert headers.describe(headers.compare(good, bad)) == ["! after: it is cut short"]
    assert headers.describe(headers.compare(bad, good)) == ["! before: it is cut short"]
    assert not headers.compare(good, bad).empty


def test_the_same_problem_on_both_sides_is_told_once() -> None:
    bad = Header("npz", {}, None, "it is cut short")
    assert headers.describe(headers.compare(bad, bad)) == ["! it is cut short"]


def test_names_can_not_move_the_cursor_or_forge_a_line() -> None:
    name = "a\x1b[2J\r\n+ tensor b\u202e\x9b\ud800"
    change = headers.compare(None, Header("csv", {name: "x\n"}, None, "p\x07"))
    assert headers.describe(change) == [
        r"+ column 'a\x1b[2J\r\n+ tensor b\u202e\x9b\ud800' x\n",
        r"! after: p\x07",
    ]


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters())), st.text(st.characters()))
def test_every_line_is_printable_and_short(parts: dict[str, str], problem: str) -> None:
    lines = headers.describe(headers.compare(None, Header("csv", parts, None, problem)))
    assert len(lines) == len(parts) + bool(problem)
    assert all(line.isprintable() and line.encode() for line in lines)


def test_an_endless_name_is_clipped() -> None:
    (line,) = headers.describe(headers.compare(None, Header("csv", {"n" * 10_000: ""}, None)))
    assert line == "+ column " + "n" * 199 + "…"


def test_a_name_full_of_escapes_reaches_the_screen_escaped() -> None:
    text = json.dumps({"\x1b]0;owned\x07": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    header = read("x.safetensors", struct.pack("<Q", len(text)) + text + b"\0")
    assert headers.describe(headers.compare(None, header)) == [r"+ tensor \x1b]0;owned\x07 uint8[1]"]
