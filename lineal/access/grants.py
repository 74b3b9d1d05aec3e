"""Grants: roles of users and teams in projects and registry collections, and what they come to. Never commits."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    column,
    delete,
    exists,
    func,
    literal,
    select,
    text,
    union_all,
    update,
)

from lineal.access import teams, users
from lineal.access.model import Grant
from lineal.access.roles import ROLES, Role, check_role, largest
from lineal.core.errors import GrantNotFound, InvalidArgument
from lineal.core.names import REGISTRY, check_name
from lineal.db.schema import projects, roles, team_members
from lineal.db.schema import teams as teams_
from lineal.db.schema import users as users_
from lineal.db.session import Session, insert_new

SubjectKind = Literal["user", "team"]


class Readable(NamedTuple):
    """What somebody may read: whole projects as (entity, project) with their rows' ids, and single collections."""

    projects: frozenset[tuple[str, str]]
    collections: frozenset[tuple[str, str, str]]
    ids: frozenset[int]


_ME: BindParameter[int] = bindparam("me")
_OF: BindParameter[str] = bindparam("of")
_WITHIN: BindParameter[str] = bindparam("within")
_HERE = and_(roles.c.entity == _OF, roles.c.project == _WITHIN, roles.c.collection.in_(["", bindparam("named")]))
_PROJECT = and_(projects.c.entity == _OF, projects.c.project == _WITHIN)
_MY_TEAMS = team_members.c.team_id == roles.c.team_id
_PRIVATE = exists().where(_PROJECT, projects.c.visibility == "private")
_ROLE_OF = union_all(
    select(literal("admin").label("role")).where(users_.c.id == _ME, users_.c.name == _OF),
    select(roles.c.role).where(_HERE, roles.c.user_id == _ME),
    select(roles.c.role).join(team_members, _MY_TEAMS).where(_HERE, team_members.c.user_id == _ME),
    select(team_members.c.role)
    .join(teams_, teams_.c.id == team_members.c.team_id)
    .where(teams_.c.name == _OF, team_members.c.user_id == _ME, ~_PRIVATE),
    select(literal("reader")).where(_PROJECT, projects.c.visibility == "public"),
)
# `role_of` as a column of another query that knows `of` and `within`: the role's place in ROLES. It takes one round
# trip to the database less.
ROLE_RANK = (
    select(func.max(case({role: rank for rank, role in enumerate(ROLES)}, value=column("role"))))
    .select_from(_ROLE_OF.subquery("granted"))
    .scalar_subquery()
)
_ROW = (projects.c.entity, projects.c.project, literal("").label("collection"), projects.c.id)
_PUBLIC = text("projects.visibility = 'public'")  # the words of the partial index
_OPEN = projects.c.visibility != "private"
_GRANTED = and_(projects.c.entity == roles.c.entity, projects.c.project == roles.c.project)


def _granted(*where: ColumnElement[bool]) -> Select[tuple[str, str, str, int]]:
    """Each grant, with the id of its project's row where there is one."""
    found = select(roles.c.entity, roles.c.project, roles.c.collection, projects.c.id)
    return found.select_from(roles.outerjoin(projects, _GRANTED)).where(*where)


_READABLE = union_all(
    select(*_ROW).where(_PUBLIC),
    select(*_ROW).where(projects.c.entity == select(users_.c.name).where(users_.c.id == _ME).scalar_subquery()),
    select(*_ROW)
    .join(teams_, teams_.c.name == projects.c.entity)
    .join(team_members, team_members.c.team_id == teams_.c.id)
    .where(team_members.c.user_id == _ME, _OPEN),
    _granted(roles.c.user_id == _ME),
    _granted(roles.c.team_id.in_(select(team_members.c.team_id).where(team_members.c.user_id == _ME))),
)


def role_of(session: Session, user_id: int, entity: str, project: str, collection: str = "") -> Role | None:
    """The largest role that the user has in the project or for its collection; None: they see nothing of it.

    Ways: the entity is their own; a grant to them or to a team of theirs; membership in the entity's team, unless the
    project is private; reading what is public. One query. Being a server's admin is no role: `Caller.admin` says it.
    """
    asked = {"me": user_id, "of": entity, "within": project, "named": collection}
    return largest(cast(Role, row[0]) for row in session.execute(_ROLE_OF, asked))


def role_at(rank: int | None) -> Role | None:
    """The role that ROLE_RANK says."""
    return None if rank is None else ROLES[rank]


def readable(session: Session, user_id: int) -> Readable:
    """What the user may read. One query; a server's admin may read more, which `Caller.admin` says."""
    rows = session.execute(_READABLE, {"me": user_id}).all()
    return Readable(
        frozenset((row.entity, row.project) for row in rows if not row.collection),
        frozenset((row.entity, row.project, row.collection) for row in rows if row.collection),
        frozenset(row.id for row in rows if not row.collection and row.id is not None),
    )


def set_role(
    session: Session, kind: str, subject: str, entity: str, project: str, collection: str, role: str
) -> Role | None:
    """The role that the user or team was granted there until now; from now on it is `role`.

    Raises not_found.user, not_found.team, invalid.*.
    """
    check_role(role)
    check_place(entity, project, collection)
    owner, owner_id = _subject(session, kind, subject)
    here = _at(owner, owner_id, entity, project, collection)
    before: Role | None = session.scalar(select(roles.c.role).where(here))
    values = {owner: owner_id, "entity": entity, "project": project, "collection": collection, "role": role}
    if not insert_new(session, roles, values):
        session.execute(update(roles).where(here).values(role=role))
    return before


def remove(session: Session, kind: str, subject: str, entity: str, project: str, collection: str) -> Role:
    """The role that was granted there until now. Raises not_found.grant, not_found.user, not_found.team."""
    owner, owner_id = _subject(session, kind, subject)
    gone = delete(roles).where(_at(owner, owner_id, entity, project, collection)).returning(roles.c.role)
    role: Role | None = session.scalar(gone)
    if role is None:
        place = "/".join(part for part in (entity, project, collection) if part)
        raise GrantNotFound(f"the {kind} {ascii(subject)[:80]} was granted nothing in {place}")
    return role


def list_all(session: Session, *, entity: str | None = None, project: str | None = None) -> list[Grant]:
    """The grants of one project, of one entity or of all, by place and subject."""
    wanted = (
        select(roles, users_.c.name.label("user"), teams_.c.name.label("team"))
        .outerjoin(users_, users_.c.id == roles.c.user_id)
        .outerjoin(teams_, teams_.c.id == roles.c.team_id)
        .order_by(roles.c.entity, roles.c.project, roles.c.collection, teams_.c.name, users_.c.name)
    )
    if entity is not None:
        wanted = wanted.where(roles.c.entity == entity)
    if project is not None:
        wanted = wanted.where(roles.c.project == project)
    found = []
    for row in session.execute(wanted):
        kind: SubjectKind = "user" if row.user is not None else "team"
        found.append(Grant(kind, row.user or row.team, row.entity, row.project, row.collection, row.role))
    return found


def check_place(entity: str, project: str, collection: str) -> None:
    """Refuses what is no project and no collection of a registry ("": all of the project). Raises invalid.*."""
    check_name(entity, "entity")
    check_name(project, "project")
    if collection:
        check_name(collection, "collection")
        if project != REGISTRY:
            raise InvalidArgument(
                f"roles are for a whole project or a collection of {REGISTRY}; leave {collection} out"
            )


def _subject(session: Session, kind: str, name: str) -> tuple[str, int]:
    if kind == "user":
        return "user_id", users.get(session, name).id
    if kind == "team":
        return "team_id", teams.get(session, name)
    raise InvalidArgument(f"{ascii(kind)[:40]} is granted nothing; say user or team")


def _at(owner: str, owner_id: int, entity: str, project: str, collection: str) -> ColumnElement[bool]:
    place = and_(roles.c.entity == entity, roles.c.project == project, roles.c.collection == collection)
    return and_(roles.c[owner] == owner_id, place)
