"""A table's columns as Arrow, and back: cells of one kind as themselves, all else as JSON text.

Law: `from_arrow(*to_arrow(cells, bind), fetch)` are the cells again, but that whole numbers among floats are floats,
and media are what was stored of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from types import NoneType
from typing import Any

from lineal.client.media.arrays import is_array, owners, to_numpy, unwrapped
from lineal.client.media.base import Fetch, Media, shown
from lineal.core.errors import InvalidArgument

PLAIN = frozenset({bool, int, float, str, NoneType})
MAX_DEPTH = 100

Cells = Any  # a list of settled cells, or a ChunkedArray of Arrow
Bind = Callable[[Media], dict[str, Any]]


def settle(cell: Any, column: str, depth: int = 0) -> Any:
    """The cell as it is now, of Python's own types or a medium. Raises invalid.argument for what no cell can hold."""
    if type(cell) in PLAIN or isinstance(cell, Media):
        return cell
    if isinstance(cell, bool | int | float | str):
        return unwrapped(cell)
    if depth > MAX_DEPTH:
        raise InvalidArgument(f"a cell of the column {shown(column)} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(cell, list | tuple):
        return [settle(part, column, depth + 1) for part in cell]
    if isinstance(cell, Mapping):
        return {str(name): settle(part, column, depth + 1) for name, part in cell.items()}
    return _settle_foreign(cell, column, depth)


def _settle_foreign(cell: Any, column: str, depth: int) -> Any:
    if "pandas" in owners(cell) and not hasattr(cell, "columns"):
        return _settle_pandas(cell, column, depth)
    if isinstance(cell, date | time | timedelta | Decimal):
        return cell
    if is_array(cell):
        array = to_numpy(cell)
        if array.dtype.kind == "M":
            array = array.astype("datetime64[us]")
        if array.dtype.kind in "biufUM":
            return settle(array.tolist(), column, depth + 1)
    from lineal.client.media.values import media_of

    if (medium := media_of(cell)) is not None:
        return medium
    raise InvalidArgument(
        f"a cell of the column {shown(column)} is of {type(cell).__name__}; "
        "use numbers, texts, booleans, times, lists or mappings of these, or media"
    )


def _settle_pandas(cell: Any, column: str, depth: int) -> Any:
    if type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, datetime):
        return cell.to_pydatetime(warn=False)  # type: ignore[attr-defined]
    if isinstance(cell, timedelta):
        return cell.to_pytimedelta()  # type: ignore[attr-defined]
    return settle(cell.tolist() if hasattr(cell, "tolist") else str(cell), column, depth + 1)


def settle_all(cells: Any, column: str) -> list[Any]:
    """The cells as they are now, in a list of their own."""
    if is_array(cells):
        cells = to_numpy(cells)
        cells = (cells.astype("datetime64[us]") if cells.dtype.kind == "M" else cells).tolist()
    settled = list(cells)
    if not PLAIN.issuperset(map(type, settled)):
        settled = [settle(cell, column) for cell in settled]
    return settled


# ---- to Arrow ------------------------------------------------------------------------------------------------


def to_arrow(cells: Cells, bind: Bind) -> tuple[Any, str]:
    """The array, and the kind of the column: boolean, number, text, time, list, json, media or none."""
    import pyarrow as pa

    if not isinstance(cells, list):
        return cells, _kind_of(cells.type)
    kinds = set(map(type, cells)) - {NoneType}
    if kinds and all(issubclass(kind, Media) for kind in kinds):
        return _texts(cells, bind), "media"
    try:
        if (type_ := _type_of(kinds, cells)) is not None:
            return pa.array(cells, type_), _kind_of(type_)
        if kinds == {Decimal}:
            return pa.array(cells), "number"
        if kinds == {list} and kept_types(cells) <= PLAIN:
            array = pa.array(cells)
            if _kind_of(array.type) == "list" and not pa.types.is_null(array.type.value_type):
                return array, "list"
    except (pa.ArrowException, OverflowError, ValueError):
        pass  # such as numbers beyond 64 bits, or half a surrogate pair: JSON holds these
    return _texts(cells, bind), "json"


def kept_types(cells: list[Any]) -> set[type]:
    """The types of what is in the lists that the cells are."""
    return set(map(type, chain.from_iterable(cell for cell in cells if cell)))


def _type_of(kinds: set[type], cells: list[Any]) -> Any:
    """The Arrow type that holds all of the kinds as they are, if there is one."""
    import pyarrow as pa

    if not kinds:
        return pa.null()
    if kinds == {datetime}:
        zones = {cell.tzinfo is None for cell in cells if cell is not None}
        return pa.timestamp("us", None if zones == {True} else "UTC") if len(zones) == 1 else None
    one = {
        bool: pa.bool_(),
        int: pa.int64(),
        float: pa.float64(),
        str: pa.string(),
        date: pa.date32(),
        time: pa.time64("us"),
        timedelta: pa.duration("us"),
    }
    if kinds == {int, float}:
        return pa.float64()
    return one.get(next(iter(kinds))) if len(kinds) == 1 else None


def _kind_of(type_: Any) -> str:
    from pyarrow import types

    tests = {
        "none": [types.is_null],
        "boolean": [types.is_boolean],
        "number": [types.is_integer, types.is_floating, types.is_decimal],
        "text": [types.is_string, types.is_large_string],
        "time": [types.is_temporal],
        "list": [types.is_list, types.is_large_list, types.is_fixed_size_list],
    }
    return next((kind for kind, checks in tests.items() if any(check(type_) for check in checks)), "other")


def _texts(cells: list[Any], bind: Bind) -> Any:
    import pyarrow as pa

    def plain(value: Any) -> Any:
        if isinstance(value, Media):
            return bind(value)
        return value.isoformat() if hasattr(value, "isoformat") else str(value)

    encode = json.JSONEncoder(default=plain, separators=(",", ":")).encode
    return pa.array([None if cell is None else encode(cell) for cell in cells], pa.string())


# ---- and back ------------------------------------------------------------------------------------------------


def from_arrow(array: Any, kind: str, fetch: Fetch) -> Cells:
    """The cells of a column read back: a list where they were JSON or media, else the array as it is.

    Text that is no JSON after all stays text: a file may have been made by others.
    """
    if kind not in ("json", "media"):
        return array
    from lineal.client.media.values import from_value

    def cell(text: Any) -> Any:
        try:
            value = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            return text
        return (from_value(value, fetch) or value) if isinstance(value, dict) else value

    return [None if text is None else cell(text) for text in array.to_pylist()]


def listed(cells: Cells) -> list[Any]:
    """The cells in a list of their own. Nanoseconds, which Python's times lack, are cut off."""
    if isinstance(cells, list):
        return list(cells)
    import pyarrow as pa

    if pa.types.is_timestamp(cells.type) and cells.type.unit == "ns":
        cells = cells.cast(pa.timestamp("us", cells.type.tz), safe=False)
    elif pa.types.is_duration(cells.type) and cells.type.unit == "ns":
        cells = cells.cast(pa.duration("us"), safe=False)
    plain: list[Any] = cells.to_pylist()
    return plain


# ---- data frames ---------------------------------------------------------------------------------------------


def of_dataframe(frame: Any) -> list[tuple[str, Cells]]:
    """Name and cells of each column of a frame of pandas or polars, or of an Arrow table; the index is left out."""
    import pyarrow as pa

    if "pandas" in owners(frame):
        return [(str(name), _of_series(frame.iloc[:, at], str(name))) for at, name in enumerate(frame.columns)]
    try:
        table = pa.table(frame)
    except (TypeError, ValueError, pa.ArrowException) as problem:
        raise InvalidArgument(
            f"{type(frame).__name__} can't be a dataframe; give one of pandas or polars, or an Arrow table: {problem}"
        ) from None
    return [(name, _of_chunked(table.column(at), name)) for at, name in enumerate(table.column_names)]


def _of_series(series: Any, name: str) -> Cells:
    import pyarrow as pa

    if series.dtype == object:
        return settle_all(series.tolist(), name)
    series = series.copy()  # else Arrow would share the frame's memory, which may change
    try:
        plain = getattr(series.dtype, "kind", "O") in "biuf" and "numpy" in owners(series.dtype)
        array = pa.array(series.to_numpy()) if plain else pa.array(series)  # plain: NaN stays NaN
    except (pa.ArrowException, TypeError, ValueError):
        return settle_all(series.tolist(), name)
    if isinstance(array.type, pa.BaseExtensionType):  # pandas' own, such as periods
        return settle_all(series.tolist(), name)
    return _of_chunked(array, name)


def _of_chunked(array: Any, name: str) -> Cells:
    """The array in a type that every reader of Parquet knows, or its cells in a list."""
    import pyarrow as pa

    array = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    if "string_view" in str(array.type):  # as polars gives texts, and the names of categories
        array = _of_views(array)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    return settle_all(listed(array), name) if _kind_of(array.type) == "other" else array


def _of_views(array: Any) -> Any:
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        return (
            array.cast(pa.large_string()) if "list" not in str(array.type) else pa.chunked_array([array.to_pylist()])
        )
    chunks = [chunk.dictionary.cast(pa.large_string()).take(chunk.indices) for chunk in array.chunks]
    return pa.chunked_array(chunks, pa.large_string())
