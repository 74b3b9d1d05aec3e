"""What a file is by its first bytes, whatever it is called; and how large the image in it is."""

from __future__ import annotations

import re
import struct
from typing import IO

HEAD_BYTES = 1024
_SVG = re.compile(rb"^\s*(<\?xml|<!doctype\s+svg|<!--|<svg[\s>])", re.IGNORECASE)
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def image_format(head: bytes) -> str | None:
    """`png`, `jpg`, `gif`, `webp`, `bmp` or `svg`, if it is an image of these."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM") and len(head) >= 26:
        return "bmp"
    is_svg = _SVG.match(head.removeprefix(b"\xef\xbb\xbf")) and b"<svg" in head.lower()
    return "svg" if is_svg else None


def image_size(file: IO[bytes], form: str) -> tuple[int, int] | None:
    """Width and height in pixels as the header says, or None where it is cut off or broken."""
    file.seek(0)
    head = file.read(32)
    try:
        if form == "png":
            size = struct.unpack(">II", head[16:24])
        elif form == "gif":
            size = struct.unpack("<HH", head[6:10])
        elif form == "bmp":
            width, height = struct.unpack("<ii", head[18:26])
            size = (width, abs(height))  # a negative height: rows from the top
        elif form == "webp":
            size = _webp_size(head)
        else:
            size = _jpeg_size(file)
    except (struct.error, IndexError, ValueError):
        return None
    return (size[0], size[1]) if size[0] > 0 and size[1] > 0 else None


def _webp_size(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = struct.unpack("<I", head[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(file: IO[bytes]) -> tuple[int, int]:
    """From the first frame header; the segments before it are skipped by their lengths."""
    file.seek(2)
    while True:
        marker, code = file.read(2)
        if marker != 0xFF:
            raise IndexError
        if code == 0xFF:  # padding
            file.seek(-1, 1)
        elif code in _JPEG_FRAMES:
            height, width = struct.unpack(">3xHH", file.read(7))
            return width, height
        elif code not in (0x01, *range(0xD0, 0xD9)):
            length = struct.unpack(">H", file.read(2))[0]
            file.seek(length - 2, 1)


def audio_format(head: bytes) -> str | None:
    """`wav`, `mp3`, `flac`, `ogg` or `m4a`, if it is a sound of these."""
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if head[4:8] == b"ftyp" and head[8:11] in (b"M4A", b"mp4", b"iso"):
        return "m4a"
    is_mp3 = head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2)
    return "mp3" if is_mp3 else None


def video_format(head: bytes) -> str | None:
    """`mp4`, `webm`, `ogg` or `gif`, if it is a film of these."""
    if head[4:8] == b"ftyp":
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    if head.startswith(b"OggS"):
        return "ogg"
    return "gif" if head.startswith((b"GIF87a", b"GIF89a")) else None
