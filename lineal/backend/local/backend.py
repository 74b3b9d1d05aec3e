"""The local backend: the operations of one store, joined."""

from __future__ import annotations

from lineal.backend.local.artifacts import LocalArtifacts
from lineal.backend.local.context import Context, LocalBlobs
from lineal.backend.local.lineage import LocalLineage
from lineal.backend.local.runs import LocalRuns
from lineal.backend.local.upkeep import LocalStores
from lineal.backend.port import Backend
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
        context = Context(database, self.blobs, entity, project, user, host)
        self.artifacts = LocalArtifacts(context)
        self.runs = LocalRuns(context)
        self.lineage = LocalLineage(context)
        self.store = LocalStores(context)

    def close(self) -> None:
        self._database.close()
