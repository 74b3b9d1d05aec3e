"""What the use cases of access ask before they act: an admin of the server, of a project, of a team, or oneself.

Nobody is asked for what they may do where there is no caller: whoever opened the database is beyond its rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from lineal.access import audit, grants, teams
from lineal.access.model import Caller
from lineal.access.roles import reaches
from lineal.backend.local import guard
from lineal.backend.local.context import Context
from lineal.core import clock
from lineal.core.errors import Forbidden, InvalidArgument, ProjectNotFound, RoleTooSmall, ScopeTooSmall, TeamNotFound
from lineal.core.names import check_name
from lineal.db.session import Session


class Place(NamedTuple):
    """A project, or a collection in it; "" means all of it."""

    entity: str
    project: str
    collection: str

    @property
    def path(self) -> str:
        """`entity/project[/collection]`."""
        return "/".join(part for part in self if part)


def parse_place(text: str, entity: str) -> Place:
    """The place that `[entity/]project` or `entity/project/collection` names. Raises invalid.*."""
    parts = text.split("/")
    if len(parts) > 3:
        raise InvalidArgument(f"{ascii(text)[:80]} is no place; write entity/project or entity/project/collection")
    if len(parts) == 1:
        parts.insert(0, entity)
    for part, what in zip(parts, ("entity", "project", "collection"), strict=False):
        check_name(part, what)
    return Place(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def project(session: Session, caller: Caller | None, place: Place) -> None:
    """Raises forbidden.* unless the caller administers the project; not_found.project where they may not read."""
    if caller is None:
        return
    guard.scope(caller, "admin")
    if not caller.admin:
        role = grants.role_of(session, caller.user_id, place.entity, place.project)
        if role is None:
            raise _absent(place)
        if not reaches(role, "admin"):
            raise RoleTooSmall(
                f"that takes the role admin in {place.entity}/{place.project}, and {caller.name} is {role}"
            )


def reading(session: Session, caller: Caller | None, place: Place) -> None:
    """Raises not_found.project unless the caller may read the place."""
    if caller is not None:
        guard.scope(caller, "read")
        if not caller.admin and grants.role_of(session, caller.user_id, *place) is None:
            raise _absent(place)


def team(session: Session, caller: Caller | None, name: str) -> None:
    """Raises forbidden.* unless the caller administers the team; not_found.team where they are not in it."""
    if caller is None:
        return
    guard.scope(caller, "admin")
    if not caller.admin:
        role = teams.of_user(session, caller.user_id).get(name)
        if role is None:
            raise TeamNotFound(f"there is no team {ascii(name)[:80]} that {caller.name} is in")
        if not reaches(role, "admin"):
            raise RoleTooSmall(f"that takes the role admin in the team {name}; {caller.name} is {role}")


def unlimited(caller: Caller) -> None:
    """Raises forbidden.scope for a limited key: it would make itself, or let others become, more than it is."""
    if caller.permissions is not None:
        raise ScopeTooSmall(f"the API key {caller.key_prefix} is limited, and so handles no keys; use another")


class Recorder:
    """One changing act: a session whose rows go into the record, also where it is refused."""

    def __init__(self, here: Context, session: Session, operation: str, subject: str) -> None:
        self.session = session
        self._here, self._operation, self.subject = here, operation, subject

    def done(self, before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None) -> None:
        """Records what the act changed."""
        caller, user = self._here.caller, self._here.user
        now = clock.now()
        audit.add(self.session, caller, self._operation, self.subject, at=now, user=user, before=before, after=after)


@contextmanager
def act(here: Context, operation: str, subject: str) -> Iterator[Recorder]:
    """A writing session for one act on the subject; a refusal is recorded in a session of its own."""
    try:
        with here.database.begin() as session:
            yield Recorder(here, session, operation, subject)
    except Forbidden as problem:
        refused: Any = {"outcome": "refused", "why": problem.message, "user": here.user, "at": clock.now()}
        with here.database.begin() as session:
            audit.add(session, here.caller, operation, subject, **refused)
        raise


def _absent(place: Place) -> ProjectNotFound:
    return ProjectNotFound(f"there is no project {place.entity}/{place.project}")
