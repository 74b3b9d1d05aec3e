"""Commands for who may read a project, for roles and protected aliases, and for the record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from lineal.access.model import AuditRow, Grant
from lineal.access.roles import ROLES, VISIBILITIES
from lineal.cli.options import here, json_option, moment
from lineal.cli.output import as_json, line, table

_PAGE = 1000


@click.group()
def project() -> None:
    """Projects, and who may read each."""


@project.command("list")
@json_option
def project_list(json_: bool) -> None:
    """List the projects that you may read."""
    found = here().backend.access.list_accessible()
    if json_:
        as_json(found)
        return
    rows = [(one.path, one.visibility, one.created_at) for one in found]
    table(("PROJECT", "READ BY", "SINCE"), rows, empty="There are no projects.")


@project.command("visibility")
@click.argument("place", metavar="ENTITY/PROJECT")
@click.argument("visibility", type=click.Choice(VISIBILITIES))
@json_option
def project_visibility(place: str, visibility: Any, json_: bool) -> None:
    """Say who may read a project: all who sign in, the team or user it belongs to, or only who was granted a role."""
    changed = here().backend.access.set_visibility(place, visibility)
    as_json(changed) if json_ else line(f"{changed.path} is {changed.visibility} now.")


@click.group()
def role() -> None:
    """Roles of users and teams: reader, writer (logs), maintainer (promotes, deletes), admin."""


@role.command("grant")
@click.argument("place", metavar="ENTITY/PROJECT[/COLLECTION]")
@click.argument("role_", metavar="ROLE", type=click.Choice(ROLES))
@click.option("--user", help="The user who gets it.")
@click.option("--team", help="The team whose members get it.")
@json_option
def role_grant(place: str, role_: Any, user: str | None, team: str | None, json_: bool) -> None:
    """Give a user or a team ROLE in a project, or for a collection of a registry; one they had there is replaced."""
    made = here().backend.access.grant(place, role_, user=user, team=team)
    as_json(made) if json_ else line(f"{made.subject} is {made.role} in {made.path} now.")


@role.command("revoke")
@click.argument("place", metavar="ENTITY/PROJECT[/COLLECTION]")
@click.option("--user", help="The user who loses it.")
@click.option("--team", help="The team whose members lose it.")
@json_option
def role_revoke(place: str, user: str | None, team: str | None, json_: bool) -> None:
    """Take the role back that a user or a team was granted."""
    gone = here().backend.access.revoke(place, user=user, team=team)
    as_json(gone) if json_ else line(f"{gone.subject} is no longer {gone.role} in {gone.path} by a grant.")


@role.command("list")
@click.argument("place", required=False, metavar="[ENTITY/PROJECT]")
@json_option
def role_list(place: str | None, json_: bool) -> None:
    """List the roles granted in a project, or everywhere; members of teams are in `lineal admin team list`."""
    found: Sequence[Grant] = here().backend.access.list_grants(place=place)
    if json_:
        as_json(found)
        return
    rows = [(one.path, one.subject_kind, one.subject, one.role) for one in found]
    table(("PLACE", "KIND", "WHO", "ROLE"), rows, empty="No role was granted.")


@click.group()
def alias() -> None:
    """Protected aliases, which take a role to be moved."""


@alias.command("protect")
@click.argument("place", metavar="ENTITY/PROJECT[/COLLECTION]")
@click.argument("alias_", metavar="ALIAS")
@click.option(
    "--role", "role_", type=click.Choice(ROLES), default="maintainer", help="The least (default: maintainer)."
)
@json_option
def alias_protect(place: str, alias_: str, role_: Any, json_: bool) -> None:
    """Let only the role, or a larger one, move ALIAS (a name, or a pattern such as prod*) in a project."""
    made = here().backend.access.protect_alias(place, alias_, role=role_)
    as_json(made) if json_ else line(f"{made.alias} in {made.path} is moved by {made.role}s only.")


@alias.command("unprotect")
@click.argument("place", metavar="ENTITY/PROJECT[/COLLECTION]")
@click.argument("alias_", metavar="ALIAS")
@json_option
def alias_unprotect(place: str, alias_: str, json_: bool) -> None:
    """End the protection of ALIAS."""
    gone = here().backend.access.unprotect_alias(place, alias_)
    as_json(gone) if json_ else line(f"{gone.alias} in {gone.path} is no longer protected.")


@alias.command("list")
@click.argument("place", required=False, metavar="[ENTITY/PROJECT]")
@json_option
def alias_list(place: str | None, json_: bool) -> None:
    """List the protected aliases of a project, or of all that you may read."""
    found = here().backend.access.list_protections(place=place)
    if json_:
        as_json(found)
        return
    rows = [(one.path, one.alias, one.role) for one in found]
    table(("PLACE", "ALIAS", "MOVED BY"), rows, empty="No alias is protected.")


@click.command("audit-log")
@click.option("--user", help="Only what this user did.")
@click.option("--operation", help="Only this operation, such as artifacts.move_alias.")
@click.option("--subject", help="Only what was done to this or to something in it, such as entity/project.")
@click.option("--refused", is_flag=True, help="Only what was refused.")
@click.option("--since", help="From this moment on, such as 2026-05-01T12:00Z.")
@click.option("--until", help="Before this moment.")
@click.option("--limit", "-n", type=click.IntRange(1), default=50, help="At most so many (default: 50).")
@json_option
def audit_log(limit: int, json_: bool, refused: bool, since: str | None, until: str | None, **asked: Any) -> None:
    """List what was done and refused, the newest first."""
    asked |= {"outcome": "refused" if refused else None, "since": moment(since), "until": moment(until)}
    found = _rows(limit, asked)
    if json_:
        as_json(found)
        return
    table(
        ("WHEN", "BY", "FROM", "OPERATION", "SUBJECT", "", "CHANGE"),
        [(r.at, _who(r), r.address, r.operation, r.subject, _outcome(r), _change(r)) for r in found],
        empty="Nothing of that kind is on record.",
    )


def _rows(limit: int, asked: dict[str, Any]) -> list[AuditRow]:
    access = here().backend.access
    found: list[AuditRow] = []
    cursor = None
    while len(found) < limit:
        page = access.audit_log(**asked, limit=min(limit - len(found), _PAGE), after=cursor)
        found += page.rows
        if (cursor := page.cursor) is None:
            break
    return found


def _who(row: AuditRow) -> str:
    return f"{row.user} ({row.key_prefix})" if row.key_prefix else row.user


def _outcome(row: AuditRow) -> str:
    return "REFUSED" if row.outcome == "refused" else ""


def _change(row: AuditRow) -> str:
    if row.before is None and row.after is None:
        return row.why
    before, after = (json.dumps(facts, ensure_ascii=False) if facts else "" for facts in (row.before, row.after))
    change = f"{before} → {after}" if before else after
    return f"{change}  {row.why}" if row.why else change
