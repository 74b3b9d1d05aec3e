"""What a run holds, read back as another process would."""

from __future__ import annotations

from typing import Any

import lineal


def rows(path: str, *keys: str) -> list[tuple[Any, ...]]:
    """The rows of the history that have all the keys, as tuples of their values."""
    return [tuple(row[key] for key in keys) for row in lineal.Api().run(path).scan_history(keys=list(keys))]


def model_versions(path: str) -> list[lineal.Artifact]:
    """The models that the run logged, oldest first."""
    found = [artifact for artifact in lineal.Api().run(path).logged_artifacts() if artifact.type == "model"]
    return sorted(found, key=lambda artifact: artifact.version_number)
