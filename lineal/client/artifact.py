"""Artifacts: a draft that files are added to, and, once logged, a handle pinned to one version."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import IO, Any

from lineal.backend.port import Logged
from lineal.client.connection import Connection, connection
from lineal.client.entry import ArtifactEntry, PathLike
from lineal.client.folder import check_own, differences, prune
from lineal.client.progress import shown
from lineal.core import names
from lineal.core.clock import format_time, new_id, parse_duration
from lineal.core.errors import (
    ArtifactLogged,
    BlobsMissing,
    DigestMismatch,
    EmptyArtifact,
    EntryNotFound,
    InvalidArgument,
    RunNotFound,
)
from lineal.lineage.model import Direction, Graph
from lineal.registry.model import AliasEvent, Version
from lineal.storage import digest as digests
from lineal.storage import references, sources
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.pull import Mode
from lineal.storage.sources import Source
from lineal.storage.transfer import Push
from lineal.tracking.model import Run as RunRecord


class Artifact:
    """A named set of files. Build one, add files, log it; a logged one is pinned and can be downloaded.

    A file is read when the artifact is logged; one that changed after it was added is refused then, so that what is
    logged is what was added.
    """

    def __init__(
        self,
        name: str,
        type: str,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        ttl: timedelta | str | None = None,
    ) -> None:
        """`ttl` is how long gc must keep it at least (such as "30d"); None: for ever. Raises invalid.name."""
        self._name = names.check_name(name, "collection")
        self._type = names.check_name(type, "type")
        self.description = description or ""
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.ttl = ttl
        self.tags: list[str] = []
        self.aliases: list[str] = []
        self._sources: dict[str, Source] = {}
        self._entries: dict[str, Entry] = {}
        self._unstage: weakref.finalize[..., Artifact] | None = None
        self._staging = ""
        self._waits = ""  # why it has no version yet, where it was logged offline
        self._version: Version | None = None
        self._connection: Connection | None = None

    @classmethod
    def _logged_as(cls, version: Version, conn: Connection) -> Artifact:
        artifact = cls(version.collection, version.type)
        artifact._bind(version, conn)
        return artifact

    def _bind(self, version: Version, conn: Connection) -> None:
        self._version, self._connection = version, conn
        self._name, self._type = version.collection, version.type
        self.description, self.metadata = version.description, dict(version.metadata)
        self.ttl = None if version.ttl_s is None else timedelta(seconds=version.ttl_s)
        self.tags, self.aliases = list(version.tags), list(version.aliases)
        self._sources, self._entries = {}, {}
        if self._unstage is not None:
            self._unstage()
            self._unstage = None

    def __repr__(self) -> str:
        return f"<Artifact {self.qualified_name} ({self.type})>"

    # ---- what it is ------------------------------------------------------------------------------------------

    @property
    def ttl(self) -> timedelta | None:
        """How long gc must keep it at least; None: for ever. May be set as a text such as "30d"."""
        return self._ttl

    @ttl.setter
    def ttl(self, value: timedelta | str | None) -> None:
        self._ttl = parse_duration(value) if isinstance(value, str) else value

    @property
    def logged(self) -> bool:
        """Whether it is a version already."""
        return self._version is not None

    @property
    def name(self) -> str:
        """`digits` for a draft, `digits:v3` once logged."""
        return self._version.name if self._version else self._name

    @property
    def qualified_name(self) -> str:
        """`entity/project/digits:v3` once logged."""
        return self._version.ref if self._version else self._name

    @property
    def source_qualified_name(self) -> str:
        """The full ref in the version's own collection, also where it is seen through a link."""
        return self._pinned.source

    @property
    def collection(self) -> str:
        return self._name

    @property
    def type(self) -> str:
        return self._type

    @property
    def entity(self) -> str:
        return self._pinned.entity

    @property
    def project(self) -> str:
        return self._pinned.project

    @property
    def version(self) -> str:
        """`v3`."""
        return self._pinned.version

    @property
    def version_number(self) -> int:
        return self._pinned.number

    @property
    def created_at(self) -> str:
        """When it was logged, RFC 3339."""
        return format_time(self._pinned.created_at)

    @property
    def digest(self) -> str:
        """`sha256:…` of its content: its manifest's digest. A draft's files are read for it."""
        return self._version.digest if self._version else digests.format(self.manifest.digest())

    @property
    def size(self) -> int:
        """Bytes of all files."""
        if self._version:
            return self._version.size_bytes
        return sum(s.state.size for s in self._sources.values()) + sum(e.size or 0 for e in self._entries.values())

    @property
    def file_count(self) -> int:
        return self._version.file_count if self._version else len(self._sources) + len(self._entries)

    @property
    def manifest(self) -> Manifest:
        """Its entries. A draft's files are read for it."""
        if self._version:
            return self._online.backend.artifacts.manifest(self._version.digest)
        read = [Entry(s.path, digests.of_file(s.file)[0], s.state.size) for s in self._sources.values()]
        return Manifest([*self._entries.values(), *read])

    def files(self, names: Sequence[str] | None = None) -> list[ArtifactEntry]:
        """Its entries, sorted by path, or those with the given paths."""
        found = [ArtifactEntry(self, entry) for entry in self.manifest]
        return found if names is None else [entry for entry in found if entry.path in names]

    def get_entry(self, path: str) -> ArtifactEntry:
        """The entry with that path. Raises not_found.entry."""
        entry = self.manifest.by_path.get(path)
        if entry is None:
            raise EntryNotFound(f"{self.name} has no file {path!r}")
        return ArtifactEntry(self, entry)

    # ---- adding ----------------------------------------------------------------------------------------------

    def add_file(self, local_path: PathLike, name: str | None = None) -> ArtifactEntry:
        """The entry made of the file, named `name` (default: the file's own name)."""
        source = sources.find_file(local_path, name)
        self._put_source(source)
        return ArtifactEntry(self, Entry(source.path, None, source.state.size))

    def add_dir(self, local_path: PathLike, name: str | None = None, *, ignore: Sequence[str] = ()) -> None:
        """Adds every file below the folder, below `name` if given. `ignore`: patterns such as `*.tmp`, `.git/`."""
        self._check_draft()
        found = {source.path: source for source in sources.find_files(local_path, name or "", ignore=ignore)}
        self._entries = {path: entry for path, entry in self._entries.items() if path not in found}
        self._sources |= found

    def add_reference(
        self, uri: str, name: str | None = None, *, checksum: bool = True, max_objects: int = references.MAX_OBJECTS
    ) -> list[ArtifactEntry]:
        """The entries that refer to what is at `uri` (a file or a folder); no bytes are copied.

        `file://` is hashed unless `checksum` is false; of http(s), s3, gs and other fsspec URLs size and ETag or
        version id are kept, so that a change is noticed on download.
        """
        self._check_draft()
        cache = (self._connection or connection()).cache
        found = references.find_entries(str(uri), name, cache, checksum=checksum, max_objects=max_objects)
        for entry in found:
            self._put_entry(entry)
        return [ArtifactEntry(self, entry) for entry in found]

    @contextmanager
    def new_file(self, name: str, mode: str = "w", encoding: str | None = None) -> Iterator[IO[Any]]:
        """A file to write into, which becomes the entry `name` when it is closed without an error."""
        self._check_draft()
        names.check_path(name)
        path = self._stage()
        with open(path, mode, encoding=encoding or (None if "b" in mode else "utf-8")) as file:
            yield file
        self._put_source(sources.find_file(path, name))

    def add(self, obj: ArtifactEntry | bytes | str, name: str) -> ArtifactEntry:
        """The entry `name` made of bytes, of a text, or of an entry of a logged artifact (no bytes are copied)."""
        self._check_draft()
        names.check_path(name)
        if isinstance(obj, ArtifactEntry):
            if obj.artifact._version is None:
                raise InvalidArgument("an entry can be added from a logged artifact only; add the file itself")
            self._put_entry(obj._entry._replace(path=name))
            return ArtifactEntry(self, self._entries[name])
        if not isinstance(obj, bytes | str):
            raise InvalidArgument(f"can't add a {obj.__class__.__name__}; add a file, bytes, a text or an entry")
        data = obj.encode() if isinstance(obj, str) else obj
        with self.new_file(name, "wb") as file:
            file.write(data)
        return ArtifactEntry(self, Entry(name, None, len(data)))

    def remove(self, item: str | ArtifactEntry) -> None:
        """Takes the file, or every file below the folder, out of the draft. Raises not_found.entry."""
        self._check_draft()
        path = item.path if isinstance(item, ArtifactEntry) else item
        doomed = [p for p in (*self._sources, *self._entries) if names.under_prefix(p, path)]
        if not doomed or not path.strip("/"):
            raise EntryNotFound(f"{self.name} has no file {path!r}")
        for gone in doomed:
            self._sources.pop(gone, None)
            self._entries.pop(gone, None)

    def _put_source(self, source: Source) -> None:
        self._check_draft()
        self._entries.pop(source.path, None)
        self._sources[source.path] = source

    def _put_entry(self, entry: Entry) -> None:
        self._sources.pop(entry.path, None)
        self._entries[entry.path] = entry

    def _stage(self) -> str:
        """A fresh place for a file's bytes until they are logged or the draft is forgotten."""
        if self._unstage is None:
            self._staging = tempfile.mkdtemp(prefix="lineal-")
            self._unstage = weakref.finalize(self, shutil.rmtree, self._staging, ignore_errors=True)
        return os.path.join(self._staging, new_id())

    def _check_draft(self) -> None:
        if self._waits:
            raise ArtifactLogged(f"{self._name} is logged already, offline, and never changes")
        if self._version is not None:
            raise ArtifactLogged(f"{self.name} is logged and never changes; start from {self.name} with new_draft()")

    # ---- logging ---------------------------------------------------------------------------------------------

    def _log(
        self,
        conn: Connection,
        *,
        project: str | None = None,
        run_id: str | None = None,
        aliases: Sequence[str] = (),
        tags: Sequence[str] = (),
        role: str | None = None,
        trust: bool = True,
    ) -> Logged:
        """Pushes the draft and makes it a version; the handle is that version afterwards."""
        self._check_draft()
        if not self.file_count:
            raise EmptyArtifact(f"{self.name} has no files; add some before logging it")
        digest = self._push(conn, trust=trust)
        try:
            logged = conn.backend.artifacts.log(
                self._name,
                self._type,
                digests.format(digest),
                project=project,
                run_id=run_id,
                aliases=names.texts(self.aliases, aliases, what="aliases"),
                description=self.description,
                metadata=self.metadata,
                tags=names.texts(self.tags, tags, what="tags"),
                ttl_s=None if self.ttl is None else int(self.ttl.total_seconds()),
                role=role,
            )
        except BlobsMissing:
            if not trust:
                raise
            return self._log(conn, project=project, run_id=run_id, aliases=aliases, tags=tags, role=role, trust=False)
        self._bind(logged.version, conn)
        return logged

    def _push(self, conn: Connection, *, trust: bool) -> digests.Digest:
        limit = conn.settings.pack_limit_bytes
        with (
            shown(f"log {self._name}", self.size) as progress,
            Push(conn.backend.blobs, conn.cache, pack_limit_bytes=limit, progress=progress) as push,
        ):
            entries = push.files(self._sources.values(), trust=trust)
            return push.manifest(Manifest([*self._entries.values(), *entries]))

    def new_draft(self) -> Artifact:
        """A draft with this version's files, of which some can be replaced, added or removed; none is read again."""
        draft = Artifact(self._name, self._type, self.description, self.metadata, self.ttl)
        draft._entries = dict(self.manifest.by_path)
        return draft

    def wait(self, timeout: int | None = None) -> Artifact:
        """The artifact itself: logging has ended when `log_artifact` returns."""
        return self

    # ---- getting files ---------------------------------------------------------------------------------------

    def download(
        self, root: PathLike | None = None, path_prefix: str | None = None, mode: Mode = "copy", **_: Any
    ) -> str:
        """The folder that now holds the files, each verified; files already right are left alone.

        By default `./artifacts/<name>:v3`. `path_prefix` picks a file or folder by whole path segments. With mode
        "link", large files are read-only links to the store's own. Raises corrupt.digest_mismatch.
        """
        where = os.path.abspath(root or os.path.join("artifacts", self._pinned.name))
        entries = [e for e in self.manifest if names.under_prefix(e.path, path_prefix or "")]
        if path_prefix and not entries:
            raise EntryNotFound(f"{self.name} has no file or folder {path_prefix!r}")
        self._online.pull(entries, where, mode=mode, what=f"get {self.name}")
        return where

    def file(self, root: PathLike | None = None) -> str:
        """The path of the one file of an artifact that has just one, downloaded. Raises invalid.argument."""
        entries = self.manifest.entries
        if (count := len(entries)) != 1:
            raise InvalidArgument(f"{self.name} has {count} files; use download() or get_entry(path).download()")
        return os.path.join(self.download(root), entries[0].path)

    def checkout(self, root: PathLike | None = None) -> str:
        """The folder, made to hold exactly this version: files that are not part of it are deleted.

        Raises invalid.target for a folder that is the home or working folder, or one above it.
        """
        where = os.path.realpath(root or os.path.join("artifacts", self._pinned.name))
        check_own(where)
        prune(where, self.manifest.by_path)  # first, since a folder may stand where a file belongs
        return self.download(where)

    def verify(self, root: PathLike | None = None) -> None:
        """Nothing where every file below `root` is as logged, and no other is there; every byte is read.

        Raises corrupt.digest_mismatch naming what differs.
        """
        where = os.path.abspath(root or os.path.join("artifacts", self._pinned.name))
        wrong = differences(where, self.manifest.by_path)
        if wrong:
            shown_ = ", ".join(wrong[:10]) + (" …" if len(wrong) > 10 else "")
            raise DigestMismatch(f"{where} is not {self.name}: {shown_}", paths=wrong)

    # ---- changing and asking ---------------------------------------------------------------------------------

    def save(self) -> Artifact:
        """The artifact, with changes to aliases, tags, description, metadata and ttl stored; a draft is logged."""
        if self._version is None:
            self._log(connection())
            return self
        store, version = self._online.backend.artifacts, self._version
        for alias in self.aliases:
            if alias not in version.aliases and alias != names.LATEST:
                store.move_alias(version.ref, alias)
        collection, _, _ = version.ref.rpartition(":")
        for alias in set(version.aliases) - set(self.aliases):
            store.remove_alias(f"{collection}:{alias}")
        changed = store.change(
            version.ref,
            description=self.description,
            metadata=self.metadata,
            tags=self.tags,
            ttl_s=-1 if self.ttl is None else int(self.ttl.total_seconds()),
        )
        self._bind(changed, self._online)
        return self

    def delete(self, delete_aliases: bool = False) -> None:
        """Deletes the version; refused while it has aliases or links, unless `delete_aliases` removes them."""
        self._online.backend.artifacts.delete(self._pinned.ref, force=delete_aliases)

    def link(self, target_path: str, aliases: Sequence[str] = ()) -> Artifact:
        """The version as the registry collection `registry/<collection>` shows it; no bytes are copied."""
        linked = self._online.backend.artifacts.link(
            self._pinned.ref, target_path, aliases=names.texts(aliases, what="aliases")
        )
        return Artifact._logged_as(linked, self._online)

    def unlink(self) -> None:
        """Takes the version out of the registry collection through which this handle sees it."""
        self._online.backend.artifacts.unlink(self._pinned.ref)

    def logged_by(self) -> RunRecord | None:
        """The run that made it, if any did."""
        run_id = self._pinned.run_id
        with suppress(RunNotFound):
            return self._online.backend.runs.get(run_id) if run_id else None
        return None

    def used_by(self) -> list[RunRecord]:
        """The runs that used it, oldest first."""
        return self._online.backend.lineage.used_by(self._pinned.ref)

    def lineage(self, direction: Direction = "both", depth: int | None = None) -> Graph:
        """The lineage graph around it; `lineal.lineage.render` draws it."""
        return self._online.backend.lineage.graph(self._pinned.ref, direction=direction, depth=depth)

    def history(self) -> list[AliasEvent]:
        """Every alias move of its collection, oldest first."""
        collection, _, _ = self._pinned.ref.rpartition(":")
        return self._online.backend.artifacts.list_alias_events(collection)

    @property
    def _pinned(self) -> Version:
        if self._version is None:
            raise InvalidArgument(f"{self._name} {self._waits or 'is a draft; log it first'}")
        return self._version

    @property
    def _online(self) -> Connection:
        _ = self._pinned
        assert self._connection is not None
        return self._connection
