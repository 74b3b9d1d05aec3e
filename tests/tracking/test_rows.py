"""Rows as bytes: everything comes back, and whatever isn't rows is refused before it does harm."""

from __future__ import annotations

import json
import math
import random
import struct
import time
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.errors import InvalidRows
from lineal.tracking.rows import (
    MAX_DEPTH,
    MAX_KEY_CHARACTERS,
    MAX_STEP,
    Chunk,
    check_key,
    count,
    decode,
    encode,
    json_values,
)

ROWS = [
    (0, 1.5, {"loss": 0.5, "n": 1, "note": "a"}),
    (1, 2.5, {"loss": math.inf, "n": 2}),
    (3, 3.5, {"loss": 0.25, "n": 3, "note": None}),
]
# The format is at rest in databases: this may never change.
GOLDEN = bytes.fromhex(
    "4c4e52317801dbcdc0c050ad545e9459925aa464a5546ea8a4a354945f5eac6465aca39494939f9c0d6446572b6567e6a500"
    "e5d380d289254a5679a539393a4ad9a9952059a59cfce262a558a0faca9254a0809149ad0e5c4726561d79b894674195471b"
    "e818ea18e918034d85d992975f928aa4cdd0a036b616e87a306084d2cc501a42fdb087d02c0e109a074a3f808a7fa887885f"
    "b087e967820830c0cc89564a54d20179361600b64b4246"
)


def points(chunk: Chunk) -> list[tuple[int, float, str, Any]]:
    """Every value with its step, time and key, row by row."""
    steps = np.frombuffer(chunk.steps, "<i8").tolist()
    times = np.frombuffer(chunk.times, "<f8").tolist()
    found = []
    for block in chunk.blocks:
        at = [0, chunk.count] if block.at is None else block.at
        rows = [row for start, end in zip(at[::2], at[1::2], strict=True) for row in range(start, end)]
        values = (
            json_values(block)
            if block.kind == "j"
            else np.frombuffer(block.data, "<f8" if block.kind == "f" else "<i8").tolist()
        )
        for place, key in enumerate(block.keys):
            mine = values[place * len(rows) : (place + 1) * len(rows)]
            found += [(row, steps[row], times[row], key, value) for row, value in zip(rows, mine, strict=True)]
    return [point[1:] for point in sorted(found, key=lambda point: (point[0], point[3]))]


def given_points(rows: list[tuple[int, float, dict[str, Any]]]) -> list[tuple[int, float, str, Any]]:
    return [(step, at, key, values[key]) for step, at, values in rows for key in sorted(values)]


def same(one: Any, other: Any) -> bool:
    """Equal, where NaN is NaN and a bool is no number."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and same([*one.values()], [*other.values()])
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def made(header: Any, body: bytes = b"", *, level: int = 1) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b"LNR1" + zlib.compress(struct.pack("<I", len(head)) + head + body, level)


# ---- what goes in comes out ------------------------------------------------------------------------------------

keys = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
scalars = st.one_of(
    st.floats(), st.integers(), st.integers(-(2**70), 2**70), st.booleans(), st.none(), st.text(max_size=20)
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.text(max_size=3), scalars, max_size=2))
rows_ = st.lists(
    st.tuples(st.integers(0, MAX_STEP), st.floats(0, 4e9), st.dictionaries(keys, values, max_size=5)), max_size=12
)


@settings(max_examples=150, deadline=None)
@given(rows=rows_, writer=st.text("abc-0_é", max_size=64))
def test_every_value_comes_back_with_its_key_step_and_time(rows: list[Any], writer: str) -> None:
    chunk = decode(encode(rows, writer))
    assert (chunk.writer, chunk.count) == (writer, len(rows))
    assert np.frombuffer(chunk.steps, "<i8").tolist() == [row[0] for row in rows]
    assert same(points(chunk), given_points(rows))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9), st.just(0.0), st.dictionaries(st.sampled_from("abc"), st.floats() | st.just(1)))
    )
)
def test_keys_that_come_and_go_keep_their_rows(rows: list[Any]) -> None:
    assert same(points(decode(encode(rows))), given_points(rows))


@pytest.mark.parametrize(
    "column",
    [
        [2**63, -(2**63) - 1, 2**63 - 1, -(2**63)],
        [2**53, 0.5],
        [2**53 + 1, 0.5],
        [1, True, None, "x", [1, [2, {"a": math.nan}]]],
        ["x" * (1 << 20), "\ud800", "\x00", ""],
        [math.nan, math.inf, -math.inf, -0.0],
    ],
    ids=["ints at the edge", "exact", "not exact", "mixed", "texts", "not finite"],
)
def test_values_of_all_kinds_come_back(column: list[Any]) -> None:
    rows = [(step, 0.0, {"key": value}) for step, value in enumerate(column)]
    assert same(points(decode(encode(rows))), given_points(rows))


def test_the_bytes_of_a_chunk_are_what_they_always_were() -> None:
    data = encode(ROWS, "w1")
    plain = zlib.decompress(data[4:])
    head = (
        b'{"writer":"w1","rows":3,"blocks":[{"kind":"f","at":null,"keys":["loss"],"bytes":24},'
        b'{"kind":"i","at":null,"keys":["n"],"bytes":24},{"kind":"j","at":[0,1,2,3],"keys":["note"],"bytes":10}]}'
    )
    assert data[:4] == b"LNR1"
    assert plain == b"".join(
        [
            struct.pack("<I", len(head)),
            head,
            struct.pack("<3q", 0, 1, 3),
            struct.pack("<3d", 1.5, 2.5, 3.5),
            struct.pack("<3d", 0.5, math.inf, 0.25),
            struct.pack("<3q", 1, 2, 3),
            b'["a",null]',
        ]
    )


def test_a_chunk_that_was_stored_once_can_be_read() -> None:
    assert points(decode(GOLDEN)) == given_points(ROWS)


def test_no_rows_are_a_chunk_too() -> None:
    chunk = decode(encode([]))
    assert (chunk.count, list(chunk.blocks)) == (0, [])


def test_a_row_of_100_000_keys_takes_no_time() -> None:
    row = (1, 0.0, {f"layer/{n}/weight": n / 7 for n in range(100_000)})
    before = time.process_time()
    chunk = decode(encode([row]))
    assert time.process_time() - before < 3
    assert sum(len(block.keys) for block in chunk.blocks) == 100_000


def test_many_numbers_take_little_more_than_their_bytes() -> None:
    rows = [(n, float(n), {f"k{k}": n * k / 3 for k in range(10)}) for n in range(2000)]
    assert len(encode(rows)) < 2000 * 12 * 8 * 1.01


# ---- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["", "w"])
def test_a_chunk_that_is_cut_off_is_refused(writer: str) -> None:
    data = encode(ROWS, writer)
    for end in range(len(data)):
        with pytest.raises(InvalidRows):
            decode(data[:end])


def test_a_chunk_with_a_bit_flipped_is_refused_unless_the_bit_means_nothing() -> None:
    data = encode(ROWS, "w1")
    refused = 0
    for place in range(len(data) * 8):
        hurt = bytearray(data)
        hurt[place // 8] ^= 1 << place % 8
        try:
            assert points(decode(bytes(hurt))) == given_points(ROWS)
        except InvalidRows:
            refused += 1
    assert refused > len(data) * 8 - 16


@pytest.mark.parametrize("seed", range(3))
def test_damage_behind_the_checksum_never_raises_anything_else(seed: int) -> None:
    chance = random.Random(seed)
    plain = zlib.decompress(encode(ROWS, "w1")[4:])
    for _ in range(1500):
        hurt = bytearray(plain)
        for _ in range(chance.randint(1, 3)):
            hurt[chance.randrange(len(hurt))] = chance.randrange(256)
        try:
            points(decode(b"LNR1" + zlib.compress(bytes(hurt))))
        except InvalidRows:
            continue


@pytest.mark.parametrize("data", [b"", b"LNR1", b"LNR2" + b"x" * 50, b"x" * 100, encode(ROWS) + b"x"])
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRows):
        decode(data)


def block(**other: Any) -> dict[str, Any]:
    return {"kind": "f", "at": None, "keys": ["a"], "bytes": 16, **other}


TWO_ROWS = struct.pack("<2q2d", 1, 2, 0.0, 0.0)
TWO_NUMBERS = struct.pack("<2d", 0.5, 0.25)


def chunk_of(*blocks: Any, body: bytes = TWO_NUMBERS, **other: Any) -> bytes:
    return made({"writer": "", "rows": 2, "blocks": list(blocks), **other}, TWO_ROWS + body)


def test_the_chunks_below_are_wrong_in_one_thing_only() -> None:
    assert len(points(decode(chunk_of(block())))) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": [0, 3]},
        {"at": [-1, 1]},
        {"at": [2, 0]},
        {"at": [0, 1, 1, 2]},
        {"at": [0, 0, 0, 2]},
        {"at": [0]},
        {"at": []},
        {"at": [0, True]},
        {"at": [0, 2.0]},
        {"at": "02"},
        {"at": {}},
        {"at": 2},
        {"keys": []},
        {"keys": "a"},
        {"keys": {"a": 1}},
        {"keys": None},
        {"keys": [1]},
        {"keys": [""]},
        {"keys": ["a\n"]},
        {"keys": ["\ud800"]},
        {"keys": ["x" * 1025]},
        {"keys": ["a", "b"]},
        {"kind": "x"},
        {"kind": None},
        {"kind": []},
        {"bytes": 15},
        {"bytes": 17},
        {"bytes": -1},
        {"bytes": 1 << 70},
        {"bytes": 16.0},
        {"bytes": None},
    ],
    ids=str,
)
def test_a_block_that_nothing_encodes_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRows):
        decode(chunk_of(block(**wrong)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 1},
        {"rows": 3},
        {"rows": -1},
        {"rows": True},
        {"rows": 1 << 62},
        {"writer": None},
        {"writer": "w" * 65},
        {"writer": "\ud800"},
        {"writer": "a\nb"},
        {"blocks": None},
        {"blocks": {"a": 1}},
        {"blocks": [1]},
    ],
    ids=str,
)
def test_a_header_that_nothing_encodes_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRows):
        decode(chunk_of(block(), **wrong))


@pytest.mark.parametrize(
    "text",
    ["{}", '{"a":1,"b":2}', '"ab"', "12", "[1]", "[1,2,3]", "[1,2", "[" * 9999, "[" + "[" * 61 + "]" * 61 + ",1]"],
)
def test_json_that_is_no_list_of_the_values_is_refused(text: str) -> None:
    with pytest.raises(InvalidRows):
        decode(chunk_of(block(kind="j", bytes=len(text)), body=text.encode()))


def test_values_may_be_nested_as_deep_as_metadata_bears() -> None:
    deep: Any = 1
    for level in range(MAX_DEPTH):
        deep = [deep] if level % 2 else {"a": deep}
    assert points(decode(encode([(0, 0.0, {"a": deep})])))[0][3] == deep
    with pytest.raises(InvalidRows, match="nested deeper"):
        decode(encode([(0, 0.0, {"a": [deep]})]))


def test_a_key_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidRows, match="twice"):
        decode(chunk_of(block(), block(), body=TWO_NUMBERS * 2))


def test_a_negative_step_is_refused() -> None:
    for step in (-1, -(2**63)):
        with pytest.raises(InvalidRows, match="negative"):
            decode(encode([(0, 0.0, {"a": 1}), (step, 0.0, {"a": 1})]))
    assert decode(encode([(MAX_STEP, 0.0, {"a": 1})])).count == 1


@pytest.mark.parametrize("head", [b"", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"rows":' + b"9" * 5000 + b"}"])
def test_a_header_that_is_no_header_is_refused(head: bytes) -> None:
    with pytest.raises(InvalidRows):
        decode(made(head, TWO_ROWS))


def test_few_bytes_that_swell_to_many_are_refused_before_they_do() -> None:
    bombs = [
        b"LNR1" + zlib.compress(bytes(64 << 20)),
        made({"writer": "", "rows": 0, "blocks": []}, bytes(64 << 20)),
        made(b'{"writer":"","rows":0,"blocks":[' + b"[]," * (20 << 20) + b"[]]}"),
    ]
    for bomb in bombs:
        assert len(bomb) < 1 << 20
        tracemalloc.start()
        with pytest.raises(InvalidRows):
            decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
        tracemalloc.stop()


@pytest.mark.parametrize("keys_,length", [(8000, 1000), (300, 20), (1, 1), (60_000, 12)])
def test_whatever_is_encoded_is_never_taken_for_a_bomb(keys_: int, length: int) -> None:
    rows = [(0, 0.0, {f"{n:x}".rjust(length, "x"): 0.0 for n in range(keys_)})]
    assert decode(encode(rows)).count == 1
    assert decode(encode([(n, 0.0, {"text": "x" * 5000}) for n in range(500)])).count == 500


# ---- keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a", "val/acc", "a.b", "Verlust ü", "日本", "😀" * MAX_KEY_CHARACTERS])
def test_keys_are_printable_texts(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", "a\n", "\x00", "\x1b[31m", "\ud800", "x" * (MAX_KEY_CHARACTERS + 1), 1, None])
def test_what_can_not_be_a_key_is_named_and_refused(key: Any) -> None:
    with pytest.raises(InvalidRows) as caught:
        check_key(key)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("rows", [[], ROWS, [(n, 0.0, {f"key{n}": n}) for n in range(3000)]])
def test_how_many_rows_there_are_stands_in_the_header(rows: list[Any]) -> None:
    assert count(encode(rows, "w")) == len(rows)
