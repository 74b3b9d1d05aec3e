"""Lineal: versions, aliases and lineage for data and models.

    import lineal

    with lineal.init(project="digits", job_type="train") as run:
        data = run.use_artifact("digits:latest").download()
        ...
        run.log_artifact("model/", name="digits-classifier", type="model", aliases=["candidate"])

    folder = lineal.download("digits-classifier:production")

Everything is loaded when it is first used, so that importing Lineal costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineal.client.artifact import Artifact
    from lineal.client.entry import ArtifactEntry
    from lineal.client.query import Api
    from lineal.client.run import Run, finish, init, link_artifact, log_artifact, use_artifact
    from lineal.client.serving import download
    from lineal.core import errors

    run: Run | None
    config: Any

__version__ = "0.1.0"

__all__ = [
    "Api",
    "Artifact",
    "ArtifactEntry",
    "Run",
    "download",
    "errors",
    "finish",
    "init",
    "link_artifact",
    "log_artifact",
    "use_artifact",
]

_FROM = {
    "Api": "lineal.client.query",
    "Artifact": "lineal.client.artifact",
    "ArtifactEntry": "lineal.client.entry",
    "Run": "lineal.client.run",
    "download": "lineal.client.serving",
    "finish": "lineal.client.run",
    "init": "lineal.client.run",
    "link_artifact": "lineal.client.run",
    "log_artifact": "lineal.client.run",
    "use_artifact": "lineal.client.run",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "errors":
        return import_module("lineal.core.errors")
    if name in ("run", "config"):
        current = import_module("lineal.client.run").current()
        return current if name == "run" else current and current.config
    if name not in _FROM:
        raise AttributeError(f"module 'lineal' has no attribute {name!r}")
    value = getattr(import_module(_FROM[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "run", "config"})
