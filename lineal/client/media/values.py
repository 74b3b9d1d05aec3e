"""What `log` is given, as the history can keep it; and media again, of what the history kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from lineal.client.media.arrays import is_array, is_masked, owners, to_numpy, unwrapped
from lineal.client.media.base import Fetch, Kept, Media, kept_in, shown
from lineal.core.errors import Error, InvalidArgument
from lineal.tracking.rows import MAX_DEPTH

MAX_LIST = 108
MAX_CELLS = 100_000
MAX_WARNINGS = 1000
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_cut_before: set[str] = set()
_log = logging.getLogger("lineal")
_PLURALS = {"image": "images/separated", "video": "videos/separated"}


def as_value(value: Any, folder: Path, key: str, step: int) -> Any:
    """The JSON value that stands for `value` in the history; files of media are below `folder` when this returns.

    Plain values and lists of them are themselves; arrays of one number are that number, larger ones a histogram;
    figures, pictures and data frames of known libraries become media. Raises invalid.* naming the key for the rest.
    """
    kind = type(value)
    if kind is float or kind is str or kind is bool or kind is NoneType or (kind is int and _LEAST <= value <= _MOST):
        return value
    try:
        return _stored(value, folder, key, step)
    except Error as problem:
        if shown(key) in problem.message:
            raise
        raise type(problem)(f"{shown(key)}: {problem.message}", **problem.details) from None


def media_of(value: Any) -> Media | None:
    """The medium that a value of PIL, matplotlib, plotly, pandas, polars or pyarrow is logged as, if it is one."""
    if isinstance(value, Media):
        return value
    whose = owners(value)
    if "PIL" in whose and hasattr(value, "mode"):
        from lineal.client.media.image import Image

        return Image(value)
    if "matplotlib" in whose or getattr(value, "__name__", None) == "matplotlib.pyplot":
        from lineal.client.media.image import Image

        return Image(value)
    if "plotly" in whose and hasattr(value, "to_json"):
        from lineal.client.media.plotly import Plotly

        return Plotly(value)
    if whose & {"pandas", "polars", "pyarrow"} and hasattr(type(value), "columns") and hasattr(value, "shape"):
        from lineal.client.media.table import Table

        return Table(dataframe=value)
    return None


def from_value(value: Mapping[str, Any], fetch: Fetch) -> Media | None:
    """The medium that a stored value stands for, if it is a table, an image, a histogram or HTML.

    `fetch` gives the verified local file of a path; it is called when a file is first needed.
    """
    kind = value.get("_type")
    if kind == "table-file":
        from lineal.client.media.table import Table

        return Table.from_value(value, fetch)
    if kind == "image-file":
        from lineal.client.media.image import Image

        return Image.from_value(value, fetch)
    if kind == "histogram":
        from lineal.client.media.histogram import Histogram

        return Histogram.from_value(value)
    if kind == "html-file":
        from lineal.client.media.html import Html

        return Html.from_value(value, fetch)
    return None


def files_of(value: Any, folder: Path) -> Iterator[Kept]:
    """Every file below `folder` that a stored value stands on, those of media in a table's cells among them."""
    for kept in kept_in(value):
        yield kept
        if kept.path.startswith("media/table/"):
            from lineal.client.media.table import files_beside

            yield from files_beside(folder / kept.path)


# ---- one value -----------------------------------------------------------------------------------------------


def _stored(value: Any, folder: Path, key: str, step: int) -> Any:
    if isinstance(value, Media):
        return value.bind(folder, key, step)
    if isinstance(value, int | float | str):
        return _plain(value, key, 0)
    if is_array(value):
        return _array(value, folder, key, step)
    if isinstance(value, list | tuple) and value:
        media = [media_of(one) if not isinstance(one, int | float | str) else None for one in value]
        if any(medium is not None for medium in media):
            return _separated(media, folder, key, step)
    if (medium := media_of(value)) is not None:
        return medium.bind(folder, key, step)
    return _plain(value, key, 0)


def _array(array: Any, folder: Path, key: str, step: int) -> Any:
    has_numbers = getattr(array.dtype, "kind", "O") in "biuf" and hasattr(array, "item") and not is_masked(array)
    numbers = array if has_numbers else to_numpy(array)
    if numbers.dtype.kind in "UMm":
        return _plain(numbers.tolist(), key, 0)
    if numbers.dtype.kind not in "biuf":
        raise InvalidArgument(
            f"{shown(key)}: an array of {numbers.dtype} can't be stored; log its parts, such as .real and .imag"
        )
    if numbers.size == 1:
        number = numbers.item()
        return _integer(number, key) if isinstance(number, int) else float(number)
    from lineal.client.media.histogram import Histogram

    return Histogram(numbers).bind(folder, key, step)


def _separated(media: list[Media | None], folder: Path, key: str, step: int) -> dict[str, Any]:
    kinds = {medium.kind for medium in media if medium is not None}
    if None in media or len(kinds) != 1:
        raise InvalidArgument(f"{shown(key)}: a list of media holds one kind; log others under keys of their own")
    if len(media) > MAX_LIST and key not in _cut_before and len(_cut_before) < MAX_WARNINGS:
        _cut_before.add(key)
        _log.warning(
            "%s: of %d media at step %d only the first %d are stored, here and later; log a Table to keep them all",
            shown(key), len(media), step, MAX_LIST,
        )  # fmt: skip
    kind = kinds.pop()
    bound = [medium.bind(folder, key, step) for medium in media[:MAX_LIST] if medium is not None]
    return {"_type": _PLURALS.get(kind, f"{kind}/separated"), "items": bound}


def _plain(value: Any, key: str, depth: int) -> Any:
    """The value in Python's own types."""
    kind = type(value)
    if kind is float or kind is str or kind is bool or kind is NoneType:
        return value
    if isinstance(value, bool | int | float | str):
        plain = unwrapped(value)
        return _integer(plain, key) if isinstance(plain, int) else plain
    if depth >= MAX_DEPTH:
        raise InvalidArgument(f"{shown(key)} is nested more than {MAX_DEPTH} levels deep; log a Table")
    if isinstance(value, list | tuple):
        return [_plain(one, key, depth + 1) for one in value]
    if isinstance(value, Mapping) and depth:
        return {str(name): _plain(one, key, depth + 1) for name, one in value.items()}
    if is_array(value):
        return _plain(_listed(value, key), key, depth + 1)
    raise InvalidArgument(f"{shown(key)}: {_article(kind)} can't be stored; {_instead(value)}")


def _listed(value: Any, key: str) -> Any:
    array = to_numpy(value)
    if array.size > MAX_CELLS or array.dtype.kind not in "biufU":
        raise InvalidArgument(f"{shown(key)}: a list holds an array of {array.size:,} × {array.dtype}; log a Table")
    return array.tolist()


def _integer(number: int, key: str) -> int | bool:
    if isinstance(number, bool):
        return number
    if not _LEAST <= number <= _MOST:
        raise InvalidArgument(f"{shown(key)}: a whole number beyond 64 bits can't be stored; log float(…) or str(…)")
    return int(number)


def _article(kind: type) -> str:
    name = kind.__qualname__[:100]
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _instead(value: object) -> str:
    listed = isinstance(value, set | frozenset | range) or hasattr(value, "__next__")
    hints = (
        (isinstance(value, Mapping), "'_type' is the mark of stored media; name that key of yours otherwise"),
        (
            isinstance(value, bytes | bytearray | memoryview),
            "log .decode() of it, a medium, or a file as an artifact",
        ),
        (listed, "log list(…) of it"),
        (hasattr(value, "isoformat"), "log .isoformat() or .timestamp() of it"),
        (hasattr(value, "__float__"), "log float(…) of it"),
        (callable(value), "log what it returns"),
    )
    usual = "log a number, a text, a list of these, or a medium such as lineal.Image or lineal.Table"
    return next((hint for fits, hint in hints if fits), usual)
