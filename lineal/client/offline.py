"""Artifacts without a store: what is used comes from the cache, what is logged waits in the run's folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

from lineal.client import lock
from lineal.client.connection import Connection
from lineal.core import names
from lineal.core.clock import new_id
from lineal.core.errors import (
    BlobNotFound,
    EmptyArtifact,
    InvalidArgument,
    SourceChanged,
    StoreUnavailable,
    VersionNotFound,
)
from lineal.core.metadata import check_metadata, check_text
from lineal.registry.model import Version
from lineal.storage import copies
from lineal.storage import digest as digests
from lineal.storage.blobs import Blobs, Expected, Place, from_os_error
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.sources import Source, state_of

if TYPE_CHECKING:
    from lineal.backend.port import Backend
    from lineal.client.artifact import Artifact
    from lineal.client.run import Run

_SOURCE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def of(conn: Connection) -> Connection:
    """The connection, or one to the cache alone where the settings say offline."""
    return OfflineConnection(conn) if conn.settings.mode == "offline" else conn


def use(run: Run, ref: str, type: str | None, role: str | None) -> Artifact:
    """The version that the ref means here, said to be an input of the run. Raises not_found.version or .blob."""
    from lineal.client.artifact import Artifact

    run._check_open()
    conn = OfflineConnection(run._connection)
    version = conn.backend.artifacts.resolve(ref)
    if type is not None and version.type != type:
        raise InvalidArgument(f"{version.name} is a {version.type!r}, not a {type!r}")
    run._outbox.say("use", {"ref": ref, "version": version.ref, "digest": version.digest, "role": role})
    return Artifact._logged_as(version, conn)


def log(run: Run, artifact: Artifact, aliases: Sequence[str], tags: Sequence[str]) -> Artifact:
    """The artifact, kept in the run's folder and said to be an output of the run. Raises as `keep` does."""
    run._check_open()
    facts, manifest = keep(artifact, run._outbox.journal.folder, aliases, tags)
    run._outbox.say("log", facts, {"manifest": manifest.to_bytes()})
    return artifact


class OfflineConnection(Connection):
    """A connection that never asks the store: it knows the versions whose files are in this machine's cache."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(conn.settings)
        self._conn = conn

    @cached_property
    def cache(self) -> Any:
        return self._conn.cache

    @cached_property
    def backend(self) -> Backend:
        return cast("Backend", _Backend(self._conn))


class _Backend:
    def __init__(self, conn: Connection) -> None:
        self.artifacts = _Artifacts(conn)
        self.blobs = cast("Blobs", _Blobs(conn))

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


class _Artifacts:
    """What can be asked of artifacts without their store."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def resolve(self, ref: str) -> Version:
        """The version that the lock or this machine's memory names. Raises not_found.version, not_found.blob."""
        version = lock.find(self._conn, ref)
        if version is None:
            raise VersionNotFound(f"offline, nothing tells what {ref} is; run `lineal lock {ref}` where the store is")
        self._there(version)
        return version

    def _there(self, version: Version) -> None:
        if not self._conn.cache.has_tree(digests.parse(version.digest)):
            raise BlobNotFound(
                f"the files of {version.name} are not in this machine's cache; run `lineal lock` where the store is"
            )

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a version in the cache. Raises not_found.blob."""
        manifest = self._conn.cache.manifest(digests.parse(digest))
        if manifest is None:
            raise BlobNotFound(f"the files of {digest} are not in this machine's cache (any more)")
        return manifest

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


def _refuse(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    raise StoreUnavailable(
        f"{name.replace('_', ' ')} needs the store, and this is offline; do it after `lineal sync`"
    )


class _Blobs:
    """The files of the versions in the cache as a store of blobs: a key is the path of a file."""

    gaps = True  # each file is a stretch of its own

    def __init__(self, conn: Connection) -> None:
        self._cache = conn.cache
        self.store = self

    def find(self, wanted: Collection[Digest]) -> dict[Digest, Place]:
        found: dict[Digest, Place] = {}
        for tree in self._cache.trees():
            if len(found) == len(wanted):
                break
            manifest = self._cache.manifest(Digest(bytes.fromhex(tree.path.name)))
            for entry in manifest or ():
                if entry.digest is not None and entry.digest in wanted and entry.digest not in found:
                    size = entry.size or 0
                    found[entry.digest] = Place(entry.digest, size, b"", str(tree.path / entry.path), 0, size)
        return found

    def expect(self, reads: Iterable[Expected]) -> None:
        """Nothing is prepared: files are near."""

    def open(self, key: str) -> BinaryIO:
        try:
            return open(key, "rb", buffering=0)
        except OSError:
            raise BlobNotFound(f"{key} is not in the cache any more; run `lineal lock` where the store is") from None

    def path_of(self, key: str) -> None:
        """None: nothing vouches for a file in the cache, so it is hashed while it is copied."""

    def read(self, key: str, offset: int, length: int) -> bytes:
        with self.open(key) as file:
            file.seek(offset)
            return file.read(length)


# ---- logging -------------------------------------------------------------------------------------------------


def keep(
    artifact: Artifact, folder: Path, aliases: Sequence[str], tags: Sequence[str]
) -> tuple[dict[str, Any], Manifest]:
    """What the store is to be told of the artifact, whose files are now kept in the run's folder as they are.

    Raises conflict.artifact_logged, conflict.source_changed, invalid.*, unavailable.*.
    """
    artifact._check_draft()
    if not artifact.file_count:
        raise EmptyArtifact(f"{artifact.name} has no files; add some before logging it")
    facts = _facts(artifact, aliases, tags)
    try:
        os.makedirs(folder / "artifacts", mode=0o700, exist_ok=True)
        kept = [_kept(source, folder / "artifacts") for source in artifact._sources.values()]
    except OSError as problem:
        raise from_os_error(problem, f"the run's folder {folder}") from problem
    manifest = Manifest([*artifact._entries.values(), *kept])
    artifact._sources, artifact._entries = {}, dict(manifest.by_path)
    artifact._waits = "was logged offline and has no version before `lineal sync`"
    return facts, manifest


def _facts(artifact: Artifact, aliases: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
    wanted = names.texts(artifact.aliases, aliases, what="aliases")
    for alias in wanted:
        if alias != names.LATEST:
            names.check_alias(alias)
    return {
        "name": artifact.collection,
        "type": artifact.type,
        "aliases": wanted,
        "tags": [names.check_name(tag, "tag") for tag in names.texts(artifact.tags, tags, what="tags")],
        "description": check_text(artifact.description, "description"),
        "metadata": check_metadata(artifact.metadata),
        "ttl_s": None if artifact.ttl is None else int(artifact.ttl.total_seconds()),
    }


def _kept(source: Source, folder: Path) -> Entry:
    """The entry of the file, a copy of which lies in the folder under its digest; what was hashed is the copy."""
    half = folder / f".new-{new_id()}"
    with open(os.open(source.file, _SOURCE_FLAGS), "rb") as file, open(os.open(half, _NEW_FLAGS, 0o600), "wb") as out:
        try:
            _check_same(source, file.fileno())
            copied = copies.copy(file.fileno(), out.fileno(), source.state.size)
            _check_same(source, file.fileno())
            os.replace(half, folder / copied.digest.hex())
        except BaseException:
            half.unlink(missing_ok=True)
            raise
    return Entry(source.path, copied.digest, copied.size)


def _check_same(source: Source, file: int) -> None:
    if state_of(os.fstat(file)) != source.state:
        raise SourceChanged(
            f"{source.file} changed after it was added; nothing was logged: add it again once it is done"
        )
