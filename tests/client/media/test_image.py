"""Images of files, arrays, PIL, torch and matplotlib."""

from __future__ import annotations

import numpy as np
import pytest

from lineal.client.media import image as images
from lineal.client.media.image import Image
from lineal.client.media.values import from_value
from lineal.core.errors import InvalidArgument, InvalidSource

pillow = pytest.importorskip("PIL.Image")


def pixels(image: Image) -> np.ndarray:
    return np.asarray(image.image)


def test_an_array_becomes_a_png_with_its_size(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    value = Image(array, caption="small").bind(tmp_path, "k", 3)
    assert value["_type"] == "image-file"
    assert (value["format"], value["width"], value["height"], value["caption"]) == ("png", 4, 2, "small")
    assert np.array_equal(np.asarray(pillow.open(tmp_path / value["path"])), array)
    assert "boxes" not in value and "stretched" not in value


@pytest.mark.parametrize(
    ("shape", "seen"),
    [((5, 7), (5, 7)), ((5, 7, 1), (5, 7)), ((1, 5, 7), (5, 7)), ((5, 7, 3), (5, 7, 3)), ((3, 5, 7), (5, 7, 3)),
     ((4, 5, 7), (5, 7, 4)), ((3, 5, 3), (3, 5, 3))],
)  # fmt: skip
def test_channels_may_come_first_or_last(shape, seen):
    assert pixels(Image(np.zeros(shape, np.uint8))).shape == seen


@pytest.mark.parametrize("shape", [(5,), (5, 7, 2), (2, 3, 5, 7), (0, 5), (5, 0, 3), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(InvalidArgument):
        Image(np.zeros(shape, np.uint8))


def test_the_array_may_change_afterwards():
    array = np.zeros((4, 4), np.uint8)
    image = Image(array)
    array[:] = 9
    assert pixels(image).max() == 0


def test_a_stretched_image_says_from_what(tmp_path):
    value = Image(np.array([[-2.0, 2.0]])).bind(tmp_path, "k", 0)
    assert value["stretched"] == [-2, 2]


def test_an_image_with_nan_is_refused():
    with pytest.raises(InvalidArgument, match="NaN"):
        Image(np.array([[np.nan, 1.0]]))


def test_a_tensor_of_torch_has_its_channels_first():
    torch = pytest.importorskip("torch")
    tensor = torch.zeros(3, 5, 3)
    tensor[0] = 1
    seen = pixels(Image(tensor.requires_grad_()))
    assert seen.shape == (5, 3, 3)
    assert seen[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(InvalidArgument, match="list of images"):
        Image(torch.zeros(2, 3, 4, 4))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"]
)
@pytest.mark.parametrize("file_type", [None, "png", "jpg", "jpeg", "gif", "webp", "bmp"])
def test_pictures_of_every_mode_can_be_stored_as_every_type(tmp_path, mode, file_type):
    value = Image(pillow.new(mode, (6, 4)), file_type=file_type).bind(tmp_path, "k", 0)
    assert value["format"] == (file_type or "png").replace("jpeg", "jpg")
    with pillow.open(tmp_path / value["path"]) as seen:
        seen.load()
        assert seen.size == (6, 4)


def test_a_picture_can_be_turned_to_another_mode():
    assert Image(np.zeros((4, 4, 3), np.uint8), mode="L").image.mode == "L"
    with pytest.raises(InvalidArgument, match="can't be written"):
        Image(np.zeros((4, 4, 3), np.uint8), mode="no such")


def test_a_transparent_picture_stays_so_where_the_type_can():
    clear = pillow.new("RGBA", (2, 2), (9, 9, 9, 0))
    for file_type in ("png", "webp", "gif"):
        assert Image(clear, file_type=file_type).image.convert("RGBA").getpixel((0, 0))[3] == 0
    assert Image(pillow.new("LA", (2, 2), (9, 0)), file_type="webp").image.mode == "RGBA"


def test_whole_numbers_of_32_bits_follow_the_rule_of_arrays():
    deep = Image(pillow.fromarray(np.array([[0, 70_000]], np.int32)))
    assert pixels(deep).tolist() == [[0, 255]]
    assert deep.stretched == (0, 70_000)


def test_a_file_is_kept_byte_by_byte_whatever_it_is_called(tmp_path):
    source = tmp_path / "photo.dat"
    pillow.new("RGB", (8, 3)).save(source, format="JPEG")
    value = Image(str(source)).bind(tmp_path / "run", "k", 0)
    assert (value["format"], value["width"], value["height"]) == ("jpg", 8, 3)
    assert value["path"].endswith(".jpg")
    assert (tmp_path / "run" / value["path"]).read_bytes() == source.read_bytes()


def test_a_file_is_turned_to_another_type_when_asked(tmp_path):
    source = tmp_path / "a.png"
    pillow.new("RGBA", (8, 3)).save(source)
    assert Image(source, file_type="jpg").bind(tmp_path, "k", 0)["format"] == "jpg"
    assert Image(source, mode="L").image.mode == "L"
    assert Image(source, file_type="png").bind(tmp_path, "k", 0)["size"] == source.stat().st_size


def test_svg_is_refused_and_html_named(tmp_path):
    (tmp_path / "a.png").write_text("<svg onload='alert(1)'/>")
    with pytest.raises(InvalidArgument, match="Html"):
        Image(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"text", b"%PDF-1.4"])
def test_a_file_that_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InvalidArgument, match=r"a\.png is no image"):
        Image(tmp_path / "a.png")


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InvalidSource, match="gone"):
        Image(tmp_path / "gone.png")


def test_a_file_that_became_another_is_refused(tmp_path):
    pillow.new("RGB", (2, 2)).save(tmp_path / "a.png")
    image = Image(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(b"<html>")
    with pytest.raises(InvalidArgument, match=r"'k'.*changed"):
        image.bind(tmp_path / "run", "k", 0)


def test_an_image_too_large_to_show_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="too large"):
        Image(np.broadcast_to(np.uint8(0), (60_000, 60_000)))
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (100_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0"
    (tmp_path / "a.png").write_bytes(bomb)
    with pytest.raises(InvalidArgument, match="too large"):
        Image(tmp_path / "a.png").bind(tmp_path, "k", 0)
    with pytest.raises(InvalidArgument, match="too large"):
        images.check_pixels((1 << 14, (1 << 13) + 1))


@pytest.mark.parametrize("data", [None, 5, b"bytes", {"a": 1}, [], object()])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(InvalidArgument):
        Image(data)


def test_rows_in_lists_are_an_image():
    assert pixels(Image([[0, 255], [255, 0]])).tolist() == [[0, 255], [255, 0]]
    with pytest.raises(InvalidArgument, match="equal length"):
        Image([[1], [1, 2]])


def test_figures_of_matplotlib_are_images(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(2, 1), dpi=100)
    axes.plot([1, 2])
    for given in (figure, plt, axes):
        value = Image(given).bind(tmp_path, "k", 0)
        assert (value["width"], value["height"], value["format"]) == (200, 100, "png")
    assert Image(figure, file_type="jpg").bind(tmp_path, "k", 0)["format"] == "jpg"
    plt.close(figure)


def test_an_unknown_file_type_is_refused():
    with pytest.raises(InvalidArgument, match="tiff"):
        Image(np.zeros((2, 2)), file_type="tiff")


def test_an_image_of_an_image_has_the_same_content(tmp_path):
    first = Image(np.eye(3), caption="a")
    second = Image(first, caption="b").bind(tmp_path, "k", 0)
    assert second["sha256"] == first.bind(tmp_path, "k", 0)["sha256"]
    assert second["caption"] == "b"


def test_an_image_with_boxes_and_masks_comes_back(tmp_path):
    ids = np.array([[0, 1], [1, 0]])
    box = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1}
    image = Image(
        np.eye(2), caption="c", classes=[{"id": 1, "name": "cat"}], boxes={"p": {"box_data": [box]}},
        masks={"m": {"mask_data": ids, "class_labels": {1: "cat"}}},
    )  # fmt: skip
    value = image.bind(tmp_path, "k", 0)
    assert value["classes"] == {"1": "cat"}
    assert value["masks"]["m"]["class_labels"] == {"1": "cat"}
    back = from_value(value, lambda path: tmp_path / path)
    assert isinstance(back, Image)
    assert back.path == tmp_path / value["path"]
    assert np.array_equal(pixels(back), pixels(image))
    assert back.bind(tmp_path / "other", "k", 0) == value
    assert (tmp_path / "other" / value["masks"]["m"]["path"]).exists()


def test_an_image_read_back_fetches_only_when_it_is_looked_at(tmp_path):
    def fetch(path):
        raise AssertionError(path)

    assert from_value(Image(np.eye(2), caption="c").bind(tmp_path, "k", 0), fetch).caption == "c"  # type: ignore
