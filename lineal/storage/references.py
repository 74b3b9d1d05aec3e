"""References: bytes that stay where they are, looked up to know when they change, and fetched on download.

URIs are resolved on the machine that asks, never on a server. One that carries a password or a signature is
refused, since it would be kept for ever.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import FileIO
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from lineal.core import names
from lineal.core.errors import (
    InvalidReference,
    InvalidSource,
    MissingDependency,
    ReferenceUnavailable,
    SourceChanged,
)
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.cache import Cache
from lineal.storage.digest import Digest, Readable
from lineal.storage.manifest import Entry, Reference

MAX_OBJECTS = 100_000
_SECRET_WORDS = ("signature", "x-amz-", "x-goog-", "token", "passw", "secret", "credential", "api_key", "apikey")
_SECRET_KEYS = {"sig", "awsaccesskeyid", "key", "auth", "pwd", "api-key"}
_ETAG_KEYS = ("ETag", "etag", "Etag")
_VERSION_KEYS = ("VersionId", "version_id", "generation")
_OTHER_KEYS = ("LastModified", "Last-Modified", "mtime", "last_modified", "created")


def find_entries(
    uri: str, path: str | None, cache: Cache, *, checksum: bool = True, max_objects: int = MAX_OBJECTS
) -> list[Entry]:
    """The entries that refer to the file or folder at `uri`, below `path`; no bytes are copied.

    With `checksum`, local files are hashed; of others the size and ETag or version id are asked for. Raises
    invalid.reference, unavailable.reference, unavailable.dependency.
    """
    parts = check_uri(uri)
    if parts == "file":
        return list(_local_entries(uri, path, cache, checksum=checksum))
    with _reachable(uri):
        import fsspec

        system, root = fsspec.url_to_fs(uri)
        info = system.info(root)
        if info.get("type") != "directory":
            return [_remote_entry(uri, path or _last(uri), info)]
        found = system.find(root, detail=True)
        if len(found) > max_objects:
            raise InvalidReference(f"{uri} holds {len(found)} objects; at most {max_objects} become entries")
        prefix = f"{path.strip('/')}/" if path else ""
        base = root.rstrip("/")
        return [
            _remote_entry(f"{uri.rstrip('/')}{name[len(base) :]}", prefix + name[len(base) :].lstrip("/"), facts)
            for name, facts in sorted(found.items())
        ]


def check_uri(uri: str) -> str:
    """The URI's scheme. Raises invalid.reference for one without, and for one that carries a secret."""
    try:
        parts = urlsplit(uri)
        secret = parts.password is not None or (parts.username and parts.scheme in ("http", "https"))
    except ValueError:
        raise InvalidReference(f"{ascii(uri)[:200]} is not a URI") from None
    if not parts.scheme or len(parts.scheme) < 2 or "://" not in uri:
        raise InvalidReference(f"{ascii(uri)[:200]} has no scheme; write it like s3://bucket/key or file:///path")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in uri):
        raise InvalidReference("a reference's URI holds control characters")
    if "::" in uri.partition("/")[0] or "::" in parts.path:
        raise InvalidReference("a chain of file systems (`::`) can't be referred to; name the object itself")
    stated = (pair for text in (parts.query, parts.fragment) for pair in parse_qsl(text, keep_blank_values=True))
    named = [key.lower() for key, _ in stated]
    if secret or any(key in _SECRET_KEYS or any(word in key for word in _SECRET_WORDS) for key in named):
        shown = f"{parts.scheme}://{(parts.hostname or '')}{parts.path}"
        raise InvalidReference(
            f"{ascii(shown)[:200]} carries a password or signature, which would be kept; refer to it without"
        )
    return parts.scheme


@contextmanager
def opened(entry: Entry) -> Iterator[Readable]:
    """The bytes behind the reference, after its ETag or version id is found unchanged.

    Raises unavailable.reference.
    """
    reference = entry.reference
    assert reference is not None
    if check_uri(reference.uri) == "file":
        with _opened_file(reference.uri) as file:
            yield file
        return
    with _reachable(reference.uri):
        import fsspec

        system, root = fsspec.url_to_fs(reference.uri)
        now = _remote_entry(reference.uri, entry.path, system.info(root)).reference
        assert now is not None
        if (reference.etag, reference.version_id) != (now.etag, now.version_id):
            raise ReferenceUnavailable(f"{reference.uri} has changed since it was referred to")
        with system.open(root, "rb") as stream:
            yield stream


def _opened_file(uri: str) -> FileIO:
    """The regular file at the URI; a pipe or device, which might never end, is refused."""
    try:
        descriptor = os.open(_local_path(uri), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "no path"
        raise ReferenceUnavailable(f"{ascii(uri)[:200]} can't be read: {reason}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ReferenceUnavailable(f"{ascii(uri)[:200]} is not a regular file")
    return FileIO(descriptor, "rb")


def _local_entries(uri: str, path: str | None, cache: Cache, *, checksum: bool) -> Iterator[Entry]:
    place = _local_path(uri)
    if "\0" not in place and os.path.isdir(place):
        found = sources.find_files(place, path or "")
    else:
        found = [sources.find_file(place, path)]
    for source in found:
        digest = None
        if checksum:
            remembered = cache.find(source.file)
            if remembered and remembered[0] == source.state:
                digest = remembered[1]
            else:
                digest = _digest(source)
        stated = digests.format(digest) if digest else None
        target = f"file://{quote(source.file)}"
        yield Entry(source.path, None, source.state.size, Reference(target, checksum=stated))


def _digest(source: sources.Source) -> Digest:
    try:
        digest, _, size = digests.of_file(source.file)
    except OSError as problem:
        raise InvalidSource(f"{source.file} can't be read: {problem.strerror}") from None
    if size != source.state.size:
        raise SourceChanged(f"{source.file} changed while it was being read; refer to it once nobody writes to it")
    return digest


def _remote_entry(uri: str, path: str, info: dict[str, Any]) -> Entry:
    etag = next((str(info[key]) for key in _ETAG_KEYS if info.get(key)), None)
    version = next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), None)
    if etag is None and version is None:
        at = next((info[key] for key in _OTHER_KEYS if info.get(key)), None)
        at = at.timestamp() if isinstance(at, datetime) else at  # a listing and a look may differ in the type
        etag = None if at is None else f"modified {at}"
    size = info.get("size")
    known = int(size) if size is not None else None
    return Entry(names.check_path(path), None, known, Reference(uri, etag=etag, version_id=version))


def _local_path(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise InvalidReference(
            f"{ascii(uri)[:200]} names another host; a file:// reference is a path of this machine"
        )
    return unquote(parts.path)


def _last(uri: str) -> str:
    return unquote(urlsplit(uri).path.rstrip("/").rpartition("/")[2]) or "file"


@contextmanager
def _reachable(uri: str) -> Iterator[None]:
    shown = ascii(uri)[:200]
    try:
        yield
    except ImportError as problem:
        raise MissingDependency(f"{shown} needs a driver that is not installed: {problem}") from None
    except (OSError, ValueError, TimeoutError) as problem:
        raise ReferenceUnavailable(f"{shown} can't be reached: {ascii(problem)[:300]}") from None
