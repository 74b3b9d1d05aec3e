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
    from lineal.client import plots as plot
    from lineal.client.agent import agent
    from lineal.client.alerts import AlertLevel
    from lineal.client.artifact import Artifact
    from lineal.client.config import Config
    from lineal.client.current import (
        alert,
        define_metric,
        finish,
        link_artifact,
        log,
        log_artifact,
        log_code,
        login,
        save,
        unwatch,
        use_artifact,
        watch,
    )
    from lineal.client.entry import ArtifactEntry
    from lineal.client.media.audio import Audio
    from lineal.client.media.histogram import Histogram
    from lineal.client.media.html import Html, Markdown
    from lineal.client.media.image import Image
    from lineal.client.media.object3d import Object3D
    from lineal.client.media.plotly import Plotly
    from lineal.client.media.table import Table
    from lineal.client.media.video import Video
    from lineal.client.options import Settings
    from lineal.client.query import Api
    from lineal.client.run import Run
    from lineal.client.serving import download
    from lineal.client.start import init
    from lineal.client.summary import Summary
    from lineal.client.sweep import sweep
    from lineal.core import errors

    run: Run | None
    config: Config
    summary: Summary

__version__ = "0.1.0"

_FROM = {
    "AlertLevel": "alerts",
    "Api": "query",
    "Artifact": "artifact",
    "ArtifactEntry": "entry",
    "Audio": "media.audio",
    "Histogram": "media.histogram",
    "Html": "media.html",
    "Image": "media.image",
    "Markdown": "media.html",
    "Object3D": "media.object3d",
    "Plotly": "media.plotly",
    "Run": "run",
    "Settings": "options",
    "Table": "media.table",
    "Video": "media.video",
    "agent": "agent",
    "alert": "current",
    "define_metric": "current",
    "download": "serving",
    "finish": "current",
    "init": "start",
    "link_artifact": "current",
    "log": "current",
    "log_artifact": "current",
    "log_code": "current",
    "login": "current",
    "save": "current",
    "sweep": "sweep",
    "unwatch": "current",
    "use_artifact": "current",
    "watch": "current",
}
_MODULES = {"errors": "lineal.core.errors", "plot": "lineal.client.plots"}
_OF_THE_RUN = ("config", "summary")

__all__ = [
    "AlertLevel",
    "Api",
    "Artifact",
    "ArtifactEntry",
    "Audio",
    "Histogram",
    "Html",
    "Image",
    "Markdown",
    "Object3D",
    "Plotly",
    "Run",
    "Settings",
    "Table",
    "Video",
    "agent",
    "alert",
    "config",
    "define_metric",
    "download",
    "errors",
    "finish",
    "init",
    "link_artifact",
    "log",
    "log_artifact",
    "log_code",
    "login",
    "plot",
    "run",
    "save",
    "summary",
    "sweep",
    "unwatch",
    "use_artifact",
    "watch",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(_MODULES[name])
    if name == "run" or name in _OF_THE_RUN:
        current = import_module("lineal.client.current").get()
        return current if name == "run" or current is None else getattr(current, name)
    if name not in _FROM:
        raise AttributeError(f"module 'lineal' has no attribute {name!r}")
    value = getattr(import_module(f"lineal.client.{_FROM[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
