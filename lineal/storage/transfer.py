"""Push: files of this machine into a store, each read once, hashed and written as blobs, then their manifest.

Nothing that was pushed counts until a version names it; a push that dies leaves blobs that the next one finds
there, or half an object that gc names.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import FileIO
from typing import NamedTuple

from lineal.core.errors import InvalidSource, SourceChanged
from lineal.storage import digest as digests
from lineal.storage.blobs import RAW, ZLIB, Blobs, Place, object_key
from lineal.storage.cache import OBJECTS_NEVER_CHANGE, Cache
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.packs import PackWriter
from lineal.storage.records import uncollected
from lineal.storage.sources import Source, State, state_of

PACK_LIMIT_BYTES = 128 << 10
_BATCH_FILES, _BATCH_BYTES = 2048, 8 << 20
_MEDIUM_BYTES = 16 << 20
_COMPRESS_LEVEL = 6
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe put there must not be waited for

Progress = Callable[[int], None]


class _Read(NamedTuple):
    source: Source
    data: bytes
    digest: Digest
    fast: bytes


class Push:
    """One push; use it as a context manager: leaving it makes the last pack known, or drops it on an error."""

    def __init__(
        self,
        blobs: Blobs,
        cache: Cache,
        *,
        pack_limit_bytes: int = PACK_LIMIT_BYTES,
        progress: Progress | None = None,
    ) -> None:
        """`progress` is called with the bytes of each file that is done."""
        self._blobs, self._cache = blobs, cache
        self._pack_limit = pack_limit_bytes
        self._progress = progress or (lambda _count: None)
        self._pack: PackWriter | None = None
        self._places: dict[Digest, Place] = {}
        self._objects: list[tuple[str, State, Digest]] = []
        self._trusted: dict[Digest, Source] = {}
        self._states: list[tuple[str, State, Digest]] = []
        self._started_ns = time.time_ns()

    def __enter__(self) -> Push:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            if self._pack is not None:
                self._pack.abort()
            return
        self._flush()
        self._cache.remember(self._states, self._started_ns)
        self._cache.remember(self._objects, OBJECTS_NEVER_CHANGE)

    def files(self, sources: Iterable[Source], *, trust: bool = True) -> list[Entry]:
        """The entries of `sources`, whose blobs are in the store by the end of the push.

        With `trust`, a file whose state is remembered isn't read; whether its blob is still there is asked by
        `manifest`. Raises conflict.source_changed, invalid.source, unavailable.*.
        """
        with uncollected():
            entries, unread = self._known(sources, trust=trust)
            return entries + self._read(unread)

    def _known(self, sources: Iterable[Source], *, trust: bool) -> tuple[list[Entry], list[Source]]:
        """Entries of files whose state is remembered, and the other files."""
        entries: list[Entry] = []
        unread: list[Source] = []
        known: dict[str, tuple[tuple[int, int, int, int], Digest]] = {}
        folder = None
        for source in sources:  # as they were found: folder by folder
            path, file, state = source
            above, _, name = file.rpartition("/")
            if above != folder:
                folder, known = above, self._cache.known(above) if trust else {}
            remembered = known.get(name)
            if remembered is not None and remembered[0] == state:
                digest = remembered[1]
                self._trusted[digest] = source
                entries.append(Entry(path, digest, state[0]))
            else:
                unread.append(source)
        return entries, unread

    def data(self, path: str, data: bytes) -> Entry:
        """The entry of a file that exists only as `data`."""
        digest = digests.of_bytes(data)
        if digest not in self._places and digest in self._blobs.missing([digest]):
            self._put(digest, data, digests.fast_of_bytes(data))
        return Entry(path, digest, len(data))

    def manifest(self, manifest: Manifest) -> Digest:
        """The manifest's digest; the manifest is in the store by the end, as are the trusted files' blobs."""
        data = manifest.to_bytes()
        digest = digests.of_bytes(data)
        absent = self._blobs.missing([digest, *self._trusted])
        self.repair(absent)
        if digest in absent:
            self._put_manifest(digest, data)
        return digest

    def repair(self, missing: Collection[Digest]) -> None:
        """Reads those trusted files again whose blobs turn out to be `missing`."""
        wanted = {digest: self._trusted[digest] for digest in missing if digest in self._trusted}
        found = {entry.digest for entry in self._read(list(wanted.values()))}
        for digest, source in wanted.items():
            if digest not in found:
                raise _changed(source)

    def _read(self, sources: Sequence[Source]) -> list[Entry]:
        small = [s for s in sources if s.state.size <= self._pack_limit]
        medium = [s for s in sources if self._pack_limit < s.state.size <= _MEDIUM_BYTES]
        entries = [entry for batch in _batches(small) for entry in self._read_small(batch)]
        if medium:
            try:
                with ThreadPoolExecutor(2, thread_name_prefix="lineal-push") as pool:
                    futures = [pool.submit(self._read_large, source) for source in medium]
                entries += [future.result() for future in futures]
            except RuntimeError:  # no threads any more: the interpreter is on its way out
                entries += [self._read_large(source) for source in medium]
        entries += [self._read_large(s) for s in sources if s.state.size > _MEDIUM_BYTES]
        return entries

    def _read_small(self, sources: Sequence[Source]) -> Iterator[Entry]:
        read = [_read_file(source) for source in sources]
        absent = self._blobs.missing({r.digest for r in read} - self._places.keys())
        for source, data, digest, fast in read:
            if digest in absent:
                absent.discard(digest)
                self._put(digest, data, fast)
            self._states.append((source.file, source.state, digest))
            yield Entry(source.path, digest, len(data))
        self._progress(sum(len(r.data) for r in read))

    def _read_large(self, source: Source) -> Entry:
        key = ""

        def name(digest: Digest) -> str:
            nonlocal key
            key = object_key(digest)
            return key

        with _opened(source) as file:
            _check_unchanged(source, file.fileno())
            try:
                copied = self._blobs.store.add_file(file, source.state.size, name)
            except SourceChanged:
                raise _changed(source) from None
            _check_unchanged(source, file.fileno())
        place = Place(copied.digest, copied.size, copied.fast, key, 0, copied.size)
        self._blobs.add([place], {key: copied.size})
        self._states.append((source.file, source.state, copied.digest))
        if (path := self._blobs.store.path_of(key)) is not None:
            with suppress(FileNotFoundError):  # another writer was first
                self._objects.append((path, state_of(os.stat(path)), copied.digest))
        self._progress(copied.size)
        return Entry(source.path, copied.digest, copied.size)

    def _put(self, digest: Digest, data: bytes, fast: bytes, stored: bytes | None = None) -> None:
        if self._pack is not None and self._pack.full:
            self._flush()
        if self._pack is None:
            self._pack = PackWriter(self._blobs.store)
        self._pack.add(digest, len(data), fast, data if stored is None else stored, RAW if stored is None else ZLIB)
        self._places[digest] = self._pack.places[-1]

    def _put_manifest(self, digest: Digest, data: bytes) -> None:
        stored = zlib.compress(data, _COMPRESS_LEVEL)
        fast = digests.fast_of_bytes(data)
        if len(stored) <= self._pack_limit:
            self._put(digest, data, fast, stored)
            return
        key = object_key(digest, codec=ZLIB)
        writer = self._blobs.store.create()
        try:
            writer.write(stored)
            writer.commit(key)
        except BaseException:
            writer.abort()
            raise
        self._blobs.add([Place(digest, len(data), fast, key, 0, len(stored), ZLIB)], {key: len(stored)})

    def _flush(self) -> None:
        if self._pack is None:
            return
        pack, self._pack = self._pack, None
        try:
            pack.commit()
        except BaseException:
            pack.abort()
            raise
        self._blobs.add(pack.places, {pack.key: pack.size})


def _batches(sources: Sequence[Source]) -> Iterator[list[Source]]:
    """The sources in batches that are read, asked for and written together, bounded in number and bytes."""
    batch: list[Source] = []
    size = 0
    for source in sources:
        batch.append(source)
        size += source.state.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read_file(source: Source) -> _Read:
    try:
        descriptor = os.open(source.file, _FLAGS)
        try:
            data = os.read(descriptor, source.state.size + 1)
            _check_unchanged(source, descriptor)
        finally:
            os.close(descriptor)
    except OSError as problem:
        raise _unreadable(source, problem) from None
    if len(data) != source.state.size:
        raise _changed(source)
    return _Read(source, data, digests.of_bytes(data), digests.fast_of_bytes(data))


def _opened(source: Source) -> FileIO:
    try:
        descriptor = os.open(source.file, _FLAGS)
    except OSError as problem:
        raise _unreadable(source, problem) from None
    return FileIO(descriptor, "rb")


def _check_unchanged(source: Source, descriptor: int) -> None:
    if state_of(os.fstat(descriptor)) != source.state:
        raise _changed(source)


def _changed(source: Source) -> SourceChanged:
    return SourceChanged(
        f"{source.file} changed after it was added; nothing was logged: add it again once nobody writes to it"
    )


def _unreadable(source: Source, problem: OSError) -> InvalidSource:
    return InvalidSource(f"{source.file} can't be read: {problem.strerror}; nothing was logged")
