"""Digests: their text is read back and nothing else is read; streams and files are hashed whole."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lineal.core.errors import InvalidDigest
from lineal.storage import digest as digests
from lineal.storage.digest import CHUNK_BYTES, Digest

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.binary(min_size=32, max_size=32))
def test_a_digest_is_read_back(raw: bytes) -> None:
    assert digests.parse(digests.format(Digest(raw))) == raw


def test_the_digest_of_nothing_is_what_everybody_knows() -> None:
    assert digests.format(digests.of_bytes(b"")) == EMPTY
    assert digests.fast_of_bytes(b"").hex() == "99aa06d3014798d86001c324468d497f"


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY[7:],
        EMPTY.upper(),
        EMPTY[:7] + EMPTY[7:].upper(),
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY + "\n",
        " " + EMPTY,
        "sha512:" + EMPTY[7:],
        "sha256:../../" + EMPTY[13:],
        "sha256:" + "\u0660" * 64,
        None,
        7,
        EMPTY.encode(),
        [EMPTY],
    ],
)
def test_what_is_no_digest_is_refused(text: Any) -> None:
    with pytest.raises(InvalidDigest):
        digests.parse(text)


@given(st.text())
def test_any_text_is_a_digest_or_refused(text: str) -> None:
    try:
        assert digests.format(digests.parse(text)) == text
    except InvalidDigest as problem:
        assert problem.message.isprintable()


@given(st.binary(max_size=5000))
def test_bytes_streams_and_views_have_one_digest(data: bytes) -> None:
    sha, fast, size = digests.of_stream(io.BytesIO(data))
    assert sha == digests.of_bytes(data) == digests.of_bytes(memoryview(data)) == hashlib.sha256(data).digest()
    assert fast == digests.fast_of_bytes(data) == xxhash.xxh3_128(data).digest()
    assert size == len(data)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 3])
def test_a_file_is_hashed_whole_whatever_its_size(tmp_path: Path, size: int) -> None:
    data = (b"0123456789" * (size // 10 + 1))[:size]
    file = tmp_path / "file"
    file.write_bytes(data)
    assert digests.of_file(str(file)) == (digests.of_bytes(data), digests.fast_of_bytes(data), size)


def test_a_stream_is_hashed_from_where_it_stands() -> None:
    stream = io.BytesIO(b"headtail")
    stream.seek(4)
    assert digests.of_stream(stream)[0] == digests.of_bytes(b"tail")


def test_digests_that_lie_end_to_end_are_taken_apart() -> None:
    several = [digests.of_bytes(data) for data in (b"", b"a", b"b")]
    assert digests.split(b"".join(several)) == several
    assert digests.split(b"") == []
