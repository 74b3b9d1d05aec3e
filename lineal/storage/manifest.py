"""Manifests: the sorted entries of one version, as canonical bytes.

A manifest is a blob, and its digest is its version's content. The bytes are canonical: JSON without white space,
keys sorted, UTF-8 unescaped but for what JSON demands, entries sorted by path, no path twice. Laws:
`Manifest.parse(manifest.to_bytes()) == manifest`, and equal entries give equal bytes on every machine, for ever
(golden bytes pin it). `docs/format.md` tells it for a second reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from json.encoder import encode_basestring as _quoted
from operator import itemgetter
from typing import Any, NamedTuple

from lineal.core import names
from lineal.core.errors import Error, InvalidManifest, NewerFormat
from lineal.storage import digest as digests
from lineal.storage.digest import Digest
from lineal.storage.records import uncollected

FORMAT = 1
MAX_BYTES = 4 << 30
_MAX_SIZE = 1 << 62
_REFERENCE_KEYS = {"uri", "checksum", "etag", "version_id"}


class Reference(NamedTuple):
    """Bytes that stay where they are: a URI and what is known to tell whether they have changed."""

    uri: str
    etag: str | None = None
    version_id: str | None = None
    checksum: str | None = None

    @property
    def checked(self) -> bool:
        """Whether a change of the bytes behind the URI would be noticed."""
        return bool(self.checksum or self.etag or self.version_id)


class Entry(NamedTuple):
    """One file of a version: a blob (`digest`) or a reference; `size` in bytes, None for one of unknown size."""

    path: str
    digest: Digest | None
    size: int | None
    reference: Reference | None = None


class Manifest:
    """The entries of a version, sorted by path and checked."""

    __slots__ = ("__dict__", "entries")

    entries: tuple[Entry, ...]

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Raises invalid.path and invalid.path_collision for paths that no version may hold."""
        self.entries = tuple(sorted(entries, key=itemgetter(0)))
        names.check_paths([entry.path for entry in self.entries])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @cached_property
    def by_path(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.entries}

    @property
    def size_bytes(self) -> int:
        """The sum of all entries' sizes; references of unknown size count nothing."""
        return sum(entry.size or 0 for entry in self.entries)

    @property
    def blobs(self) -> dict[Digest, int]:
        """The blobs it names, each once, with their sizes in bytes."""
        return {e.digest: e.size or 0 for e in self.entries if e.digest is not None}

    def to_bytes(self) -> bytes:
        """The canonical bytes."""
        return b'{"entries":[' + ",".join(map(_entry_text, self.entries)).encode() + b'],"format":1}'

    def digest(self) -> Digest:
        """The digest of the canonical bytes: the content's identity."""
        return digests.of_bytes(self.to_bytes())

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """The manifest in `data`. Raises invalid.manifest for anything not canonical, unavailable.newer_format."""
        try:
            raw = json.loads(data)
            if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
                raise NewerFormat(f"the manifest has format {raw['format']}; this Lineal reads up to {FORMAT}")
            if not isinstance(raw, dict) or set(raw) != {"entries", "format"} or raw["format"] != FORMAT:
                raise InvalidManifest("the manifest is not a Lineal manifest")
            with uncollected():
                manifest = cls([_entry_from(entry) for entry in raw["entries"]])
                canonical = manifest.to_bytes() == data
        except Error:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
            raise InvalidManifest(f"the manifest can't be read: {ascii(problem)[:200]}") from None
        if not canonical:
            raise InvalidManifest("the manifest is not in canonical form")
        return manifest


def _entry_text(entry: Entry) -> str:
    path, digest, size, reference = entry
    if digest is not None:
        return f'{{"digest":"sha256:{digest.hex()}","path":{_quoted(path)},"size":{size}}}'
    assert reference is not None
    stated = {key: value for key, value in reference._asdict().items() if value is not None}
    body: dict[str, Any] = {"path": path, "reference": stated}
    if size is not None:
        body["size"] = size
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _entry_from(raw: dict[str, Any]) -> Entry:
    """The entry in parsed JSON; that its texts are canonical is known once the whole is written out again."""
    if len(raw) == 3 and "digest" in raw:
        digest, size = bytes.fromhex(raw["digest"][7:]), raw["size"]
        if len(digest) != 32 or not _is_size(size):
            raise InvalidManifest("an entry's digest or size is not one")
        return Entry(raw["path"], Digest(digest), size)
    stated, size = raw["reference"], raw.get("size")
    if set(raw) - {"path", "reference", "size"} or set(stated) - _REFERENCE_KEYS:
        raise InvalidManifest("an entry has unknown keys")
    if not all(isinstance(value, str) for value in stated.values()) or not stated.get("uri"):
        raise InvalidManifest("a reference's facts are texts, and it has a URI")
    if not (size is None or _is_size(size)):
        raise InvalidManifest("an entry's size is not one")
    return Entry(raw["path"], None, size, Reference(**stated))


def _is_size(size: object) -> bool:
    return type(size) is int and 0 <= size < _MAX_SIZE
