"""Beats: the thread in which an agent says which trials it has, so that nobody else is given them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from lineal.backend.port_sweeps import Sweeps
from lineal.core.errors import Error, Unavailable


class Beats:
    """Says every `interval_s` which trials the agent has. Any thread may call it."""

    def __init__(
        self,
        sweeps: Sweeps,
        sweep_id: str,
        agent: str,
        *,
        interval_s: float,
        gone: Callable[[Sequence[int]], None],
        refused: Callable[[Error], None],
    ) -> None:
        """`gone` hears which trials are no longer the agent's, `refused` why the store will hear it no more."""
        self._sweeps, self._sweep_id, self._agent = sweeps, sweep_id, agent
        self._interval_s, self._gone, self._refused = interval_s, gone, refused
        self._numbers: set[int] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lineal-agent-{agent}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._over.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._interval_s)

    def add(self, number: int) -> None:
        """Has the trial spoken for from now on."""
        with self._lock:
            self._numbers.add(number)

    def remove(self, number: int) -> None:
        """Has the trial spoken for no more."""
        with self._lock:
            self._numbers.discard(number)

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            with self._lock:
                numbers = sorted(self._numbers)
            try:
                orders = self._sweeps.beat(self._sweep_id, self._agent, numbers)
            except Unavailable:
                continue  # the lease outlasts a few beats, and the next one may arrive
            except Error as problem:
                self._refused(problem)
                return
            with self._lock:
                gone = [number for number in orders.gone if number in self._numbers]
            if gone:
                self._gone(gone)
