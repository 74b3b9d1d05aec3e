"""Waiting for a store that is away for a while: what an agent asks of it is asked again, less and less often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from lineal.core.errors import MissingDependency, NewerFormat, OlderFormat, ReadOnly, Unavailable

T = TypeVar("T")
PATIENCE_S = 600.0
LONGEST_PAUSE_S = 10.0
FIRST_PAUSE_S = 0.5
_FOR_GOOD = (MissingDependency, NewerFormat, OlderFormat, ReadOnly)
_log = logging.getLogger("lineal")


def patiently(ask: Callable[[], T], *, until: threading.Event | None = None, patience_s: float = PATIENCE_S) -> T:
    """What `ask` answers, asked again while the store can't be reached, for at most `patience_s`.

    Raises unavailable.* after that, or once `until` is set. `ask` must do no harm when it is done twice.
    """
    give_up, pause, told = time.monotonic() + patience_s, FIRST_PAUSE_S, False
    stop = until or threading.Event()
    while True:
        try:
            return ask()
        except Unavailable as problem:
            if isinstance(problem, _FOR_GOOD) or stop.is_set() or time.monotonic() + pause > give_up:
                raise
            if not told:
                _log.warning("the store can't be reached: %s; it is tried again", problem.message)
            told = True
        stop.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
