"""What this machine remembers: file states (an unchanged file is never read twice) and a bounded cache of trees.

The cache may be deleted at any time; a damaged or unwritable one is started anew or done without, and nothing but
time is lost. A file's state (size, times, inode) stands for its content only once its times are so old that any
later edit must change them: git's rule for "racy" files. Because the inode's change time is part of the state, a
tampered file whose modification time was set back is noticed.

    <cache>/state.db        file states, the trees' last use, and what refs last named (SQLite)
    <cache>/trees/<hex>/    the files of one version, whole and verified, by its manifest's digest
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from lineal.core.clock import new_id
from lineal.core.errors import Error
from lineal.storage import digest as digests
from lineal.storage.digest import Digest
from lineal.storage.manifest import Manifest
from lineal.storage.sources import State

DEFAULT_SIZE_BYTES = 20_000_000_000
TICK_NS = 30_000_000
COARSE_TICK_NS = 2_000_000_000
OBJECTS_NEVER_CHANGE = 1 << 62  # `as_of_ns` for a store's own objects, which nobody edits: no state is too fresh
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS folders (id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS files (folder INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (folder, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refs (store TEXT, ref TEXT, facts TEXT NOT NULL, PRIMARY KEY (store, ref)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trees (hex TEXT PRIMARY KEY, size INTEGER NOT NULL, used_at REAL NOT NULL);
"""

T = TypeVar("T")


class Tree(NamedTuple):
    """A version's files in the cache; `used_at` in seconds since 1970."""

    path: Path
    size_bytes: int
    used_at: float


def settled_before(state: State, as_of_ns: int) -> bool:
    """Whether a file seen in `state` at `as_of_ns` must change its state when its content changes later."""
    latest = max(state.mtime_ns, state.ctime_ns)
    whole_seconds = not (state.mtime_ns % 1_000_000_000 or state.ctime_ns % 1_000_000_000)
    return latest < as_of_ns - (COARSE_TICK_NS if whole_seconds else TICK_NS)


class Cache:
    """The cache in `folder`. Thread-safe; usable by many processes at once."""

    def __init__(self, folder: Path, size_bytes: int | None = None) -> None:
        """`size_bytes` bounds the trees; by default 20 GB, or 10 % of the disk if that is less."""
        self.folder = folder
        self._size_bytes = size_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    @property
    def size_bytes(self) -> int:
        """The bound on the trees' bytes."""
        if self._size_bytes is not None:
            return self._size_bytes
        place = next(p for p in (self.folder, *self.folder.parents) if p.exists())
        return min(DEFAULT_SIZE_BYTES, shutil.disk_usage(place).total // 10)

    # ---- file states -----------------------------------------------------------------------------------------

    def known(self, folder: str) -> dict[str, tuple[tuple[int, int, int, int], Digest]]:
        """The remembered states and digests of the files in `folder`, by name."""

        def ask(connection: sqlite3.Connection) -> dict[str, tuple[tuple[int, int, int, int], Digest]]:
            rows = connection.execute(
                "SELECT f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.digest FROM files f "
                "JOIN folders d ON d.id = f.folder WHERE d.path = ?",
                (os.fsencode(folder),),
            )
            return {row[0]: (row[1:5], row[5]) for row in rows.fetchall()}

        return self._use(ask, {})

    def find(self, file: str) -> tuple[tuple[int, int, int, int], Digest] | None:
        """The remembered state and digest of one file."""
        folder, name = os.path.split(file)

        def ask(connection: sqlite3.Connection) -> tuple[tuple[int, int, int, int], Digest] | None:
            row = connection.execute(
                "SELECT f.size, f.mtime_ns, f.ctime_ns, f.inode, f.digest FROM files f "
                "JOIN folders d ON d.id = f.folder WHERE d.path = ? AND f.name = ?",
                (os.fsencode(folder), name),
            ).fetchone()
            return (row[:4], row[4]) if row else None

        return self._use(ask, None)

    def remember(self, files: Iterable[tuple[str, State, Digest]], as_of_ns: int) -> None:
        """Notes that each file, as it looked, had that digest at `as_of_ns`; those too fresh to tell are left out."""
        settled = [(file, state, digest) for file, state, digest in files if settled_before(state, as_of_ns)]
        if settled:
            self._use(lambda connection: _insert_states(connection, settled), None)

    # ---- refs ------------------------------------------------------------------------------------------------

    def remember_ref(self, store: str, ref: str, facts: str) -> None:
        """Notes what the ref named in the store just now; the facts are the caller's to read."""

        def put(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("INSERT OR REPLACE INTO refs VALUES (?, ?, ?)", (store, ref, facts))

        self._use(put, None)

    def find_ref(self, store: str, ref: str) -> str | None:
        """What was last noted of the ref."""

        def ask(connection: sqlite3.Connection) -> str | None:
            row = connection.execute("SELECT facts FROM refs WHERE store = ? AND ref = ?", (store, ref)).fetchone()
            return row[0] if row else None

        return self._use(ask, None)

    # ---- trees -----------------------------------------------------------------------------------------------

    def tree_path(self, digest: Digest) -> Path:
        """Where the files of the version with this manifest lie, or would."""
        return self.folder / "trees" / digest.hex()

    def has_tree(self, digest: Digest) -> bool:
        """Whether the version's files lie there whole; notes the use."""

        def ask(connection: sqlite3.Connection) -> bool:
            with connection:
                done = connection.execute("UPDATE trees SET used_at = ? WHERE hex = ?", (time.time(), digest.hex()))
            return done.rowcount > 0

        return self._use(ask, False) and self.tree_path(digest).is_dir()

    def manifest(self, digest: Digest) -> Manifest | None:
        """The manifest of a tree, if it is kept and whole."""
        try:
            data = self._manifest_path(digest).read_bytes()
            return Manifest.parse(data) if digests.of_bytes(data) == digest else None
        except (OSError, Error):
            return None

    def _manifest_path(self, digest: Digest) -> Path:
        return self.folder / "trees" / f"{digest.hex()}.json"

    def add_tree(self, digest: Digest, manifest: Manifest) -> None:
        """Notes that the version's files lie there whole, and makes room if the cache is over its bound."""
        path = self._manifest_path(digest)
        temporary = path.with_name(f".new-{new_id()}")
        temporary.write_bytes(manifest.to_bytes())
        os.replace(temporary, path)

        def put(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute(
                    "INSERT OR REPLACE INTO trees VALUES (?, ?, ?)", (digest.hex(), manifest.size_bytes, time.time())
                )

        self._use(put, None)
        self.clean(self.size_bytes, keep=digest)

    def trees(self) -> list[Tree]:
        """The trees, the longest unused first."""
        rows: list[tuple[str, int, float]] = self._use(
            lambda c: c.execute("SELECT hex, size, used_at FROM trees ORDER BY used_at").fetchall(), []
        )
        return [Tree(self.folder / "trees" / hex_, size, used_at) for hex_, size, used_at in rows]

    def clean(self, down_to_bytes: int = 0, *, keep: Digest | None = None) -> list[Tree]:
        """The trees that were deleted, longest unused first, until at most `down_to_bytes` remain."""
        trees = self.trees()
        total = sum(tree.size_bytes for tree in trees)
        gone = []
        for tree in trees:
            if total <= down_to_bytes:
                break
            if keep is not None and tree.path.name == keep.hex():
                continue
            self._drop(tree)
            gone.append(tree)
            total -= tree.size_bytes
        return gone

    def forget_states(self) -> None:
        """Forgets every file state, so that all files are read again."""

        def ask(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("DELETE FROM files")
                connection.execute("DELETE FROM folders")

        self._use(ask, None)

    def _drop(self, tree: Tree) -> None:
        def ask(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("DELETE FROM trees WHERE hex = ?", (tree.path.name,))

        self._use(ask, None)
        doomed = tree.path.with_name(f".gone-{new_id()}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(tree.path.with_name(f"{tree.path.name}.json"))
        with contextlib.suppress(FileNotFoundError):
            os.rename(tree.path, doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    # ---- the database ----------------------------------------------------------------------------------------

    def _use(self, ask: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `ask` answers, or `otherwise` where the cache can't be used; a damaged one is started anew."""
        with self._lock:
            for attempt in range(2):
                try:
                    return ask(self._connect())
                except (sqlite3.OperationalError, OSError, UnicodeEncodeError):  # locked, full, read-only: do without
                    return otherwise
                except sqlite3.DatabaseError:
                    self._reset()
                    if attempt:
                        return otherwise
        return otherwise

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            connection = sqlite3.connect(self.folder / "state.db", timeout=10, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=OFF")
                connection.execute("PRAGMA wal_autocheckpoint=256")
                if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, _FORMAT):
                    raise sqlite3.DatabaseError("a cache of another Lineal")
                connection.executescript(f"{_SCHEMA} PRAGMA user_version={_FORMAT};")
            except sqlite3.Error:
                connection.close()
                raise
            self._connection, self._process = connection, os.getpid()
        return self._connection

    def _reset(self) -> None:
        self.close()
        for name in ("state.db", "state.db-wal", "state.db-shm"):
            with contextlib.suppress(OSError):
                os.unlink(self.folder / name)

    def close(self) -> None:
        """Closes the database; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None


def _insert_states(connection: sqlite3.Connection, files: list[tuple[str, State, Digest]]) -> None:
    ids: dict[str, int] = {}
    with connection:
        rows = list(_state_rows(connection, ids, files))
        connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _state_rows(
    connection: sqlite3.Connection, ids: dict[str, int], files: list[tuple[str, State, Digest]]
) -> Iterator[tuple[int, str, int, int, int, int, Digest]]:
    for file, state, digest in files:
        folder, _, name = file.rpartition("/")
        if folder not in ids:
            path = os.fsencode(folder)
            connection.execute("INSERT OR IGNORE INTO folders (path) VALUES (?)", (path,))
            ids[folder] = connection.execute("SELECT id FROM folders WHERE path = ?", (path,)).fetchone()[0]
        yield ids[folder], name, *state, digest
