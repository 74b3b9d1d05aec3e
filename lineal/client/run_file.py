"""A file of a run, as users hold it when they read back."""

from __future__ import annotations

import os
from typing import Any

from lineal.client.connection import Connection
from lineal.client.entry import PathLike
from lineal.storage import digest as digests
from lineal.storage.manifest import Entry
from lineal.tracking.model import RunFile


class File:
    """A file of a run: media, a table, or what `save` was given."""

    def __init__(self, record: RunFile, conn: Connection) -> None:
        self._record, self._connection = record, conn

    def __repr__(self) -> str:
        return f"<File {self.name} ({self.size} bytes)>"

    @property
    def name(self) -> str:
        """Its path in the run."""
        return self._record.path

    path = name

    @property
    def size(self) -> int:
        """Its bytes."""
        return self._record.size

    @property
    def digest(self) -> str:
        """`sha256:…` of its bytes."""
        return self._record.digest

    def download(self, root: PathLike = ".", replace: bool = True, **_: Any) -> str:
        """The path of the file below `root`, verified; one that is there is kept unless `replace`."""
        where = os.path.join(os.path.abspath(root), self.name)
        if replace or not os.path.exists(where):
            entry = Entry(self.name, digests.parse(self.digest), self.size)
            self._connection.pull([entry], os.path.abspath(root), what=f"get {self.name}")
        return where
