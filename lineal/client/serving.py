"""`lineal.download`: the one-liner for serving code."""

from __future__ import annotations

import os

from lineal.client import lock, offline
from lineal.client.artifact import Artifact
from lineal.client.connection import Connection, connection
from lineal.client.entry import PathLike
from lineal.core.names import Ref, parse_ref
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.blobs import from_os_error
from lineal.storage.digest import Digest
from lineal.storage.manifest import Manifest
from lineal.storage.pull import Mode, matches


def download(ref: str, root: PathLike | None = None, *, mode: Mode = "copy", url: str | None = None) -> str:
    """The folder that holds the files of the version that `ref` names now, every byte verified.

    Without `root` they lie in this machine's cache, by content, where the second call finds them without reading,
    hashing or copying any; a ref pinned by digest (`name@sha256:…`) then needs no store at all. Treat that folder
    as read-only. Raises not_found.*, corrupt.digest_mismatch, unavailable.*.
    """
    conn = offline.of(connection(url=url))
    parsed = parse_ref(ref)
    if root is not None:
        return Artifact._logged_as(conn.backend.artifacts.resolve(ref), conn).download(root, mode=mode)
    if (ready := _cached(conn, parsed)) is not None:
        return ready
    return str(conn.cache.tree_path(digests.parse(fetch(conn, ref, mode).digest)))


def fetch(conn: Connection, ref: str, mode: Mode = "copy") -> Version:
    """The version that the ref names now, whose files are in the cache, which remembers it for times without a store.

    Raises as `download` does.
    """
    version = conn.backend.artifacts.resolve(ref)
    _tree(conn, digests.parse(version.digest), mode)
    if conn.settings.mode != "offline":
        lock.remember(conn, ref, version)
    return version


def _cached(conn: Connection, ref: Ref) -> str | None:
    """The cached files of a ref pinned by digest, if they are there whole."""
    if ref.digest_prefix is None:
        return None
    found = [tree for tree in conn.cache.trees() if tree.path.name.startswith(ref.digest_prefix)]
    if len(found) != 1:
        return None
    return _intact(conn, Digest(bytes.fromhex(found[0].path.name)))


def _intact(conn: Connection, digest: Digest) -> str | None:
    if not conn.cache.has_tree(digest):
        return None
    manifest = conn.cache.manifest(digest)
    path = str(conn.cache.tree_path(digest))
    return path if manifest is not None and not matches(manifest.entries, path, conn.cache) else None


def _tree(conn: Connection, digest: Digest, mode: Mode) -> str:
    if (ready := _intact(conn, digest)) is not None:
        return ready
    manifest: Manifest = conn.backend.artifacts.manifest(digests.format(digest))
    path = str(conn.cache.tree_path(digest))
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        conn.pull(manifest.entries, path, mode=mode)
        conn.cache.add_tree(digest, manifest)
    except OSError as problem:
        raise from_os_error(problem, f"the cache in {conn.cache.folder}") from problem
    return path
