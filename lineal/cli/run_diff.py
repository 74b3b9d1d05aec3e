"""How two runs differ: config, metrics, code, surroundings, packages, and the versions that went in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lineal.client.run_view import RunView
from lineal.tracking.leaves import flatten

Pair = tuple[Any, Any]
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==?|@)\s*(\S.*)")
_PACKAGES = ("packages", "conda_packages")


def run_differences(before: RunView, after: RunView) -> dict[str, dict[str, Pair]]:
    """What differs, by section and key, as (before, after); None where a run has none. Sections alike are empty."""
    return {
        "config": _differing(_flat(before.config), _flat(after.config)),
        "summary": _differing(_flat(before.summary), _flat(after.summary)),
        "code": _differing(_flat(before._record.code), _flat(after._record.code)),
        "environment": _differing(_surroundings(before), _surroundings(after)),
        "packages": _differing(_packages(before), _packages(after)),
        "inputs": _differing(_inputs(before), _inputs(after)),
    }


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Pair]:
    pairs = ((key, before.get(key), after.get(key)) for key in sorted({*before, *after}))
    return {key: (old, new) for key, old, new in pairs if not _same(old, new)}


def _same(old: Any, new: Any) -> bool:
    both_nan = old != old and new != new  # noqa: PLR0124 - only NaN differs from itself
    return bool(both_nan or (old == new and isinstance(old, bool) == isinstance(new, bool)))


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix("."): value for key, value in flatten(values, "")}


def _surroundings(run: RunView) -> dict[str, Any]:
    record = run._record
    others = {key: value for key, value in record.environment.items() if key not in _PACKAGES}
    return _flat({"user": record.user, "host": record.host, **others})


def _packages(run: RunView) -> dict[str, str]:
    """Versions by package, from lines such as `numpy==2.4.6`, `numpy=2.4.6=py312_0` or `mine @ file:///…`."""
    found: dict[str, str] = {}
    for kind in _PACKAGES:
        lines = run._record.environment.get(kind)
        for line in lines if isinstance(lines, Sequence) and not isinstance(lines, str) else ():
            if match := _PACKAGE.match(str(line)):
                found[match[1].lower().replace("_", "-")] = match[2]
    return found


def _inputs(run: RunView) -> dict[str, str]:
    """The versions used, by collection."""
    found: dict[str, list[str]] = {}
    for artifact in run.used_artifacts():
        found.setdefault(f"{artifact.project}/{artifact.collection}", []).append(artifact.version)
    return {name: ", ".join(versions) for name, versions in found.items()}
