"""Sending what runs have left on this machine to their store, as often as one likes: it takes everything once.

What a journal says is numbered, and the store knows the last number that it took from a writer; so whatever stops a
sending, the next one goes on behind that. Things that are no batches are followed by an empty one with their number.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from lineal.backend.wire import batch_from_json
from lineal.client import leftovers
from lineal.client.alerts import send_waiting
from lineal.client.begin import begin
from lineal.client.connection import Connection
from lineal.client.journal import NAME, Frame, Journal
from lineal.client.leftovers import REFUSED, Story
from lineal.core import clock
from lineal.core.errors import BlobsMissing, CorruptRows, Error, InvalidSource, Unavailable
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from lineal.tracking.model import HEARTBEAT_S, Batch, RunFile

_DEAD, _FILES, _END = 1, 2, 3  # what is said for a writer that died: that it did, its files, the run's end


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of a folder: sent, in use by a process that lives (and left alone), or kept, and then why."""

    folder: Path
    run_id: str
    project: str
    state: Literal["sent", "in use", "kept"]
    rows: int = 0
    notes: tuple[str, ...] = ()
    problem: Error | None = None


def sync(paths: Iterable[str | os.PathLike[str]], conn: Connection, *, keep: bool = False) -> list[Synced]:
    """What became of each folder, in the order in which the runs began; those sent are deleted unless `keep`.

    `paths` are folders of runs, or folders that hold such. Raises invalid.source for others.
    """
    stores = _Stores(conn)
    done: list[Synced] = []
    try:
        stories, unread = _stories(leftovers.folders(paths))
        done += unread
        for _, same_run in groupby(sorted(stories, key=_by_run(stories)), key=lambda story: story.beginning.run_id):
            done += _send_run(list(same_run), stores, keep)
    finally:
        stores.close()
    return done


def _stories(folders: Sequence[Path]) -> tuple[list[Story], list[Synced]]:
    stories, unread = [], []
    for folder in folders:
        try:
            if not leftovers.young(folder):
                stories.append(Story(folder))
        except FileNotFoundError:  # another process has just sent it
            continue
        except InvalidSource as problem:
            if (folder / NAME).stat().st_size:
                unread.append(Synced(folder, folder.name, "", "kept", problem=problem))
            else:
                shutil.rmtree(folder, ignore_errors=True)  # it died before its first word
    return stories, unread


def _by_run(stories: Sequence[Story]) -> Any:
    """Orders the journals by run, the runs by when they began: what a run was forked from comes before it."""
    first: dict[str, datetime] = {}
    for story in stories:
        id_ = story.beginning.run_id
        first[id_] = min(first.get(id_, story.started_at), story.started_at)
    return lambda story: (first[story.beginning.run_id], story.beginning.run_id, story.started_at)


def _send_run(stories: Sequence[Story], stores: _Stores, keep: bool) -> list[Synced]:
    """Sends the journals of one run as things happened: no end before the beginnings that came earlier than it."""
    jobs: list[_Sending] = []
    done = []
    for story in stories:
        conn = stores.of(story)
        try:
            jobs.append(_Sending(story, Journal(story.folder, new=False), conn))
        except InvalidSource:
            if (story.folder / NAME).exists():  # or another process has just sent it
                done.append(Synced(story.folder, story.beginning.run_id, story.project, "in use"))
        except Unavailable as problem:
            done.append(Synced(story.folder, story.beginning.run_id, story.project, "kept", problem=problem))
    steps = [(job.story.started_at, 0, job.tell) for job in jobs] + [(job.ended_at(), 1, job.end) for job in jobs]
    try:
        for _, _, step in sorted(steps, key=lambda step: step[:2]):
            step()
        return done + [job.leave(keep) for job in jobs]
    finally:
        for job in jobs:
            job.close()


class _Stores:
    """The store as each run saw it: whose it was, who ran it and where."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._open: dict[Any, Connection] = {}
        _ = conn.backend  # where it can't be had, nothing is begun

    def of(self, story: Story) -> Connection:
        mine = self._conn.settings
        seen = replace(mine, entity=story.entity, user=story.user, host=story.host)
        if seen == mine:
            return self._conn
        if seen not in self._open:
            self._open[seen] = Connection(seen)
        return self._open[seen]

    def close(self) -> None:
        for conn in self._open.values():
            conn.close()


class _Sending:
    """One journal on its way, locked meanwhile. A step that fails is noted, and what follows it is left for later."""

    def __init__(self, story: Story, journal: Journal, conn: Connection) -> None:
        self.story = story
        self._journal, self._conn = journal, conn
        self._backend = conn.backend
        self._id, self._writer = story.beginning.run_id, story.beginning.writer
        self._rest = f"{self._writer}-rest"  # speaks for what the journal doesn't tell of
        self._finish = next((frame for frame in story if frame.kind == "finish"), None)
        self._alive_elsewhere = False
        self._files: dict[str, RunFile] | None = None
        self._rows = 0
        self._notes: list[str] = []
        self._refused: list[str] = []
        self._problem: Error | None = None

    def ended_at(self) -> datetime:
        """When the process ended or, if it did not say so, was last heard."""
        said = self._finish.facts.get("at") if self._finish is not None else None
        return clock.parse_time(said) if said else self.story.seen_at

    def tell(self) -> None:
        """Sends all but the end."""
        try:
            self._tell()
        except Error as problem:
            self._problem = problem

    def _tell(self) -> None:
        runs = self._backend.runs
        known = runs.last_seq(self._id, self._writer)
        self._alive_elsewhere = known >= 0 and not self.story.offline and self._lives_elsewhere()
        if known < 1:
            begin(runs, self.story.beginning, at=self.story.started_at)
        for frame in self.story:
            seq = frame.facts.get("seq", 0)
            if seq > known and frame is not self._finish and frame.kind != "finish":
                self._say(frame, seq)
        self._send_rest()
        if damaged := self.story.damaged_bytes():
            raise CorruptRows(f"{damaged} bytes of the journal in {self.story.folder} are damaged; the rest is sent")

    def _lives_elsewhere(self) -> bool:
        """Whether the store has heard of the run after its process here died: somebody goes on with it."""
        runs = self._backend.runs
        if runs.last_seq(self._id, self._rest) >= _DEAD:
            return False
        run = runs.get(self._id)
        last_word = self.story.seen_at + timedelta(seconds=2 * HEARTBEAT_S)
        if run.state == "running" and run.seen_at is not None and run.seen_at > last_word:
            return True
        runs.append(self._id, self._rest, _DEAD, Batch())
        return False

    def _say(self, frame: Frame, seq: int) -> None:
        facts = {key: value for key, value in frame.facts.items() if key != "seq"}
        try:
            if frame.kind == "batch":
                self._batch(batch_from_json(facts, frame.rows), seq)
                return
            if frame.kind == "change":
                self._backend.runs.change(self._id, **facts)
            elif frame.kind == "log":
                self._log(facts, frame.rows["manifest"])
            elif frame.kind == "use":
                self._use(facts)
        except Unavailable:
            raise
        except Error as problem:
            self._refused.append(f"{frame.kind} {seq}: {problem.message} [{problem.code}]")
            with open(self.story.folder / REFUSED, "a", encoding="utf-8") as file:
                file.write(f"{self._refused[-1]}\n")
        self._backend.runs.append(self._id, self._writer, seq, Batch())

    def _batch(self, batch: Batch, seq: int) -> None:
        from lineal.tracking import rows

        mine = self._stored() if batch.files else {}
        others = [file for file in batch.files if mine.get(file.path) != file]
        gone = self._backend.blobs.missing({digests.parse(file.digest) for file in others})
        there = [file for file in batch.files if file not in others or digests.parse(file.digest) not in gone]
        self._backend.runs.append(self._id, self._writer, seq, replace(batch, files=there))
        self._rows += sum(rows.decode(data).count for stream, data in batch.rows.items() if stream == "history")

    # ---- files -------------------------------------------------------------------------------------------------

    def _stored(self) -> dict[str, RunFile]:
        """The files that lie in the run's folder, all of them in the store, by path."""
        if self._files is None:
            top = self.story.folder / "files"
            found = [source for file in sorted(top.rglob("*")) if (source := self._source(file, top)) is not None]
            with Push(self._backend.blobs, self._conn.cache) as push:
                entries = push.files(found)
                push.repair(self._backend.blobs.missing({e.digest for e in entries if e.digest is not None}))
            self._files = {
                e.path: RunFile(e.path, digests.format(e.digest), e.size or 0)
                for e in entries
                if e.digest is not None
            }
        return self._files

    def _source(self, file: Path, top: Path) -> sources.Source | None:
        if file.is_dir() or file.name.startswith(".new-"):
            return None
        try:
            if not file.resolve().is_relative_to(top.resolve()):
                raise InvalidSource("it is a link that leads out of the run's folder")
            return sources.find_file(file, file.relative_to(top).as_posix())
        except Error as problem:
            self._notes.append(f"the file {file} is not stored: {problem.message}")
            return None

    def _send_rest(self) -> None:
        """Sends the files that no batch names: their process died before it could."""
        if self._backend.runs.last_seq(self._id, self._rest) >= _FILES:
            return
        named: dict[str, str] = {}
        for frame in self.story:
            if frame.kind == "batch":
                named |= {file["path"]: file["digest"] for file in frame.facts.get("files", ())}
        rest = [file for file in self._stored().values() if named.get(file.path) != file.digest]
        self._backend.runs.append(self._id, self._rest, _FILES, Batch(files=rest))

    # ---- artifacts ---------------------------------------------------------------------------------------------

    def _log(self, facts: Mapping[str, Any], data: bytes) -> None:
        manifest = Manifest.parse(data)
        try:
            self._log_version(facts, manifest, trust=True)
        except BlobsMissing:
            self._log_version(facts, manifest, trust=False)

    def _log_version(self, facts: Mapping[str, Any], manifest: Manifest, *, trust: bool) -> None:
        folder = self.story.folder / "artifacts"
        kept = [file for digest in manifest.blobs if (file := folder / digest.hex()).is_file()]
        limit = self._conn.settings.pack_limit_bytes
        with Push(self._backend.blobs, self._conn.cache, pack_limit_bytes=limit) as push:
            pushed = {entry.path: entry.digest for entry in push.files(map(sources.find_file, kept), trust=trust)}
            if wrong := [name for name, digest in pushed.items() if digest is None or digest.hex() != name]:
                raise CorruptRows(f"{len(wrong)} files kept for {facts['name']} are not as they were logged")
            digest = push.manifest(manifest)
        self._backend.artifacts.log(
            facts["name"],
            facts["type"],
            digests.format(digest),
            project=self.story.project,
            run_id=self._id,
            aliases=facts["aliases"],
            description=facts["description"],
            metadata=facts["metadata"],
            tags=facts["tags"],
            ttl_s=facts["ttl_s"],
        )

    def _use(self, facts: Mapping[str, Any]) -> None:
        """Records the edge to exactly the version that was used; one that can't be found costs only the edge."""
        store = self._backend.artifacts
        try:
            found = store.resolve(facts["version"])
            if found.digest == facts["digest"]:
                store.use(facts["version"], self._id, role=facts["role"])
                return
            why = f"it is {found.digest[:19]}… in the store, and {facts['digest'][:19]}… was used"
        except Unavailable:
            raise
        except Error as problem:
            why = problem.message
        self._notes.append(f"the use of {facts['ref']} ({facts['version']}) is not recorded: {why}")

    # ---- the end -----------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Sends how the process ended, unless something before that is still to be sent."""
        if self._problem is None or isinstance(self._problem, CorruptRows):
            try:
                self._end()
            except Error as problem:
                self._problem = problem

    def _end(self) -> None:
        runs = self._backend.runs
        alerts = [
            alert["id"] for frame in self.story if frame.kind == "batch" for alert in frame.facts.get("alerts", ())
        ]
        send_waiting(self._backend, self._id, set(alerts))
        if self._finish is not None:
            facts, seq = self._finish.facts, self._finish.facts.get("seq", 0)
            if seq > runs.last_seq(self._id, self._writer):
                if facts["state"] is not None:
                    told = {"exit_code": facts["exit_code"], "message": facts["message"]}
                    runs.finish(self._id, facts["state"], at=self.ended_at(), **told)
                runs.append(self._id, self._writer, seq, Batch())
        elif runs.last_seq(self._id, self._rest) < _END:
            if self.story.primary and not self._alive_elsewhere:
                runs.finish(self._id, "crashed", at=self.ended_at())
            runs.append(self._id, self._rest, _END, Batch())

    def close(self) -> None:
        """Lets another process have the journal."""
        self._journal.close()

    def leave(self, keep: bool) -> Synced:
        """Lets go of the folder, which goes unless it holds something that is not in the store."""
        folder = self.story.folder
        refused = (folder / REFUSED).exists()
        state: Literal["sent", "kept"] = "sent" if self._problem is None and not refused else "kept"
        if state == "sent" and not keep:
            for part in ("files", "artifacts"):  # the journal last: whatever stops this, the next sending ends it
                shutil.rmtree(folder / part, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
        notes = [*self._notes, *(f"refused: {what}" for what in self._refused)]
        if refused and not self._refused:
            notes.append(f"the store refused some of it before; {folder / REFUSED} tells what")
        return Synced(folder, self._id, self.story.project, state, self._rows, tuple(notes), self._problem)
