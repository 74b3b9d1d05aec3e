"""What `log` is given, as the history keeps it."""

from __future__ import annotations

import datetime
import decimal
import enum
import math

import numpy as np
import pytest

from lineal.client.media.histogram import Histogram
from lineal.client.media.html import Html
from lineal.client.media.image import Image
from lineal.client.media.table import Table
from lineal.client.media.values import MAX_LIST, as_value, files_of, from_value, media_of
from lineal.core.errors import InvalidArgument, InvalidSource
from lineal.tracking.rows import MAX_DEPTH, decode, encode


def value_of(value, folder, key="my key"):
    return as_value(value, folder, key, 3)


class Name(str):
    pass


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1, 1),
        (1.5, 1.5),
        (True, True),
        (None, None),
        ("text", "text"),
        ([1, "a", None, [2.5]], [1, "a", None, [2.5]]),
        ((1, (2, 3)), [1, [2, 3]]),
        ([], []),
        ([{"a": (1,), 5: np.float32(0.5)}], [{"a": [1], "5": 0.5}]),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array(5), 5),
        (np.array([[2.5]]), 2.5),
        (np.longdouble(1.5), 1.5),
        (np.str_("a"), "a"),
        (np.array(["a", "b"]), ["a", "b"]),
        ([np.int8(1), np.array([1, 2])], [1, [1, 2]]),
        (Name("n"), "n"),
        (enum.IntEnum("N", "A").A, 1),  # type: ignore[attr-defined]
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
    ],
)
def test_plain_values_are_themselves_in_pythons_types(tmp_path, given, kept):
    value = value_of(given, tmp_path / "run")
    assert value == kept
    assert type(value) is type(kept)
    assert not (tmp_path / "run").exists()


def test_nan_and_infinities_are_numbers(tmp_path):
    assert math.isnan(value_of(float("nan"), tmp_path))
    assert math.isnan(value_of(np.float16("nan"), tmp_path))
    assert math.isnan(value_of(np.ma.masked, tmp_path))
    assert value_of([math.inf], tmp_path) == [math.inf]


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        (b"x", "decode"),
        (bytearray(b"x"), "decode"),
        ({1, 2}, "list"),
        (range(3), "list"),
        ((n for n in range(3)), "list"),
        (object(), "number, a text"),
        (print, "returns"),
        (decimal.Decimal(1), "float"),
        (datetime.datetime(2026, 1, 1), "isoformat"),
        (1j, "number, a text"),
        (np.array([1j, 2j]), "real"),
        (np.array([object()]), "array"),
        ({"_type": "image-file", "path": "x"}, "_type"),
        (2**63, "64 bits"),
        ([[-(2**63) - 1]], "64 bits"),
        (np.uint64(2**63), "64 bits"),
        ([[b"x"]], "decode"),
        ([Html("a"), 5], "one kind"),
        ([Html("a"), Histogram([1])], "one kind"),
        (np.array("2026-01-01", "datetime64[s]"), "isoformat"),
    ],
)
def test_what_can_not_be_stored_names_the_key_and_what_to_do(tmp_path, given, hint):
    with pytest.raises(InvalidArgument, match=rf"'my key'.*{hint}"):
        value_of(given, tmp_path)


def test_a_list_nested_without_end_is_refused(tmp_path):
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidArgument, match="deep"):
        value_of(endless, tmp_path)


def test_a_list_is_nested_as_deep_as_rows_may_be_and_no_deeper(tmp_path):
    deep: object = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    decode(encode([(0, 0.0, {"key": value_of(deep, tmp_path)})]))
    with pytest.raises(InvalidArgument, match="deep"):
        value_of([deep], tmp_path)


def test_a_long_key_is_cut_in_the_message(tmp_path):
    with pytest.raises(InvalidArgument) as problem:
        value_of(b"x", tmp_path, key="k" * 1_000_000)
    assert len(problem.value.message) < 500


def test_arrays_become_histograms(tmp_path):
    value = value_of(np.arange(100.0), tmp_path)
    assert value["_type"] == "histogram"
    assert sum(value["values"]) == 100


def test_tensors_of_torch_are_numbers_or_histograms(tmp_path):
    torch = pytest.importorskip("torch")
    assert value_of(torch.tensor(0.5, requires_grad=True), tmp_path) == 0.5
    assert value_of(torch.tensor([3]), tmp_path) == 3
    assert value_of(torch.tensor(1.5, dtype=torch.bfloat16), tmp_path) == 1.5
    assert value_of(torch.nn.Linear(2, 2).weight, tmp_path)["_type"] == "histogram"


def test_a_list_of_media_is_one_value(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    value = value_of([Image(np.eye(2)), pillow.new("L", (3, 3))], tmp_path)
    assert value["_type"] == "images/separated"
    assert [item["width"] for item in value["items"]] == [2, 3]
    assert len(list(files_of(value, tmp_path))) == 2
    assert value_of([Html("a")], tmp_path)["_type"] == "html/separated"


def test_of_too_many_media_the_first_are_kept_with_one_warning(tmp_path, caplog):
    pages = [Html(str(number)) for number in range(MAX_LIST + 1)]
    for _ in range(2):
        assert len(value_of(pages, tmp_path, key="many pages")["items"]) == MAX_LIST
    assert len(caplog.messages) == 1
    assert "'many pages'" in caplog.text and "Table" in caplog.text


def test_pictures_figures_and_frames_become_media(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    assert value_of(pillow.new("L", (2, 2)), tmp_path)["_type"] == "image-file"
    import pyarrow as pa

    assert value_of(pa.table({"a": [1]}), tmp_path)["_type"] == "table-file"


def test_figures_of_matplotlib_become_images(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(1, 1))
    for given in (figure, plt, axes):
        assert value_of(given, tmp_path)["_type"] == "image-file"
    plt.close(figure)


def test_figures_of_plotly_and_frames_of_pandas_become_media(tmp_path):
    objects = pytest.importorskip("plotly.graph_objects")
    assert value_of(objects.Figure(), tmp_path)["_type"] == "plotly-file"
    pandas = pytest.importorskip("pandas")
    assert value_of(pandas.DataFrame({"a": [1]}), tmp_path)["_type"] == "table-file"
    with pytest.raises(InvalidArgument, match="'my key'"):
        value_of(pandas.Series([1, 2]), tmp_path)


def test_what_a_conversion_refuses_names_the_key(tmp_path):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InvalidArgument, match=r"'my key'.*'a' is of bytes"):
        value_of(pandas.DataFrame({"a": [b"x"]}), tmp_path)
    page = tmp_path / "a.html"
    page.write_text("x")
    html = Html(page)
    page.unlink()
    with pytest.raises(InvalidSource, match=r"'my key'.*a\.html"):
        value_of(html, tmp_path)


def test_only_values_of_known_libraries_are_media():
    assert media_of(5) is None
    assert media_of(object()) is None
    table = Table()
    assert media_of(table) is table


def test_values_of_other_types_are_not_read_back(tmp_path):
    assert from_value({"_type": "audio-file"}, lambda path: tmp_path) is None
    assert from_value({}, lambda path: tmp_path) is None
