"""Histograms: counts between edges, kept in the history itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.arrays import is_array, to_numpy
from lineal.client.media.base import Media
from lineal.core.errors import InvalidArgument

MAX_BINS = 512


class Histogram(Media):
    """How often values fall between edges. NaN and infinities are counted apart, as `nans` and `infs`."""

    kind: ClassVar[str] = "histogram"
    type: ClassVar[str] = "histogram"

    def __init__(self, sequence: Any = None, np_histogram: Any = None, num_bins: int = 64) -> None:
        """Of the numbers in `sequence`, in `num_bins` bins; or the counts and edges that numpy.histogram gave."""
        if (sequence is None) == (np_histogram is None):
            raise InvalidArgument("a histogram is made of a sequence or of an np_histogram; give one of them")
        self.nans = self.infs = 0
        if np_histogram is not None:
            self.histogram, self.bins = _given(np_histogram)
        else:
            self._count(sequence, num_bins)

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Histogram:
        """The histogram that a stored value stands for."""
        made = cls(np_histogram=(value["values"], value["bins"]))
        made.nans, made.infs = value.get("nans", 0), value.get("infs", 0)
        return made

    def bind(self, folder: Path, key: str, step: int) -> dict[str, Any]:
        """The counts and edges; no file is written."""
        value: dict[str, Any] = {"_type": self.type, "values": self.histogram, "bins": self.bins}
        return value | {name: count for name, count in (("nans", self.nans), ("infs", self.infs)) if count}

    def _count(self, sequence: Any, num_bins: int) -> None:
        import numpy as np

        if not isinstance(num_bins, int) or not 1 <= num_bins <= MAX_BINS:
            raise InvalidArgument(f"num_bins must be a whole number from 1 to {MAX_BINS}, not {num_bins!r}")
        numbers = _numbers(sequence)
        finite = np.isfinite(numbers)
        if not finite.all():
            self.nans = int(np.isnan(numbers).sum())
            self.infs = int(numbers.size - finite.sum()) - self.nans
            numbers = numbers[finite]
        try:
            counts, edges = np.histogram(numbers, num_bins, range=_range(numbers))
        except ValueError as problem:
            raise InvalidArgument(f"a histogram can't be made of these values: {problem}") from None
        self.histogram, self.bins = counts.tolist(), edges.tolist()


def _numbers(sequence: Any) -> Any:
    import numpy as np

    try:
        array = to_numpy(sequence) if is_array(sequence) else np.asarray(sequence)
        if array.dtype.kind in "biuf" or array.size == 0:
            return array.astype(np.float64).ravel()
        if array.dtype.kind == "O":  # such as a list with a None, or whole numbers beyond 64 bits
            return np.asarray([float(number) for number in array.ravel()])
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidArgument(f"a histogram is made of numbers, not of {type(sequence).__name__}")


def _range(numbers: Any) -> tuple[float, float] | None:
    """What numpy's own choice would be, but wide enough that the bins differ where the values nearly agree."""
    if not numbers.size:
        return None
    low, high = float(numbers.min()), float(numbers.max())
    least = 1e-9 * max(abs(low), abs(high))
    if high - low > least:
        if high - low == float("inf"):
            raise InvalidArgument("a histogram can't be made of values farther apart than a float can say")
        return None
    pad = max(least, 0.5) if low == high else least
    return low - pad, high + pad


def _given(np_histogram: Any) -> tuple[list[int | float], list[float]]:
    import numpy as np

    try:
        counts, edges = (np.asarray(part) for part in np_histogram)
        right = counts.ndim == edges.ndim == 1 and len(edges) == len(counts) + 1 and len(counts) >= 1
    except (TypeError, ValueError):
        right = False
    if not right or counts.dtype.kind not in "biuf" or edges.dtype.kind not in "iuf":
        raise InvalidArgument("np_histogram is a pair as numpy.histogram gives it: n counts and n + 1 edges")
    if len(counts) > MAX_BINS:
        raise InvalidArgument(f"a histogram has at most {MAX_BINS} bins, not {len(counts):,}")
    if not (
        np.isfinite(edges).all() and np.isfinite(counts).all() and (np.diff(edges) >= 0).all() and counts.min() >= 0
    ):
        raise InvalidArgument("a histogram's edges must rise, and its counts be finite and not below 0")
    return counts.tolist(), edges.astype(np.float64).tolist()
