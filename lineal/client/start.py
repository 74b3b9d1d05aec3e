"""Starting a run: `init` and what it takes, from resuming and forking to being switched off."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from lineal.client import config as configs
from lineal.client import current, ending, held, options, trial
from lineal.client.begin import Beginning, Point, begin
from lineal.client.config import Config
from lineal.client.connection import Connection, connection
from lineal.client.disabled import DisabledRun
from lineal.client.files import RunFiles
from lineal.client.journal import Journal
from lineal.client.metrics import Metrics
from lineal.client.options import Settings
from lineal.client.outbox import Outbox
from lineal.client.recording import record_surroundings
from lineal.client.run import Run
from lineal.client.run_name import new_name
from lineal.client.summary import Summary
from lineal.client.trial import Assigned
from lineal.core import clock
from lineal.core.errors import InvalidArgument
from lineal.core.metadata import check_metadata, check_text, restored
from lineal.core.names import check_name, texts
from lineal.core.settings import DEFAULT_PROJECT, environment
from lineal.tracking.model import Resume
from lineal.tracking.model import Run as RunRecord

_log = logging.getLogger("lineal")
_REINIT = (None, True, False, "default", "finish_previous", "return_previous", "create_new")
_POINT = re.compile(r"([^?/]+)\?_step=([0-9]{1,18})")


def init(
    project: str | None = None,
    entity: str | None = None,
    *,
    name: str | None = None,
    id: str | None = None,
    tags: Sequence[str] | None = None,
    notes: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    config: Any = None,
    config_include_keys: Sequence[str] | None = None,
    config_exclude_keys: Sequence[str] | None = None,
    mode: str | None = None,
    dir: str | os.PathLike[str] | None = None,
    resume: bool | Literal["allow", "must", "never", "auto"] | None = None,
    resume_from: str | None = None,
    fork_from: str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    reinit: bool | Literal["default", "finish_previous", "return_previous", "create_new"] | None = None,
    save_code: bool | None = None,
    url: str | None = None,
    **ignored: Any,
) -> Run:
    """A new run, which is the process's current one until it ends; one that is current already ends first.

    `resume` goes on with the run `id`; `resume_from="id?_step=N"` goes back in it, `fork_from` starts a new run with
    another's history. `mode` is online, offline or disabled. `url` names the store (default: the setting). Raises
    invalid.*, conflict.run_exists, not_found.run, unavailable.*.

    Inside a trial of a sweep the trial says where the run belongs, which id it has, and the values that are searched.
    """
    if ignored:
        _log.warning("init takes no %s; it is left out", ", ".join(sorted(ascii(key)[:40] for key in ignored)))
    if reinit not in _REINIT:
        raise InvalidArgument(f"reinit is {str(reinit)[:40]!r}; say finish_previous, return_previous or create_new")
    if resume_from and fork_from:
        raise InvalidArgument("say resume_from or fork_from, not both")
    if reinit == "return_previous" and (before := current.get()) is not None:
        return before
    switches = options.of(settings)
    if save_code:
        switches = replace(switches, code=True)
    given = configs.of(config, config_include_keys, config_exclude_keys)
    values = check_metadata(given, "config", finite=False, max_bytes=configs.MAX_BYTES)
    mode = mode or (switches.mode if switches.mode != "shared" else None)
    run_id = id
    if (mine := trial.find()) is not None:
        _tell_left_out(mine, run_id=id, resume=resume, resume_from=resume_from, project=project, entity=entity)
        project, entity, url = mine.project or project, mine.entity, mine.url or url
        run_id, resume, resume_from, name = mine.run_id, "allow", None, name or f"trial-{mine.number}"
        held.hold(values, mine.params)  # what the script has for them are its defaults for when it runs alone
    conn = connection(project=project, entity=entity, url=url, mode=mode, runs_dir=dir)
    if conn.settings.mode == "disabled":
        _finish_previous(reinit)
        return current.enter(DisabledRun(run_id or clock.new_run_id(), name or "", conn, restored(values)))
    given_point = resume_from or fork_from
    point = parse_point(given_point) if given_point else None
    asked = Beginning(
        writer=clock.new_run_id(),
        run_id=_id(conn, run_id, resume, point if resume_from else None),
        resume=_resume(run_id, resume, switches, rewound=bool(resume_from)),
        facts={
            "project": conn.settings.project,
            "name": _text(name, "name") or ("" if resume or resume_from else new_name()),
            "job_type": _text(job_type, "job_type"),
            "group": _text(group, "group"),
            "tags": [*(_text(tag, "a tag") for tag in texts(tags or (), what="tags")), *_own_tags()],
            "notes": _text(notes, "notes"),
            "config": values,
            **({"sweep": mine.sweep} if mine is not None else {}),
        },
        code=_code(switches),
        rewind=point if resume_from else None,
        fork=point if fork_from else None,
    )
    _finish_previous(reinit)
    if run_id is not None or resume or resume_from:
        current.send_left(conn, asked.run_id)
    run = _start(conn, asked, switches, mine)
    if mine is not None:
        trial.begun(mine, run)
    ending.watch(current.end_all)
    current.enter(run)
    if switches.code or switches.code_dir is not None:
        run.log_code(switches.code_dir)
    return run


def _tell_left_out(mine: Assigned, **given: Any) -> None:
    """Warns of what was asked for that the trial decides."""
    told = [key for key, value in given.items() if value and value != getattr(mine, key, None)]
    if told:
        _log.warning("this is trial %d of sweep %s, which says its %s", mine.number, mine.sweep, ", ".join(told))


def _finish_previous(reinit: Any) -> None:
    if reinit != "create_new":
        current.finish()


def _text(given: Any, what: str) -> str:
    if given is not None and not isinstance(given, str):
        raise InvalidArgument(f"{what} must be a text, not {type(given).__name__}; write str(...)")
    return check_text(given or "", what)


def _code(switches: Settings) -> Mapping[str, Any]:
    from lineal.client.capture.git import code_facts

    return code_facts() if switches.git else {}


def _own_tags() -> list[str]:
    """The tags that the process gives each of its runs by itself."""
    if not environment("LINEAL_REPRODUCES"):
        return []
    from lineal.client.reproduce_result import own_tags

    return own_tags()


def parse_point(text: str) -> Point:
    """The point in `id?_step=N`, where the id may be a whole path. Raises invalid.argument."""
    match = _POINT.fullmatch(str(text).rpartition("/")[2])
    if not match:
        raise InvalidArgument(f"{str(text)[:80]!r} is no point of a run; write it like 'a1b2c3d4?_step=500'")
    return Point(match[1], int(match[2]))


def _id(conn: Connection, given: str | None, resume: Any, rewind: Point | None) -> str:
    if rewind is not None:
        if given not in (None, rewind.run):
            raise InvalidArgument(f"id is {given!r}, but resume_from names the run {rewind.run!r}")
        return rewind.run
    if given is not None:
        return check_name(given, "run id")
    if resume in (True, "auto") and (left := current.last_unfinished(conn)) is not None:
        return left
    return clock.new_run_id()


def _resume(id: str | None, resume: Any, switches: Settings, *, rewound: bool) -> Resume | None:
    if resume in (None, False):
        shared = switches.mode == "shared"
        return None if rewound else "allow" if shared else "never"
    if resume in (True, "auto"):
        return "allow"
    if resume not in ("allow", "must", "never"):
        raise InvalidArgument(f"{str(resume)[:40]!r} is no way to resume; say allow, must, never or auto")
    if id is None and resume == "must":
        raise InvalidArgument("resume='must' needs the run's id")
    found: Resume = resume
    return found


def _start(conn: Connection, asked: Beginning, switches: Settings, mine: Assigned | None) -> Run:
    offline = conn.settings.mode == "offline"
    shared = switches.mode == "shared"
    writer, begun_at = asked.writer, clock.now()
    journal = Journal(conn.settings.runs_dir / f"{asked.run_id}-{writer}")
    try:
        record = _imagined(conn, asked, begun_at) if offline else _begun(conn, asked, patient=mine is not None)
    except BaseException:
        journal.close()
        shutil.rmtree(journal.folder, ignore_errors=True)
        raise
    placed = replace(asked, facts={**asked.facts, "project": record.project})
    here = {"entity": record.entity, "user": conn.settings.user, "host": conn.settings.host}
    how = {"offline": offline, "primary": switches.primary}
    journal.append("start", {"at": clock.format_time(begun_at), **placed.to_json(), **here, **how})
    metrics = Metrics(record.metrics)
    summary = Summary(record.summary, metrics, settle=lambda: outbox.drain(), check=lambda: run._check_open())
    files = RunFiles(journal.folder / "files", None if offline else conn)
    outbox = Outbox(
        record.id,
        writer,
        journal,
        summary,
        backend=None if offline else conn.backend,
        files=files.take,
        mark=(switches.label or writer) if shared else "",
        patience_s=switches.patience_s,
    )

    def keep(now: Callable[[], dict[str, Any]]) -> None:
        run._check_open()
        outbox.change(config=now)

    config = Config(record.config, keep, held=mine.params if mine is not None else None)
    run = Run(record, conn, outbox, files, (config, summary, metrics), offline=offline, primary=switches.primary)
    outbox.when_stopped = run._stopped
    record_surroundings(run, switches)
    outbox.start()
    return run


def _begun(conn: Connection, asked: Beginning, *, patient: bool) -> RunRecord:
    """The run, begun in the store; a trial waits for a store that is away, since it would be lost otherwise."""
    if not patient:
        return begin(conn.backend.runs, asked)
    from lineal.client.patience import patiently

    return patiently(lambda: begin(conn.backend.runs, asked))


def _imagined(conn: Connection, asked: Beginning, begun_at: datetime) -> RunRecord:
    """The run as it will be once it is sent; only what came before it is unknown."""
    point = asked.rewind or asked.fork
    facts = asked.facts
    return RunRecord(
        asked.run_id,
        conn.settings.entity,
        facts["project"] or DEFAULT_PROJECT,
        facts["name"],
        facts["job_type"],
        "running",
        restored(facts["config"]),
        asked.code,
        conn.settings.user,
        conn.settings.host,
        begun_at,
        group=facts["group"],
        tags=tuple(facts["tags"]),
        notes=facts["notes"],
        last_step=point.step if point else -1,
    )
