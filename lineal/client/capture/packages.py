"""The packages that the process can import, and in what versions."""

from __future__ import annotations

import json
import os
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from lineal.core.settings import environment

_NAME = re.compile(r"^Name:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_VERSION = re.compile(r"^Version:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)


def packages() -> list[str]:
    """Lines such as `numpy==2.4.6`, sorted; `name @ url` for what came from a folder, a file or a repository.

    Of a package that is found twice the first one counts, as it does for `import`.
    """
    from importlib.metadata import distributions

    lines: dict[str, str] = {}
    for found in distributions():
        try:
            # The two fields that matter, found without parsing: with hundreds of packages that is what takes time.
            head = (found.read_text("METADATA") or found.read_text("PKG-INFO") or "").partition("\n\n")[0]
            name, version = _NAME.search(head), _VERSION.search(head)
            if name is None or version is None:
                continue
            key = re.sub(r"[-_.]+", "-", name[1]).lower()
            if key not in lines:
                lines[key] = _line(name[1], version[1], found.read_text("direct_url.json"))
        except (OSError, ValueError):  # half removed, or not UTF-8
            continue
    return [lines[key] for key in sorted(lines)]


def conda_packages() -> list[str]:
    """Lines such as `numpy=2.4.6=py312_0`, sorted, of the conda environment that is active; empty without one."""
    prefix = environment("CONDA_PREFIX")
    if not prefix:
        return []
    try:
        names = os.listdir(os.path.join(prefix, "conda-meta"))
    except OSError:
        return []
    parts = (name.removesuffix(".json").rsplit("-", 2) for name in names if name.endswith(".json"))
    return sorted("=".join(part) for part in parts if len(part) == 3)


def _line(name: str, version: str, origin: str | None) -> str:
    try:
        direct: Any = json.loads(origin or "null")
    except ValueError:
        direct = None
    url = direct.get("url") if isinstance(direct, dict) else None
    if not isinstance(url, str) or not (url := _public(url)):
        return f"{name}=={version}"
    vcs = direct.get("vcs_info")
    if isinstance(vcs, dict):
        url = f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}"
    return f"{name} @ {url}"


def _public(url: str) -> str:
    """The address without login, and without a query, which may be a signature."""
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
    except ValueError:
        return ""
