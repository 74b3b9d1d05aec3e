"""Reports for a terminal: an audit and an impact as rich renderables, for 80 columns and more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lineal.core.display import count, moment, short, size
from lineal.lineage.report import Audit, Finding, Impact, Promotion, RunFacts, Standing, VersionFacts
from lineal.lineage.words import (
    FINDING_HEADS,
    Step,
    by_kind,
    code_text,
    elsewhere,
    fork_text,
    labels,
    leaves,
    made_text,
    metrics,
    move_text,
    ran_text,
    shown,
    standing,
    steps,
    trial_text,
    value_text,
    verification_text,
    who,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

Rows: TypeAlias = "list[tuple[Text | str, Text | str]]"

_MOST_PAIRS = 24
_MOST_FINDINGS = 20
_MOST_NAMES = 12
_MOST_STEPS = 200

# ---- an audit in a terminal --------------------------------------------------------------------------------


def audit_text(audit: Audit) -> RenderableType:
    """The audit for a terminal: the subject, its causes in order, its promotions, what is unexplained."""
    from rich.console import Group

    names = labels(audit.versions)
    chain = steps(audit.versions, audit.runs)
    return Group(
        _headline(audit),
        _head(f"From raw data to {shown(audit.subject.name)}"),
        *_chain(chain, lambda step, last: _step(step, names, audit.subject.ref, last=last)),
        _head("Promotions"),
        _promotions(audit),
        _head("Unexplained"),
        _findings(audit.findings, "Nothing unexplained."),
        _head("Verification"),
        _verification(audit),
        "",
        _text(f"Read from the record at {moment(audit.made_at)} by {shown(audit.made_by)}.", "dim"),
    )


def _headline(audit: Audit) -> RenderableType:
    subject = audit.subject
    rows: Rows = [
        ("ref", shown(subject.ref)),
        ("digest", shown(subject.digest)),
        ("size", f"{size(subject.size_bytes)} in {count(subject.file_count, 'file')}"),
        ("made", made_text(subject, {run.id: run for run in audit.runs})),
    ]
    for move in standing(audit):
        rows.append(("in use", _standing_now(move, subject.ref)))
    if not standing(audit):
        rows.append(("in use", "not now; see Promotions" if audit.promotions else "never promoted"))
    facts = [
        ("aliases", ", ".join(map(shown, subject.aliases))),
        ("tags", ", ".join(map(shown, subject.tags))),
        ("about", shown(subject.description)),
    ]
    rows += [(name, value) for name, value in facts if value]
    rows += [("metrics", line) for line in [_metrics(subject.metadata)] if line]
    title = _text(shown(subject.name), "bold").append(f"  {shown(subject.type)}", "cyan")
    return _stack([title, *_deleted(subject), _table(rows, 7)])


def _standing_now(move: Promotion, own: str) -> Text:
    text = _text(shown(move.alias) + elsewhere(move.collection, own), "bold green")
    text.append(f" since {moment(move.at)}, promoted by {who(move.user, move.host)}")
    return text.append(_why(move.why))


def _why(why: str) -> str:
    return f": “{shown(why)}”" if why else ", no reason given"


def _metrics(metadata: Mapping[str, Any]) -> Text | None:
    found = metrics(metadata)
    return _pairs([(name, f"{value:.6g}" if isinstance(value, float) else f"{value}") for name, value in found])


def _chain(chain: Sequence[Step], draw: Callable[[Step, bool], RenderableType]) -> list[RenderableType]:
    """The steps drawn one under the other; of a very long chain both ends, and how much lies between them."""
    left = len(chain) - _MOST_STEPS
    drawn = [draw(step, at == len(chain)) for at, step in _ends(chain)]
    if left > 0:
        drawn.insert(_MOST_STEPS // 2, _text(f"⋮ {left:,} more steps between these, not shown here\n", "bold yellow"))
    return drawn


def _ends(chain: Sequence[Step]) -> list[tuple[int, Step]]:
    numbered = list(enumerate(chain, 1))
    half = _MOST_STEPS // 2
    return numbered if len(chain) <= _MOST_STEPS else numbered[:half] + numbered[-half:]


def _step(step: Step, names: Mapping[str, str], subject: str, *, last: bool) -> RenderableType:
    if isinstance(step, RunFacts):
        return _Railed("▶", "magenta", _stack([_run_title(step), _table(_run(step, names))]), last)
    parts = [_version_title(step, names), *_deleted(step), _table(_version(step, subject == step.ref))]
    return _Railed("●", "cyan", _stack(parts), last)


def _version_title(version: VersionFacts, names: Mapping[str, str]) -> Text:
    title = _text(names.get(version.ref, shown(version.ref)), "bold")
    title.append(f"  {shown(version.type)}", "cyan")
    if version.made_by is None:
        title.append("  raw data", "yellow")
    title.append(f"  {short(version.digest)}", "dim")
    return title.append(f"  {size(version.size_bytes)}, {count(version.file_count, 'file')}")


def _version(version: VersionFacts, is_subject: bool) -> Rows:
    rows: Rows = [("logged", f"{moment(version.created_at)} by {shown(version.created_by) or 'unknown'}")]
    if version.references:
        rows.append(("stays at", _listed(version.references)))
    if version.description and not is_subject:
        rows.append(("about", shown(version.description)))
    skipped = {name for name, _ in metrics(version.metadata)} if is_subject else set()
    return [*rows, *_facts("metadata", [(k, v) for k, v in leaves(version.metadata) if k not in skipped])]


def _deleted(version: VersionFacts) -> list[Text]:
    if version.deleted_at is None:
        return []
    return [_text(f"deleted {moment(version.deleted_at)}", "bold red")]


def _run_title(run: RunFacts) -> Text:
    title = _text(shown(run.name or run.id), "bold").append(f"  run {shown(run.id)}", "magenta")
    return title.append(f"  {shown(run.job_type)}" if run.job_type else "")


def _run(run: RunFacts, names: Mapping[str, str]) -> Rows:
    where, explained = code_text(run)
    code = _text(f"{shown(run.commit[:10])} " if run.commit else "", "bold")
    code.append(where, "" if explained else "yellow")
    from_ = [("trial", trial_text(run))] if run.sweep else []
    from_ += [("forks", fork_text(run))] if run.parent else []
    return [
        *from_,
        ("reads", _ports(run.inputs, names) or "nothing on record"),
        ("code", code),
        ("ran", f"{ran_text(run)}, by {who(run.user, run.host)}"),
        *_facts("config", list(leaves(run.config))),
        ("makes", _ports(run.outputs, names) or "nothing on record"),
    ]


def _ports(ports: Sequence[tuple[str, str]], names: Mapping[str, str]) -> str:
    return _listed(
        [
            f"{names.get(ref, ref)} as {role}" if role and role not in ("input", "output") else names.get(ref, ref)
            for ref, role in ports
        ]
    )


def _listed(texts: Sequence[str]) -> str:
    listed = ", ".join(map(shown, texts[:_MOST_NAMES]))
    return listed if len(texts) <= _MOST_NAMES else f"{listed} and {len(texts) - _MOST_NAMES:,} more"


def _facts(name: str, found: list[tuple[str, Any]]) -> Rows:
    line = _pairs([(key, _bare(value)) for key, value in found])
    return [(name, line)] if line else []


def _bare(value: Any) -> str:
    text = value_text(value)
    return f'"{text}"' if isinstance(value, str) and (not text or " " in text or '"' in text) else text


def _pairs(found: Sequence[tuple[str, str]]) -> Text | None:
    """`key=value` pairs in one line, or None where there is none."""
    if not found:
        return None
    text = _text("")
    for at, (key, value) in enumerate(found[:_MOST_PAIRS]):
        text.append("  " if at else "").append(f"{key}=", "dim").append(value)
    return text.append(f"  … and {len(found) - _MOST_PAIRS:,} more" if len(found) > _MOST_PAIRS else "", "dim")


def _promotions(audit: Audit) -> RenderableType:
    if not audit.promotions:
        return _text("No alias was ever moved to it or away from it.")
    now = standing(audit)
    rows: Rows = []
    for move in audit.promotions:
        text = _text(move_text(move, audit.subject.ref), "bold")
        text.append("  stands now" if any(move is one for one in now) else "", "green")
        rows.append((moment(move.at), text.append(f"\nby {who(move.user, move.host)}{_why(move.why)}", "not bold")))
    return _table(rows)


def _findings(findings: Iterable[Finding], none: str) -> RenderableType:
    from rich.padding import Padding

    parts: list[RenderableType] = []
    for code, group in by_kind(findings).items():
        colour = "bold red" if code == "corrupt" else "bold yellow"
        parts.append(_text(f"{FINDING_HEADS.get(code, shown(code))} ({len(group):,})", colour))
        for finding in group[:_MOST_FINDINGS]:
            parts.append(Padding(_text(f"{shown(finding.subject)}: {shown(finding.text)}"), (0, 0, 0, 2)))
        if len(group) > _MOST_FINDINGS:
            parts.append(_text(f"  … and {len(group) - _MOST_FINDINGS:,} more of this kind", "dim"))
    return _stack(parts or [_text(none, "green")])


def _verification(audit: Audit) -> RenderableType:
    found = audit.verification
    if found is None:
        return _text("The bytes were not read again for this report; --verify does so.", "yellow")
    verdict = _text(verification_text(found), "bold red" if found.problems else "green")
    return _stack([verdict, _findings(found.problems, "")] if found.problems else [verdict])


# ---- an impact in a terminal -------------------------------------------------------------------------------


def impact_text(impact: Impact) -> RenderableType:
    """The impact for a terminal: where what came of the subjects is and was in use, then all that came."""
    known = labels([*impact.subjects, *impact.versions])
    parts: list[RenderableType] = [_text(f"What came of {shown(impact.asked)}", "bold")]
    if not impact.subjects:
        parts.append(_text("No version on record holds it.", "yellow"))
    parts += [_impact_subject(version, known) for version in impact.subjects]
    parts += [_head("In use"), *_standings(impact, known)]
    parts += [_head(f"Downstream: {count(len(impact.versions), 'version')}, {count(len(impact.runs), 'run')}")]
    chain = steps(impact.versions, impact.runs)
    parts += _chain(chain, lambda step, last: _brief(step, known, last=last))
    parts += [] if chain else [_text("Nothing on record was made from it.", "green")]
    if impact.links:
        parts += [_head("Linked into the registry"), *(_link(*link, known) for link in impact.links)]
    if impact.graph.truncated:
        parts += ["", _text("The walk stopped at its limit: there may be more downstream.", "bold yellow")]
    return _stack([*parts, "", _text(f"Read from the record at {moment(impact.made_at)}.", "dim")])


def _brief(step: Step, names: Mapping[str, str], *, last: bool) -> RenderableType:
    if isinstance(step, RunFacts):
        rows = [row for row in _run(step, names) if row[0] in ("trial", "forks", "reads", "ran", "makes")]
        return _Railed("▶", "magenta", _stack([_run_title(step), _table(rows)]), last)
    rows = [("logged", f"{moment(step.created_at)} by {shown(step.created_by) or 'unknown'}")]
    return _Railed("●", "cyan", _stack([_version_title(step, names), *_deleted(step), _table(rows)]), last)


def _impact_subject(version: VersionFacts, names: Mapping[str, str]) -> Text:
    text = _text(f"{names[version.ref]}", "bold cyan").append(f"  {shown(version.type)}")
    return text.append(f"  {short(version.digest)}", "dim").append(f"  {size(version.size_bytes)}")


def _standings(impact: Impact, names: Mapping[str, str]) -> list[RenderableType]:
    if not impact.standing:
        return [_text("Nothing that it touched ever bore an alias.", "green")]
    now: Rows = [(_text(" IN USE NOW ", "bold white on red"), _in_use(s, names)) for s in impact.in_use]
    past = [_was(stretch, names) for stretch in impact.standing if stretch.until is not None]
    return [_table(now) if now else _text("Nothing that it touched bears an alias now.", "green"), *past]


def _in_use(stretch: Standing, names: Mapping[str, str]) -> Text:
    text = _text(shown(stretch.alias), "bold").append(f" since {moment(stretch.since)}\n", "not bold")
    return text.append(_stander(stretch, names))


def _was(stretch: Standing, names: Mapping[str, str]) -> RenderableType:
    from rich.padding import Padding

    until = moment(stretch.until) if stretch.until else "now"
    line = _text(f"was {shown(stretch.alias)} from {moment(stretch.since)} to {until}")
    return _stack([Padding(line, (0, 0, 0, 1)), Padding(_text(_stander(stretch, names)), (0, 0, 0, 5))])


def _stander(stretch: Standing, names: Mapping[str, str]) -> str:
    named = names.get(stretch.ref, shown(stretch.ref))
    place = elsewhere(stretch.collection, stretch.ref)
    return f"{named}{place}, by {shown(stretch.user) or 'unknown'}"


def _link(ref: str, linked: str, names: Mapping[str, str]) -> Text:
    return _text(f"{names.get(ref, shown(ref))} is {shown(linked)}")


# ---- pieces ------------------------------------------------------------------------------------------------


class _Railed:
    """A step of the chain: its mark, then its lines along the rail that leads to the next one."""

    def __init__(self, mark: str, colour: str, body: RenderableType, last: bool) -> None:
        self.mark, self.colour, self.body, self.last = mark, colour, body, last

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment
        from rich.style import Style

        inner = options.update(width=max(1, options.max_width - 2))
        colour, dim = Style.parse(self.colour), Style(dim=True)
        lines = console.render_lines(self.body, inner, pad=False)
        for at, line in enumerate(lines):
            rail = Segment("  ") if self.last else Segment("│ ", dim)
            yield from (Segment(f"{self.mark} ", colour) if at == 0 else rail, *line, Segment.line())
        if not self.last:
            yield from (Segment("│", dim), Segment.line())


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(style="", overflow="fold").append(text, style)


def _head(title: str) -> RenderableType:
    from rich.rule import Rule

    return _stack(["", Rule(_text(title, "bold"), align="left", style="dim")])


def _stack(parts: Sequence[RenderableType]) -> RenderableType:
    from rich.console import Group

    return Group(*parts)


def _table(rows: Rows, least: int = 8) -> RenderableType:
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=least)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(*(_text(cell) if isinstance(cell, str) else cell for cell in (name, value)))
    return table
