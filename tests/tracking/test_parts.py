"""Files of points: written in groups, read by bounds, merged in portions, and refused when they are damaged."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineal.core.errors import BlobNotFound, CorruptRows, InvalidRows
from lineal.tracking import parts
from lineal.tracking.columns import ALL, TIME, Bounds, Source, Span, of_chunks, ordered, schema
from lineal.tracking.parts import Part, Tail, Window, merge
from lineal.tracking.rows import MAX_KEY_CHARACTERS, Row, decode, encode

from .points import file_of, naive, open_part, part_of, table_of, tail_of, told

ROWS: list[Row] = [
    (step, step / 2, {"a": step * 0.5, "b": step, **({"text": f"no {step}"} if step % 10 == 0 else {})})
    for step in range(100)
]
batch = st.tuples(
    st.sampled_from(["", "w1", "w0"]),
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.just(0.5),
            st.dictionaries(st.sampled_from("abc"), st.integers(-9, 9), max_size=3),
        ),
        max_size=15,
    ),
)


def all_of(sources: list[Source]) -> list[Any]:
    """What the sources hold when they are merged; each table behind the one before."""
    tables = list(merge(sources))
    for before, after in pairwise(tables):
        (key, step), (next_key, next_step) = told(before)[-1][:2], told(after)[0][:2]
        assert (key, step) < (next_key, next_step)
    return [point for table in tables for point in told(table)]


# ---- reading ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [None, frozenset("a"), frozenset([TIME, "text"]), frozenset(["none"]), frozenset()])
@pytest.mark.parametrize("low", [ALL.low, 0, 50, 99, 100, 2**63])
@pytest.mark.parametrize("high", [None, 0, 50, 100, 2**63])
def test_a_file_is_read_within_bounds(keys: frozenset[str] | None, low: int, high: int | None) -> None:
    bounds = Bounds(keys, low, high)
    assert told(part_of(("", ROWS)).read(bounds)) == naive([("", ROWS)], bounds)


def test_columns_can_be_picked() -> None:
    part = part_of(("w", ROWS))
    for names in (["key"], ["step", "number"], ["writer", "step"], ["number"]):
        for bounds in (ALL, Bounds(frozenset("b")), Bounds(None, 3, 9), Bounds(frozenset(["none"]))):
            found = part.read(bounds, names)
            assert found.column_names == names
            assert found.to_pydict() == part.read(bounds).select(names).to_pydict()


def test_keys_and_count_and_what_the_file_is_of(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(file_of([ordered(table_of(ROWS, "w"))]))
    part = Part(str(path))
    assert part.list_keys() == [TIME, "a", "b", "text"]
    assert part.count == 310
    assert pq.read_metadata(path).metadata[b"lineal.run"] == b"local/p/r"


def test_a_file_of_nothing_has_no_keys() -> None:
    part = open_part(file_of([]))
    assert (part.count, part.list_keys(), part.spans(), told(part.read())) == (0, [], [], [])


def test_any_tool_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(file_of([ordered(table_of(ROWS))]))
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["key", "step", "number", "integer", "text", "writer"]
    curve = frame[frame.key == "a"]
    assert curve.step.tolist() == list(range(100))
    assert curve.number.tolist() == [step * 0.5 for step in range(100)]
    assert frame[frame.key == "text"].text.tolist()[:2] == ['"no 0"', '"no 10"']
    table = pq.read_table(path, filters=[("key", "==", "b"), ("step", "<", 3)])
    assert table["integer"].to_pylist() == [0, 1, 2]
    assert pq.read_schema(path).field("step").type == pa.int64()


# ---- groups ----------------------------------------------------------------------------------------------------


def test_a_key_with_many_points_has_groups_of_its_own_and_small_ones_share() -> None:
    many: list[Row] = [(n, 0.0, {"big": 0.5, **({"m1": 1, "z2": 1} if n < 10 else {})}) for n in range(20_000)]
    spans = part_of(("", many)).spans()
    assert spans == [
        Span(TIME, TIME, 0, 19_999, 20_000),
        Span("big", "big", 0, 19_999, 20_000),
        Span("m1", "z2", 0, 9, 20),
    ]


def test_groups_of_many_small_keys_are_of_a_bounded_size() -> None:
    part = part_of(("", [(n, 0.0, {f"k{k:05}": 1.0 for k in range(5000)}) for n in range(10)]))
    assert all(span.points < (16 << 10) + 10 for span in part.spans())
    assert sum(span.points for span in part.spans()) == part.count == 50_010
    assert len(part.list_keys()) == 5001
    assert part.read(Bounds(frozenset(["k02500"]))).num_rows == 10


def test_the_longest_keys_are_found() -> None:
    keys = ["😀" * MAX_KEY_CHARACTERS, "x" * MAX_KEY_CHARACTERS, "😀" * (MAX_KEY_CHARACTERS - 1) + "😁"]
    part = part_of(("", [(n, 0.0, dict.fromkeys(keys, 1.0)) for n in range(3)]))
    assert part.list_keys() == sorted([TIME, *keys])
    for key in keys:
        assert part.read(Bounds(frozenset([key]))).num_rows == 3


def test_a_hundred_thousand_keys_stay_small() -> None:
    row = {f"layer/{n}/weight": n / 7 for n in range(100_000)}
    data = file_of(merge([tail_of(("", [(0, 0.0, row), (1, 1.0, row)]))]))
    assert len(data) < 6 << 20
    assert len(open_part(data).list_keys()) == 100_001


# ---- windows and tails -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [part_of, tail_of], ids=["part", "tail"])
def test_a_window_shows_its_steps_only(source: Any) -> None:
    rows: list[Row] = [*ROWS, (120, 60.0, {"late": 1.0})]
    window = Window(source(("", rows)), 10, 21)
    assert all_of([window]) == naive([("", rows)], Bounds(None, 10, 21))
    assert window.list_keys() == [TIME, "a", "b", "text"]
    assert all_of([Window(window, 0, 15)]) == naive([("", rows)], Bounds(None, 10, 15))
    assert told(ordered(window.read(Bounds(frozenset("a"), 12, 99)))) == naive(
        [("", rows)], Bounds(frozenset("a"), 12, 21)
    )
    assert Window(source(("", rows)), 500).list_keys() == []


def test_a_tail_knows_its_keys_and_how_many_points_they_have() -> None:
    tail = tail_of(("", ROWS), ("w", ROWS[:5]))
    assert tail.list_keys() == [TIME, "a", "b", "text"]
    points = {key: sum(span.points for span in tail.spans() if span.first == key) for key in tail.list_keys()}
    assert points == {TIME: 105, "a": 105, "b": 105, "text": 11}
    assert tail_of().list_keys() == []
    with pytest.raises(InvalidRows):
        Tail([b"no rows"])


# ---- merging ---------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(batch, min_size=1, max_size=6), at_once=st.integers(1, 40), small=st.integers(1, 20))
def test_merging_in_portions_is_merging_in_memory(
    batches: Any, at_once: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(parts, "_AT_ONCE", at_once)
        patch.setattr(parts, "_SMALL_GROUP_ROWS", small)
        patch.setattr(parts, "GROUP_ROWS", 2 * small)
        half = len(batches) // 2
        old = [part_of(*batches[:half])] if half else []
        sources = [*old, tail_of(*batches[half:])]
        assert all_of(sources) == naive(batches)
        merged = open_part(file_of(merge(sources)))
        assert told(merged.read()) == naive(batches)
        assert all_of([merged, tail_of(*batches)]) == naive([*batches, *batches])
        assert all_of([Window(merged, high=7), tail_of(*batches[:1])]) == naive(
            [("", [])] + [(w, [r for r in rows if r[0] < 7]) for w, rows in batches] + batches[:1]
        )


def test_merging_real_sizes_in_portions_is_merging_in_memory() -> None:
    chance = np.random.default_rng(5)
    chunks = []
    for n in range(4):
        rows: list[Row] = [
            (int(step), 0.0, {"big": float(n), "mid": 1} if step % 3 else {"big": float(n), f"k{step % 50}": 1})
            for step in chance.integers(0, 120_000, 80_000)
        ]
        chunks.append(encode(rows, f"w{n % 2}"))
    whole = ordered(of_chunks([decode(chunk) for chunk in chunks]))
    assert whole.num_rows > 3 * parts._AT_ONCE
    files = [open_part(file_of(merge([Tail([chunk])]))) for chunk in chunks[:3]]
    tables = list(merge([*files, Tail(chunks[3:])]))
    assert len(tables) > 3
    assert max(table.num_rows for table in tables) < 4 * parts._AT_ONCE
    assert pa.concat_tables(tables).unify_dictionaries().to_pydict() == whole.to_pydict()


def test_merging_nothing_gives_nothing() -> None:
    assert list(merge([])) == []
    assert list(merge([tail_of(), open_part(file_of([]))])) == []


# ---- damage ----------------------------------------------------------------------------------------------------


def use(data: bytes) -> list[Any]:
    part = open_part(data)
    part.list_keys()
    part.spans()
    part.read(Bounds(frozenset("a"), 5, 50))
    return told(part.read())


def test_a_file_that_is_cut_off_is_corrupt() -> None:
    data = file_of([ordered(table_of(ROWS, "w"))])
    for end in [*range(0, 200), *range(200, len(data), 97), *range(len(data) - 30, len(data))]:
        with pytest.raises(CorruptRows):
            use(data[:end])


@pytest.mark.parametrize("seed", range(3))
def test_a_file_with_a_bit_flipped_is_corrupt_or_reads_the_same(seed: int) -> None:
    chance = random.Random(seed)
    data = file_of([ordered(table_of(ROWS, "w"))])
    wanted, refused = use(data), 0
    for n in range(300):
        hurt = bytearray(data)
        place = chance.randrange(len(data)) if n % 2 else len(data) - chance.randrange(1, 2000)
        hurt[place] ^= 1 << chance.randrange(8)
        try:
            assert use(bytes(hurt)) == wanted
        except CorruptRows:
            refused += 1
    assert refused > 270


def test_a_file_of_something_else_is_corrupt(tmp_path: Path) -> None:
    other, seal = tmp_path / "x.parquet", pa.BufferOutputStream()
    pq.write_table(pa.table({"key": ["a"], "step": [1]}), other)
    parts.write([], seal, facts={})
    for data in (other.read_bytes(), b"", b"PAR1", b"PAR1" * 100, b"\xff" * 5000):
        with pytest.raises(CorruptRows):
            open_part(data)
    with pytest.raises(CorruptRows):
        Part(str(tmp_path))


def test_a_file_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(BlobNotFound):
        Part(str(tmp_path / "gone"))


def test_every_file_has_the_columns_of_the_schema() -> None:
    assert part_of(("", ROWS)).read().schema.remove_metadata() == schema()
    assert open_part(file_of([])).read().schema.remove_metadata() == schema()
