"""A file over ranges of something that lies elsewhere."""

from __future__ import annotations

import io
import random
from io import SEEK_CUR, SEEK_END

import pytest

from lineal.storage.range_reader import FIRST_BYTES, RangeReader

DATA = random.Random(1).randbytes(FIRST_BYTES + (18 << 20) + 5)


def opened(data: bytes = DATA) -> tuple[io.BufferedReader, list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def get(start: int, end: int) -> tuple[bytes, int]:
        asked.append((start, end))
        return data[start:end], len(data)

    return io.BufferedReader(RangeReader(get)), asked  # type: ignore[type-var]


def test_it_is_read_whole_in_few_ranges() -> None:
    file, asked = opened()
    with file:
        assert file.read() == DATA
    assert len(asked) == 4
    assert sum(min(end, len(DATA)) - start for start, end in asked) == len(DATA)


@pytest.mark.parametrize("size", [0, 1, FIRST_BYTES, FIRST_BYTES + 1])
def test_any_length_is_read_to_its_end(size: int) -> None:
    file, _ = opened(DATA[:size])
    with file:
        assert file.read() == DATA[:size]
        assert file.read() == b""


def test_jumps_read_what_they_land_on() -> None:
    file, asked = opened()
    with file:
        for at in (FIRST_BYTES * 9, 3, FIRST_BYTES * 4, len(DATA) - 2, len(DATA) + 7):
            assert file.seek(at) == at
            assert file.read(10) == DATA[at : at + 10]
        assert file.seek(-5, SEEK_END) == len(DATA) - 5
        assert file.seek(2, SEEK_CUR) == len(DATA) - 3
        assert file.read() == DATA[-3:]
        with pytest.raises(ValueError, match="before the start"):
            file.raw.seek(-1)
    assert all(end - start <= 8 << 20 for start, end in asked)
