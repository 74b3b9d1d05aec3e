"""How a run begins in its store: at once, or later out of a journal. Beginning again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from lineal.backend.port_runs import Runs
    from lineal.tracking.model import Resume, Run


class Point(NamedTuple):
    """A step of a run, as `fork_from` and `resume_from` name it."""

    run: str
    step: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a writer begins: `facts` are those that `runs.start` takes, `code` what is known of the source."""

    run_id: str
    writer: str
    facts: Mapping[str, Any]
    code: Mapping[str, Any]
    resume: Resume | None = None
    rewind: Point | None = None
    fork: Point | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it, as a journal's first frame has it. Inverse of `parse`."""
        return {
            "run_id": self.run_id,
            "writer": self.writer,
            "facts": dict(self.facts),
            "code": dict(self.code),
            "resume": self.resume,
            "rewind": self.rewind,
            "fork": self.fork,
        }


def parse(told: Mapping[str, Any]) -> Beginning:
    """The beginning in a journal's first frame."""
    points = {key: Point(*told[key]) if told.get(key) else None for key in ("rewind", "fork")}
    return Beginning(told["run_id"], told["writer"], told["facts"], told["code"], told.get("resume"), **points)


def begin(runs: Runs, beginning: Beginning, *, at: datetime | None = None) -> Run:
    """The run as it is in the store once the writer has begun; `at` is when it did, where that is long ago.

    Raises not_found.run, conflict.run_exists.
    """
    told: dict[str, Any] = {**beginning.facts, "code": beginning.code, "created_at": at, "writer": beginning.writer}
    if beginning.rewind is not None:
        runs.rewind(beginning.rewind.run, beginning.rewind.step, writer=beginning.writer)
        return runs.start(beginning.run_id, resume="must", **told)
    if beginning.fork is not None:
        runs.get(beginning.fork.run)  # before there is a run that could not be forked
    run = runs.start(beginning.run_id, resume=beginning.resume, **told)
    if beginning.fork is not None:
        run = runs.fork(run.id, beginning.fork.run, beginning.fork.step)
    return run
