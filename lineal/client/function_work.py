"""Trials as calls of a function in the caller's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from lineal.client import ending, trial
from lineal.client.trial import Assigned
from lineal.core.errors import RunStopped

_MAX_MESSAGE = 500
_log = logging.getLogger("lineal")


class FunctionWork:
    """Trials as calls of a function. One that is no longer the agent's hears so at its next `log`."""

    threads = False

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function

    def run(self, mine: Assigned) -> str:
        with trial.assigned(mine):
            problem: BaseException | None = None
            try:
                self._function()
            except RunStopped as stopped:
                problem = stopped
            except SystemExit as left:
                problem = left
                if ending.signalled():
                    raise
            except Exception as failed:
                problem = failed
                _log.exception("trial %d failed", mine.number)
            except BaseException as interrupted:
                problem = interrupted
                raise
            finally:
                if mine.run is not None:
                    mine.run._end(ending.of(problem))
        how = ending.of(problem)
        if how.state == "failed":
            assert problem is not None
            return _brief(problem)
        return "" if mine.run is not None else "its function ended without a run: call lineal.init() in it"

    def end(self, numbers: Sequence[int] | None = None) -> None:
        pass


def _brief(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}".strip().removesuffix(":")[:_MAX_MESSAGE]
