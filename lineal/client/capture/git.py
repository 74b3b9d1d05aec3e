"""The code that runs: commit, branch, remote and whether the tree is dirty, asked of git itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_TIMEOUT_S = 5


def code_facts(folder: Path | None = None) -> dict[str, Any]:
    """What is known of the code in `folder` (default: the working folder) and the program; empty without git.

    Git is run by name, without a shell and without taking locks; a remote's password is left out.
    """
    place = folder or Path.cwd()
    facts: dict[str, Any] = {}
    if program := _program():
        facts["program"] = program
    commit = _git(place, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return facts
    facts["commit"] = commit
    status = _git(place, "status", "--porcelain", "--untracked-files=no")
    if status is not None:
        facts["dirty"] = bool(status)
    if branch := _git(place, "symbolic-ref", "--short", "-q", "HEAD"):
        facts["branch"] = branch
    if remote := _git(place, "config", "--get", "remote.origin.url"):
        facts["remote"] = without_password(remote)
    return facts


def without_password(remote: str) -> str:
    """The remote's address without user and password, where it is a URL."""
    try:
        parts = urlsplit(remote)
        if "://" not in remote or "@" not in parts.netloc:
            return remote
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return ""


def _program() -> str | None:
    main = sys.argv[0] if sys.argv else ""
    return Path(main).name if main not in ("", "-c", "-m") else None


def _git(folder: Path, *words: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
