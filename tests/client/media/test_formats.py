"""Files are known by their first bytes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.client.media.formats import audio_format, image_format, image_size, video_format

PILImage = pytest.importorskip("PIL.Image")


def encoded(form: str, **options: object) -> bytes:
    out = io.BytesIO()
    PILImage.new("RGB", (37, 21), (200, 30, 90)).save(out, format=form, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (encoded("PNG"), "png"),
        (encoded("JPEG"), "jpg"),
        (encoded("JPEG", progressive=True, comment=b"x" * 60_000), "jpg"),
        (encoded("GIF"), "gif"),
        (encoded("BMP"), "bmp"),
        (encoded("WEBP"), "webp"),
        (encoded("WEBP", lossless=True), "webp"),
        (encoded("WEBP", exif=b"Exif\0\0" + b"x" * 50), "webp"),
    ],
)
def test_an_image_tells_its_format_and_size(content, form):
    assert image_format(content[:1024]) == form
    assert image_size(io.BytesIO(content), form) == (37, 21)


@pytest.mark.parametrize(
    "text",
    [b"<svg xmlns='x'/>", b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg>", b"<!-- hi --><SVG >", b"<!DOCTYPE svg><svg>"],
)
def test_svg_is_known_as_such(text):
    assert image_format(text) == "svg"


@pytest.mark.parametrize("content", [b"", b"BM", b"RIFF1234WAVE", b"<html><svg>", b"\x89PN", b"%PDF-1.7"])
def test_what_is_no_image_is_none(content):
    assert image_format(content) is None


@given(st.binary(max_size=64), st.sampled_from(["png", "jpg", "gif", "bmp", "webp"]))
def test_a_broken_header_has_no_size(tail, form):
    heads = {
        "png": b"\x89PNG\r\n\x1a\n",
        "jpg": b"\xff\xd8\xff",
        "gif": b"GIF89a",
        "bmp": b"BM",
        "webp": b"RIFF0000WEBP",
    }
    size = image_size(io.BytesIO(heads[form] + tail), form)
    assert size is None or (size[0] > 0 and size[1] > 0)


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"fLaC", "flac"),
        (b"OggS", "ogg"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90", "mp3"),
        (b"\0\0\0\x20ftypM4A ", "m4a"),
        (b"\xff\xd8\xff", None),
        (b"", None),
        (b"text", None),
    ],
)
def test_a_sound_tells_its_format(head, form):
    assert audio_format(head) == form


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"\0\0\0\x20ftypisom", "mp4"),
        (b"\x1a\x45\xdf\xa3", "webm"),
        (b"OggS", "ogg"),
        (b"GIF89a", "gif"),
        (b"x", None),
    ],
)
def test_a_film_tells_its_format(head, form):
    assert video_format(head) == form
