"""A backup's file: a plain tar of a few kinds of members, in an order, sealed by a hash over all of them.

    backup.json · bytes/KEY … · rows/TABLE/000001.jsonl.gz … · bytes/KEY … · seal.json

The reader knows plain files with these names and nothing else: no links, folders, devices, long names or sparse
files, none twice. It is read twice, from one open file: all of it is checked before anything is made of it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from lineal.core.clock import new_id
from lineal.core.errors import CorruptBackup, InvalidArgument, InvalidTarget
from lineal.storage.blobs import from_os_error, sync_folder, translated

HEAD, SEAL = "backup.json", "seal.json"
VERSION = 1
PART_BYTES = 4 << 20  # of lines; a part ends with the line that reaches it
MAX_PART_BYTES = 256 << 20
_SMALL_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
_KEY = re.compile(r"objects/([0-9a-f]{2})/\1[0-9a-f]{62}-[0-9a-z]{1,32}(?:\.z)?|packs/[0-9a-z]{1,64}\.pack")
_ROWS = re.compile(r"rows/([a-z_]{1,64})/(\d{6,9})\.jsonl\.gz")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def is_key(text: str) -> bool:
    """Whether the text is the key of an object, as stores name them."""
    return _KEY.fullmatch(text) is not None


class ArchiveWriter:
    """An archive on its way to `target`: there as a whole after `commit`, or not at all."""

    def __init__(self, target: Path) -> None:
        """Raises invalid.target where something is there already."""
        self._target = target
        self._refuse_existing()
        self._path = target.with_name(f".{target.name}.{new_id()}")
        self._chain = hashlib.sha256()
        with translated(f"the backup {target}"):
            if not target.parent.is_dir():
                raise InvalidTarget(f"{target.parent} is no folder; make it first")
            self._file: IO[bytes] = os.fdopen(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "wb")

    def add(self, name: str, data: bytes) -> None:
        """Appends a member."""
        with translated(f"the backup {self._target}"):
            self._begin(name, len(data))
            self._file.write(data)
            self._end(name, len(data), hashlib.sha256(data))

    def add_object(self, name: str, value: Mapping[str, Any]) -> None:
        """Appends a member that is JSON."""
        self.add(name, json.dumps(value, indent=1).encode())

    def add_stream(self, name: str, size: int, source: _Readable) -> bool:
        """Whether the member could be appended: `source` holds `size` bytes, not more or less."""
        hash_, left = hashlib.sha256(), size
        with translated(f"the backup {self._target}"):
            self._begin(name, size)
        while left:
            chunk = source.read(min(left, _CHUNK_BYTES))
            if not chunk:
                return False
            hash_.update(chunk)
            left -= len(chunk)
            with translated(f"the backup {self._target}"):
                self._file.write(chunk)
        if source.read(1):
            return False
        with translated(f"the backup {self._target}"):
            self._end(name, size, hash_)
        return True

    def add_lines(self, table: str, lines: Iterator[bytes]) -> int:
        """How many lines were appended as members of the table, each compressed by itself."""
        count, number, waiting, size = 0, 0, [], 0
        for line in lines:
            waiting.append(line)
            size += len(line)
            count += 1
            if size >= PART_BYTES:
                number += 1
                self._add_part(table, number, waiting, size)
                waiting, size = [], 0
        if waiting:
            self._add_part(table, number + 1, waiting, size)
        return count

    def commit(self, facts: Mapping[str, Any]) -> None:
        """Seals the archive, with `facts` in the seal, and makes it visible, durably."""
        seal = {**facts, "sha256": self._chain.hexdigest()}
        self.add_object(SEAL, seal)
        with translated(f"the backup {self._target}"):
            self._file.write(b"\0" * (2 * _BLOCK))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._refuse_existing()
            os.rename(self._path, self._target)
            sync_folder(str(self._target.parent))

    def abort(self) -> None:
        """Leaves nothing behind."""
        self._file.close()
        with suppress(OSError):
            os.unlink(self._path)

    def _refuse_existing(self) -> None:
        if os.path.lexists(self._target):
            raise InvalidTarget(f"{self._target} is there already; name a file that isn't")

    def _add_part(self, table: str, number: int, lines: list[bytes], size: int) -> None:
        if size > MAX_PART_BYTES:
            raise InvalidArgument(f"a row of {table} is too large for a backup: {size} bytes")
        self.add(f"rows/{table}/{number:06}.jsonl.gz", gzip.compress(b"".join(lines), 5, mtime=0))

    def _begin(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._file.write(info.tobuf(tarfile.USTAR_FORMAT))

    def _end(self, name: str, size: int, hash_: Any) -> None:
        self._file.write(b"\0" * (-size % _BLOCK))
        _link(self._chain, name, size, hash_.hexdigest())


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an archive: its name, and where its bytes are in the file."""

    name: str
    offset: int
    size: int

    @property
    def table(self) -> str | None:
        found = _ROWS.fullmatch(self.name)
        return found[1] if found else None

    @property
    def key(self) -> str | None:
        return self.name.removeprefix("bytes/") if self.name.startswith("bytes/") else None


class Archive:
    """An archive that is there. Use it in a `with` block, and `check` it before all else."""

    def __init__(self, source: Path) -> None:
        """Raises corrupt.backup where it is no file."""
        if not source.is_file():
            raise InvalidArgument(f"{source} is no file; name a backup that `lineal server backup` made")
        try:
            self._file = open(source, "rb")  # noqa: SIM115 - closed by the block that uses it
        except OSError as problem:
            raise from_os_error(problem, f"the backup {source}") from None
        self._size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def check(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The head and the seal, once every member was found to be as it was written. Raises corrupt.backup."""
        chain, keys, parts = hashlib.sha256(), set(), dict[str, int]()
        head: dict[str, Any] | None = None
        seal: dict[str, Any] | None = None
        for member in self.members():
            if seal is not None or (head is None) != (member.name == HEAD):
                raise CorruptBackup(f"the backup's members are in no order that Lineal writes: {member.name}")
            if member.name == SEAL:
                seal = self._object(member)
                continue
            if member.name == HEAD:
                head = self._object(member)
            elif member.key is not None:
                if member.key in keys:
                    raise CorruptBackup(f"the backup has {member.key} twice")
                keys.add(member.key)
            else:
                _follow(parts, member)
            _link(chain, member.name, member.size, self._hash(member))
        if head is None or seal is None:
            raise CorruptBackup("the backup is not whole: its end is missing")
        if seal.get("sha256") != chain.hexdigest():
            raise CorruptBackup("the backup is damaged: it is not what its seal says")
        return head, seal

    def members(self) -> Iterator[Member]:
        """Every member in order, its name one that Lineal writes. Raises corrupt.backup."""
        at = 0
        while at < self._size:
            block = self._read(at, _BLOCK)
            if not block.strip(b"\0"):
                break
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            except (tarfile.HeaderError, UnicodeDecodeError, ValueError):
                raise CorruptBackup("the file is no backup, or damaged: it is no tar that Lineal writes") from None
            plain = info.type == tarfile.REGTYPE and not info.linkname
            key = info.name.removeprefix("bytes/") if info.name.startswith("bytes/") else None
            named = info.name in (HEAD, SEAL) or _ROWS.fullmatch(info.name) or (key is not None and is_key(key))
            if not plain or not named:
                raise CorruptBackup(f"the backup has a member that Lineal never writes: {ascii(info.name)[:100]}")
            at += _BLOCK
            if not 0 <= info.size <= self._size - at:
                raise CorruptBackup("the backup is not whole: it ends within a member")
            yield Member(info.name, at, info.size)
            at += info.size + -info.size % _BLOCK
        if self._size - at != 2 * _BLOCK or self._read(at, 2 * _BLOCK).strip(b"\0"):
            raise CorruptBackup("the backup is not whole, or something follows its end")

    def lines(self, member: Member) -> list[bytes]:
        """The lines of a member with rows, at most 256 MiB of them. Raises corrupt.backup."""
        if member.size > MAX_PART_BYTES:
            raise CorruptBackup(f"{member.name} is larger than Lineal writes")
        stream = zlib.decompressobj(31)
        try:
            data = stream.decompress(self._read(member.offset, member.size), MAX_PART_BYTES + 1)
        except zlib.error:
            raise CorruptBackup(f"{member.name} is damaged") from None
        if len(data) > MAX_PART_BYTES or not stream.eof or stream.unused_data:
            raise CorruptBackup(f"{member.name} is larger than Lineal writes, or not whole")
        return data.removesuffix(b"\n").split(b"\n")

    def chunks(self, member: Member) -> Iterator[bytes]:
        """The member's bytes, in pieces."""
        at, end = member.offset, member.offset + member.size
        while at < end:
            yield self._read(at, min(_CHUNK_BYTES, end - at))
            at += _CHUNK_BYTES

    def _hash(self, member: Member) -> str:
        hash_ = hashlib.sha256()
        for chunk in self.chunks(member):
            hash_.update(chunk)
        return hash_.hexdigest()

    def _object(self, member: Member) -> dict[str, Any]:
        if member.size > _SMALL_BYTES:
            raise CorruptBackup(f"{member.name} is larger than Lineal writes")
        try:
            found = json.loads(self._read(member.offset, member.size))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise CorruptBackup(f"{member.name} can't be read")
        return found

    def _read(self, at: int, size: int) -> bytes:
        with translated("the backup"):
            data = os.pread(self._file.fileno(), size, at)
        if len(data) < size:
            raise CorruptBackup("the backup is not whole: it ends too early")
        return data


def _follow(parts: dict[str, int], member: Member) -> None:
    found = _ROWS.fullmatch(member.name)
    assert found is not None
    table, number = found[1], int(found[2])
    last = next(reversed(parts), "")
    if number != parts.get(table, 0) + 1 or (number > 1 and table != last):
        raise CorruptBackup(f"the backup has {member.name} twice, or lacks the part before it")
    parts[table] = number


def _link(chain: Any, name: str, size: int, digest: str) -> None:
    chain.update(f"{name}\0{size}\0{digest}\n".encode())
