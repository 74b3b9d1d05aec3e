"""A backup's file comes as a whole or not at all, and what is no such file is refused before it is used."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lineal.backend import archive
from lineal.backend.archive import HEAD, SEAL, Archive, ArchiveWriter, is_key
from lineal.core.errors import CorruptBackup, InvalidArgument, InvalidTarget

KEY = "packs/01m86gh5mwbfnnvdz8p6sh9xe8.pack"


def write(path: Path) -> Path:
    """An archive with an object and rows of two tables, one of them in two parts."""
    writer = ArchiveWriter(path)
    writer.add_object(HEAD, {"a": 1})
    assert writer.add_stream(f"bytes/{KEY}", 5, io.BytesIO(b"bytes"))
    assert writer.add_lines("one", iter([b"[%d]\n" % n for n in range(1000)])) == 1000
    assert writer.add_lines("two", iter([])) == 0
    assert writer.add_lines("three", iter([b'["\xc3\xa9\\r"]\n'])) == 1
    writer.commit({"b": 2})
    return path


def read(path: Path) -> dict[str, list[bytes]]:
    with Archive(path) as found:
        found.check()
        return {m.name: found.lines(m) if m.table else [b"".join(found.chunks(m))] for m in found.members()}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(archive, "PART_BYTES", 4000)
    return write(tmp_path / "b.tar")


def test_what_was_written_is_read(made: Path) -> None:
    with Archive(made) as found:
        head, seal = found.check()
        assert (head, seal["b"]) == ({"a": 1}, 2)
    members = read(made)
    assert [*members] == [
        HEAD,
        f"bytes/{KEY}",
        "rows/one/000001.jsonl.gz",
        "rows/one/000002.jsonl.gz",
        "rows/three/000001.jsonl.gz",
        SEAL,
    ]
    assert members[f"bytes/{KEY}"] == [b"bytes"]
    lines = members["rows/one/000001.jsonl.gz"] + members["rows/one/000002.jsonl.gz"]
    assert lines == [b"[%d]" % n for n in range(1000)]
    assert members["rows/three/000001.jsonl.gz"] == [b'["\xc3\xa9\\r"]']


def test_any_tar_program_reads_it_and_only_its_owner_may(made: Path) -> None:
    with tarfile.open(made) as found:
        assert next(m.name for m in found) == HEAD
        part = found.extractfile("rows/three/000001.jsonl.gz")
        assert part is not None
        assert gzip.decompress(part.read()) == b'["\xc3\xa9\\r"]\n'
    assert made.stat().st_mode & 0o777 == 0o600


def test_the_same_is_the_same_to_the_byte(made: Path, tmp_path: Path) -> None:
    assert write(tmp_path / "again.tar").read_bytes() == made.read_bytes()


def test_nothing_is_there_until_it_is_whole(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "b.tar")
    writer.add_object(HEAD, {})
    assert not (tmp_path / "b.tar").exists()
    writer.abort()
    assert not [path for path in tmp_path.iterdir() if "b.tar" in path.name]


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").write_text("mine")
    for name in ("link", "file"):
        with pytest.raises(InvalidTarget, match="already"):
            ArchiveWriter(tmp_path / name)
    with pytest.raises(InvalidTarget, match="no folder"):
        ArchiveWriter(tmp_path / "no/b.tar")
    writer = ArchiveWriter(tmp_path / "b.tar")
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(InvalidTarget):
        writer.commit({})
    writer.abort()
    assert (tmp_path / "b.tar").read_text() == "mine"


@pytest.mark.parametrize("held", [b"", b"byte", b"bytes!"])
def test_an_object_of_another_length_is_told(tmp_path: Path, held: bytes) -> None:
    writer = ArchiveWriter(tmp_path / "b.tar")
    assert not writer.add_stream("bytes/x", 5, io.BytesIO(held))
    writer.abort()


def test_a_row_that_no_reader_takes_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_PART_BYTES", 100)
    writer = ArchiveWriter(tmp_path / "b.tar")
    with pytest.raises(InvalidArgument, match="too large"):
        writer.add_lines("one", iter([b"x" * 101]))
    writer.abort()


# ---- damage --------------------------------------------------------------------------------------------------


def test_a_flipped_bit_is_found_wherever_it_is(made: Path, tmp_path: Path) -> None:
    data = made.read_bytes()
    for at in range(0, len(data), 61):
        other = tmp_path / "other.tar"
        other.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        found = None
        try:
            found = read(other)
        except CorruptBackup:
            continue
        assert found == read(made)  # in a header's field or padding that nobody reads


def test_a_file_that_is_cut_off_is_refused_wherever_it_is(made: Path, tmp_path: Path) -> None:
    data = made.read_bytes()
    for length in range(0, len(data), 97):
        (tmp_path / "cut.tar").write_bytes(data[:length])
        with pytest.raises(CorruptBackup):
            read(tmp_path / "cut.tar")
    (tmp_path / "cut.tar").write_bytes(data + b"\0" * 512)
    with pytest.raises(CorruptBackup):
        read(tmp_path / "cut.tar")


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InvalidArgument):
            Archive(path)


# ---- made by hand --------------------------------------------------------------------------------------------


def kind(type_: bytes, linkname: str = "", name: str = f"bytes/{KEY}") -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = type_, linkname
        tar.addfile(info)

    return add


def named(name: str, data: bytes = b"x", times: int = 1) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        for _ in range(times):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

    return add


HOSTILE = {
    "upwards": named("bytes/../../x"),
    "upwards in a key": named("bytes/objects/../../x"),
    "absolute": named("/etc/passwd"),
    "another name": named("x"),
    "a table upwards": named("rows/../000001.jsonl.gz"),
    "a name of a line more": named(f"bytes/{KEY}\n"),
    "a long name": named("bytes/" + "a" * 300),
    "a link": kind(tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": kind(tarfile.LNKTYPE, "backup.json"),
    "a device": kind(tarfile.CHRTYPE),
    "a pipe": kind(tarfile.FIFOTYPE),
    "a folder": kind(tarfile.DIRTYPE),
    "a sparse file": kind(tarfile.GNUTYPE_SPARSE),
    "a link in a plain file": kind(tarfile.REGTYPE, "elsewhere"),
    "an object twice": named(f"bytes/{KEY}", times=2),
    "a part twice": named("rows/one/000001.jsonl.gz", times=2),
    "a part too many": named("rows/one/000002.jsonl.gz"),
    "two heads": named(HEAD, b"{}"),
    "a head that is no object": named(SEAL, b"[]"),
    "a seal that is too deep": named(SEAL, b"[" * 100_000),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_lineal_never_writes_is_refused(tmp_path: Path, what: str, form: int) -> None:
    try:
        with tarfile.open(tmp_path / "b.tar", "w", format=form) as tar:
            named(HEAD, b"{}")(tar)
            HOSTILE[what](tar)
    except ValueError:
        return  # that form of tar can't have it
    with pytest.raises(CorruptBackup), Archive(tmp_path / "b.tar") as found:
        found.check()


def test_a_part_of_a_table_can_not_come_back_later(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "b.tar")
    writer.add_object(HEAD, {})
    for table in ("one", "two", "one"):
        writer.add_lines(table, iter([b"[]\n"]))
    writer.commit({})
    with pytest.raises(CorruptBackup, match="twice"):
        read(tmp_path / "b.tar")


def test_an_empty_seal_and_a_changed_member_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "b.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        named(HEAD, b"{}")(tar)
        named(SEAL, b"{}")(tar)
    with pytest.raises(CorruptBackup):
        read(tmp_path / "b.tar")


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"0" * 5000, mtime=0),
        gzip.compress(b"[]\n", mtime=0)[:-1],
        gzip.compress(b"[]\n", mtime=0) + gzip.compress(b"[]\n", mtime=0),
        gzip.compress(b"[]\n", mtime=0) + b"x",
        b"no gzip",
        b"0" * 5000,
        b"",
    ],
    ids=["a bomb", "cut off", "two", "more behind it", "no gzip", "large", "empty"],
)
def test_bombs_and_what_is_not_whole_are_refused(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_PART_BYTES", 4000)
    writer = ArchiveWriter(tmp_path / "b.tar")
    writer.add_object(HEAD, {})
    writer.add("rows/one/000001.jsonl.gz", data)
    writer.commit({})
    with pytest.raises(CorruptBackup):
        read(tmp_path / "b.tar")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (KEY, True),
        (f"objects/ab/ab{'0' * 62}-abcdefghijkl", True),
        (f"objects/ab/ab{'0' * 62}-abcdefghijkl.z", True),
        (f"objects/ab/cd{'0' * 62}-abcdefghijkl", False),
        (f"objects/ab/ab{'0' * 62}", False),
        ("packs/../x.pack", False),
        (f"/{KEY}", False),
        (f"{KEY}/..", False),
        (f"{KEY}\n", False),
        ("lineal.db", False),
        ("", False),
    ],
)
def test_keys_are_those_that_stores_give(text: str, is_one: bool) -> None:
    assert is_key(text) is is_one
