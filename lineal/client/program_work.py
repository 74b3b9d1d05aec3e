"""Trials as programs: each is a process made from the sweep's command."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from lineal.client import command
from lineal.client.connection import Connection
from lineal.client.program import Program, told
from lineal.client.trial import Assigned
from lineal.core.settings import environment
from lineal.sweeps.model import Sweep


class ProgramWork:
    """Runs a program for each trial; in several threads at once."""

    threads = True

    def __init__(self, sweep: Sweep, conn: Connection) -> None:
        """Raises invalid.sweep where the sweep's command can't be made into words."""
        from lineal.sweeps.config import parse

        config = parse(sweep.config)
        self._template, self._program = config.command or command.DEFAULT, config.program
        self._url, self._store = _absolute(conn.settings.url), conn.settings.store
        self._running: dict[int, Program] = {}
        self._lock = threading.Lock()
        self._over = False
        self._words({}, lambda _: "")  # what is wrong with the template is wrong for every trial

    def run(self, mine: Assigned) -> str:
        with tempfile.TemporaryDirectory(prefix="lineal-trial-", ignore_cleanup_errors=True) as folder:

            def write(text: str) -> str:
                path = os.path.join(folder, "args.json")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                return path

            variables = replace(mine, url=self._url).variables()
            if self._store is not None:
                variables["LINEAL_STORE"] = self._store
            words = self._words(mine.params, write)
            try:
                program = self._start(mine.number, words, variables)
            except (OSError, ValueError) as problem:
                return f"its program can't be started: {problem}"
            if program is None:
                return ""
            try:
                code = program.wait()
            finally:
                with self._lock:
                    self._running.pop(mine.number, None)
        if program.asked:
            program.kill()
            return ""
        return told(code)

    def end(self, numbers: Sequence[int] | None = None) -> None:
        with self._lock:
            self._over |= numbers is None
            wanted = [program for number, program in self._running.items() if numbers is None or number in numbers]
        ends = [threading.Thread(target=program.end, name="lineal-end", daemon=True) for program in wanted]
        for thread in ends:
            thread.start()
        for thread in ends:
            thread.join()

    def _start(self, number: int, words: Sequence[str], variables: dict[str, str]) -> Program | None:
        """The program, started and known to `end`; None where all are to end already."""
        with self._lock:
            if self._over:
                return None
            self._running[number] = program = Program(words, variables)
            return program

    def _words(self, params: object, write: Callable[[str], str]) -> list[str]:
        return command.build(self._template, self._program, params, variable=environment, write=write)  # type: ignore[arg-type]


def _absolute(url: str) -> str:
    """The store's URL as it is understood in any folder."""
    return url if "://" in url or url.startswith("memory:") else os.path.abspath(os.path.expanduser(url))
