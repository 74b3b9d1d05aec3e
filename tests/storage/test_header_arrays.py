"""safetensors, npy and npz: what their headers say, and what hostile ones may not do."""

from __future__ import annotations

import io
import json
import struct
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as np_st
from safetensors.numpy import save

from lineal.storage import headers
from lineal.storage.headers import Header


def read(path: str, data: bytes) -> Header:
    header = headers.read(path, io.BytesIO(data), size_bytes=len(data))
    assert header is not None
    return header


def problem(path: str, data: bytes) -> str:
    header = read(path, data)
    assert header.parts == {}
    assert header.problem is not None
    return header.problem


def tensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype: object = "U8", shape: object = (2,), offsets: object = (0, 2)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def npy(header: str, version: int = 1, data: bytes = b"") -> bytes:
    text = header.encode("utf-8" if version == 3 else "latin-1")
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def saved(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


# ---- safetensors ---------------------------------------------------------------------------------------


def test_types_are_named_as_numpy_names_them() -> None:
    arrays = {name: np.zeros((2, 1), name) for name in ("bool", "uint8", "int16", "float16", "float64", "uint64")}
    parts = read("x.safetensors", save(arrays)).parts
    assert dict(parts) == {name: f"{name}[2, 1]" for name in arrays}


@pytest.mark.parametrize(
    ("dtype", "shape", "length", "expected"),
    [
        ("BF16", [3], 6, "bfloat16[3]"),
        ("F8_E4M3", [3], 3, "float8_e4m3[3]"),
        ("F4", [4, 2], 4, "float4[4, 2]"),
        ("C64", [], 8, "complex64"),
        ("F32", [0, 5], 0, "float32[0, 5]"),
        ("F9_NEW", [7], 5, "f9_new[7]"),
    ],
)
def test_types_that_numpy_lacks_are_named_too(dtype: str, shape: list[int], length: int, expected: str) -> None:
    data = tensors({"x": tensor(dtype, shape, [0, length])}, b"\0" * length)
    assert read("x.safetensors", data) == Header("safetensors", {"x": expected}, None)


def test_metadata_is_no_tensor_and_padding_is_allowed() -> None:
    text = json.dumps({"__metadata__": {"format": "pt"}, "x": tensor()}).encode() + b"   "
    assert read("x.safetensors", tensors(text, b"ab")).parts == {"x": "uint8[2]"}


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": \xff}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"a":' * 200_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b"3", "not a JSON object"),
        (b'{"x": {}, "x": {}}', "names x twice"),
        (b'{"x": {"dtype": "U8", "dtype": "U8", "shape": [], "data_offsets": [0, 1]}}', "names dtype twice"),
        ({"__metadata__": []}, "__metadata__"),
        ({"__metadata__": {"a": 1}}, "__metadata__"),
        ({"x": None}, "wrong about x"),
        ({"x": []}, "wrong about x"),
        ({"x": {}}, "wrong about x"),
        ({"x": {**tensor(), "more": 1}}, "wrong about x"),
        ({"x": tensor(dtype=8)}, "wrong about x"),
        ({"x": tensor(dtype="u8\x1b")}, "wrong about x"),
        ({"x": tensor(shape="2")}, "wrong about x"),
        ({"x": tensor(shape=[2.0])}, "wrong about x"),
        ({"x": tensor(shape=[True, 2])}, "wrong about x"),
        ({"x": tensor(shape=[-2, -1])}, "wrong about x"),
        ({"x": tensor(shape=[1 << 63])}, "wrong about x"),
        ({"x": tensor(shape=[2] * 65)}, "wrong about x"),
        ({"x": tensor(offsets=[0])}, "wrong about x"),
        ({"x": tensor(offsets=[2, 0])}, "wrong about x"),
        ({"x": tensor(offsets=[False, 2])}, "wrong about x"),
        ({"x": tensor(offsets=[-2, 0])}, "wrong about x"),
        ({"\ud800": tensor()}, r"wrong about \ud800"),
        ({"x": tensor(shape=[3])}, "don't agree"),
        (
            {"x": tensor(shape=[1 << 40], offsets=[0, 1 << 40])},
            "take 1,099,511,627,776 bytes, but it holds 2",
        ),
        ({"x": tensor("NEW", [3], [0, 3])}, "take 3 bytes"),
        ({"x": tensor(), "y": tensor()}, "overlap"),
        ({"x": tensor(offsets=[1, 3])}, "gaps"),
        ({}, "take 0 bytes"),
    ],
)
def test_a_header_that_breaks_the_format_is_a_problem(header: object, why: str) -> None:
    assert why in problem("x.safetensors", tensors(header, b"ab"))


def test_a_header_of_a_gigabyte_is_not_read() -> None:
    assert "1,000,000,000 bytes" in problem("x.safetensors", struct.pack("<Q", 10**9) + b"{}")
    assert "claims" in problem("x.safetensors", b"\xff" * 64)


def test_a_header_longer_than_the_file_is_cut_short() -> None:
    assert problem("x.safetensors", struct.pack("<Q", 10**8) + b"{}") == "it is cut short"


def test_json_that_would_fill_the_memory_is_not_parsed() -> None:
    assert "too many values" in problem("x.safetensors", tensors(b"[" + b"[]," * 1_500_000 + b"0]"))


def test_a_repeated_name_is_escaped_in_the_problem() -> None:
    text = b'{"\\u001b[2J": {}, "\\u001b[2J": {}}'
    assert problem("x.safetensors", tensors(text)) == r"its header names \x1b[2J twice"


# ---- npy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((64, 10), np.float32), "float32[64, 10]"),
        (np.array(3), "int64"),
        (np.zeros(3, ">u2"), ">uint16[3]"),
        (np.zeros(3, bool), "bool[3]"),
        (np.zeros(3, complex), "complex128[3]"),
        (np.zeros((0, 2), np.int8), "int8[0, 2]"),
        (np.asfortranarray(np.zeros((2, 3))), "float64[2, 3]"),
        (np.array(["ab", "c"]), "U2[2]"),
        (np.array([b"ab", b"c"]), "S2[2]"),
        (np.zeros(1, "V5"), "V5[1]"),
        (np.array(["2026-01-01"], "M8[ns]"), "datetime64[ns][1]"),
        (np.zeros(2, "m8"), "timedelta64[2]"),
        (np.array([None, {}]), "object[2]"),
        (np.zeros(2, [("x", "f4"), ("y", "i8", (3,))]), "{x: float32, y: int64[3]}[2]"),
        (np.zeros(1, [(("a title", "x"), "f4"), ("n", [("ü", ">i2")])]), "{x: float32, n: {ü: >int16}}[1]"),
        (np.zeros(1, [("it's", "f4"), ('"\n\\', "f4")]), "{it's: float32, \"\n\\: float32}[1]"),
    ],
)
@pytest.mark.filterwarnings("ignore:Stored array in format")
def test_arrays_are_told_by_type_and_shape(array: np.ndarray, expected: str) -> None:
    assert read("x.npy", saved(array)) == Header("npy", {"array": expected}, None)


@pytest.mark.filterwarnings("ignore:Stored array in format")
@given(np_st.arrays(np_st.array_dtypes() | np_st.scalar_dtypes(), np_st.array_shapes(min_dims=0)))
def test_every_array_that_numpy_saves_can_be_told(array: np.ndarray) -> None:
    header = read("x.npy", saved(array))
    assert header.problem is None
    assert header.parts["array"].endswith(str(list(array.shape)) if array.shape else "")


@pytest.mark.parametrize("version", [1, 2, 3])
def test_all_versions_of_the_format_are_known(version: int) -> None:
    header = "{'descr': [('é', '<f4')], 'fortran_order': False, 'shape': (2,), }\n"
    assert read("x.npy", npy(header, version, b"\0" * 8)).parts == {"array": "{é: float32}[2]"}


def test_long_integers_of_python_2_are_known() -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 1L), }"
    assert read("x.npy", npy(header, 1, b"ab")).parts == {"array": "uint8[2, 1]"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        "3",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 65 + ")}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
        "{'descr': 'float', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4\\x1b', 'fortran_order': False, 'shape': ()}",
        "{'descr': 3, 'fortran_order': False, 'shape': ()}",
        "{'descr': [3], 'fortran_order': False, 'shape': ()}",
        "{'descr': [('a',)], 'fortran_order': False, 'shape': ()}",
        "{'descr': ['ab'], 'fortran_order': False, 'shape': ()}",
        "{'descr': '\\d', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}" + "\0",
        "{[]: 1}",
        "{'a': 007}",
        "1 (2)",
        "__import__('os').abort()",
        "(" * 30_000,
        "[" * 100 + "]" * 100,
        "-" * 60_000 + "1",
        "1+" * 30_000 + "1",
        "lambda:" * 8_000 + "1",
        "not " * 15_000 + "1",
        "'" * 60_000,
        "'" + "\\\\" * 30_000,
    ],
)
@pytest.mark.parametrize("version", [1, 3])
def test_a_header_that_is_not_numpys_is_a_problem(header: str, version: int) -> None:
    assert problem("x.npy", npy(header, version, b"\0" * 99)) == "its header is no numpy header"


def test_a_header_of_escaped_quotes_takes_no_quadratic_time() -> None:
    started = time.process_time()
    assert problem("x.npy", npy("\\'" * 30_000)) == problem("x.npy", npy("'" + "\\'" * 30_000))
    assert time.process_time() - started < 0.5


def test_nested_types_stop_at_a_depth() -> None:
    descr = "[('a', " * 16 + "'<f4'" + ")]" * 16
    assert "no numpy header" in problem(
        "x.npy", npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': ()}}", 1, b"\0" * 4)
    )


@pytest.mark.parametrize(
    "start", [b"\x93NUMPY\x04\x00", b"\x93NUMPY\x00\x00", b"\x80\x04\x95junk", b"PK\x03\x04abcd"]
)
def test_what_does_not_begin_as_an_npy_file_is_a_problem(start: bytes) -> None:
    assert problem("x.npy", start + b"\0" * 90) == "it doesn't begin as an npy file does"


def test_a_numpy_header_of_a_gigabyte_is_not_read() -> None:
    assert "1,000,000,000 bytes" in problem("x.npy", b"\x93NUMPY\x02\x00" + struct.pack("<I", 10**9) + b"{}")


def test_an_array_larger_than_its_file_is_cut_short() -> None:
    header = "{'descr': '<U2', 'fortran_order': False, 'shape': (3,)}"
    assert read("x.npy", npy(header, 1, b"\0" * 24)).problem is None
    assert problem("x.npy", npy(header, 1, b"\0" * 23)) == "it is cut short"


def test_a_header_in_broken_utf_8_is_a_problem() -> None:
    data = b"\x93NUMPY\x03\x00" + struct.pack("<I", 2) + b"\xff\xff"
    assert problem("x.npy", data) == "its header is no numpy header"


# ---- npz -----------------------------------------------------------------------------------------------


def test_a_pickle_inside_is_named_and_never_opened() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return pytest.fail, ("unpickled",)

    array = np.empty(2, object)
    array[0] = Bomb()
    assert read("x.npz", zipped({"x.npy": saved(array)})).parts == {"x": "object[2]"}


def test_members_that_are_no_arrays_are_told_by_size() -> None:
    assert read("x.npz", zipped({"readme": b"hello"})) == Header("npz", {"readme": "bytes[5]"}, None)


def test_one_bad_array_hides_no_other() -> None:
    header = read("x.npz", zipped({"bad.npy": b"junk", "good.npy": saved(np.zeros(2)), "worse.npy": b""}))
    assert header.parts == {"bad": "unreadable", "good": "float64[2]", "worse": "unreadable"}
    assert header.problem == "its array bad can't be read (2 of 3)"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_never_writes_are_not_unpacked(compression: int) -> None:
    header = read("x.npz", zipped({"x.npy": saved(np.zeros(2))}, compression))
    assert header.parts == {"x": "unreadable"}


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (300000000,)}") + b"\0" * 300_000_000
    data = zipped({"x.npy": bomb})
    del bomb
    started = time.process_time()
    assert read("x.npz", data).parts == {"x": "uint8[300000000]"}
    assert time.process_time() - started < 0.5


def test_a_numpy_header_over_64_kib_inside_a_zip_is_not_read() -> None:
    long = b"\x93NUMPY\x02\x00" + struct.pack("<I", 50_000_000) + b" " * 50_000_000
    assert read("x.npz", zipped({"x.npy": long})).parts == {"x": "unreadable"}


def test_too_many_members_are_a_problem() -> None:
    data = zipped({f"{number}.npy": b"" for number in range(10_001)}, zipfile.ZIP_STORED)
    assert problem("x.npz", data) == "it has more than 10,000 members"


def test_a_huge_directory_is_not_read() -> None:
    size = 60 << 20
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, size, 0, 0)
    assert problem("x.npz", b"\0" * size + end) == "its directory is too large"


def test_an_encrypted_member_is_unreadable() -> None:
    data = bytearray(zipped({"x.npy": saved(np.zeros(2))}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    assert read("x.npz", bytes(data)).parts == {"x": "unreadable"}


def test_a_file_that_is_no_zip_is_a_problem() -> None:
    assert problem("x.npz", b"\x93NUMPY" * 20) == "it is no zip file, or cut short"


def test_names_that_come_twice_are_both_told() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.npy", saved(np.zeros(1)))
        archive.writestr("y.npy", saved(np.zeros(2)))
    data = out.getvalue().replace(b"y.npy", b"x.npy")
    assert read("x.npz", data).parts == {"x": "float64[1]", "x #2": "float64[2]"}
