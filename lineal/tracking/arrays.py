"""Arrow arrays from numpy arrays and lists, made of their buffers.

`pyarrow.array` would do it in one call, but it loads pandas first where that is installed, to see whether it was
given something of its kind: 40 MB and a third of a second in a training that may not use pandas at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def of_numbers(values: np.ndarray) -> pa.Array:
    """The values of a one-dimensional array of int32, int64 or float64, not copied."""
    import numpy as np
    import pyarrow as pa

    flat = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [None, pa.py_buffer(flat)])


def of_flags(values: np.ndarray) -> pa.Array:
    """The values of an array of booleans."""
    import numpy as np
    import pyarrow as pa

    bits = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])


def of_optional(values: Sequence[Any], dtype: str) -> pa.Array:
    """Numbers of numpy's `dtype`, null where they are None."""
    import numpy as np
    import pyarrow as pa

    there = [value is not None for value in values]
    flat = np.array([0 if value is None else value for value in values], dtype)
    buffers = [_validity(there), pa.py_buffer(flat)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), buffers)


def of_texts(values: Sequence[str | None]) -> pa.Array:
    """Texts, null where they are None; up to 2 GiB in all."""
    import numpy as np
    import pyarrow as pa

    encoded = [b"" if value is None else value.encode() for value in values]
    ends = np.zeros(len(encoded) + 1, "int64")
    np.cumsum([len(text) for text in encoded], out=ends[1:])
    if ends[-1] >= 2**31:
        raise OverflowError("texts of 2 GiB and more are too much at once")
    there = [value is not None for value in values]
    buffers = [_validity(there), pa.py_buffer(ends.astype("int32")), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def numbers_in(array: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The values of an array of numbers without nulls; the inverse of `of_numbers`, not copied where it is whole."""
    import numpy as np
    import pyarrow as pa

    whole = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if not len(whole):
        return np.zeros(0, whole.type.to_pandas_dtype())
    values = np.frombuffer(whole.buffers()[1], whole.type.to_pandas_dtype())
    return values[whole.offset : whole.offset + len(whole)]


def _validity(there: list[bool]) -> pa.Buffer | None:
    import numpy as np
    import pyarrow as pa

    return None if all(there) else pa.py_buffer(np.packbits(np.array(there, bool), bitorder="little"))
