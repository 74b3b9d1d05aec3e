"""Reading back: `Api` finds artifacts, collections and types."""

from __future__ import annotations

from lineal.client.artifact import Artifact
from lineal.client.connection import Connection, connection
from lineal.client.run import check_type
from lineal.core.clock import parse_time
from lineal.registry.model import Collection
from lineal.tracking.model import Run as RunRecord


class Api:
    """A view of one store that needs no run."""

    def __init__(self, url: str | None = None, *, entity: str | None = None, project: str | None = None) -> None:
        """`url` names the store (default: the setting)."""
        self._connection: Connection = connection(url=url, entity=entity, project=project)

    def artifact(self, name: str, type: str | None = None, *, at: str | None = None) -> Artifact:
        """The version that the ref names now, or named at the moment `at` (RFC 3339), pinned. Raises not_found.*."""
        moment = parse_time(at) if at else None
        version = self._connection.backend.artifacts.resolve(name, at=moment)
        if type is not None:
            check_type(self._connection, version.ref, type)
        return Artifact._logged_as(version, self._connection)

    def artifact_versions(self, name: str, *, deleted: bool = False) -> list[Artifact]:
        """The collection's versions, newest first."""
        found = self._connection.backend.artifacts.list_versions(name, deleted=deleted)
        return [Artifact._logged_as(version, self._connection) for version in found]

    def artifacts(self, type_name: str, name: str) -> list[Artifact]:
        """The versions of the collection `name`, which is of the type `type_name`, newest first."""
        found = self.artifact_versions(name)
        return [artifact for artifact in found if artifact.type == type_name]

    def artifact_collections(self, project_name: str | None = None, type_name: str | None = None) -> list[Collection]:
        """The collections of the project, or of all projects, by name."""
        return self._connection.backend.artifacts.list_collections(project=project_name, type=type_name)

    def artifact_types(self, project: str | None = None) -> list[str]:
        """The types in the project, or in all projects."""
        return self._connection.backend.artifacts.list_types(project=project)

    def artifact_exists(self, name: str, type: str | None = None) -> bool:
        """Whether the ref names a version now."""
        from lineal.core.errors import Invalid, NotFound

        try:
            self.artifact(name, type)
        except (NotFound, Invalid):
            return False
        return True

    def run(self, path: str) -> RunRecord:
        """The run with that id, or `entity/project/id`. Raises not_found.run."""
        return self._connection.backend.runs.get(path.rpartition("/")[2])
