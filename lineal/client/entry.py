"""One file of an artifact, as users hold it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lineal.storage import digest as digests
from lineal.storage.manifest import Entry
from lineal.storage.pull import Mode, expected

if TYPE_CHECKING:
    from lineal.client.artifact import Artifact

PathLike = str | os.PathLike[str]


class ArtifactEntry:
    """One file of an artifact."""

    def __init__(self, artifact: Artifact, entry: Entry) -> None:
        self.artifact = artifact
        self._entry = entry

    def __repr__(self) -> str:
        return f"<ArtifactEntry {self.path} of {self.artifact.name}>"

    @property
    def path(self) -> str:
        return self._entry.path

    @property
    def digest(self) -> str | None:
        """`sha256:…` of its bytes; None for a draft's file or a reference without checksum."""
        wanted = expected(self._entry)
        return digests.format(wanted) if wanted else None

    @property
    def size(self) -> int | None:
        """Its bytes; None for a reference of unknown size."""
        return self._entry.size

    @property
    def ref(self) -> str | None:
        """The URI it refers to, for a reference."""
        return self._entry.reference.uri if self._entry.reference else None

    def download(self, root: PathLike | None = None, mode: Mode = "copy") -> str:
        """The path of the file, downloaded below `root` (default as for the whole artifact) and verified."""
        where = os.path.abspath(root or os.path.join("artifacts", self.artifact._pinned.name))
        self.artifact._online.pull([self._entry], where, mode=mode, what=f"get {self.path}")
        return os.path.join(where, self.path)
