"""Commands for lineage: graphs, audits, impact."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from lineal.cli.options import REF, SUBJECT, here, json_option
from lineal.cli.output import as_json, console, line, lines, report
from lineal.core.errors import InvalidArgument, MissingDependency
from lineal.lineage.model import Graph

_BINARY = ("png", "pdf")


@click.command()
@click.argument("subject", metavar="REF", type=SUBJECT)
@click.option(
    "--direction",
    type=click.Choice(["up", "down", "both"]),
    help="up: what made it (default); of a sweep both.",
)
@click.option("--depth", type=click.IntRange(min=1), help="How many runs to pass (default: all).")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["tree", "svg", "png", "pdf", "html", "mermaid", "dot", "json"]),
    help="Default: by the suffix of -o, else tree.",
)
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option("--full", is_flag=True, help="Draw every node, also where alike ones would be grouped.")
def lineage(
    subject: str, direction: Any, depth: int | None, format_: str | None, output: str | None, full: bool
) -> None:
    """Draw the lineage of REF (a version, run:<id>, or sweep:<id>)."""
    from lineal.lineage import render

    direction = direction or ("both" if subject.startswith("sweep:") else "up")
    graph = here().backend.lineage.graph(subject, direction=direction, depth=depth)
    chosen = format_ or _by_suffix(output) or "tree"
    if chosen == "tree" and output is None:
        shown = graph if full else render.grouped(graph)
        if sys.stdout.isatty():
            console().print(render.rich_tree(shown, direction=direction))
        else:
            lines(render.tree(shown, direction=direction))
        return
    _write(_drawn(graph, chosen, subject, direction, fold=not full), output, chosen)


@click.command()
@click.argument("ref", type=REF)
@click.option("--verify", is_flag=True, help="Hash every byte that it names again.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "html"]),
    help="Default: by the suffix of -o, else text.",
)
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write to this file.")
def audit(ref: str, verify: bool, format_: str | None, output: str | None) -> int:
    """Tell everything that made REF, down to the raw data, and what is unexplained."""
    from lineal.lineage import audit_page, records, text

    found = here().backend.lineage.audit(ref, verify=verify)
    chosen = format_ or _by_suffix(output) or "text"
    if chosen == "text" and output is None:
        report(text.audit_text(found))
    elif chosen == "html":
        _write(audit_page.audit_html(found, picture=_picture(found.graph)), output, chosen)
    elif chosen == "json":
        _write(json.dumps(records.to_json(found), indent=2), output, chosen)
    else:
        raise InvalidArgument("write text with `>`; -o is for html and json")
    return 6 if found.verification and found.verification.problems else 0


@click.command()
@click.argument("subject", type=REF)
@json_option
def impact(subject: str, json_: bool) -> None:
    """Tell everything downstream of a version, or of every version that holds the file sha256:..."""
    from lineal.lineage import text

    found = here().backend.lineage.impact(subject)
    if json_:
        as_json(found)
    else:
        report(text.impact_text(found))


def _by_suffix(output: str | None) -> str | None:
    if output is None:
        return None
    suffix = Path(output).suffix.lower().lstrip(".")
    return {"mmd": "mermaid", "md": "mermaid", "gv": "dot", "htm": "html"}.get(suffix, suffix) or None


def _drawn(graph: Graph, format_: str, ref: str, direction: Any, *, fold: bool) -> str | bytes:
    from lineal.lineage import render

    if format_ == "tree":
        return "\n".join(render.tree(graph, direction=direction))
    if format_ == "mermaid":
        return render.mermaid(graph, fold=fold)
    if format_ == "dot":
        return render.dot(graph, fold=fold)
    if format_ == "json":
        return json.dumps(render.to_json(graph), indent=2)
    if format_ == "html":
        return render.html(graph, f"Lineage of {ref}", fold=fold)
    if format_ in ("svg", "png", "pdf"):
        return render.image(graph, format_, fold=fold)  # type: ignore[arg-type]
    raise InvalidArgument(f"{format_!r} is no format of a graph; use svg, png, pdf, html, mermaid, dot, json or tree")


def _write(content: str | bytes, output: str | None, format_: str) -> None:
    if output is None:
        if format_ in _BINARY and sys.stdout.isatty():
            raise InvalidArgument(f"a {format_} does not belong on a terminal; name a file with -o")
        data = content if isinstance(content, bytes) else content.encode()
        sys.stdout.buffer.write(data.rstrip(b"\n") + b"\n" if format_ not in _BINARY else data)
        return
    file = Path(output)
    try:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as problem:
        raise InvalidArgument(f"{file} can't be written: {problem.strerror}") from None
    line(f"Wrote {file.absolute()}")


def _picture(graph: Graph) -> str | None:
    """The graph as SVG for a page; none where nothing here can draw."""
    from lineal.lineage import render

    try:
        return render.image(graph, "svg").decode()
    except MissingDependency:
        return None
