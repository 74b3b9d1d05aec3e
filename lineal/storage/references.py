"""References: bytes that stay where they are, looked up to know when they change, and fetched on download.

URIs are resolved on the machine that asks, never on a server. One that carries a password or a signature is
refused, since it would be kept for ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from lineal.core import names
from lineal.core.errors import InvalidReference, MissingDependency, ReferenceUnavailable
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.cache import Cache
from lineal.storage.digest import Readable
from lineal.storage.manifest import Entry, Reference

MAX_OBJECTS = 100_000
_SECRET_KEYS = ("signature", "x-amz-", "x-goog-", "token", "password", "secret", "sig", "awsaccesskeyid", "key")
_ETAG_KEYS = ("ETag", "etag", "Etag")
_VERSION_KEYS = ("VersionId", "version_id", "generation")
_OTHER_KEYS = ("LastModified", "mtime", "last_modified")


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
            _remote_entry(
                f"{uri.rstrip('/')}{quote(name[len(base) :])}", prefix + name[len(base) :].lstrip("/"), facts
            )
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
    named = [key.lower() for key, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if secret or any(key == s or (len(s) > 3 and key.startswith(s)) for key in named for s in _SECRET_KEYS):
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
        try:
            file = open(_local_path(reference.uri), "rb", buffering=0)  # noqa: SIM115 - closed below
        except OSError as problem:
            raise ReferenceUnavailable(f"{reference.uri} can't be read: {problem.strerror}") from None
        with file:
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


def _local_entries(uri: str, path: str | None, cache: Cache, *, checksum: bool) -> Iterator[Entry]:
    place = _local_path(uri)
    if os.path.isdir(place):
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
                digest = digests.of_file(source.file)[0]
        stated = digests.format(digest) if digest else None
        target = f"file://{quote(source.file)}"
        yield Entry(source.path, None, source.state.size, Reference(target, checksum=stated))


def _remote_entry(uri: str, path: str, info: dict[str, Any]) -> Entry:
    etag = next((str(info[key]) for key in _ETAG_KEYS if info.get(key)), None)
    version = next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), None)
    if etag is None and version is None:
        etag = next((f"modified {info[key]}" for key in _OTHER_KEYS if info.get(key)), None)
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
