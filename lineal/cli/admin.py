"""Commands for whoever administers a store: users, teams and keys."""

from __future__ import annotations

from typing import Any

import click

from lineal.access.model import Team, User
from lineal.access.roles import PERMISSIONS, ROLES
from lineal.cli.admin_roles import alias, project, role
from lineal.cli.login import secret
from lineal.cli.options import here, json_option
from lineal.cli.output import as_json, line, table
from lineal.core.clock import parse_duration
from lineal.core.display import moment

password_options = (
    click.option("--password", "ask", is_flag=True, help="Ask for a password, to sign in to the page with."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
)


@click.group()
def admin() -> None:
    """Users, teams, API keys, roles and protected aliases, of a server or of the store it serves."""


@admin.group()
def user() -> None:
    """Users: persons, and services that act for none."""


@user.command("add")
@click.argument("name")
@click.option("--service", is_flag=True, help="Not a person: it has keys and no password.")
@click.option("--email", default="", help="Where they can be reached.")
@click.option("--admin", "admin_", is_flag=True, help="Let them administer the server.")
@password_options[0]
@password_options[1]
@json_option
def user_add(
    name: str, service: bool, email: str, admin_: bool, ask: bool, password_stdin: bool, json_: bool
) -> None:
    """Add the user NAME; the first one of a store is an admin."""
    kind = "service" if service else "person"
    password = _password(ask, password_stdin)
    made = here().backend.access.add_user(name, kind=kind, email=email, admin=admin_, password=password)
    as_json(made) if json_ else line(f"{name} is a user now{', and an admin' if made.is_admin else ''}.")


@user.command("change")
@click.argument("name")
@click.option("--admin/--no-admin", "admin_", default=None, help="Whether they administer the server.")
@click.option("--email", help="Where they can be reached.")
@password_options[0]
@password_options[1]
@json_option
def user_change(
    name: str, admin_: bool | None, email: str | None, ask: bool, password_stdin: bool, json_: bool
) -> None:
    """Change what is said of the user NAME."""
    password = _password(ask, password_stdin)
    changed = here().backend.access.change_user(name, admin=admin_, email=email, password=password)
    as_json(changed) if json_ else _print_users([changed])


@user.command("disable")
@click.argument("name")
@json_option
def user_disable(name: str, json_: bool) -> None:
    """Disable the user NAME: none of their keys works any more, and they are signed out everywhere."""
    changed = here().backend.access.change_user(name, disabled=True)
    as_json(changed) if json_ else line(f"{name} is disabled.")


@user.command("enable")
@click.argument("name")
@json_option
def user_enable(name: str, json_: bool) -> None:
    """Enable the user NAME again, with their roles and keys as they were."""
    changed = here().backend.access.change_user(name, disabled=False)
    as_json(changed) if json_ else line(f"{name} is enabled.")


@user.command("list")
@json_option
def user_list(json_: bool) -> None:
    """List the users."""
    found = here().backend.access.list_users()
    as_json(found) if json_ else _print_users(found)


@admin.group()
def team() -> None:
    """Teams, whose members have a role in all projects of the entity of that name."""


@team.command("add")
@click.argument("name")
@json_option
def team_add(name: str, json_: bool) -> None:
    """Add the team NAME."""
    made = here().backend.access.add_team(name)
    as_json(made) if json_ else line(f"{name} is a team now; `lineal admin team add-member {name} USER` adds to it.")


@team.command("add-member")
@click.argument("team_", metavar="TEAM")
@click.argument("user_", metavar="USER")
@click.option("--role", "role_", type=click.Choice(ROLES), default="writer", help="Their role (default: writer).")
@json_option
def team_add_member(team_: str, user_: str, role_: Any, json_: bool) -> None:
    """Give USER a role in TEAM, or another one."""
    changed = here().backend.access.add_member(team_, user_, role=role_)
    as_json(changed) if json_ else _print_teams([changed])


@team.command("remove-member")
@click.argument("team_", metavar="TEAM")
@click.argument("user_", metavar="USER")
@json_option
def team_remove_member(team_: str, user_: str, json_: bool) -> None:
    """Take USER out of TEAM."""
    changed = here().backend.access.remove_member(team_, user_)
    as_json(changed) if json_ else _print_teams([changed])


@team.command("list")
@json_option
def team_list(json_: bool) -> None:
    """List the teams and their members."""
    found = here().backend.access.list_teams()
    as_json(found) if json_ else _print_teams(found)


@admin.group()
def key() -> None:
    """API keys: what a program or `lineal login` shows to a server."""


@key.command("add")
@click.argument("name")
@click.option("--user", "user_", help="Whose it is (default: yours).")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(PERMISSIONS), help="Limit it to this; may be given again."
)
@click.option("--expires", help="How long it works, such as 90d (default: until it is revoked).")
@json_option
def key_add(name: str, user_: str | None, scopes: tuple[str, ...], expires: str | None, json_: bool) -> None:
    """Make an API key, called NAME so that it is known again, and print it; it can't be shown a second time."""
    lasts = int(parse_duration(expires).total_seconds()) if expires else None
    made = here().backend.access.make_key(name, user=user_, scopes=list(scopes) or None, expires_in_s=lasts)
    if json_:
        as_json(made)
        return
    until = f" until {moment(made.key.expires_at)}" if made.key.expires_at else ""
    limits = f"for {', '.join(made.key.scopes)} only" if made.key.scopes else "for all that they may do"
    line(f"{made.key.user}'s key {made.key.prefix} ({name}), {limits}{until}. Keep it: it is shown once.", err=True)
    line(made.secret)


@key.command("list")
@click.option("--user", "user_", help="Only this user's.")
@json_option
def key_list(user_: str | None, json_: bool) -> None:
    """List your API keys, or as an admin everybody's; never what they are made of."""
    found = here().backend.access.list_keys(user=user_)
    if json_:
        as_json(found)
        return
    rows = [(k.prefix, k.user, k.name, _scopes(k), k.created_at, k.last_used_at, _ends(k)) for k in found]
    titles = ("KEY", "USER", "NAME", "FOR", "MADE", "USED", "ENDS")
    table(titles, rows, empty="There are no API keys; `lineal admin key add NAME` makes one.")


@key.command("revoke")
@click.argument("prefix", metavar="KEY")
@json_option
def key_revoke(prefix: str, json_: bool) -> None:
    """Revoke the API key that begins with KEY, as `list` shows it."""
    gone = here().backend.access.revoke_key(prefix)
    as_json(gone) if json_ else line(f"{gone.user}'s key {gone.prefix} ({gone.name}) no longer works.")


for _group in (project, role, alias):
    admin.add_command(_group)


def _password(ask: bool, from_stdin: bool) -> str | None:
    return secret("password", from_stdin, twice=True) if ask or from_stdin else None


def _print_users(users: list[User]) -> None:
    rows = [
        (u.name, u.kind, "admin" if u.is_admin else "", u.email, u.created_at, u.disabled_at or "") for u in users
    ]
    titles = ("USER", "KIND", "ADMIN", "EMAIL", "SINCE", "DISABLED")
    table(titles, rows, empty="There are no users; `lineal admin user add NAME --admin` adds the first.")


def _print_teams(teams: list[Team]) -> None:
    rows = [
        (team.name, ", ".join(f"{name} ({role_})" for name, role_ in team.members.items()) or "nobody")
        for team in teams
    ]
    table(("TEAM", "MEMBERS"), rows, empty="There are no teams; `lineal admin team add NAME` adds one.")


def _scopes(found: Any) -> str:
    return ", ".join(found.scopes or ("all",))


def _ends(found: Any) -> str:
    if found.revoked_at is not None:
        return f"revoked {moment(found.revoked_at)}"
    return moment(found.expires_at) if found.expires_at is not None else "never"
