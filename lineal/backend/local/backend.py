"""The local backend: the operations of one store, joined."""

from __future__ import annotations

from functools import cached_property

from lineal.backend.local.context import Context, LocalBlobs
from lineal.backend.port import Artifacts, Backend, Lineage, Stores
from lineal.backend.port_runs import Runs
from lineal.db.session import Database
from lineal.storage.blobs import BlobStore


class LocalBackend(Backend):
    """The store whose rows are in `database` and whose bytes are in `store`, used by `user` on `host`."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        *,
        url: str,
        entity: str,
        project: str | None,
        user: str,
        host: str,
    ) -> None:
        self.url = url
        self._database = database
        self.blobs = LocalBlobs(database, store)
        self._context = Context(database, self.blobs, entity, project, user, host)

    @property
    def database(self) -> Database:
        """The rows, for the use cases of whoever runs the store."""
        return self._database

    # Each noun is loaded when it is first asked for: a training process needs few of them.

    @cached_property
    def artifacts(self) -> Artifacts:  # type: ignore[override]
        from lineal.backend.local.artifacts import LocalArtifacts

        return LocalArtifacts(self._context)

    @cached_property
    def runs(self) -> Runs:  # type: ignore[override]
        from lineal.backend.local.runs import LocalRuns

        return LocalRuns(self._context)

    @cached_property
    def lineage(self) -> Lineage:  # type: ignore[override]
        from lineal.backend.local.lineage import LocalLineage

        return LocalLineage(self._context)

    @cached_property
    def store(self) -> Stores:  # type: ignore[override]
        from lineal.backend.local.upkeep import LocalStores

        return LocalStores(self._context)

    def close(self) -> None:
        self._database.close()
