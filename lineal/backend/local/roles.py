"""Use cases of access: who may read a project, roles, protected aliases, and the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from lineal.access import audit, grants, projects, protections
from lineal.access.model import AuditPage, Caller, Grant, Project, Protection
from lineal.access.roles import Role, Visibility, reaches
from lineal.backend.local import guard, permits
from lineal.backend.local.context import Context
from lineal.backend.local.permits import Place
from lineal.backend.port_access import Access
from lineal.core import clock
from lineal.core.errors import InvalidArgument
from lineal.core.names import check_name
from lineal.db.session import Session


class LocalRoles(Access):
    """The part of access that is about projects."""

    def __init__(self, here: Context) -> None:
        self._here = here

    def list_accessible(self) -> Sequence[Project]:
        with self._here.database.read() as session:
            found, seen = projects.list_all(session), self._here.sight(session)
        return [one for one in found if seen.has(one)]

    def set_visibility(self, place: str, visibility: Visibility) -> Project:
        at = self._place(place, whole=True)
        with permits.act(self._here, "access.set_visibility", at.path) as act:
            permits.project(act.session, self._here.caller, at)
            before = projects.set_visibility(act.session, at.entity, at.project, visibility, at=clock.now())
            after: dict[str, str] = {"visibility": visibility}
            if (kept := self._keeps(act.session, at)) is not None:
                grants.set_role(act.session, "user", kept.name, *at, "admin")
                after |= {f"user:{kept.name}": "admin"}
            act.done({"visibility": before}, after)
            return next(p for p in projects.list_all(act.session) if (p.entity, p.project) == at[:2])

    def grant(self, place: str, role: Role, *, user: str | None = None, team: str | None = None) -> Grant:
        at = self._place(place)
        kind, subject = _subject(user, team)
        with permits.act(self._here, "access.grant", at.path) as act:
            permits.project(act.session, self._here.caller, at)
            before = grants.set_role(act.session, kind, subject, *at, role)
            act.done({f"{kind}:{subject}": before}, {f"{kind}:{subject}": role})
        return Grant(kind, subject, *at, role)

    def revoke(self, place: str, *, user: str | None = None, team: str | None = None) -> Grant:
        at = self._place(place)
        kind, subject = _subject(user, team)
        with permits.act(self._here, "access.revoke", at.path) as act:
            permits.project(act.session, self._here.caller, at)
            role = grants.remove(act.session, kind, subject, *at)
            act.done({f"{kind}:{subject}": role}, {f"{kind}:{subject}": None})
        return Grant(kind, subject, *at, role)

    def list_grants(self, *, place: str | None = None) -> Sequence[Grant]:
        if place is None:
            guard.check_server(self._here.caller)
        with self._here.database.read() as session:
            if place is None:
                return grants.list_all(session)
            at = self._place(place)
            permits.project(session, self._here.caller, at)
            found = grants.list_all(session, entity=at.entity, project=at.project)
        return [one for one in found if not at.collection or one.collection == at.collection]

    def protect_alias(self, place: str, alias: str, *, role: Role = "maintainer") -> Protection:
        at = self._place(place)
        with permits.act(self._here, "access.protect_alias", at.path) as act:
            permits.project(act.session, self._here.caller, at)
            before = protections.protect(act.session, *at, alias, role)
            act.done({alias: before}, {alias: role})
        return Protection(*at, alias, role)

    def unprotect_alias(self, place: str, alias: str) -> Protection:
        at = self._place(place)
        with permits.act(self._here, "access.unprotect_alias", at.path) as act:
            permits.project(act.session, self._here.caller, at)
            role = protections.unprotect(act.session, *at, alias)
            act.done({alias: role}, {alias: None})
        return Protection(*at, alias, role)

    def list_protections(self, *, place: str | None = None) -> Sequence[Protection]:
        with self._here.database.read() as session:
            if place is None:
                seen = self._here.sight(session)
                return [one for one in protections.list_all(session) if seen.project(one.entity, one.project)]
            at = self._place(place)
            permits.reading(session, self._here.caller, at)
            found = protections.list_all(session, entity=at.entity, project=at.project)
        return [one for one in found if not at.collection or one.collection in ("", at.collection)]

    def audit_log(
        self,
        *,
        user: str | None = None,
        operation: str | None = None,
        subject: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> AuditPage:
        with self._here.database.read() as session:
            self._may_look(session, subject)
            return audit.page(
                session,
                user=user,
                operation=operation,
                subject=subject,
                outcome=outcome,
                since=since,
                until=until,
                limit=limit,
                after=after,
            )

    def _may_look(self, session: Session, subject: str | None) -> None:
        """Raises forbidden.* unless the caller may read that part of the record."""
        caller = self._here.caller
        parts = (subject or "").split("/")
        if caller is None or caller.admin or len(parts) < 2 or ":" in parts[0]:
            guard.check_server(caller)
        else:
            project = parts[1] if len(parts) > 2 else parts[1].partition(":")[0]
            permits.project(session, caller, Place(check_name(parts[0]), check_name(project), ""))

    def _place(self, text: str, *, whole: bool = False) -> Place:
        at = permits.parse_place(text, self._here.entity)
        if whole and at.collection:
            raise InvalidArgument(f"{text} is a collection; who may read is said of a whole project")
        return at

    def _keeps(self, session: Session, at: Place) -> Caller | None:
        """The caller, if they administer the project by a way that they have just closed."""
        caller = self._here.caller
        if caller is None or caller.admin:
            return None
        return None if reaches(grants.role_of(session, caller.user_id, at.entity, at.project), "admin") else caller


def _subject(user: str | None, team: str | None) -> tuple[Literal["user", "team"], str]:
    if user is not None and team is None:
        return "user", user
    if team is not None and user is None:
        return "team", team
    raise InvalidArgument("say either a user or a team")
