"""The run that a framework's callback writes to: the one given, else the current one, else one of its own.

A run that a callback started stays open when the training is over, so that what is evaluated after it lands in it
too. It ends with `lineal.finish()`, with the next training that needs a run of its own, or with the process.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from os import PathLike, fspath, path
from typing import Any

from lineal.client import current
from lineal.client.artifact import Artifact
from lineal.client.run import Run
from lineal.client.start import init
from lineal.core.errors import MissingDependency

_DEEPEST = 12
_SECRET = re.compile(r"(^|_)(password|passwd|secret|api_?key|access_key|credentials|(auth|hub|access)_token)$", re.I)

_over: set[str] = set()  # the runs that were started here and whose training is over


class Binding:
    """What ties one callback to a run; `facts` are what `lineal.init` is told when it has to start one."""

    def __init__(self, run: Run | None, facts: Mapping[str, Any]) -> None:
        self._given = run
        self._facts = dict(facts)
        self._run: Run | None = None
        self._defined: set[str] = set()
        self._own = False

    def __deepcopy__(self, memo: Any) -> Binding:
        """A new tie to the same run: searches copy estimators together with their callbacks."""
        return Binding(self._given, self._facts)

    @property
    def last(self) -> Run | None:
        """The run that was written to last, if any."""
        return self._run

    def begin(self, **defaults: Any) -> Run:
        """The run of a training that begins now; one that was started here for an earlier training ends first."""
        if self._own and self._run is not None and self._run.state == "running":
            self._run.finish(exit_code=0 if self._run.id in _over else 1)  # 1: it never came to its end
        self._run = None
        return self.use(**defaults)

    def use(self, **defaults: Any) -> Run:
        """The run to write to; `defaults` are used where the `facts` say nothing and a run must be started."""
        if self._run is None or self._run.state != "running":
            self._defined.clear()
            self._run = self._given or _current()
            self._own = self._run is None
            if self._run is None:
                self._run = self._start(defaults)
        return self._run

    def end(self) -> None:
        """The training is over. A run started here stays open for what is evaluated now."""
        if self._own and self._run is not None:
            _over.add(self._run.id)

    def log(self, values: Mapping[str, Any], over: str, at: float) -> None:
        """Logs the values, drawn over the metric `over`, which stands `at` this value now."""
        run = self.use()
        for key in values:
            if key not in self._defined and key != over:
                run.define_metric(key, step_metric=over)
                self._defined.add(key)
        run.log({**values, over: at})

    def log_model(
        self,
        file_or_folder: str | PathLike[str],
        name: str | None,
        *,
        aliases: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> Artifact:
        """The file or folder as a version of the model `name` (default: `model-<run id>`), an output of the run.

        Metadata that is not finite is left out.
        """
        run = self.use()
        known = {key: value for key, value in (metadata or {}).items() if not _is_not_finite(value)}
        artifact = Artifact(name or f"model-{run.id}", "model", metadata=known)
        if path.isdir(file_or_folder):
            artifact.add_dir(fspath(file_or_folder))
        else:
            artifact.add_file(fspath(file_or_folder))
        return run.log_artifact(artifact, aliases=list(aliases))

    def _start(self, defaults: Mapping[str, Any]) -> Run:
        facts = {"job_type": "train"} | {key: value for key, value in defaults.items() if value} | self._facts
        return init(**facts)


def _current() -> Run | None:
    """The current run, unless a callback started it for a training that is over."""
    run = current.get()
    return None if run is not None and run.id in _over else run


def _is_not_finite(value: Any) -> bool:
    """Whether it is a number that metadata can't hold, such as the loss of a training that went astray."""
    return isinstance(value, float) and not math.isfinite(value)


def missing(what: str, packages: str) -> MissingDependency:
    """The error for a framework that can't be imported."""
    return MissingDependency(f"this integration needs {what}: pip install {packages}")


def plain_values(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Those of the values that JSON can say, keys as texts; what names a secret, or is any other object, is left out.

    numpy's scalars become numbers, enums their values, paths texts, classes and functions their names.
    """
    return _plain_items(values, _DEEPEST)


_LEFT_OUT = object()


def _plain_items(values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    kept = ((str(key), _plain(value, depth)) for key, value in values.items() if not _SECRET.search(str(key)))
    return {key: value for key, value in kept if value is not _LEFT_OUT}


def _plain(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one line per kind
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return _plain_items(value, depth - 1) if depth else _LEFT_OUT
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item, depth - 1) for item in value] if depth else [_LEFT_OUT]
        return items if all(item is not _LEFT_OUT for item in items) else _LEFT_OUT
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        return _plain(value.item(), 0)
    return _LEFT_OUT
