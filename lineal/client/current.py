"""The process's current run, and the functions of `lineal` that act on it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lineal.client import ending
from lineal.client.artifact import Artifact
from lineal.client.connection import Connection
from lineal.client.entry import PathLike
from lineal.client.files import Policy
from lineal.client.metrics import Metric
from lineal.client.outbox import End
from lineal.client.run import Run, need
from lineal.core.errors import Unavailable

if TYPE_CHECKING:
    from lineal.client.alerts import Wait

_lock = threading.RLock()
_open: list[Run] = []  # the current one is the last


def get() -> Run | None:
    """The current run, if any."""
    return _open[-1] if _open else None


def enter(run: Run) -> Run:
    """Makes the run the current one."""
    with _lock:
        _open.append(run)
    return run


def left(run: Run) -> None:
    """Notes that the run has ended."""
    with _lock:
        if run in _open:
            _open.remove(run)


def end_all(end: End) -> None:
    """Ends every run that is open, with the process."""
    for run in list(reversed(_open)):
        try:
            run._end(end)
        except Exception:
            logging.getLogger("lineal").exception("run %s did not end well", run.id)


def last_unfinished(conn: Connection) -> str | None:
    """The id of the newest run on this machine that began here and has not ended, for `resume="auto"`."""
    from lineal.client import leftovers

    found = sorted(leftovers.find([conn.settings.runs_dir]), key=lambda left: left.seen_at, reverse=True)
    for left in found:
        if left.state == "crashed" and left.project == (conn.settings.project or left.project):
            return left.run_id
    return None


def send_left(conn: Connection, run_id: str) -> None:
    """Sends what processes of that run that are gone have left on this machine. Raises unavailable.*."""
    there = [] if conn.settings.mode == "offline" else sorted(conn.settings.runs_dir.glob(f"{run_id}-*"))
    folders = [folder for folder in there if "-" not in folder.name[len(run_id) + 1 :]]
    if folders:
        from lineal.client.sync import sync

        for sent in sync(folders, conn):
            if isinstance(sent.problem, Unavailable):
                raise sent.problem
            for note in (*sent.notes, *([sent.problem.message] if sent.problem else ())):
                logging.getLogger("lineal").warning("what was left of run %s: %s", run_id, note)


def _forget_after_fork() -> None:
    """In a forked child: the parent's runs are not the child's to write into or to end."""
    for run in _open:
        run._forked()
    _open.clear()
    ending.forked()


os.register_at_fork(after_in_child=_forget_after_fork)


# ---- lineal.<name> -------------------------------------------------------------------------------------------


def log(
    data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: bool | None = None
) -> None:
    """`log` of the current run."""
    need(get()).log(data, step, commit)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """Ends the current run, if there is one."""
    if (run := get()) is not None:
        run.finish(exit_code)


def define_metric(name: str, *args: Any, **kwargs: Any) -> Metric:
    """`define_metric` of the current run."""
    return need(get()).define_metric(name, *args, **kwargs)


def alert(title: str, text: str = "", level: str = "INFO", wait_duration: Wait = None) -> None:
    """`alert` of the current run."""
    need(get()).alert(title, text, level, wait_duration)


def save(
    glob_str: str | os.PathLike[str], base_path: str | os.PathLike[str] | None = None, policy: Policy = "live"
) -> list[str]:
    """`save` of the current run."""
    return need(get()).save(glob_str, base_path, policy)


def use_artifact(artifact_or_name: Artifact | str, type: str | None = None, use_as: str | None = None) -> Artifact:
    """`use_artifact` of the current run."""
    return need(get()).use_artifact(artifact_or_name, type, use_as)


def log_artifact(
    artifact_or_path: Artifact | PathLike,
    name: str | None = None,
    type: str | None = None,
    aliases: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> Artifact:
    """`log_artifact` of the current run."""
    return need(get()).log_artifact(artifact_or_path, name, type, aliases, tags)


def link_artifact(artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> Artifact:
    """`link_artifact` of the current run."""
    return need(get()).link_artifact(artifact, target_path, aliases)


def log_code(root: PathLike | None = None, name: str | None = None, **choices: Any) -> Artifact | None:
    """`log_code` of the current run."""
    return need(get()).log_code(root, name, **choices)


def watch(models: Any, *args: Any, **kwargs: Any) -> None:
    """`watch` of the current run."""
    need(get()).watch(models, *args, **kwargs)


def unwatch(models: Any = None) -> None:
    """`unwatch` of the current run."""
    need(get()).unwatch(models)


def login(*_: Any, **__: Any) -> bool:
    """True: a store in a folder knows no accounts. Scripts written for W&B call it first."""
    return True
