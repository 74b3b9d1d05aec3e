"""The trial that this process, or this thread, is: what an agent says to the script that it runs.

An agent that calls a function says it in a context variable, one that runs a program in environment variables. The
first run that starts there is the trial's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lineal.core import settings
from lineal.core.errors import InvalidSettings

if TYPE_CHECKING:
    from lineal.client.run import Run

_SWEEP, _TRIAL, _RUN, _PARAMS = "LINEAL_SWEEP", "LINEAL_TRIAL", "LINEAL_RUN_ID", "LINEAL_TRIAL_PARAMS"
_VARIABLES = (_SWEEP, _TRIAL, _RUN, _PARAMS)
_log = logging.getLogger("lineal")


@dataclass(slots=True, eq=False)
class Assigned:
    """A trial as its script meets it. `params` go by dotted name; `run` is its run, once that has begun here."""

    sweep: str
    number: int
    run_id: str
    entity: str
    project: str
    url: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    run: Run | None = None

    def variables(self) -> dict[str, str]:
        """What tells a program that it is the trial."""
        told = {_SWEEP: self.sweep, _TRIAL: str(self.number), _RUN: self.run_id}
        told |= {_PARAMS: json.dumps(dict(self.params))}
        told |= {"LINEAL_ENTITY": self.entity, "LINEAL_PROJECT": self.project}
        return told | ({"LINEAL_URL": self.url} if self.url is not None else {})


_assigned: ContextVar[Assigned | None] = ContextVar("lineal_trial", default=None)
_process: list[Assigned] = []  # the trial that this process is, once its run has begun


@contextmanager
def assigned(trial: Assigned) -> Iterator[None]:
    """What runs inside the block, in this thread, is the trial."""
    token = _assigned.set(trial)
    try:
        yield
    finally:
        _assigned.reset(token)


def find() -> Assigned | None:
    """The trial whose run is still to begin here, if any; warns where it has begun already."""
    here = _assigned.get() or (_process[0] if _process else _of_environment())
    if here is None or here.run is None:
        return here
    _log.warning(
        "trial %d of sweep %s has its run already (%s); this one is an ordinary run beside it",
        here.number,
        here.sweep,
        here.run_id,
    )
    return None


def begun(trial: Assigned, run: Run) -> None:
    """Notes that the trial's run has begun. Programs that this process starts from now on are not the trial."""
    trial.run = run
    if _assigned.get() is not trial:
        _process.append(trial)
        settings.forget(_VARIABLES)


def _of_environment() -> Assigned | None:
    sweep, run_id = settings.environment(_SWEEP), settings.environment(_RUN)
    if not sweep or not run_id:
        return None
    number, params = settings.environment(_TRIAL) or "", settings.environment(_PARAMS) or "{}"
    try:
        values = json.loads(params)
        place = settings.load()
        return Assigned(sweep, int(number), run_id, place.entity, place.project or "", None, dict(values))
    except (TypeError, ValueError, RecursionError):
        raise InvalidSettings(
            f"{_TRIAL} and {_PARAMS} are not as an agent sets them; unset the variables LINEAL_SWEEP and {_RUN} "
            "to run this script by itself"
        ) from None
