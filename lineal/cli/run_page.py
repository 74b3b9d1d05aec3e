"""What is known of one run, as a page in the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineal.cli.drawing import number, sparkline
from lineal.cli.output import console, json_text, line, lines
from lineal.client.run_view import RunView
from lineal.core.display import moment, size
from lineal.lineage.look import clean, shorten
from lineal.tracking.leaves import flatten

_MOST = 60
_CURVES = 100  # so many metrics are drawn, not more
_POINTS = 24
_LONG = ("packages", "conda_packages", "variables")


def facts(view: RunView) -> dict[str, Any]:
    """The record with what hangs on it."""
    return {
        "run": view._record,
        "inputs": [artifact._version for artifact in view.used_artifacts()],
        "outputs": [artifact._version for artifact in view.logged_artifacts()],
        "files": [file._record for file in view.files()],
        "alerts": view.alerts(),
        "metrics": view._connection.backend.runs.list_keys(view.id),
    }


def show(view: RunView) -> None:
    """Prints the page."""
    for key, value in _heads(view):
        if value:
            line(f"{key:<12} {value}")
    record = view._record
    _section("config", _pairs(record.config))
    _section("metrics", _metrics(view))
    _section("code", _pairs(record.code))
    known = {key: value for key, value in record.environment.items() if key not in _LONG}
    kept = {key: f"{len(record.environment[key])} recorded" for key in _LONG if record.environment.get(key)}
    _section("environment", _pairs(known | kept))
    _section("inputs", [(artifact.qualified_name, artifact.type) for artifact in view.used_artifacts()])
    _section("outputs", [(artifact.qualified_name, artifact.type) for artifact in view.logged_artifacts()])
    _section("files", [(file.name, size(file.size)) for file in view.files()])
    alerts = view.alerts()
    _section("alerts", [(f"{moment(one.at)} {one.level}", f"{one.title}: {one.text}") for one in alerts])
    if view.message:
        line()
        line("how it ended")
        lines(f"  {text}" for text in view.message.splitlines())


def _heads(view: RunView) -> Iterator[tuple[str, str]]:
    record = view._record
    code = f" with exit code {record.exit_code}" if record.exit_code else ""
    yield "run", view.path
    yield "name", view.name
    yield "state", f"{record.state}{code}" + (f", asked to stop by {record.stop_asked_by}" if _stopping(view) else "")
    yield "by", f"{record.user}@{record.host}"
    yield "started", moment(record.created_at)
    yield "ended", moment(record.finished_at) if record.finished_at else ""
    until = record.finished_at or record.seen_at or record.created_at
    yield "took", _span((until - record.created_at).total_seconds())
    yield "trial", f"{record.trial} of sweep {record.sweep}" if record.sweep else ""
    yield "group", record.group
    yield "job type", record.job_type
    yield "tags", ", ".join(record.tags)
    yield "notes", record.notes
    yield "forked from", f"{record.parent} at step {record.parent_step}" if record.parent else ""
    yield "last step", str(record.last_step) if record.last_step >= 0 else ""


def _stopping(view: RunView) -> bool:
    return view.state == "running" and bool(view._record.stop_asked_by)


def _metrics(view: RunView) -> list[tuple[str, str]]:
    """What the summary has, and each metric's curve."""
    runs = view._connection.backend.runs
    summary = {key.removeprefix("."): value for key, value in flatten(view._record.summary, "")}
    keys = runs.list_keys(view.id)
    samples = runs.samples([view.id], keys[:_CURVES], points=_POINTS)
    curves = {one.key: sparkline(one.last, _POINTS) for one in samples}
    return [
        (key, f"{_text(summary[key]) if key in summary else '':<12} {curves.get(key, '')}".rstrip())
        for key in sorted({*summary, *curves})
    ]


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key.removeprefix("."), _text(value)) for key, value in flatten(values, "")]


def _section(title: str, pairs: Sequence[tuple[str, str]]) -> None:
    if not pairs:
        return
    line()
    line(title)
    wide = min(max(len(clean(key)) for key, _ in pairs[:_MOST]), 40)
    out = console()
    for key, value in pairs[:_MOST]:
        text = f"  {clean(key):<{wide}}  {clean(value)}".rstrip()
        out.print(text, markup=False, emoji=False, soft_wrap=True)
    if len(pairs) > _MOST:
        line(f"  … and {len(pairs) - _MOST} more; --json shows all")


def _medium(value: Mapping[str, Any]) -> str:
    """A logged medium in few words: its kind, how large it is, where its file is."""
    kind = str(value["_type"]).removesuffix("-file").replace("images/separated", "images")
    items, title = value.get("items"), value.get("title") or value.get("caption")
    wide, high = value.get("width") or value.get("ncols"), value.get("height") or value.get("nrows")
    facts = [f"{len(items)} of them" if isinstance(items, list) else "", str(title or "")]
    facts += [f"{high} × {wide}" if wide and high else "", str(value.get("path") or "")]
    return f"({', '.join([kind, *filter(None, facts)])})"


def _text(value: Any) -> str:
    if isinstance(value, dict) and "_type" in value:
        return shorten(clean(_medium(value)), 200)
    text = json_text(value) if isinstance(value, dict | list | bool) or value is None else number(value)
    return shorten(clean(text), 200)


def _span(seconds: float) -> str:
    """`1 h 2 min`, `3 min 4 s`, `5.6 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
