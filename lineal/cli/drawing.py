"""Curves in a terminal: a sparkline on one line, a plot of dots on many. Pure: numbers in, lines out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

_BARS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column
_BLANK = 0x2800
Point = tuple[float, float, float, float]  # x, lowest, highest, last


def sparkline(values: Sequence[float], width: int = 20) -> str:
    """The values as bars, the lowest and the highest that are finite setting the scale; a blank where none is."""
    picked = _spread(values, width)
    finite = [value for value in picked if math.isfinite(value)]
    if not finite:
        return " " * len(picked)
    low, span = min(finite), max(finite) / 2 - min(finite) / 2  # halves: the whole may be infinite
    return "".join(_bar(value, low, span) for value in picked)


def _bar(value: float, low: float, span: float) -> str:
    if math.isnan(value):
        return " "
    if math.isinf(value):
        return _BARS[-1] if value > 0 else _BARS[0]
    return _BARS[min(int((value / 2 - low / 2) / span * len(_BARS)), len(_BARS) - 1)] if span else _BARS[3]


def _spread(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    return [values[place * (len(values) - 1) // (width - 1)] for place in range(width)]


def plot(points: Sequence[Point], width: int = 72, height: int = 12) -> list[str]:
    """The curve through the points, with its scales: rows of braille dots, then the steps at both ends.

    Each point's span from lowest to highest is drawn, so that no spike is lost. Infinities and NaN are left out.
    """
    seen = [point for point in points if all(map(math.isfinite, point))]
    if not seen:
        return ["nothing to draw: no finite number"]
    low, high = min(point[1] for point in seen), max(point[2] for point in seen)
    labels = [number(high), number((low + high) / 2), number(low)]
    margin = max(map(len, labels))
    rows = _canvas(seen, low, high, max(width - margin - 2, 2), height)
    at = {0: labels[0], height // 2: labels[1] if height > 2 else "", height - 1: labels[2]}
    drawn = [f"{at.get(place, ''):>{margin}} ┤{row}".rstrip() for place, row in enumerate(rows)]
    first, last = number(seen[0][0]), number(seen[-1][0])
    room = max(width - margin - 2 - len(first), len(last) + 1)
    return [*drawn, f"{'':>{margin}}  {first}{last:>{room}}"]


def _canvas(points: Sequence[Point], low: float, high: float, width: int, height: int) -> list[str]:
    across, down = width * 2 - 1, height * 4 - 1
    start, span = points[0][0], (points[-1][0] - points[0][0]) or 1
    scale = (high / 2 - low / 2) or 0.5  # halves: the difference of two large numbers may be infinite

    def row(value: float) -> int:
        return round((1 - (value / 2 - low / 2) / scale) * down) if high > low else down // 2

    def column(x: float) -> int:
        return round((x - start) / span * across)

    cells = [[_BLANK] * width for _ in range(height)]
    before: tuple[int, int] | None = None
    for x, lowest, highest, last in points:
        here = column(x), row(last)
        _mark(cells, ((here[0], y) for y in range(row(highest), row(lowest) + 1)))
        _mark(cells, _line(before or here, here))
        before = here
    return ["".join(map(chr, line)) for line in cells]


def _line(start: tuple[int, int], end: tuple[int, int]) -> Iterable[tuple[int, int]]:
    count = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for n in range(count + 1):
        yield round(start[0] + (end[0] - start[0]) * n / count), round(start[1] + (end[1] - start[1]) * n / count)


def _mark(cells: list[list[int]], dots: Iterable[tuple[int, int]]) -> None:
    for x, y in dots:
        cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]


def number(value: object) -> str:
    """A value as short as it can be read: six digits of a number."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
