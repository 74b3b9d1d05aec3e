"""Records of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

RunState = Literal["running", "finished", "failed", "killed", "crashed"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run; `code` holds what is known of its source: commit, branch, remote, dirty, program."""

    id: str
    entity: str
    project: str
    name: str
    job_type: str
    state: RunState
    config: Mapping[str, Any]
    code: Mapping[str, Any]
    user: str
    host: str
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return f"{self.entity}/{self.project}/{self.id}"
