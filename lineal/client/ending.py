"""How a process ends, and so its runs: by itself, by an exception, by `sys.exit`, by a signal.

Nothing is installed until the first run starts. A SIGTERM that nobody else handles becomes a SystemExit in the main
thread, so that the program unwinds as it would by itself.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from lineal.client.outbox import End
from lineal.core.errors import RunStopped
from lineal.tracking.model import Run as RunRecord

if TYPE_CHECKING:
    from lineal.client.run import Run

_MAX_MESSAGE = 64 << 10
_TERMINATED = 128 + signal.SIGTERM
_how = End("finished")
_interrupted = _signalled = False
_watching = _hooked = False


def of(problem: BaseException | None) -> End:
    """How a run ends that this exception ends, or none."""
    if problem is None:
        return End("finished", 0)
    if isinstance(problem, SystemExit):
        return _of_exit(problem.code)
    if isinstance(problem, KeyboardInterrupt | RunStopped):
        return End("killed", 128 + signal.SIGINT, str(problem))
    text = "".join(traceback.format_exception(problem))
    return End("failed", 1, text if len(text) <= _MAX_MESSAGE else f"…{text[-_MAX_MESSAGE:]}")


def of_code(exit_code: int | None) -> End:
    """How a run ends that is finished with this exit code."""
    return End("failed" if exit_code else "finished", exit_code or 0)


def _of_exit(code: Any) -> End:
    if _signalled:
        return End("killed", _TERMINATED, "the process was asked to end (SIGTERM)")
    if code is None or code == 0:
        return End("finished", 0)
    return End(
        "failed", code if isinstance(code, int) else 1, "" if isinstance(code, int) else str(code)[:_MAX_MESSAGE]
    )


def signalled() -> bool:
    """Whether the process was asked to end (SIGTERM), and unwinds."""
    return _signalled


def watch(end_all: Callable[[End], None]) -> None:
    """Has `end_all` called when the process ends, with how it does. Only the first call counts."""
    global _watching, _hooked  # noqa: PLW0603 - a process ends once
    _watch_signal()
    if _watching:
        return
    _watching = True
    if not _hooked:
        _hooked = True
        _watch_exceptions()
        _watch_exit()
    pid = os.getpid()

    def leave() -> None:
        if os.getpid() == pid:
            problem = sys.exception()  # which leaves a worker of multiprocessing at this moment
            end_all(of(problem) if problem is not None else _how)
            if _interrupted:
                _die_of_interrupt()

    atexit.register(leave)
    if (processes := sys.modules.get("multiprocessing.process")) and processes.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, leave, exitpriority=100)  # workers that were forked end without a word to atexit


def forked() -> None:
    """In a forked child: how its parent ends is not how it ends."""
    global _watching, _how, _interrupted, _signalled
    _watching, _how, _interrupted, _signalled = False, End("finished"), False, False
    if signal.getsignal(signal.SIGTERM) is _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _die_of_interrupt() -> None:
    """Has the process end as Ctrl-C ends one, which Python forgets once anything runs code given as text."""
    with suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")  # noqa: S102


def _watch_exceptions() -> None:
    before = sys.excepthook

    def hook(kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        global _how, _interrupted
        _how, _interrupted = of(exc), isinstance(exc, KeyboardInterrupt)
        if isinstance(exc, RunStopped):
            print(exc, file=sys.stderr)  # noqa: T201 - it was asked for, and is no fault to look for in the program
        else:
            before(kind, exc, trace)

    sys.excepthook = hook


def _watch_exit() -> None:
    before = sys.exit

    def leave(code: Any = None, /) -> None:
        global _how  # noqa: PLW0603 - told to the exit handler
        if threading.current_thread() is threading.main_thread():
            _how = _of_exit(code)
        before(code)

    sys.exit = leave  # type: ignore[assignment]


def _watch_signal() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return  # somebody else knows better what to do
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    global _how, _signalled  # noqa: PLW0603 - told to the exit handler
    _signalled = True
    _how = _of_exit(_TERMINATED)
    raise SystemExit(_TERMINATED)


def ended(record: RunRecord, end: End) -> RunRecord:
    """The record of a run that ended so."""
    from dataclasses import replace

    return replace(record, state=end.state or "finished", exit_code=end.exit_code, message=end.message)


def farewell(run: Run, told: bool) -> None:
    """Leaves nothing behind of a run that the store knows, and says where the rest of another one is."""
    import logging
    import shutil

    folder = run._outbox.journal.folder
    run._outbox.journal.close()
    if run._offline:
        logging.getLogger("lineal").info("run %s is in %s; send it with: lineal sync %s", run.id, folder, folder)
    elif told:
        shutil.rmtree(folder, ignore_errors=True)
    elif not told:
        logging.getLogger("lineal").warning(
            "run %s is not wholly in the store; send the rest with: lineal sync %s", run.id, folder
        )
