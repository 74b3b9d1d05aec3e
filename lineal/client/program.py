"""A trial's program: a process with a group of its own, so that it and all that it started can be ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from lineal.core.settings import environment_like

GRACE_S = 10.0
_POSIX = sys.platform != "win32"


class Program:
    """A process under way. Any thread may call it. Its output is this process's; it has no input."""

    def __init__(self, words: Sequence[str], variables: Mapping[str, str]) -> None:
        """`variables` are added to this process's environment. Raises OSError, ValueError if it can't be started."""
        self._process = subprocess.Popen(
            list(words),
            env=environment_like(["*"]) | dict(variables),
            stdin=subprocess.DEVNULL,
            start_new_session=_POSIX,
        )
        self._ending = threading.Lock()
        self.asked = False  # whether it was asked to end

    @property
    def id(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait(self) -> int:
        """Its exit code, once it has ended; negative: the signal that ended it."""
        return self._process.wait()

    def end(self, grace_s: float = GRACE_S) -> None:
        """Asks it and all that it started to end (SIGTERM), and kills what is left of them after `grace_s`."""
        with self._ending:
            if self._process.poll() is not None:
                return
            self.asked = True
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
            self.kill()

    def kill(self) -> None:
        """Ends at once what is left of it and of all that it started."""
        if _POSIX:
            self._signal(signal.SIGKILL)
        else:
            self._process.kill()
        self._process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # all of them have ended
            if _POSIX:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)


def told(code: int) -> str:
    """Why a program with this exit code failed, "" where it didn't."""
    if code == 0:
        return ""
    if code > 0:
        return f"its program ended with exit code {code}"
    with suppress(ValueError):
        return f"its program was ended by {signal.Signals(-code).name}"
    return f"its program was ended by signal {-code}"
