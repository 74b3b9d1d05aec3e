"""Sounds of files and arrays."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from lineal.client.media import base
from lineal.client.media.audio import Audio
from lineal.core.errors import InvalidArgument, InvalidSource


def read(path):
    with wave.open(str(path), "rb") as file:
        frames = file.readframes(file.getnframes())
        return file.getframerate(), file.getnchannels(), file.getsampwidth(), frames


def test_floats_become_wav_of_16_bits(tmp_path):
    value = Audio(np.array([0, 0.5, -1, 1]), 4, caption="c").bind(tmp_path, "k", 0)
    assert (value["_type"], value["format"], value["sample_rate"]) == ("audio-file", "wav", 4)
    assert (value["channels"], value["duration_s"], value["caption"]) == (1, 1.0, "c")
    assert "clipped" not in value
    rate, channels, width, frames = read(tmp_path / value["path"])
    assert (rate, channels, width) == (4, 1, 2)
    assert np.frombuffer(frames, "<i2").tolist() == [0, 16384, -32767, 32767]


def test_what_is_too_loud_is_cut_off_and_counted(tmp_path):
    value = Audio([0.0, 2.0, -3.0], sample_rate=8000).bind(tmp_path, "k", 0)
    assert value["clipped"] == 2


@pytest.mark.parametrize(("kind", "width"), [("uint8", 1), ("int16", 2), ("int32", 4), (">i2", 2)])
def test_whole_numbers_stay_what_they_are(tmp_path, kind, width):
    array = np.array([[1, 2], [3, 4], [5, 6]], kind)
    value = Audio(array, 8000).bind(tmp_path, "k", 0)
    _, channels, seen, frames = read(tmp_path / value["path"])
    assert (channels, seen) == (2, width)
    assert np.frombuffer(frames, f"<{'u' if width == 1 else 'i'}{width}").reshape(-1, 2).tolist() == array.tolist()


def test_a_tensor_has_its_channels_first(tmp_path):
    torch = pytest.importorskip("torch")
    assert Audio(torch.zeros(2, 100), 100).bind(tmp_path, "k", 0)["channels"] == 2


def test_a_file_is_kept_as_it_is(tmp_path):
    first = Audio(np.zeros(10), 8000).bind(tmp_path, "k", 0)
    second = Audio(str(tmp_path / first["path"])).bind(tmp_path, "j", 0)
    assert second["sha256"] == first["sha256"]
    assert second["format"] == "wav"
    (tmp_path / "a.wav").write_bytes(b"text")
    with pytest.raises(InvalidArgument, match="no sound"):
        Audio(tmp_path / "a.wav")
    with pytest.raises(InvalidSource):
        Audio(tmp_path / "gone.wav")


@pytest.mark.parametrize(
    "data",
    [
        None,
        5,
        b"x",
        [],
        [[1.0], [1.0, 2.0]],
        ["a"],
        np.zeros((2, 100)),
        np.zeros((2, 2, 2)),
        np.array([np.nan]),
        np.array([1], np.int64),
        np.array([1j]),
    ],
)
def test_what_is_no_sound_is_refused(data):
    with pytest.raises(InvalidArgument, match=r"sound|made of"):
        Audio(data, 8000)


@pytest.mark.parametrize("rate", [None, 0, -1, "fast", 1 << 31, float("nan")])
def test_an_array_needs_its_rate(rate):
    with pytest.raises(InvalidArgument, match="sample_rate"):
        Audio(np.zeros(5), rate)


def test_a_sound_over_the_limit_is_refused_before_it_is_encoded():
    with pytest.raises(InvalidArgument, match="256 MiB"):
        Audio(np.broadcast_to(np.uint8(0), (base.MAX_FILE_BYTES,)), 8000)
