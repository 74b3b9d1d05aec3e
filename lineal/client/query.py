"""Reading back: `Api` finds artifacts, collections, types, runs, sweeps and projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lineal.client.artifact import Artifact
from lineal.client.connection import Connection, connection
from lineal.client.run import check_type
from lineal.client.run_list import Runs
from lineal.client.run_view import RunView
from lineal.core.clock import parse_time
from lineal.core.errors import InvalidArgument, ProjectNotFound, RunNotFound
from lineal.core.names import check_name
from lineal.registry.model import Collection
from lineal.tracking import filter_text
from lineal.tracking.filters import parse, parse_order

if TYPE_CHECKING:
    from lineal.client.sweep import SweepView


class Api:
    """A view of one store that needs no run."""

    def __init__(
        self,
        url: str | None = None,
        *,
        entity: str | None = None,
        project: str | None = None,
        _connection: Connection | None = None,
    ) -> None:
        """`url` names the store (default: the setting)."""
        self._connection = _connection or connection(url=url, entity=entity, project=project)

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

    # ---- runs --------------------------------------------------------------------------------------------------

    def run(self, path: str) -> RunView:
        """The run that `[[entity/]project/]id` names. Raises not_found.run."""
        *above, run_id = [part for part in path.strip("/").split("/") if part not in ("runs", "")] or [""]
        record = self._connection.backend.runs.get(run_id)
        if above and above[-2:] != [record.entity, record.project][-len(above) :]:
            raise RunNotFound(f"run {run_id} is in {record.entity}/{record.project}, not in {'/'.join(above)[:200]}")
        return RunView(record, self._connection)

    def runs(
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | str | None = None,
        order: str = "-created_at",
        per_page: int = 50,
        **_: Any,
    ) -> Runs:
        """The runs of `[entity/]project` (default: the project in force, else all) that meet the filter, in order.

        Filters are mappings such as `{"config.lr": {"$gt": 0.01}, "state": "finished"}` or lines such as
        `config.lr > 0.01 and state = finished`; an order is `+` or `-` and a key, such as `-summary_metrics.acc`;
        runs without the key come last. Nothing is read before it is needed. Raises invalid.filter.
        """
        entity, project = self._place(path)
        found = filter_text.parse(filters) if isinstance(filters, str) else dict(filters or {})
        parse(found)
        parse_order(order)
        return Runs(self._connection, project=project, entity=entity, filters=found, order=order, per_page=per_page)

    def project(self, name: str, entity: str | None = None) -> Project:
        """The project of that name. Raises not_found.project unless it has runs or collections."""
        for project in self.projects(entity):
            if project.name == name:
                return project
        raise ProjectNotFound(f"there is no project {name[:80]!r} with runs or artifacts")

    def projects(self, entity: str | None = None, per_page: int = 50) -> list[Project]:
        """The projects that have runs or collections, by name."""
        entity = entity or self._connection.settings.entity
        return [Project(self, entity, name) for name in self._connection.backend.runs.list_projects(entity=entity)]

    # ---- sweeps ------------------------------------------------------------------------------------------------

    def sweep(self, path: str) -> SweepView:
        """The sweep that `[[entity/]project/]id` names. Raises not_found.sweep."""
        from lineal.client.sweep import SweepView, find

        return SweepView(find(self._connection, path), self._connection)

    def sweeps(self, project: str | None = None) -> list[SweepView]:
        """The sweeps of the project (default: the one in force, else of all), newest first."""
        from lineal.client.sweep import SweepView

        _, place = self._place(project)
        found = self._connection.backend.sweeps.list(project=place)
        return [SweepView(record, self._connection) for record in found]

    def _place(self, path: str | None) -> tuple[str, str | None]:
        """The entity and project that the path names, the settings standing in."""
        settings = self._connection.settings
        parts = path.strip("/").split("/") if path else []
        if len(parts) > 2:
            raise InvalidArgument(f"{path!r} is no project; write [entity/]project")
        for part in parts:
            check_name(part, "project or entity")
        entity = parts[0] if len(parts) == 2 else settings.entity
        return entity, parts[-1] if parts else settings.project


class Project:
    """A project: what has runs or artifacts under its name."""

    def __init__(self, api: Api, entity: str, name: str) -> None:
        self.entity, self.name = entity, name
        self._api = api

    def __repr__(self) -> str:
        return f"<Project {self.path}>"

    @property
    def path(self) -> str:
        """`entity/name`."""
        return f"{self.entity}/{self.name}"

    def runs(self, filters: Mapping[str, Any] | str | None = None, order: str = "-created_at") -> Runs:
        """`Api.runs` of this project."""
        return self._api.runs(self.path, filters, order)
