"""Pull: a version's files out of a store into a folder, each verified before its name appears.

Every file is written under a temporary name beside its place, checked, and renamed; files that are right already
are left alone. Folders are walked by descriptor and links in the target are never followed, so that nothing can be
made to land outside, whoever else writes there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import Literal, NamedTuple

from lineal.core.clock import new_id
from lineal.core.errors import BlobNotFound, DigestMismatch, InvalidTarget
from lineal.storage import copies, references
from lineal.storage import digest as digests
from lineal.storage.blobs import Blobs, Expected, Place, decode, from_os_error
from lineal.storage.cache import OBJECTS_NEVER_CHANGE, TICK_NS, Cache
from lineal.storage.digest import Digest
from lineal.storage.manifest import Entry
from lineal.storage.packs import Wanted, read_stretches, stretches
from lineal.storage.parallel import in_order, ranges
from lineal.storage.sources import State, state_of
from lineal.storage.transfer import Progress

Mode = Literal["copy", "link"]

_OPEN_FOLDERS = 64
_AT_ONCE = 4
_READ_BYTES = 8 << 20
_WORTH_WAITING_BYTES = 4 << 20
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP}


def pull(
    entries: Sequence[Entry],
    blobs: Blobs,
    target: str | os.PathLike[str],
    cache: Cache,
    *,
    mode: Mode = "copy",
    progress: Progress | None = None,
) -> int:
    """How many files had to be written to make `target` hold `entries` (of a checked manifest, with digests).

    With mode "link", large files are read-only links to the store's own, small ones read-only copies. Raises
    corrupt.digest_mismatch naming the file, not_found.blob, invalid.target, unavailable.*; what was already renamed
    stays, and nothing half written does.
    """
    root = os.path.abspath(os.fspath(target))
    try:
        job = _Pull(blobs, root, cache, mode, progress)
        try:
            return job.run(entries)
        except BlobNotFound:  # gc may have moved blobs to another pack after they were looked up
            return job.run(entries)
        finally:
            job.folders.close()
    except (FileExistsError, NotADirectoryError):
        raise InvalidTarget(f"{root} is or lies below a file, where a folder belongs") from None
    except OSError as problem:
        raise from_os_error(problem, f"the files in {root}") from problem


def matches(entries: Sequence[Entry], target: str | os.PathLike[str], cache: Cache) -> list[Entry]:
    """Those of `entries` whose file below `target` is missing or other than it says; reads only what it must."""
    root = os.path.abspath(os.fspath(target))
    try:
        folders = _Folders(root, make=False)
    except (OSError, InvalidTarget):
        return list(entries)
    try:
        return list(_Local(root, folders, cache, links=True).differing(entries))
    finally:
        folders.close()


class _Slot(NamedTuple):
    """A new file on its way: the descriptor of its folder, its temporary name there, its own, and its whole path."""

    folder: int
    temporary: str
    name: str
    path: str


class _Pull:
    def __init__(self, blobs: Blobs, root: str, cache: Cache, mode: Mode, progress: Progress | None) -> None:
        self.root, self._blobs, self._cache, self._mode = root, blobs, cache, mode
        self._progress = progress or (lambda _count: None)
        self.folders = _Folders(root, make=True)
        self._done: list[tuple[str, State, Digest]] = []
        self._linked: list[tuple[str, str, Digest]] = []
        self._temporary = f".lineal-{new_id()}"

    def run(self, entries: Sequence[Entry]) -> int:
        local = _Local(self.root, self.folders, self._cache, links=self._mode == "link")
        differing = list(local.differing(entries))
        wanted = [entry for entry in differing if entry.digest is not None]
        places = self._blobs.find({e.digest for e in wanted if e.digest})
        self._check_found(wanted, places)
        packed: list[Wanted] = []
        whole: list[Wanted] = []
        for entry in wanted:
            place = places[entry.digest]  # type: ignore[index]
            (whole if place.plain else packed).append((place.key, place.offset, entry.path, place))
        for path, data, digest in self._packed(sorted(packed)):
            self._write(path, data, digest)
        self._blobs.store.expect(
            Expected(key, 0, place.length, [place.digest]) for key, _offset, _path, place in whole
        )
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lineal-pull") as pool:
            jobs = [pool.submit(self._whole, path, place) for _key, _offset, path, place in whole]
            jobs += [pool.submit(self._fetch, entry) for entry in differing if entry.reference is not None]
            _await(jobs)
        self._remember()
        return len(differing)

    def _check_found(self, wanted: Sequence[Entry], places: dict[Digest, Place]) -> None:
        for entry in wanted:
            if entry.digest not in places:
                raise BlobNotFound(f"the store has lost the bytes of {entry.path!r}; run `lineal fsck`")

    def _packed(self, wanted: Sequence[Wanted]) -> Iterator[tuple[str, bytes, Digest]]:
        """The verified bytes of blobs in packs (and of coded objects), read in long stretches."""
        store = self._blobs.store
        parts = list(stretches(wanted, _READ_BYTES, gaps=store.gaps))
        store.expect(Expected(p.key, p.start, p.length, [member[3].digest for member in p.members]) for p in parts)
        for (_key, _at, path, place), stored in read_stretches(store, parts, _AT_ONCE):
            yield path, _decoded(path, place, bytes(stored)), place.digest

    def _write(self, path: str, data: bytes, digest: Digest) -> None:
        folder, name = self.folders.open(path)
        slot = _Slot(folder, self._temporary, name, path)
        descriptor = os.open(slot.temporary, _NEW_FILE_FLAGS, 0o666, dir_fd=folder)
        try:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(descriptor, view) :]
                if self._mode == "link":
                    os.fchmod(descriptor, 0o444)
            finally:
                os.close(descriptor)
            self._rename(slot, digest)
        except BaseException:
            with suppress(OSError):
                os.unlink(slot.temporary, dir_fd=folder)
            raise
        self._progress(len(data))

    @contextmanager
    def _slot(self, path: str) -> Iterator[_Slot]:
        """A place for a new file that is to become `path`; what lies there is dropped when the block raises."""
        folder, name = self.folders.open(path, keep=True)
        slot = _Slot(folder, f".lineal-{new_id()}", name, path)
        try:
            yield slot
        except BaseException:
            with suppress(OSError):
                os.unlink(slot.temporary, dir_fd=folder)
            raise
        finally:
            os.close(folder)

    def _fetch(self, entry: Entry) -> None:
        """Copies the bytes behind a reference, which must be of the size and checksum on record, where there are."""
        with self._slot(entry.path) as slot:
            descriptor = os.open(slot.temporary, _NEW_FILE_FLAGS, 0o666, dir_fd=slot.folder)
            with os.fdopen(descriptor, "wb") as out, references.opened(entry) as stream:
                copied = copies.hash_through(stream, out.write, entry.size)
            wanted = expected(entry)
            if wanted is not None and copied.digest != wanted:
                raise DigestMismatch(
                    f"{entry.path!r}: the bytes behind its reference are not those on record; nothing was written",
                    path=entry.path,
                )
            self._rename(slot, copied.digest)
        self._progress(copied.size)

    def _whole(self, path: str, place: Place) -> None:
        source = self._blobs.store.path_of(place.key)
        with self._slot(path) as slot:
            if self._mode == "link" and source is not None:
                self._link(source, slot, place)
                self._rename(slot)
                self._linked.append((source, path, place.digest))
            else:
                self._copy(source, slot, place)
                self._rename(slot, place.digest)
        self._progress(place.size)

    def _copy(self, source: str | None, slot: _Slot, place: Place) -> None:
        descriptor = os.open(slot.temporary, _NEW_FILE_FLAGS, 0o666, dir_fd=slot.folder)
        try:
            right = self._load(descriptor, place) if source is None else self._clone(descriptor, place)
            if not right:
                raise _mismatch(slot.path, place)
            if self._mode == "link":
                os.fchmod(descriptor, 0o444)
        finally:
            os.close(descriptor)

    def _load(self, target: int, place: Place) -> bool:
        """Fills the new file from a store elsewhere, several ranges at once; whether it has the right bytes."""

        def load(part: tuple[int, int]) -> bytes:
            start, end = part
            data = self._blobs.store.read(place.key, start, end - start)
            view = memoryview(data)
            while view:
                count = os.pwrite(target, view, start)
                view, start = view[count:], start + count
            return data

        sha = hashlib.sha256()
        with closing(in_order(load, ranges(0, place.size, _READ_BYTES), _AT_ONCE)) as parts:
            for data in parts:
                sha.update(data)
        return sha.digest() == place.digest

    def _clone(self, target: int, place: Place) -> bool:
        """Copies an object of this machine, which the index vouches for by its xxh3-128 if it knows that."""
        with self._blobs.store.open(place.key) as file:
            size, known = os.fstat(file.fileno()).st_size, bool(place.fast)
            if size != place.size:
                return False
            copied = copies.copy(file.fileno(), target, size, identity=not known)
        return copied.fast == place.fast if known else copied.digest == place.digest

    def _link(self, source: str, slot: _Slot, place: Place) -> None:
        """Gives a link to the store's file the temporary name; the file is verified unless it is remembered."""
        try:
            state = state_of(os.stat(source))
        except FileNotFoundError:
            raise BlobNotFound(f"the store has lost the bytes of {slot.path!r}; run `lineal fsck`") from None
        remembered = self._cache.find(source) == (state, place.digest)
        if not remembered and not _holds(source, place):
            raise _mismatch(slot.path, place)
        try:
            os.link(source, slot.temporary, dst_dir_fd=slot.folder)
        except OSError as problem:
            if problem.errno not in _NO_LINK:
                raise
            os.symlink(source, slot.temporary, dir_fd=slot.folder)

    def _rename(self, slot: _Slot, digest: Digest | None = None) -> None:
        """Gives the new file its name, and notes its state if it is a copy that holds `digest`."""
        folder, temporary, name, path = slot
        try:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except (IsADirectoryError, NotADirectoryError):
            raise InvalidTarget(f"{self.root}/{path} is a folder where a file belongs; remove it") from None
        if self._mode == "link":
            with suppress(FileNotFoundError):  # renaming a hard link onto itself leaves both names
                os.unlink(temporary, dir_fd=folder)
        if digest is not None:
            self._done.append((f"{self.root}/{path}", state_of(os.stat(name, dir_fd=folder)), digest))

    def _remember(self) -> None:
        """Notes what was written, after waiting out the clock's tick where reading again would cost more."""
        if sum(state.size for _, state, _ in self._done) >= _WORTH_WAITING_BYTES:
            time.sleep(TICK_NS / 1e9)
        self._cache.remember(self._done, time.time_ns())
        linked: list[tuple[str, State, Digest]] = []
        for source, path, digest in self._linked:
            with suppress(FileNotFoundError):  # gc may take an object that has just been linked to
                state = state_of(os.stat(source))  # linking moved its change time, once for each link
                linked += [(source, state, digest), (f"{self.root}/{path}", state, digest)]
        self._cache.remember(linked, OBJECTS_NEVER_CHANGE)


def expected(entry: Entry) -> Digest | None:
    """What the entry's file must hash to: its digest, or the checksum of a reference that has one."""
    if entry.digest is not None or entry.reference is None or entry.reference.checksum is None:
        return entry.digest
    return digests.parse(entry.reference.checksum)


class _Local:
    """What is in the target already. Without `links`, a link of either kind is no copy and counts as missing."""

    def __init__(self, root: str, folders: _Folders, cache: Cache, *, links: bool) -> None:
        self._root, self._folders, self._cache, self._links = root, folders, cache, links
        self._known: dict[str, dict[str, tuple[tuple[int, int, int, int], Digest]]] = {}

    def differing(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """Entries whose file is missing or different."""
        read: list[tuple[str, State, Digest]] = []
        as_of_ns = time.time_ns()
        for entry in entries:
            facts = self._facts(entry.path)
            wanted = expected(entry)
            if facts is None or wanted is None or (facts.st_size != entry.size and entry.size is not None):
                yield entry
                continue
            state = state_of(facts)
            file = f"{self._root}/{entry.path}"
            if self._remembered(file) == (state, wanted):
                continue
            if self._digest(entry.path) != wanted:
                yield entry
            else:
                read.append((file, state, wanted))
        self._cache.remember(read, as_of_ns)

    def _remembered(self, file: str) -> tuple[tuple[int, int, int, int], Digest] | None:
        folder, _, name = file.rpartition("/")
        if folder not in self._known:
            self._known[folder] = self._cache.known(folder)
        return self._known[folder].get(name)

    def _facts(self, path: str) -> os.stat_result | None:
        try:
            folder, name = self._folders.open(path)
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not self._links and facts.st_nlink > 1:
                return None
            if self._links and stat.S_ISLNK(facts.st_mode):
                facts = os.stat(name, dir_fd=folder)
        except OSError:
            return None
        return facts if stat.S_ISREG(facts.st_mode) else None

    def _digest(self, path: str) -> Digest | None:
        folder, name = self._folders.open(path)
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return digests.of_stream(file)[0]


class _Folders:
    """Descriptors of the folders below `root`, opened step by step without following links, some kept open."""

    def __init__(self, root: str, *, make: bool) -> None:
        self._root, self._make = root, make
        if make:
            os.makedirs(root, exist_ok=True)
        self._top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, path: str, *, keep: bool = False) -> tuple[int, str]:
        """The descriptor of the folder that holds `path`, and the last segment. Raises invalid.target, OSError.

        The descriptor is open until the next call; with `keep` it is the caller's own, to be closed by him.
        """
        folder, _, name = path.rpartition("/")
        with self._lock:
            descriptor = self._folder(folder)
            return os.dup(descriptor) if keep else descriptor, name

    def _folder(self, folder: str) -> int:
        steps = []
        while folder and folder not in self._open:
            above, _, name = folder.rpartition("/")
            steps.append((name, folder))
            folder = above
        if folder:
            self._open.move_to_end(folder)
        descriptor = self._open[folder] if folder else self._top
        for name, path in reversed(steps):
            descriptor = self._open[path] = self._step(descriptor, name, path)
            if len(self._open) > _OPEN_FOLDERS:
                os.close(self._open.popitem(last=False)[1])
        return descriptor

    def _step(self, above: int, name: str, folder: str) -> int:
        if self._make:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=above)
        try:
            return os.open(name, _FOLDER_FLAGS, dir_fd=above)
        except OSError as problem:
            if problem.errno in (errno.ELOOP, errno.ENOTDIR) and self._make:
                raise InvalidTarget(
                    f"{self._root}/{folder} is a link or a file where a folder belongs; remove it"
                ) from None
            raise

    def close(self) -> None:
        for descriptor in (*self._open.values(), self._top):
            os.close(descriptor)
        self._open.clear()


def _await(jobs: Sequence[Future[None]]) -> None:
    """Returns when all are done; at the first that fails, those that have not begun are dropped, and it is raised."""
    try:
        for job in jobs:
            job.result()
    except BaseException:
        for job in jobs:
            job.cancel()
        raise


def _holds(path: str, place: Place) -> bool:
    """Whether the file holds the blob, by its xxh3-128 if the index knows that."""
    if place.fast:
        return digests.fast_of_file(path) == (place.fast, place.size)
    digest, _, size = digests.of_file(path)
    return (digest, size) == (place.digest, place.size)


def _decoded(path: str, place: Place, stored: bytes) -> bytes:
    try:
        return decode(place, stored)
    except DigestMismatch:
        raise _mismatch(path, place) from None


def _mismatch(path: str, place: Place) -> DigestMismatch:
    return DigestMismatch(
        f"{path!r}: the store's bytes are not those that were logged (in {place.key}); nothing was written for it. "
        "Run `lineal fsck` to see what is damaged",
        path=path,
        digest=digests.format(place.digest),
    )
