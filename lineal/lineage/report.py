"""Reports: what made a version (audit) and what a version or a file went into (impact), as records.

The records stand on their own, so that a report can be kept, compared and shown without a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from lineal.lineage.model import Graph

FindingCode = Literal[
    "no_run",  # a version that no run made: how it came to be is not on record
    "run_without_commit",
    "dirty_tree",
    "run_unfinished",
    "reference_without_checksum",
    "deleted_version",
    "purged_version",
    "walk_truncated",
    "hidden",
    "corrupt",  # found by --verify
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not explained, or is wrong: about `subject` (a ref or run id), in a sentence."""

    code: FindingCode
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version in a report; `made_by` is a run id; `references` are URIs whose bytes stay elsewhere."""

    ref: str
    name: str
    type: str
    digest: str
    size_bytes: int
    file_count: int
    created_at: datetime
    created_by: str
    made_by: str | None
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run in a report; `inputs` and `outputs` are (ref, role) pairs; `commit` is None where none is known.

    A fork goes on from the run `parent` (its id) after `parent_step`. A run of a `sweep` (its id) was the trial
    with the number `trial`; `sweep_name` is empty where the sweep has been deleted.
    """

    id: str
    name: str
    project: str
    job_type: str
    state: str
    user: str
    host: str
    created_at: datetime
    finished_at: datetime | None
    commit: str | None = None
    branch: str | None = None
    remote: str | None = None
    dirty: bool | None = None
    program: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    parent: str | None = None
    parent_step: int | None = None
    sweep: str = ""
    sweep_name: str = ""
    trial: int | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A move of an alias that concerns a version: `from_version`/`to_version` are `vN` or None (nowhere)."""

    collection: str
    alias: str
    kind: str
    at: datetime
    user: str
    host: str
    from_version: str | None
    to_version: str | None
    why: str
    current: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What re-reading every byte found: blobs and bytes read, and the problems."""

    blob_count: int
    size_bytes: int
    problems: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything on record that made `subject`.

    `versions` and `runs`: causes before effects, the raw data first, the subject last. `raw`: refs of versions
    that come from no run. `promotions`: oldest first. `verification` is None unless asked for.
    """

    subject: VersionFacts
    versions: tuple[VersionFacts, ...]
    runs: tuple[RunFacts, ...]
    raw: tuple[str, ...]
    promotions: tuple[Promotion, ...]
    findings: tuple[Finding, ...]
    graph: Graph
    made_at: datetime
    made_by: str
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A stretch in which an affected version bore an alias; `until` None: it still does."""

    ref: str
    collection: str
    alias: str
    since: datetime
    until: datetime | None
    user: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything downstream of `subjects` (refs): what was made from them, by which runs, and where it stood.

    `asked` is the ref or digest asked for; `links` are (ref, registry ref) pairs.
    """

    asked: str
    subjects: tuple[VersionFacts, ...]
    versions: tuple[VersionFacts, ...]
    runs: tuple[RunFacts, ...]
    links: tuple[tuple[str, str], ...]
    standing: tuple[Standing, ...]
    graph: Graph
    made_at: datetime

    @property
    def in_use(self) -> tuple[Standing, ...]:
        """Aliases that an affected version bears now."""
        return tuple(s for s in self.standing if s.until is None)
