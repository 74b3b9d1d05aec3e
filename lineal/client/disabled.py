"""A run that is switched off: it takes all that a run takes, costs nothing and touches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lineal.client import metrics
from lineal.client.artifact import Artifact
from lineal.client.config import Config
from lineal.client.connection import Connection
from lineal.client.entry import PathLike
from lineal.client.outbox import End
from lineal.client.run import Run, as_artifact
from lineal.client.summary import Summary
from lineal.core import clock
from lineal.core.settings import DEFAULT_PROJECT
from lineal.tracking.model import Run as RunRecord


class DisabledRun(Run):
    """See the module. Artifacts that it uses are found as usual, since the program needs them; nothing notes it."""

    disabled = True

    def __init__(self, run_id: str, name: str, conn: Connection, config: Mapping[str, Any]) -> None:
        here = conn.settings
        place, now = here.project or DEFAULT_PROJECT, clock.now()
        self._record = RunRecord(
            run_id, here.entity, place, name or run_id, "", "running", {}, {}, here.user, here.host, now
        )
        self._connection = conn
        self.config = Config(config, lambda _values: None)
        self._summary = Summary({}, metrics.Metrics(), settle=lambda: None, check=lambda: None)
        self._folder: str | None = None
        self._offline = False

    @property
    def dir(self) -> str:
        """A folder that goes away with the process."""
        import tempfile

        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="lineal-", ignore_cleanup_errors=True)
            self._folder = self._temporary.name
        return self._folder

    @property
    def step(self) -> int:
        return 0

    def log(self, data: Any, step: int | None = None, commit: bool | None = None, sync: bool | None = None) -> None:
        pass

    def define_metric(self, name: str, *args: Any, **kwargs: Any) -> metrics.Metric:
        return metrics.Metric(name)

    def save(self, glob_str: Any, base_path: Any = None, policy: str = "live") -> list[str]:
        return []

    def alert(self, title: Any, text: Any = "", level: Any = "INFO", wait_duration: Any = None) -> None:
        pass

    def mark_preempting(self) -> None:
        pass

    def watch(self, models: Any, *args: Any, **kwargs: Any) -> None:
        pass

    def _check_open(self) -> None:
        pass

    def use_artifact(
        self, artifact_or_name: Artifact | str, type: str | None = None, use_as: str | None = None
    ) -> Artifact:
        if isinstance(artifact_or_name, Artifact):
            return artifact_or_name
        return Artifact._logged_as(self._connection.backend.artifacts.resolve(artifact_or_name), self._connection)

    def log_artifact(
        self,
        artifact_or_path: Artifact | PathLike,
        name: str | None = None,
        type: str | None = None,
        aliases: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Artifact:
        return as_artifact(artifact_or_path, name, type)

    def log_code(
        self, root: Any = None, name: str | None = None, include_fn: Any = None, exclude_fn: Any = None
    ) -> None:
        return None

    def link_artifact(self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None) -> Artifact:
        return artifact

    def _change(self, **new: Any) -> None:
        self._show(new)

    def _end(self, end: End) -> None:
        from lineal.client import current

        self._record = replace(self._record, state=end.state or "finished")
        current.left(self)

    def _forked(self) -> None:
        pass
