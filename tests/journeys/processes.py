"""Workers as real processes, forked from a server that has loaded Lineal but opened nothing: spoken to, killed."""

import multiprocessing
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from . import workers as tasks

PATIENCE_S = 120
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["tests.journeys.workers", "sqlalchemy.dialects.sqlite.pysqlite", "psycopg"])


class Worker:
    """One worker process."""

    def __init__(self, folder: Path, what: str, *arguments: str) -> None:
        self._heard, theirs = _server.Pipe()
        self.process = _server.Process(target=_work, args=(theirs, what, folder, *arguments), daemon=True)
        self.process.start()
        theirs.close()

    def ready(self) -> None:
        line = self._heard.recv() if self._heard.poll(PATIENCE_S) else "nothing"
        assert line == "ready", line

    def hear(self) -> str:
        """The next thing that it says."""
        assert self._heard.poll(PATIENCE_S)
        return str(self._heard.recv())

    def go(self) -> None:
        self._heard.send("go")

    def said(self) -> list[str]:
        """What it said until it ended; a worker that fails says why as its last word."""
        lines: list[str] = []
        with suppress(EOFError, ConnectionResetError):
            while self._heard.poll(PATIENCE_S):
                lines.append(self._heard.recv())
        self.process.join(PATIENCE_S)
        failed = [line for line in lines if line.startswith("failed")]
        assert not failed, failed
        return lines

    def kill(self, after_s: float, *, heard: bool = False) -> list[str]:
        """What it said until it was killed, `after_s` from now, or from its next word if that must be `heard`."""
        first = [self._heard.recv()] if heard and self._heard.poll(PATIENCE_S) else []
        self.process.join(after_s)
        self.process.kill()
        return first + self.said()

    def end(self) -> None:
        if self.process.is_alive():
            self.process.kill()
        self.process.join(PATIENCE_S)
        self.process.close()
        self._heard.close()


@contextmanager
def workers(folder: Path, jobs: Sequence[Sequence[str]]) -> Iterator[list[Worker]]:
    """The processes, all of them ready; none is left behind."""
    started: list[Worker] = []
    try:
        for job in jobs:
            started.append(Worker(folder, *job))
        for worker in started:
            worker.ready()
        yield started
    finally:
        for worker in started:
            worker.end()


def _work(heard: Connection, what: str, folder: Path, *arguments: str) -> None:
    tasks.Talk.line = heard
    try:
        tasks.main(what, folder, *arguments)
    except BaseException:
        tasks.say(f"failed {traceback.format_exc()}")
        raise
