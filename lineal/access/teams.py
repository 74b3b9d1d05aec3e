"""Teams: entities whose members have a role in all their projects. Never commits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select, update

from lineal.access import turns, users
from lineal.access.model import Team
from lineal.access.roles import Role, check_role
from lineal.core.errors import GrantNotFound, TeamNotFound
from lineal.core.names import check_name, is_name
from lineal.db.schema import team_members, teams
from lineal.db.schema import users as users_
from lineal.db.session import Session, insert_new


def get(session: Session, name: str) -> int:
    """The id of the team's row. Raises not_found.team."""
    found = session.scalar(select(teams.c.id).where(teams.c.name == name)) if is_name(name) else None
    if found is None:
        raise TeamNotFound(f"there is no team {ascii(name)[:80]}; `lineal admin team list` lists all")
    return int(found)


def add(session: Session, name: str, *, at: datetime) -> Team:
    """The new team, without members. Raises conflict.team_exists, invalid.name."""
    turns.take(session)
    users.refuse_team_name(session, check_name(name, "team"))
    session.execute(insert(teams).values(name=name, created_at=at))
    return Team(name, at)


def set_member(session: Session, team: str, user: str, role: str) -> Role | None:
    """The role that the user had in the team until now; from now on it is `role`."""
    team_id, user_id = get(session, team), users.get(session, user).id
    here = (team_members.c.team_id == team_id) & (team_members.c.user_id == user_id)
    before: Role | None = session.scalar(select(team_members.c.role).where(here))
    values = {"team_id": team_id, "user_id": user_id, "role": check_role(role)}
    if not insert_new(session, team_members, values):
        session.execute(update(team_members).where(here).values(role=role))
    return before


def remove_member(session: Session, team: str, user: str) -> Role:
    """The role that the user had in the team. Raises not_found.grant."""
    team_id, user_id = get(session, team), users.get(session, user).id
    gone = delete(team_members).where(team_members.c.team_id == team_id, team_members.c.user_id == user_id)
    role: Role | None = session.scalar(gone.returning(team_members.c.role))
    if role is None:
        raise GrantNotFound(f"{user} is no member of {team}")
    return role


def list_all(session: Session) -> list[Team]:
    """Every team with its members, by name."""
    wanted = (
        select(teams.c.name, teams.c.created_at, users_.c.name.label("user"), team_members.c.role)
        .outerjoin(team_members, team_members.c.team_id == teams.c.id)
        .outerjoin(users_, users_.c.id == team_members.c.user_id)
        .order_by(teams.c.name, users_.c.name)
    )
    found: dict[str, tuple[datetime, dict[str, Role]]] = {}
    for row in session.execute(wanted):
        _, members = found.setdefault(row.name, (row.created_at, {}))
        if row.user is not None:
            members[row.user] = row.role
    return [Team(name, at, members) for name, (at, members) in found.items()]


def of_user(session: Session, user_id: int) -> dict[str, Role]:
    """The teams that the user is in, with their role in each."""
    wanted = (
        select(teams.c.name, team_members.c.role)
        .join(team_members, team_members.c.team_id == teams.c.id)
        .where(team_members.c.user_id == user_id)
        .order_by(teams.c.name)
    )
    return {row.name: row.role for row in session.execute(wanted)}
