"""Tables: named columns of cells, stored as Parquet, which any tool reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from lineal.client.media.arrays import is_array, to_numpy
from lineal.client.media.base import Fetch, Kept, Media, keep, kept_in, need, scratch, shown
from lineal.client.media.columns import Cells, from_arrow, listed, of_dataframe, settle, settle_all, to_arrow
from lineal.core.errors import InvalidArgument

LogMode = Literal["IMMUTABLE", "MUTABLE", "INCREMENTAL"]

MAX_COLUMNS = 10_000
MAX_PARTS = 100
METADATA = b"lineal"
_ROWS_A_GROUP = 1 << 17
_log = logging.getLogger("lineal")


class Table(Media):
    """Rows under named columns. A cell is a number, text, boolean, time, list, mapping, None or a medium.

    A cell's content is fixed when it is added. Columns of one kind of cell are stored as such, others as JSON text,
    so that any cells may be mixed. `log_mode` says what logging the same table again means: IMMUTABLE, the first
    one stands for ever; MUTABLE, all is stored again; INCREMENTAL, only the rows added since are, as a further part.
    """

    kind: ClassVar[str] = "table"
    type: ClassVar[str] = "table-file"
    _extension = "parquet"

    def __init__(
        self,
        columns: Sequence[str | int] | None = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: Any = True,
        allow_mixed_types: bool = True,
        log_mode: LogMode | None = "IMMUTABLE",
    ) -> None:
        """Of rows (`data`, or `rows`: lists or a two-dimensional array) or of a `dataframe` (pandas, polars, Arrow).

        `columns` are Input, Output and Expected unless given. `dtype`, `optional` and `allow_mixed_types` are there
        for scripts written for others: columns are never bound to a type. Raises invalid.argument.
        """
        log_mode = log_mode or "IMMUTABLE"
        if log_mode not in get_args(LogMode):
            raise InvalidArgument(f"log_mode {log_mode!r} is not possible; use {', '.join(get_args(LogMode))}")
        self.log_mode: LogMode = log_mode
        self._cells: dict[str, Cells] = {}
        self._bound: dict[str, Any] | None = None
        self._folder: Path | None = None
        self._changed = False
        self._bound_rows = 0
        given = dataframe if dataframe is not None else data if data is not None else rows
        if given is not None and hasattr(given, "columns"):
            for name, cells in of_dataframe(given):
                self._set(name, cells)
        else:
            for column in columns if columns is not None else ("Input", "Output", "Expected"):
                self._set(_checked_name(column), [])
            if given is not None:
                self._fill(given)

    # ---- adding ----------------------------------------------------------------------------------------------

    def add_data(self, *data: Any) -> None:
        """Adds a row, a cell for each column. Raises invalid.argument, and then nothing is added."""
        if len(data) != len(self._cells):
            raise InvalidArgument(f"a row of {len(data)} cells does not fit {self._shape()}")
        settled = [settle(cell, name) for name, cell in zip(self._cells, data, strict=True)]
        self._note_change()
        for name, cell in zip(self._cells, settled, strict=True):
            self._list(name).append(cell)

    add_row = add_data

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:
        """Adds a column at the right, a cell for each row there is."""
        name = _checked_name(name)
        if self.log_mode == "INCREMENTAL":
            raise InvalidArgument("an incremental table grows by rows only; use log_mode='MUTABLE'")
        if name in self._cells:
            raise InvalidArgument(f"the table has a column {shown(name)} already")
        cells = settle_all(data, name)
        if self._cells and len(cells) != len(self):
            raise InvalidArgument(f"a column of {len(cells)} cells does not fit {self._shape()}")
        self._note_change()
        self._set(name, cells)

    def _fill(self, rows: Any) -> None:
        names = list(self._cells)
        if is_array(rows):
            array = to_numpy(rows)
            if array.ndim != 2:
                raise InvalidArgument(f"a table is made of a two-dimensional array, not of shape {array.shape}")
            rows, widths = array, {array.shape[1]}
        else:
            rows = [row if isinstance(row, list | tuple) else _as_row(row) for row in _as_rows(rows)]
            widths = set(map(len, rows))
        if not widths <= {len(names)}:
            wrong = sorted(widths - {len(names)})[0]
            raise InvalidArgument(f"a row of {wrong} cells does not fit {self._shape()}; name them all in `columns`")
        for at, name in enumerate(names):
            column = rows[:, at] if is_array(rows) else [row[at] for row in rows]
            self._cells[name] = settle_all(column, name)

    def _set(self, name: str, cells: Cells) -> None:
        if name in self._cells:
            raise InvalidArgument(f"two columns are named {shown(name)}; names of columns are unique")
        if len(self._cells) >= MAX_COLUMNS:
            raise InvalidArgument(f"a table has at most {MAX_COLUMNS:,} columns")
        self._cells[name] = cells

    def _list(self, name: str) -> list[Any]:
        """The column's cells as a list that can grow."""
        cells = self._cells[name]
        if not isinstance(cells, list):
            cells = self._cells[name] = listed(cells)
        return cells

    def _note_change(self) -> None:
        if self._bound is not None and self.log_mode == "IMMUTABLE" and not self._changed:
            _log.warning(
                "a table with log_mode='IMMUTABLE' was logged already: what is added to it now is not stored; "
                "use log_mode='MUTABLE' or 'INCREMENTAL'"
            )
        self._changed = True

    # ---- reading ---------------------------------------------------------------------------------------------

    @property
    def columns(self) -> list[str]:
        """The names, from left to right."""
        return list(self._cells)

    @property
    def data(self) -> list[list[Any]]:
        """The rows, in lists of their own."""
        return [list(row) for _, row in self.iterrows()]

    def __len__(self) -> int:
        return len(next(iter(self._cells.values()), ()))

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Number and cells of each row."""
        columns = [self.get_column(name) for name in self._cells]
        for number, row in enumerate(zip(*columns, strict=True)):
            yield number, list(row)

    def get_column(self, name: str, convert_to: Literal["numpy"] | None = None) -> Any:
        """The column's cells as a list, or as an array of numpy."""
        if name not in self._cells:
            raise InvalidArgument(f"there is no column {shown(name)} in {self._shape()}")
        cells = self._cells[name]
        if convert_to is None:
            return listed(cells)
        if convert_to != "numpy":
            raise InvalidArgument(f"a column can be converted to 'numpy', not to {convert_to!r}")
        import numpy as np

        return np.asarray(cells if isinstance(cells, list) else cells.to_numpy())

    def get_dataframe(self) -> Any:
        """The table as a DataFrame of pandas."""
        pandas = need("pandas", "pandas", "a data frame")
        columns = {
            name: cells if isinstance(cells, list) else cells.to_pandas() for name, cells in self._cells.items()
        }
        return pandas.DataFrame(columns, columns=self.columns)

    @classmethod
    def from_value(cls, value: Mapping[str, Any], fetch: Fetch) -> Table:
        """The table that a stored value stands for, all parts of an incremental one joined."""
        table = cls(columns=[], log_mode="MUTABLE")
        for part in (*value.get("parts", ()), value):
            for name, cells in _read(fetch(part["path"]), fetch):
                if name in table._cells:
                    table._list(name).extend(listed(cells))
                else:
                    table._set(name, cells)
        return table

    # ---- storing ---------------------------------------------------------------------------------------------

    def bind(self, folder: Path, key: str, step: int) -> dict[str, Any]:
        """See `Media.bind`; what is stored again depends on `log_mode`."""
        if not self._cells:
            raise InvalidArgument(f"{shown(key)}: the table has no columns")
        before = self._bound if self._folder == folder else None
        if before is not None and (self.log_mode == "IMMUTABLE" or not self._changed):
            return before
        value = self._bind_part(before, folder, key, step) if self.log_mode == "INCREMENTAL" else None
        self._bound = value or self._write(folder, key, step, 0)
        self._folder, self._changed = folder, False
        return self._bound

    def _bind_part(self, before: dict[str, Any] | None, folder: Path, key: str, step: int) -> dict[str, Any]:
        """The rows since the last part; after 100 parts all rows anew, so that reading opens few files."""
        parts = []
        if before is not None:
            parts = [*before["parts"], {name: before[name] for name in ("path", "sha256", "size")}]
        if len(parts) >= MAX_PARTS:
            parts = []
        value = self._write(folder, key, step, self._bound_rows if parts else 0)
        self._bound_rows = len(self)
        return value | {"total_rows": len(self), "part": before["part"] + 1 if before else 0, "parts": parts}

    def _write(self, folder: Path, key: str, step: int, start: int) -> dict[str, Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        files: list[Kept] = []
        arrays, kinds = [], {}
        for name, cells in self._cells.items():

            def bind(medium: Media, name: str = name) -> dict[str, Any]:
                value = medium.bind(folder, f"{key}_{name}", step)
                files.extend(kept_in(value))
                return value

            array, kinds[name] = to_arrow(cells[start:] if start else cells, bind)
            arrays.append(array)
        metadata = {"version": 1, "kinds": kinds, "files": [file.value() for file in dict.fromkeys(files)]}
        table = pa.table(arrays, names=self.columns).replace_schema_metadata({METADATA: json.dumps(metadata)})
        texts = [name for name, kind in kinds.items() if kind in ("text", "json")]  # numbers' dictionaries only add
        with scratch(folder) as part:
            pq.write_table(table, part, compression="zstd", row_group_size=_ROWS_A_GROUP, use_dictionary=texts)
            kept = keep(part, folder, self.kind, key, step, self._extension)
        shape = {"nrows": table.num_rows, "ncols": table.num_columns, "log_mode": self.log_mode}
        return {"_type": self.type, **kept.value(), **shape, **({"media": len(files)} if files else {})}

    def _shape(self) -> str:
        names = ", ".join(shown(name) for name in self.columns[:10])
        return f"the table of {len(self):,} rows and {len(self._cells)} columns ({names})"


def files_beside(path: Path) -> list[Kept]:
    """The media files that the cells of a stored table name. Raises invalid.argument."""
    return [Kept(file["path"], file["sha256"], file["size"]) for file in _metadata(path).get("files", ())]


def _metadata(path: Path) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = json.loads((pq.read_schema(path).metadata or {}).get(METADATA, b"{}"))
    except (OSError, ValueError, pa.ArrowException):
        raise InvalidArgument(f"{path} is no table") from None
    return found if isinstance(found, dict) else {}


def _read(path: Path, fetch: Fetch) -> Iterator[tuple[str, Cells]]:
    import pyarrow.parquet as pq

    kinds = _metadata(path).get("kinds", {})
    table = pq.read_table(path)
    for at, name in enumerate(table.column_names):
        yield name, from_arrow(table.column(at), kinds.get(name, ""), fetch)


def _checked_name(name: object) -> str:
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    if not isinstance(name, str) or not name or len(name) > 1000 or not name.isprintable():
        raise InvalidArgument(f"{shown(str(name))} can't be a column's name; use up to 1,000 printable characters")
    return name


def _as_rows(rows: Any) -> list[Any]:
    if isinstance(rows, str | bytes | Mapping) or not hasattr(rows, "__iter__"):
        raise InvalidArgument(f"data must be a list of rows, not {type(rows).__name__}")
    return list(rows)


def _as_row(row: Any) -> list[Any]:
    if is_array(row) and getattr(row, "ndim", 0) == 1:
        return list(to_numpy(row).tolist())
    raise InvalidArgument(f"a row must be a list with a cell for each column, not {type(row).__name__}")
