"""The headers of safetensors, npy and npz files, by small parsers of our own."""

from __future__ import annotations

import ast
import json
import math
import re
import zipfile
from collections.abc import Iterable
from itertools import accumulate
from typing import IO, Any

from lineal.storage.header_window import CUT_SHORT, Contents, Unreadable, Window, named, quoted, with_shape

_MAX_JSON_BYTES = 100_000_000  # the limit that safetensors itself sets
_MAX_JSON_MARKS = 2_000_000  # commas and brackets: what makes parsed JSON large
_MAX_NPY_BYTES = 64 << 10
_MAX_MEMBERS = 10_000
_MAX_DIMENSIONS = 64
_MAX_DEPTH = 32

_UNREADABLE = "unreadable"
_NO_NPY = "its header is no numpy header"
_TENSOR_TYPE = re.compile(r"[A-Z][A-Z0-9_]{0,23}")
_TENSOR_TYPES = {  # name here, bits of one value
    "BOOL": ("bool", 8),
    "F4": ("float4", 4),
    "F6_E2M3": ("float6_e2m3", 6),
    "F6_E3M2": ("float6_e3m2", 6),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3": ("float8_e4m3", 8),
    "F8_E8M0": ("float8_e8m0", 8),
    "BF16": ("bfloat16", 16),
    "C64": ("complex64", 64),
    **{f"F{bits}": (f"float{bits}", bits) for bits in (16, 32, 64)},
    **{f"I{bits}": (f"int{bits}", bits) for bits in (8, 16, 32, 64)},
    **{f"U{bits}": (f"uint{bits}", bits) for bits in (8, 16, 32, 64)},
}
_ARRAY_KINDS = {"i": "int", "u": "uint", "f": "float", "c": "complex"}
_ARRAY_TYPE = re.compile(r"([<>|=]?)([biufcSUVOmM])([0-9]{0,9})(\[[0-9A-Za-z]{1,20}\])?")
_ESCAPE = r"""\\(?:[\\'"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"""
_TOKEN = re.compile(
    rf"""'(?:[^'\\\n\r]|{_ESCAPE})*'|"(?:[^"\\\n\r]|{_ESCAPE})*\""""
    r"|[0-9]{1,20}L?|True|False|[][(){}:,]|[ \n]+"
)


def read_safetensors(window: Window) -> Contents:
    """The tensors of a safetensors file; refuses what the format forbids: repeated names, gaps, overlaps."""
    length = int.from_bytes(window.take(0, 8), "little")
    if length > _MAX_JSON_BYTES:
        raise Unreadable(f"its header claims {length:,} bytes, more than {_MAX_JSON_BYTES:,}")
    entries = _parse_json(window.take(8, length))
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Unreadable("its __metadata__ is not a mapping from text to text")
    tensors = [(name, *_parse_tensor(name, entry)) for name, entry in entries.items()]
    _check_spans(sorted(span for _, _, span in tensors), window.size_bytes - 8 - length)
    return Contents(named((name, part) for name, part, _ in tensors))


def read_npy(window: Window) -> Contents:
    """The one array of an npy file, under the name `array`."""
    return Contents({"array": _parse_npy(window, window.size_bytes)})


def read_npz(window: Window) -> Contents:
    """The arrays of an npz file; a bad one is `unreadable`, a member that is no array `bytes[size]`."""
    try:
        with zipfile.ZipFile(window) as archive:
            members = archive.infolist()
            if len(members) > _MAX_MEMBERS:
                raise Unreadable(f"it has more than {_MAX_MEMBERS:,} members")
            parts = named(_read_member(archive, member) for member in members)
    except zipfile.BadZipFile:
        raise Unreadable("it is no zip file, or cut short") from None
    bad = [name for name, part in parts.items() if part == _UNREADABLE]
    problem = f"its array {quoted(bad[0])} can't be read ({len(bad)} of {len(parts)})" if bad else None
    return Contents(parts, problem=problem)


def _parse_json(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`, refused when a key comes twice or the parsed form would fill the memory."""
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_JSON_MARKS:
        raise Unreadable("its header has too many values")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise Unreadable("its header is not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("its header is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Unreadable(f"its header names {quoted(key)} twice")
        found[key] = value
    return found


def _parse_tensor(name: str, entry: object) -> tuple[str, tuple[int, int]]:
    """A tensor's type and shape, and where in the data it begins and ends."""
    match entry:
        case {"dtype": str(type_), "shape": [*shape], "data_offsets": [int(start), int(end)], **rest} if not rest:
            sound = _TENSOR_TYPE.fullmatch(type_) and _is_shape(shape) and _is_shape([start, end])
        case _:
            sound = None
    if not sound or start > end or re.search("[\ud800-\udfff]", name):
        raise Unreadable(f"its header is wrong about {quoted(name)}")
    known, bits = _TENSOR_TYPES.get(type_, (type_.lower(), None))  # a type newer than this list has no size here
    if bits is not None and math.prod(shape) * bits != (end - start) * 8:
        raise Unreadable(f"its header gives {quoted(name)} a shape and a length that don't agree")
    return with_shape(known, shape), (start, end)


def _check_spans(spans: Iterable[tuple[int, int]], data_bytes: int) -> None:
    """Refuses tensors that overlap, leave gaps or don't fill the data to its end."""
    reached = 0
    for start, end in spans:
        if start != reached:
            raise Unreadable("its tensors overlap or leave gaps")
        reached = end
    if reached != data_bytes:
        raise Unreadable(f"its tensors take {reached:,} bytes, but it holds {data_bytes:,}")


def _is_shape(values: Iterable[object]) -> bool:
    """Whether these are a few natural numbers: long products of large ones take minutes."""
    values = list(values)
    return len(values) <= _MAX_DIMENSIONS and all(type(v) is int and 0 <= v < 1 << 63 for v in values)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, str]:
    """The name of an array and its type and shape, from the first 64 KiB of its member at most."""
    name = member.filename.removesuffix(".npy")
    if name == member.filename:
        return name, f"bytes[{member.file_size}]"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return name, _UNREADABLE  # numpy writes no others, and zipfile inflates those without a limit
    try:
        with archive.open(member) as stream:
            return name, _parse_npy(stream, member.file_size)
    except Exception:  # zipfile and zlib have many ways to fail; one bad array hides no other
        return name, _UNREADABLE


def _parse_npy(stream: IO[bytes] | Window, size_bytes: int) -> str:
    """The type and shape of the array at the start of `stream`, by numpy's format 1.0, 2.0 or 3.0."""
    magic = _exactly(stream, 8)
    version = magic[6]
    if magic[:6] != b"\x93NUMPY" or version not in (1, 2, 3):
        raise Unreadable("it doesn't begin as an npy file does")
    width = 2 if version == 1 else 4
    length = int.from_bytes(_exactly(stream, width), "little")
    if 8 + width + length > _MAX_NPY_BYTES:
        raise Unreadable(f"its header claims {length:,} bytes, more than {_MAX_NPY_BYTES:,}")
    try:
        text = _exactly(stream, length).decode("utf-8" if version == 3 else "latin-1")
    except UnicodeDecodeError:
        raise Unreadable(_NO_NPY) from None
    part, data_bytes = _parse_array(_parse_literal(text))
    if 8 + width + length + data_bytes > size_bytes:
        raise Unreadable(CUT_SHORT)
    return part


def _exactly(stream: IO[bytes] | Window, count: int) -> bytes:
    found = stream.read(count)
    if len(found) != count:
        raise Unreadable(CUT_SHORT)
    return found


def _parse_literal(text: str) -> object:
    """The value that `text` spells in Python: quoted text, whole numbers, truth, shallow brackets; no more.

    The check comes before `ast`, whose parser can exhaust the C stack.
    """
    tokens = _tokens(text)
    depths = accumulate((token in ("(", "[", "{")) - (token in (")", "]", "}")) for token in tokens)
    if max(depths, default=0) > _MAX_DEPTH:
        raise Unreadable(_NO_NPY)
    try:
        value: object = ast.literal_eval("".join(token.rstrip("L") for token in tokens))  # Python 2 wrote 10L
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise Unreadable(_NO_NPY) from None
    return value


def _tokens(text: str) -> list[str]:
    """The tokens of `text` from end to end; stops at the first that is none, so the time stays linear."""
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise Unreadable(_NO_NPY)
        tokens.append(match[0])
        at = match.end()
    return tokens


def _parse_array(header: object) -> tuple[str, int]:
    """The type and shape that a numpy header tells, and the fewest bytes that its data can take."""
    match header:
        case {"descr": descr, "fortran_order": bool(), "shape": tuple(shape), **rest} if not rest and _is_shape(
            shape
        ):
            type_, item_bytes = _parse_type(descr)
            return with_shape(type_, shape), math.prod(shape) * item_bytes
    raise Unreadable(_NO_NPY)


def _parse_type(descr: object) -> tuple[str, int]:
    """numpy's name of a type, `>` before it when big-endian, and the fewest bytes of one value."""
    match descr:
        case str():
            return _parse_plain_type(descr)
        case (base, tuple(shape)) if isinstance(descr, tuple) and _is_shape(shape):
            type_, item_bytes = _parse_type(base)
            return with_shape(type_, shape), math.prod(shape) * item_bytes
        case list():
            fields = [_parse_field(field) for field in descr]
            return "{" + ", ".join(text for text, _ in fields) + "}", sum(size for _, size in fields)
    raise Unreadable(_NO_NPY)


def _parse_field(field: object) -> tuple[str, int]:
    match field:
        case (str(name), descr) | ((str(), str(name)), descr):
            type_, size_bytes = _parse_type(descr)
        case (str(name), descr, tuple(shape)) | ((str(), str(name)), descr, tuple(shape)):
            type_, size_bytes = _parse_type((descr, shape))
        case _:
            raise Unreadable(_NO_NPY)
    return f"{name}: {type_}", size_bytes


def _parse_plain_type(descr: str) -> tuple[str, int]:
    match = _ARRAY_TYPE.fullmatch(descr)
    if not match:
        raise Unreadable(_NO_NPY)
    order, kind, width, unit = match[1], match[2], int(match[3] or 0), match[4] or ""
    if kind == "O":
        return "object", 0  # pickled: the header can't tell how long
    big = ">" if order == ">" else ""
    if kind in _ARRAY_KINDS:
        return f"{big}{_ARRAY_KINDS[kind]}{8 * width}", width
    if kind in "mM":
        return f"{big}{'timedelta' if kind == 'm' else 'datetime'}64{unit}", width
    return "bool" if kind == "b" else f"{big}{kind}{width}", width * (4 if kind == "U" else 1)
