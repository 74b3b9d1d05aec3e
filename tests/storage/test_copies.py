"""Copies: whatever the size, the copy is the source's bytes and the hashes are the copy's."""

from __future__ import annotations

import errno
import os
from io import BytesIO
from pathlib import Path

import pytest

from lineal.core.errors import SourceChanged
from lineal.storage import copies
from lineal.storage import digest as digests
from tests.processes import RunChild

WINDOW = 8 << 20
SIZES = [0, 1, 4095, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW - 1, 2 * WINDOW, 2 * WINDOW + 4097, 17 * WINDOW + 3]


def pattern(size: int) -> bytes:
    block = os.urandom(1 << 16)
    return (block * (size // len(block) + 1))[:size]


def copied(source: Path, target: Path, size: int, *, identity: bool = True, durable: bool = False) -> copies.Copied:
    here = os.open(source, os.O_RDONLY)
    there = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        return copies.copy(here, there, size, identity=identity, durable=durable)
    finally:
        os.close(here)
        os.close(there)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_copy_of_any_size_is_whole_and_hashed(tmp_path: Path, size: int, durable: bool) -> None:
    data = pattern(size)
    (tmp_path / "source").write_bytes(data)
    found = copied(tmp_path / "source", tmp_path / "target", size, durable=durable)
    assert (tmp_path / "target").read_bytes() == data
    assert found == (digests.of_bytes(data), digests.fast_of_bytes(data), size)


@pytest.mark.parametrize("size", [5, WINDOW + 1])
def test_the_identity_is_left_out_where_nobody_asked(tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(pattern(size))
    found = copied(tmp_path / "source", tmp_path / "target", size, identity=False)
    assert found.digest == b""
    assert found.fast == digests.fast_of_bytes((tmp_path / "target").read_bytes())


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize(("size", "promised"), [(4, 5), (0, 1), (WINDOW, WINDOW + 1), (WINDOW + 1, 40 * WINDOW)])
def test_a_source_that_shrank_is_told(tmp_path: Path, size: int, promised: int, durable: bool) -> None:
    (tmp_path / "source").write_bytes(pattern(size))
    with pytest.raises(SourceChanged):
        copied(tmp_path / "source", tmp_path / "target", promised, durable=durable)


def test_a_small_source_that_grew_is_told(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"12345")
    with pytest.raises(SourceChanged):
        copied(tmp_path / "source", tmp_path / "target", 4)


def test_a_large_source_that_grew_is_copied_as_far_as_it_was_promised(tmp_path: Path) -> None:
    data = pattern(2 * WINDOW + 10)
    (tmp_path / "source").write_bytes(data)
    found = copied(tmp_path / "source", tmp_path / "target", 2 * WINDOW)
    assert found == (digests.of_bytes(data[: 2 * WINDOW]), digests.fast_of_bytes(data[: 2 * WINDOW]), 2 * WINDOW)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM])
def test_where_the_kernel_does_not_copy_we_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    data = pattern(3 * WINDOW + 5)
    (tmp_path / "source").write_bytes(data)
    found = copied(tmp_path / "source", tmp_path / "target", len(data), durable=True)
    assert (tmp_path / "target").read_bytes() == data
    assert found.digest == digests.of_bytes(data)


def test_where_the_system_has_no_kernel_copies_we_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "copy_file_range")
    data = pattern(WINDOW + 5)
    (tmp_path / "source").write_bytes(data)
    assert copied(tmp_path / "source", tmp_path / "target", len(data)).digest == digests.of_bytes(data)


@pytest.mark.parametrize("call", ["copy_file_range", "fdatasync"])
def test_a_failure_of_the_system_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, call, fail)
    data = pattern(18 * WINDOW)
    (tmp_path / "source").write_bytes(data)
    with pytest.raises(OSError, match="broken"):
        copied(tmp_path / "source", tmp_path / "target", len(data), durable=True)


def test_the_position_of_the_source_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"0123456789")
    with open(tmp_path / "source", "rb") as source, open(tmp_path / "target", "wb+") as target:
        source.seek(5)
        assert copies.copy(source.fileno(), target.fileno(), 10).digest == digests.of_bytes(b"0123456789")


def test_a_stream_is_hashed_on_its_way_through() -> None:
    data, out = pattern(9_000_001), BytesIO()
    assert copies.hash_through(BytesIO(data), out.write, len(data)).digest == digests.of_bytes(data)
    assert out.getvalue() == data
    assert copies.hash_through(BytesIO(data), out.write, None).size == len(data)
    for wrong in (0, len(data) - 1, len(data) + 1):
        with pytest.raises(SourceChanged):
            copies.hash_through(BytesIO(data), out.write, wrong)


def test_memory_stays_bounded_whatever_the_size(tmp_path: Path, run_child: RunChild) -> None:
    with open(tmp_path / "source", "wb") as file:
        file.truncate(300 << 20)
    code = """
import resource
from lineal.storage import copies
resource.setrlimit(resource.RLIMIT_DATA, (150 << 20, 150 << 20))
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb+") as target:
    print(copies.copy(source.fileno(), target.fileno(), 300 << 20, identity=False).size)
"""
    assert run_child(code, tmp_path / "source", tmp_path / "target") == str(300 << 20)
