"""What is inside a data file, told from its header: its tensors, arrays or columns, and how many rows.

Known by their suffix are safetensors, npz, npy, parquet (through pyarrow), csv and tsv. The bytes may come
from strangers: a bad file becomes a `Header` with a `problem`, and names are escaped before they are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from lineal.storage.header_arrays import read_npy, read_npz, read_safetensors
from lineal.storage.header_tables import read_csv, read_parquet, read_tsv
from lineal.storage.header_window import Contents, Unreadable, Window, quoted, shown

_FORMATS: dict[str, tuple[str, Callable[[Window], Contents]]] = {  # what its parts are called, what reads it
    "safetensors": ("tensor", read_safetensors),
    "npz": ("array", read_npz),
    "npy": ("", read_npy),
    "parquet": ("column", read_parquet),
    "csv": ("column", read_csv),
    "tsv": ("column", read_tsv),
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says it holds: `parts` maps each tensor, array or column to its type, in file order.

    Names are as the file spells them and may hold any character; `describe` makes them safe to print. `rows`
    is None where the format has none or nobody counted. A `problem` leaves only what is certain.
    """

    format: str
    parts: Mapping[str, str]
    rows: int | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """How one header differs from another; `kind` is what the parts are called (`tensor`, `column`)."""

    kind: str
    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]]  # (before, after)
    rows_before: int | None
    rows_after: int | None
    problems: tuple[str, ...]

    @property
    def rows_changed(self) -> bool:
        """Whether both counts are known and differ."""
        return None not in (self.rows_before, self.rows_after) and self.rows_before != self.rows_after

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.added or self.removed or self.changed or self.problems or self.rows_changed)


def known(path: str) -> bool:
    """Whether `read` knows the format that the suffix of `path` names."""
    return _format_of(path) in _FORMATS


def read(path: str, file: BinaryIO, *, size_bytes: int) -> Header | None:
    """What `file` holds according to its header; None when the suffix of `path` is of no format known here.

    A bad file gives a `problem`; only errors that `file` itself raises escape. Little is read: a header, a
    footer, a zip's directory; but a csv of up to 256 MiB whole, to count its rows. `file` stays open.
    """
    format_ = _format_of(path)
    if format_ not in _FORMATS:
        return None
    window = Window(file, size_bytes)
    try:
        contents = _FORMATS[format_][1](window)
    except Unreadable as bad:
        contents = Contents({}, problem=str(bad))
    except Exception as bad:  # parsers that aren't ours raise what they like at hostile bytes
        contents = Contents({}, problem=f"it can't be read as {format_} ({type(bad).__name__})")
    if window.failure is not None:
        raise window.failure
    return Header(format_, *contents)


def compare(before: Header | None, after: Header | None) -> HeaderChange:
    """What changed from `before` to `after`; None is a file that isn't there: all its parts are new or gone.

    A header that has a problem and no parts says nothing about them: then no part counts as added or removed.
    """
    old, new = (dict(side.parts) if side else {} for side in (before, after))
    if any(side and side.problem and not side.parts for side in (before, after)):
        old, new = {}, {}
    present = after or before
    return HeaderChange(
        kind=_FORMATS[present.format][0] if present and present.format in _FORMATS else "part",
        added={name: part for name, part in new.items() if name not in old},
        removed={name: part for name, part in old.items() if name not in new},
        changed={name: (old[name], part) for name, part in new.items() if old.get(name, part) != part},
        rows_before=before.rows if before else None,
        rows_after=after.rows if after else None,
        problems=_problems(before, after),
    )


def describe(change: HeaderChange) -> list[str]:
    """One printable line for each difference, such as `+ tensor head.bias float32[10]` or `rows 1797 → 1790`.

    Order: removed, added, changed, rows, problems. Names with blanks stand in quotes; long texts are clipped.
    """
    lines = [_line("-", change.kind, quoted(name), shown(part)) for name, part in change.removed.items()]
    lines += [_line("+", change.kind, quoted(name), shown(part)) for name, part in change.added.items()]
    for name, (old, new) in change.changed.items():
        lines.append(_line("~", quoted(name), shown(old), "→", shown(new)))
    if change.rows_changed:
        lines.append(f"rows {change.rows_before} → {change.rows_after}")
    return lines + [_line("!", shown(problem)) for problem in change.problems]


def _problems(before: Header | None, after: Header | None) -> tuple[str, ...]:
    old, new = before and before.problem, after and after.problem
    if old and old == new:
        return (old,)
    return tuple(f"{side}: {problem}" for side, problem in (("before", old), ("after", new)) if problem)


def _line(*words: str) -> str:
    return " ".join(word for word in words if word)


def _format_of(path: str) -> str:
    return PurePosixPath(path).suffix.lower().removeprefix(".")
