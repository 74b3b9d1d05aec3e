"""What the store was told of a run, read by a connection of its own; programs that log, as real processes."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineal.client.connection import connection
from lineal.tracking.model import Run
from tests.installation import Installation

PATIENCE_S = 120


def rows(run_id: str, **choices: Any) -> list[dict[str, Any]]:
    """The rows, without what Lineal adds to each."""
    found = connection().backend.runs.rows(run_id, **choices)
    return [{key: value for key, value in row.items() if not key.startswith("_")} for row in found]


def points(run_id: str, key: str) -> dict[int, Any]:
    """The values of the key, by step."""
    steps, values = connection().backend.runs.columns(run_id, [key])[key]
    return dict(zip(steps, values, strict=True))


def record(run_id: str) -> Run:
    return connection().backend.runs.get(run_id)


def files(run_id: str) -> dict[str, int]:
    """The sizes of the run's files, by path."""
    return {file.path: file.size for file in connection().backend.runs.list_files(run_id)}


def start(
    installation: Installation, code: str, *, variables: Mapping[str, str] | None = None, **choices: Any
) -> subprocess.Popen[str]:
    """A process that runs the program: what it prints can be read line by line."""
    Path("train.py").write_text(textwrap.dedent(code))
    return subprocess.Popen(
        [str(installation.python), "-u", "train.py"],
        env=installation.environment() | dict(variables or {}),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **choices},
    )


def said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code, stdout and stderr of the process once it has ended."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err
