"""What runs have left on this machine: the folders whose journals wait to be sent, and how far each run came."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from lineal.client import begin, journal
from lineal.client.begin import Beginning
from lineal.client.journal import Frame
from lineal.core import clock
from lineal.core.errors import Error, InvalidSource

State = Literal["under way", "ended", "crashed", "refused", "unreadable"]
REFUSED = "refused.txt"  # in a folder that is kept, since the store refused some of it for good


@dataclass(frozen=True, slots=True)
class Left:
    """A folder of a run. `rows` are those of its history; `state` is "under way" while a process writes into it."""

    folder: Path
    run_id: str
    project: str
    started_at: datetime | None
    seen_at: datetime
    rows: int
    size_bytes: int
    state: State


class Story(Iterable[Frame]):
    """The journal in a folder, to be read as often as one likes: how it began, and its frames behind that."""

    def __init__(self, folder: Path) -> None:
        """Raises invalid.source for a journal that doesn't tell how its run began."""
        self.folder = folder
        try:
            first = next(journal.read(folder), None)
            if first is None or first.kind != "start":
                raise InvalidSource(f"{folder / journal.NAME} doesn't tell what run it is of; it can't be sent")
            facts = first.facts
            self.beginning: Beginning = begin.parse(facts)
            self.entity, self.user, self.host = str(facts["entity"]), str(facts["user"]), str(facts["host"])
            self.offline, self.primary = bool(facts["offline"]), bool(facts["primary"])
            self.started_at = clock.parse_time(facts["at"])
        except (KeyError, TypeError, AttributeError):
            raise InvalidSource(
                f"{folder / journal.NAME} begins in a way that no run does; it can't be sent"
            ) from None
        self._behind = first.end

    @property
    def project(self) -> str:
        return str(self.beginning.facts["project"])

    def __iter__(self) -> Iterator[Frame]:
        return journal.read(self.folder, self._behind)

    @property
    def seen_at(self) -> datetime:
        """When it was last written."""
        return max(self.started_at, _written_at(self.folder))

    def damaged_bytes(self) -> int:
        """How much of it can't be read, but for a last frame that death cut off."""
        end = self._behind
        for frame in self:
            end = frame.end
        return journal.left_over(self.folder, end)


def folders(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The folders with a journal: the paths themselves, or what lies in them. Raises invalid.source for others."""
    found: dict[Path, None] = {}
    for given in paths:
        path = Path(os.path.abspath(given))
        if path.name == journal.NAME:
            path = path.parent
        if (path / journal.NAME).is_file():
            found[path] = None
        elif path.is_dir():
            found |= dict.fromkeys(file.parent for file in sorted(path.glob(f"*/{journal.NAME}")))
        else:
            raise InvalidSource(f"{path} is no folder of a run, nor one that holds such folders")
    return list(found)


def find(paths: Iterable[str | os.PathLike[str]]) -> list[Left]:
    """What waits in the folders, oldest first. A folder that isn't there holds nothing."""
    there = [path for path in paths if os.path.exists(path)]
    found = [left for folder in folders(there) if (left := _look(folder)) is not None]
    return sorted(found, key=lambda left: left.started_at or left.seen_at)


def young(folder: Path) -> bool:
    """Whether a process may be about to write the first frame of the journal, which is still empty."""
    file = folder / journal.NAME
    return file.stat().st_size == 0 and (clock.now() - _written_at(folder)).total_seconds() < 60


def _look(folder: Path) -> Left | None:
    from lineal.tracking import rows

    try:
        if young(folder):
            return None
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        try:
            story = Story(folder)
        except InvalidSource:
            return Left(folder, folder.name, "", None, _written_at(folder), 0, size, "unreadable")
        count, ended = 0, False
        for frame in story:
            ended |= frame.kind == "finish"
            if data := frame.rows.get("history"):
                count += rows.decode(data).count
        state: State = "ended" if ended else "crashed"
        if (folder / REFUSED).exists():
            state = "refused"
        if journal.in_use(folder):
            state = "under way"
    except (FileNotFoundError, Error):  # another process has just sent it
        return None
    run = story.beginning
    return Left(folder, run.run_id, story.project, story.started_at, story.seen_at, count, size, state)


def _written_at(folder: Path) -> datetime:
    return datetime.fromtimestamp((folder / journal.NAME).stat().st_mtime, UTC)
