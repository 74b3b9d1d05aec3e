"""Films of files and arrays."""

from __future__ import annotations

import io

import numpy as np
import pytest

from lineal.client.media.video import Video
from lineal.core.errors import InvalidArgument, InvalidSource

pillow = pytest.importorskip("PIL.Image")


def moving(count=3, height=8, width=10):
    frames = np.zeros((count, 3, height, width), np.uint8)
    for number in range(count):
        frames[number, 0, :, number] = 255
    return frames


def test_a_film_is_a_gif_by_default(tmp_path):
    value = Video(moving(), caption="c").bind(tmp_path, "k", 0)
    assert (value["_type"], value["format"], value["caption"]) == ("video-file", "gif", "c")
    assert (value["width"], value["height"], value["frames"], value["fps"]) == (10, 8, 3, 4)
    with pillow.open(tmp_path / value["path"]) as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 250
        film.seek(2)
        assert film.convert("RGB").getpixel((2, 0)) == (255, 0, 0)


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_a_film_can_be_smaller_with_a_codec(tmp_path, form):
    av = pytest.importorskip("av")
    value = Video(moving(height=33, width=35), fps=10, format=form).bind(tmp_path, "k", 0)
    assert (value["width"], value["height"], value["fps"]) == (35, 33, 10)
    with av.open(str(tmp_path / value["path"])) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 3
    assert frames[0].shape == (34, 36, 3)
    for again in (tmp_path / value["path"], io.BytesIO((tmp_path / value["path"]).read_bytes())):
        assert Video(again).bind(tmp_path, "j", 0)["sha256"] == value["sha256"]


def test_channels_may_come_last_and_be_one(tmp_path):
    first = Video(moving())
    last = Video(moving().transpose(0, 2, 3, 1))
    assert first._source == last._source
    assert Video(np.zeros((2, 1, 4, 4), bool)).bind(tmp_path, "k", 0)["frames"] == 2


def test_a_batch_is_shown_side_by_side(tmp_path):
    value = Video(np.stack([moving()] * 4)).bind(tmp_path, "k", 0)
    assert (value["width"], value["height"], value["frames"]) == (20, 16, 3)
    value = Video(np.stack([moving()] * 3)).bind(tmp_path, "k", 0)
    assert (value["width"], value["height"]) == (30, 8)


def test_brightness_follows_the_rule_of_images(tmp_path):
    value = Video(np.linspace(-1, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4)).bind(tmp_path, "k", 0)
    assert value["stretched"] == [-1, 1]


def test_tensors_are_films(tmp_path):
    torch = pytest.importorskip("torch")
    assert Video(torch.zeros(2, 3, 4, 4)).bind(tmp_path, "k", 0)["frames"] == 2


@pytest.mark.parametrize(
    "data",
    [
        None,
        [1],
        np.zeros((3, 4, 4)),
        np.zeros((2, 5, 6, 7)),
        np.zeros((0, 3, 4, 4)),
        np.full((1, 3, 2, 2), np.nan),
        np.broadcast_to(np.uint8(0), (1 << 10, 3, 1 << 10, 1 << 10)),
    ],
)
def test_what_is_no_film_is_refused(data):
    with pytest.raises(InvalidArgument):
        Video(data)


@pytest.mark.parametrize("fps", [0, -1, 1000, "fast", float("nan"), float("inf")])
def test_a_film_has_a_sensible_speed(fps):
    with pytest.raises(InvalidArgument, match="fps"):
        Video(moving(), fps=fps)


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match="avi"):
        Video(moving(), format="avi")
    (tmp_path / "a.mp4").write_bytes(b"text")
    with pytest.raises(InvalidArgument, match="no film"):
        Video(tmp_path / "a.mp4")
    with pytest.raises(InvalidArgument, match="no film"):
        Video(io.BytesIO(b"text"))
    with pytest.raises(InvalidArgument, match="bytes"):
        Video(io.StringIO("text"))
    with pytest.raises(InvalidSource):
        Video(tmp_path / "gone.mp4")
