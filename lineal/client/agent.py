"""Agents: they take a sweep's trials and have them run, by a function in this process or by programs beside it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from lineal.backend.port_sweeps import Sweeps
from lineal.client import current, ending
from lineal.client.beats import Beats
from lineal.client.connection import Connection, connection
from lineal.client.function_work import FunctionWork
from lineal.client.patience import patiently
from lineal.client.trial import Assigned
from lineal.core import clock
from lineal.core.errors import Error, InvalidArgument, SweepNotFound, TrialNotFound, Unavailable
from lineal.sweeps.model import Sweep, Taken, Trial

MAX_PARALLEL = 256
_LONGEST_BEAT_S, _LONGEST_PAUSE_S = 10.0, 10.0
_MAX_MESSAGE = 500
_log = logging.getLogger("lineal")


def agent(
    sweep_id: str,
    function: Callable[[], object] | None = None,
    count: int | None = None,
    project: str | None = None,
    entity: str | None = None,
    *,
    url: str | None = None,
) -> int:
    """How many trials it ran: it takes them one by one, until there are none left or it has run `count`.

    Each is a call of `function` in this thread, without arguments; without a function, the sweep's program is run.
    `sweep_id` may be `entity/project/id`. Raises not_found.sweep, unavailable.*.
    """
    conn = connection(url=url, project=project, entity=entity)
    worker = agent_of(conn, sweep_id, function, count=count)
    done = worker.run()
    if worker.message:
        _log.warning("the agent %s", worker.message)
    return done


def agent_of(
    conn: Connection,
    sweep_id: str,
    function: Callable[[], object] | None = None,
    *,
    count: int | None = None,
    parallel: int = 1,
    say: Callable[[str], None] = _log.info,
) -> Agent:
    """The agent, ready to run. Raises not_found.sweep, invalid.argument."""
    from lineal.client.sweep import find

    if count is not None and count < 1:
        raise InvalidArgument(f"count is {count}; an agent runs 1 trial at least")
    if not 1 <= parallel <= MAX_PARALLEL:
        raise InvalidArgument(f"parallel is {parallel}; an agent runs 1 to {MAX_PARALLEL} trials at once")
    if conn.settings.mode != "online":
        raise InvalidArgument(f"an agent needs the store, and LINEAL_MODE is {conn.settings.mode}; unset it")
    if function is not None and not callable(function):
        raise InvalidArgument(f"function is a {type(function).__name__}; give one that is called without arguments")
    found = find(conn, sweep_id)
    if function is not None:
        return Agent(conn, found, FunctionWork(function), count=count, say=say)
    from lineal.client.program_work import ProgramWork

    return Agent(conn, found, ProgramWork(found, conn), count=count, parallel=parallel, say=say)


class Work(Protocol):
    """What runs trials. `threads` says whether each trial has a thread of its own, or the caller's."""

    threads: bool

    def run(self, mine: Assigned) -> str:
        """Why the trial failed, "" where it didn't, once it has ended."""

    def end(self, numbers: Sequence[int] | None = None) -> None:
        """Asks these trials (None: all) to end."""


class Agent:
    """An agent of one sweep. `message` says why it stopped itself, if it did."""

    def __init__(
        self,
        conn: Connection,
        sweep: Sweep,
        work: Work,
        *,
        count: int | None = None,
        parallel: int = 1,
        say: Callable[[str], None] = _log.info,
    ) -> None:
        """`say` is told what happens, in sentences."""
        from lineal.sweeps.config import parse

        config = parse(sweep.config)
        self.id, self.message = clock.new_run_id(), ""
        self._conn, self._sweep, self._work, self._say = conn, sweep, work, say
        self._left, self._parallel = count, parallel
        self._max_failures: int | None = config.max_failures
        self._failures = self._done = 0
        self._lock = threading.Lock()
        self._leaving, self._interrupted = threading.Event(), threading.Event()
        self._problem: BaseException | None = None
        self._told: set[bool] = set()  # whether it said that it waits, and that there is nothing left
        self._beats = Beats(
            self._sweeps,
            sweep.id,
            self.id,
            interval_s=min(_LONGEST_BEAT_S, config.lease_s / 4),
            gone=self._lost,
            refused=self._refused,
        )

    @property
    def _sweeps(self) -> Sweeps:
        return self._conn.backend.sweeps

    def run(self) -> int:
        """How many trials it ran, once it has left. Raises not_found.sweep, unavailable.*."""
        ending.watch(current.end_all)  # a SIGTERM unwinds what runs here
        self._beats.start()
        try:
            if self._work.threads:
                self._in_threads()
            else:
                self._take_all()
        except Error as problem:
            self._fail(problem)
        finally:
            self._leaving.set()
            self._beats.stop()
            self._leave()
        if self._problem is not None:
            raise self._problem
        return self._done

    # ---- trials ------------------------------------------------------------------------------------------------

    def _in_threads(self) -> None:
        names = [f"lineal-trial-{place}" for place in range(min(self._parallel, self._left or self._parallel))]
        threads = [threading.Thread(target=self._guarded, name=name, daemon=True) for name in names]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except BaseException:  # Ctrl-C or SIGTERM: what runs is asked to end, so that its runs can say so
            self._interrupted.set()
            self._leaving.set()
            self._say("The agent was asked to end; it asks its trials to.")
            self._work.end()
            for thread in threads:
                thread.join()
            raise

    def _guarded(self) -> None:
        try:
            self._take_all()
        except BaseException as problem:
            self._fail(problem)

    def _take_all(self) -> None:
        while not self._leaving.is_set() and self._reserve():
            taken = self._take()
            if taken is None or taken.trial is None:
                with self._lock:
                    self._left = None if self._left is None else self._left + 1
                return
            self._run(taken.trial)

    def _reserve(self) -> bool:
        """Whether one more trial is to be taken."""
        with self._lock:
            if self._left is not None:
                if self._left < 1:
                    return False
                self._left -= 1
            return True

    def _take(self) -> Taken | None:
        """A trial, or that there is none; waits while there may be one soon. None once the agent is to leave."""
        token, pause = clock.new_id(), 1.0
        while not self._leaving.is_set():
            taken = patiently(lambda: self._sweeps.take(self._sweep.id, self.id, token), until=self._leaving)
            if taken.trial is not None:
                self._told.discard(True)
                return taken
            self._tell(taken)
            if not taken.wait:
                return taken
            self._leaving.wait(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE_S)
        return None

    def _tell(self, taken: Taken) -> None:
        """Says once why there is no trial."""
        with self._lock:
            new = taken.wait not in self._told
            self._told.add(taken.wait)
        if new:
            why = taken.message or f"the sweep is {taken.state}"
            self._say(f"Waiting: {why}." if taken.wait else f"There is nothing left to take: {why}.")

    def _run(self, given: Trial) -> None:
        sweep = self._sweep
        place = (sweep.entity, sweep.project, self._conn.settings.url)
        mine = Assigned(sweep.id, given.number, given.run_id, *place, given.params)
        again = f", attempt {given.attempt}" if given.attempt > 1 else ""
        self._say(f"Trial {given.number} (run {given.run_id}{again}): {_params(given)}")
        self._beats.add(given.number)
        try:
            why = self._work.run(mine)
        finally:
            self._beats.remove(given.number)
        self._settle(mine, why)

    def _settle(self, mine: Assigned, why: str) -> None:
        """Sees to it that the store knows that the trial has ended, and counts it."""
        try:
            ended = patiently(lambda: self._ended(mine, why), until=self._interrupted)
        except TrialNotFound:
            return
        with self._lock:
            self._done += 1
            if ended.run_id != mine.run_id or ended.state == "stopped":
                return
            if ended.state != "failed" and not why:
                self._failures = 0
                return
            self._failures += 1
            count = self._failures
        last = why or ended.message
        self._say(f"Trial {mine.number} failed: {last}")
        if self._max_failures and count >= self._max_failures and not self._leaving.is_set():
            self.message = f"stopped itself after {count} failed trials in a row; the last: {last}"[:_MAX_MESSAGE]
            self._leaving.set()

    def _ended(self, mine: Assigned, why: str) -> Trial:
        """The trial as the store has it, ended: by its run, or else as failed."""
        try:
            found = self._trial(mine.number)
        except SweepNotFound:
            current.send_left(self._conn, mine.run_id)  # the run stays, with all that it said
            raise
        if found.state == "running" and found.run_id == mine.run_id:
            current.send_left(self._conn, mine.run_id)  # what its program could not say any more
            found = self._trial(mine.number)
        if found.state == "running" and found.run_id == mine.run_id and not self._interrupted.is_set():
            begun = self._conn.backend.runs.list(filters={"id": mine.run_id}, limit=1).runs
            nothing = "its program ended without a run: call lineal.init() in it"
            told = why or ("its run did not come to an end" if begun else nothing)
            found = self._sweeps.end(self._sweep.id, mine.number, mine.run_id, "failed", message=told)
        return found

    def _trial(self, number: int) -> Trial:
        from lineal.client.sweep import trial_of

        return trial_of(self._conn, self._sweep.id, number)

    # ---- its end -----------------------------------------------------------------------------------------------

    def _lost(self, numbers: Sequence[int]) -> None:
        """In the thread of the beats: these trials are not ours any more."""
        for number in numbers:
            self._beats.remove(number)
            self._say(f"Trial {number} is no longer this agent's; it is asked to end.")
        threading.Thread(target=self._work.end, args=(numbers,), name="lineal-end", daemon=True).start()

    def _refused(self, problem: Error) -> None:
        self._fail(problem)
        self._work.end()

    def _fail(self, problem: BaseException) -> None:
        if isinstance(problem, SweepNotFound):
            problem = SweepNotFound(f"sweep {self._sweep.id} is gone, so the agent has nothing to take; it has left")
        with self._lock:
            self._problem = self._problem or problem
        self._leaving.set()

    def _leave(self) -> None:
        with suppress(Unavailable, SweepNotFound):
            patiently(
                lambda: self._sweeps.leave(self._sweep.id, self.id, message=self.message), patience_s=_LONGEST_PAUSE_S
            )


def _params(given: Trial) -> str:
    from lineal.client.command import shown

    return ", ".join(f"{name}={shown(value)}" for name, value in given.params.items())[:_MAX_MESSAGE]
