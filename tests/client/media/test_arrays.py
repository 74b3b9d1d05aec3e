"""Arrays of other libraries as numpy's, and brightness by the rule."""

from __future__ import annotations

import enum
import subprocess
import sys

import numpy as np
import pytest

from lineal.client.media.arrays import check_finite, is_array, owners, to_numpy, to_uint8, unwrapped
from lineal.core.errors import InvalidArgument


def test_nothing_heavy_is_imported_with_the_media():
    code = (
        "import sys, time\n"
        "from lineal.client.media import (arrays, audio, base, columns, formats, histogram, html, image, object3d,"
        " overlays, plotly, table, values, video)\n"
        "from lineal.client import plots, watch\n"
        "values.as_value([1, 'x', (2.5,)], None, 'k', 0)\n"
        "heavy = {'numpy', 'pyarrow', 'PIL', 'pandas', 'matplotlib', 'plotly', 'sklearn', 'torch', 'av'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_whose_a_value_is_is_known_by_its_class_and_those_above():
    class Mine(np.ndarray):
        pass

    assert "numpy" in owners(np.zeros(2).view(Mine))
    assert owners(5) == {"builtins"}
    assert is_array(np.float32(1)) and is_array(np.zeros(3))
    assert not is_array([1, 2]) and not is_array("x")


def test_tensors_of_torch_become_arrays():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[1.5, 2]], requires_grad=True)
    assert to_numpy(tensor).tolist() == [[1.5, 2]]
    assert to_numpy(tensor.to(torch.bfloat16)).tolist() == [[1.5, 2]]
    assert to_numpy(tensor.detach().to_sparse()).tolist() == [[1.5, 2]]
    assert to_numpy(torch.nn.Parameter(tensor)).tolist() == [[1.5, 2]]


def test_numbers_that_do_not_count_are_nan():
    masked = to_numpy(np.ma.array([1, 2], mask=[False, True]))
    assert masked[0] == 1 and np.isnan(masked[1])
    assert np.isnan(to_numpy(np.ma.masked))


@pytest.mark.parametrize(
    ("given", "expected", "stretched"),
    [
        (np.array([0, 7, 255], np.uint8), [0, 7, 255], None),
        (np.array([0, 1], np.uint8), [0, 1], None),
        (np.array([True, False]), [255, 0], None),
        (np.array([0, 0.5, 1.0]), [0, 128, 255], None),
        (np.array([-1e-5, 1.0005]), [0, 255], None),
        (np.array([0, 0.5, 1.0], np.float16), [0, 128, 255], None),
        (np.array([0, 100.4, 255.0]), [0, 100, 255], None),
        (np.array([0, 1, 200]), [0, 1, 200], None),
        (np.array([-1.0, 0, 1]), [0, 128, 255], (-1, 1)),
        (np.array([0, 32768, 65535], np.uint16), [0, 128, 255], (0, 65535)),
        (np.array([-5.0, -5]), [0, 0], (-5, -5)),
        (np.array([-1.7e308, 1.7e308]), [0, 255], (-1.7e308, 1.7e308)),
        (np.array([-3e38, 3e38], np.float32), [0, 255], pytest.approx((-3e38, 3e38))),
    ],
)
def test_brightness_follows_the_rule(given, expected, stretched):
    pixels, span = to_uint8(given, "it")
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == expected
    assert span == stretched


@pytest.mark.parametrize(
    "given", [np.array([np.nan, 1]), np.array([np.inf]), np.zeros((0, 3)), np.array(["a"]), np.array([1j])]
)
def test_what_has_no_brightness_is_refused(given):
    with pytest.raises(InvalidArgument, match="the image"):
        to_uint8(given, "the image")


def test_only_finite_numbers_pass():
    check_finite(np.array([1, 2]), "it")
    with pytest.raises(InvalidArgument, match=r"it holds NaN.*nan_to_num"):
        check_finite(np.array([np.nan]), "it")


def test_values_of_classes_that_only_look_plain_become_plain():
    class Colour(enum.StrEnum):
        RED = "red"

    assert unwrapped(Colour.RED) == "red" and type(unwrapped(Colour.RED)) is str
    assert type(unwrapped(np.float64(1.5))) is float
    assert type(unwrapped(enum.IntEnum("N", "A").A)) is int  # type: ignore[attr-defined]
    assert unwrapped(True) is True
