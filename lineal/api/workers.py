"""Several worker processes over one listening socket: started, replaced when they die, stopped together."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from lineal.api import logs
from lineal.api.plan import Plan
from lineal.core.settings import with_default

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own variable
AT_ONCE = 130
_OVERTIME_S = 10
_LONGEST_PAUSE_S = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: int
    ready: bool = False


@dataclass(slots=True)
class Workers:
    """The processes of one server. `metrics` is a folder in which they put together what they have counted."""

    plan: Plan
    listening: socket.socket
    metrics: str
    ready: Callable[[], None]
    _alive: list[_Worker] = field(default_factory=list)
    _due: list[float] = field(default_factory=list)
    _signals: int = 0
    _failures: int = 0
    _told: bool = False
    _exit: int = 0
    _kill_at: float | None = None
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> int:
        """The exit code of the server, once all of them have ended."""
        with self._wakeup() as woken:
            self._selector.register(woken, selectors.EVENT_READ)
            for _ in range(self.plan.server.workers):
                self._start()
            while self._alive or (self._due and not self._stopping):
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is woken:
                        self._heed(len(woken.recv(64)))
                    else:
                        self._hear(key.data)
                self._act()
        self._selector.close()
        return self._exit

    @property
    def _stopping(self) -> bool:
        return self._kill_at is not None

    @contextmanager
    def _wakeup(self) -> Iterator[socket.socket]:
        """A socket that has a byte for each signal."""
        woken, waker = socket.socketpair()
        waker.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        former = signal.set_wakeup_fd(waker.fileno())
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(former)
            for number, handler in before.items():
                signal.signal(number, handler)
            woken.close()
            waker.close()

    def _start(self) -> None:
        heard, told = os.pipe()
        listening = self.listening.fileno()
        with with_default(METRICS_FOLDER, self.metrics):
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lineal.api.worker", str(listening), str(told)],
                stdin=subprocess.PIPE,
                pass_fds=(listening, told),
                process_group=0,  # Ctrl-C in a terminal is for the supervisor, which tells them once
            )
        os.close(told)
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(self.plan.to_line())
            process.stdin.flush()
        worker = _Worker(process, heard)
        self._alive.append(worker)
        self._selector.register(heard, selectors.EVENT_READ, worker)

    def _hear(self, worker: _Worker) -> None:
        if os.read(worker.pipe, 16):
            worker.ready = True
            self._failures = 0
            if not self._told and all(each.ready for each in self._alive):
                self._told = True
                self.ready()
            return
        self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        self._selector.unregister(worker.pipe)
        os.close(worker.pipe)
        code = worker.process.wait()
        if worker.process.stdin is not None:
            with suppress(BrokenPipeError):
                worker.process.stdin.close()
        self._alive.remove(worker)
        _forget(worker.process.pid, self.metrics)
        if self._stopping:
            return
        if not worker.ready and not self._told:  # the others would fail as it did
            self._exit = code if code > 0 else 1
            self._stop()
            return
        self._failures += 1
        pause = 0.0 if self._failures == 1 else min(0.1 * 2**self._failures, _LONGEST_PAUSE_S)
        self._due.append(time.monotonic() + pause)
        logs.write_line({"level": "error", "message": f"worker {worker.process.pid} ended ({code}); another comes"})

    def _heed(self, signals: int) -> None:
        self._signals += signals
        if self._signals > 1:
            self._exit = AT_ONCE
            self._kill()
        elif not self._stopping:
            self._stop()

    def _stop(self) -> None:
        self._kill_at = time.monotonic() + self.plan.server.stop_within_s + _OVERTIME_S
        self.listening.close()
        for worker in self._alive:
            worker.process.terminate()

    def _kill(self) -> None:
        self._kill_at = self._kill_at or time.monotonic()
        for worker in self._alive:
            worker.process.kill()

    def _act(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None:
            if now > self._kill_at:
                self._exit = self._exit or 1
                self._kill()
            return
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            self._start()

    def _patience(self) -> float | None:
        now = time.monotonic()
        moments = [self._kill_at] if self._kill_at is not None else self._due
        return max(0.0, min(moments) - now) + 0.01 if moments else None


def _forget(pid: int, folder: str) -> None:
    """Takes the gauges of a process that is no more out of the sum."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]
