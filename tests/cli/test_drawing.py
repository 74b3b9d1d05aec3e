import math

import pytest

from lineal.cli.drawing import number, plot, sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ([5, 5], "▄▄"),
        ([0, math.nan, 1], "▁ █"),
        ([math.inf, 0, 1, -math.inf], "█▁█▁"),
        ([math.nan], " "),
        ([-1e308, 1e308], "▁█"),
    ],
)
def test_a_sparkline_shows_each_value_between_the_lowest_and_the_highest(values: list[float], line: str) -> None:
    assert sparkline(values) == line


def test_a_sparkline_of_many_values_keeps_both_ends() -> None:
    line = sparkline(list(range(1000)), 10)
    assert (len(line), line[0], line[-1]) == (10, "▁", "█")


def test_a_plot_has_its_scales_and_fits_its_size() -> None:
    lines = plot([(float(x), x * 2, x * 2, x * 2) for x in range(100)], width=40, height=6)
    assert len(lines) == 7
    assert all(len(line) <= 40 for line in lines)
    assert lines[0].startswith("198 ┤")
    assert lines[5].strip().startswith("0 ┤")
    assert lines[6].split() == ["0", "99"]
    assert lines[0][-1] != "\u2800"


def test_a_spike_inside_a_bucket_is_drawn() -> None:
    flat = [(float(x), 0.0, 0.0, 0.0) for x in range(10)]
    spiked = [*flat[:5], (5.0, 0.0, 100.0, 0.0), *flat[6:]]
    column = {line[line.index("┤") + 1 :][11] for line in plot(spiked, width=25, height=6)[:6]}
    assert "\u2800" not in column


@pytest.mark.parametrize("points", [[(0.0, 1, 1, 1)], [(0.0, 1, 1, 1), (1.0, 1, 1, 1)], [(0.0, -1e308, 1e308, 0)]])
def test_a_plot_of_few_or_extreme_points_is_drawn(points: list[tuple[float, float, float, float]]) -> None:
    assert len(plot(points, height=4)) == 5


def test_a_plot_without_finite_numbers_says_so() -> None:
    assert plot([(0.0, math.nan, math.nan, math.nan)]) == ["nothing to draw: no finite number"]


def test_numbers_are_short() -> None:
    assert [number(0.30000000000000004), number(7), number("x")] == ["0.3", "7", "x"]
