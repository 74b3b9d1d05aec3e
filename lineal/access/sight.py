"""What somebody may see of lists and walks that cross projects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import ColumnElement, and_, false, or_, select, tuple_

from lineal.core.names import REGISTRY, parse_ref
from lineal.db.schema import projects
from lineal.db.session import Session

if TYPE_CHECKING:
    from lineal.access.model import Caller


class Placed(Protocol):
    """A record that lies in a project."""

    @property
    def entity(self) -> str: ...

    @property
    def project(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be seen: all projects of `entities` but the `hidden` ones, `projects`, single `collections`."""

    everything: bool = False
    entities: frozenset[str] = frozenset()
    hidden: frozenset[tuple[str, str]] = frozenset()
    projects: frozenset[tuple[str, str]] = frozenset()
    collections: frozenset[tuple[str, str, str]] = frozenset()
    ids: frozenset[int] = field(default=frozenset(), repr=False)

    def project(self, entity: str, project: str) -> bool:
        """Whether all of the project is to be seen."""
        place = (entity, project)
        return self.everything or place in self.projects or (entity in self.entities and place not in self.hidden)

    def collection(self, entity: str, project: str, name: str) -> bool:
        """Whether the collection is to be seen."""
        return self.project(entity, project) or (entity, project, name) in self.collections

    def ref(self, text: str) -> bool:
        """Whether what the ref `entity/project/collection:…` names is to be seen."""
        parsed = parse_ref(text)
        return self.collection(parsed.entity or "", parsed.project or "", parsed.collection)

    def has(self, record: Placed) -> bool:
        """Whether the record, of a run or a version, is to be seen."""
        name = getattr(record, "collection", None)
        if name is None or record.project != REGISTRY:
            return self.project(record.entity, record.project)
        return self.collection(record.entity, record.project, name)

    def where(self, entity: ColumnElement[Any], project: ColumnElement[Any]) -> ColumnElement[bool] | None:
        """The rows whose project is to be seen; None: all are."""
        if self.everything:
            return None
        among = tuple_(entity, project)
        mine: ColumnElement[bool] = entity.in_(sorted(self.entities)) if self.entities else false()
        if self.hidden:
            mine = and_(mine, among.not_in(sorted(self.hidden)))
        return or_(among.in_(sorted(self.projects)), mine) if self.projects else mine


EVERYTHING = Sight(everything=True)


def of(session: Session, caller: Caller | None) -> Sight:
    """What the caller may see. Two or three queries; none for who may see everything."""
    if caller is None or caller.admin:
        return EVERYTHING
    from lineal.access import grants, teams  # loaded where there are callers: a folder has none

    found = grants.readable(session, caller.user_id)
    entities = frozenset({caller.name, *teams.of_user(session, caller.user_id)})
    private = select(projects.c.entity, projects.c.project).where(
        projects.c.entity.in_(sorted(entities)), projects.c.visibility == "private"
    )
    hidden = frozenset((row[0], row[1]) for row in session.execute(private)) - found.projects
    return Sight(False, entities, hidden, found.projects, found.collections, found.ids)
