"""Words: facts of reports as short printable texts, the same in every rendering.

What is shown comes from strangers: it never reaches a terminal or a page as markup or as a control character.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from lineal.core.display import count, moment, printable, size
from lineal.lineage.report import Audit, Finding, Promotion, RunFacts, Verification, VersionFacts

Step = VersionFacts | RunFacts

FINDING_HEADS: Mapping[str, str] = {
    "corrupt": "Bytes that are not what was logged",
    "purged_version": "Bytes that are gone for good",
    "deleted_version": "Deleted versions",
    "walk_truncated": "Causes beyond the limit of this report",
    "hidden": "Causes in projects that the reader may not see",
    "no_run": "Versions that no run made",
    "run_without_commit": "Runs whose code is not on record",
    "dirty_tree": "Runs whose code had uncommitted changes",
    "run_unfinished": "Runs that did not finish",
    "reference_without_checksum": "References whose bytes can't be checked",
}
"""What each kind of finding is called, gravest first."""

_DEEPEST = 12
_VALUE_LENGTH = 60
_LINE_LENGTH = 400


def shown(text: str, limit: int = _LINE_LENGTH) -> str:
    """`text`, printable, at most `limit` characters of it and a note of how many were left out."""
    if len(text) <= limit:
        return printable(text)
    return f"{printable(text[:limit])}… cut, {len(text) - limit:,} more characters"


def value_text(value: Any, limit: int = _VALUE_LENGTH) -> str:
    """A value of metadata or config in one printable line: texts bare, the rest as JSON, cut at `limit`."""
    if isinstance(value, str):
        return shown(value, limit)
    try:
        return shown(json.dumps(value, ensure_ascii=False, default=_jsonable), limit)
    except RecursionError:
        return "(nested too deeply to show)"


def leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each value below `tree` with its dotted path, in order; beyond 12 levels a mapping stays one value."""
    for key, value in tree.items():
        path = (*above, shown(str(key), _VALUE_LENGTH))
        if isinstance(value, Mapping) and value and len(path) < _DEEPEST:
            yield from leaves(value, path)
        else:
            yield ".".join(path), value


def metrics(metadata: Mapping[str, Any]) -> list[tuple[str, int | float]]:
    """The numbers in `metadata` with their dotted paths."""
    return [
        (path, value)
        for path, value in leaves(metadata)
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def steps(versions: Iterable[VersionFacts], runs: Iterable[RunFacts]) -> list[Step]:
    """Versions and runs in one row, each run before the first version it made, runs that made none last.

    What a run was forked from stands right before it.
    """
    waiting = {run.id: run for run in runs}
    found: list[Step] = []
    for version in versions:
        chain: list[RunFacts] = []
        maker = version.made_by
        while maker is not None and (run := waiting.pop(maker, None)) is not None:
            chain.append(run)
            maker = run.parent
        found += [*reversed(chain), version]
    return [*found, *waiting.values()]


def labels(versions: Iterable[VersionFacts]) -> dict[str, str]:
    """A printable name for each ref: short where it tells the versions apart, else the ref."""
    by_ref = {version.ref: version.name for version in versions}
    count = Counter(by_ref.values())
    return {ref: shown(name if count[name] == 1 else ref) for ref, name in by_ref.items()}


def standing(audit: Audit) -> list[Promotion]:
    """The promotions by which the subject bears an alias now, oldest first."""
    own, _, number = audit.subject.ref.rpartition(":")
    return [
        move
        for move in audit.promotions
        if move.current and move.to_version and (not _is(move.collection, own) or move.to_version == number)
    ]


def move_text(move: Promotion, own: str) -> str:
    """What a promotion did: `production moved from v0 to v1`; the collection of the ref `own` goes unsaid."""
    alias = shown(move.alias) + elsewhere(move.collection, own)
    before, after = shown(move.from_version or ""), shown(move.to_version or "")
    if not after:
        return f"{alias} removed from {before}" if before else f"{alias} removed"
    if not before:
        return f"{alias} set at {after}"
    return f"{alias} {'rolled back' if move.kind == 'rollback' else 'moved'} from {before} to {after}"


def fork_text(run: RunFacts) -> str:
    """What the run was forked from; empty where it began by itself."""
    return f"run {shown(run.parent)} after step {run.parent_step}" if run.parent else ""


def trial_text(run: RunFacts) -> str:
    """Which trial of which sweep the run was: `5 of sweep digits-lr (s1)`; empty where it was none."""
    if not run.sweep:
        return ""
    named = run.sweep_name and run.sweep_name != run.sweep
    name = f"{shown(run.sweep_name)} ({shown(run.sweep)})" if named else shown(run.sweep)
    return f"{run.trial} of sweep {name}" + ("" if run.sweep_name else ", which is gone")


def code_text(run: RunFacts) -> tuple[str, bool]:
    """Where a run's code stands, and whether that explains it: a known commit and nothing uncommitted."""
    where = " on ".join(shown(part) for part in (run.program, run.branch) if part)
    where = f"{where}, " if where else ""
    if not run.commit:
        return f"{where}no commit on record", False
    if run.dirty is None:
        return f"{where}unknown whether all of it was committed", False
    return f"{where}{'with uncommitted changes' if run.dirty else 'all committed'}", not run.dirty


def made_text(version: VersionFacts, runs: Mapping[str, RunFacts]) -> str:
    """How and when a version came to be."""
    when = f"{moment(version.created_at)} by {shown(version.created_by) or 'unknown'}"
    if version.made_by is None:
        return f"{when}; no run made it"
    run = runs.get(version.made_by)
    name = f"{shown(run.name)} ({shown(run.id)})" if run else shown(version.made_by)
    return f"{when}, in run {name}" + (f", trial {trial_text(run)}" if run and run.sweep else "")


def verification_text(found: Verification) -> str:
    """What re-reading the bytes came to, as a sentence."""
    read = f"{count(found.blob_count, 'blob')}, {size(found.size_bytes)}"
    if found.problems:
        return f"{count(len(found.problems), 'problem')} found on re-reading {read}."
    return f"Every byte was read again ({read}) and matches its digest."


def by_kind(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings by code, gravest kind first."""
    found: dict[str, list[Finding]] = {code: [] for code in FINDING_HEADS}
    for finding in findings:
        found.setdefault(finding.code, []).append(finding)
    return {code: group for code, group in found.items() if group}


def ran_text(run: RunFacts) -> str:
    """When a run ran and how it ended."""
    if run.finished_at is None:
        return f"{moment(run.created_at)}, {shown(run.state)}"
    return f"{moment(run.created_at)}, {shown(run.state)} after {span(run.created_at, run.finished_at)}"


def who(user: str, host: str) -> str:
    """`user@host`, as far as they are known."""
    if not user or not host:
        return shown(user or host or "unknown")
    return f"{shown(user)} on {shown(host)}" if "@" in user else f"{shown(user)}@{shown(host)}"


def span(since: datetime, until: datetime) -> str:
    """The time between in its two largest units: `1 h 3 min`."""
    left = max(0, round((until - since).total_seconds()))
    parts = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, seconds)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "under 1 s"


def elsewhere(collection: str, ref: str) -> str:
    """` in <collection>` where that is not the collection of `ref`, else nothing."""
    return "" if _is(collection, ref.rpartition(":")[0]) else f" in {shown(collection)}"


def _is(collection: str, own: str) -> bool:
    return own == collection or own.endswith(f"/{collection}")


def _jsonable(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
