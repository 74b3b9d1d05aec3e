"""Commands that tell a server who asks."""

from __future__ import annotations

import sys
from typing import Any

import click

from lineal.access.model import Me
from lineal.cli.options import here, json_option
from lineal.cli.output import as_json, line
from lineal.core import credentials
from lineal.core.errors import Error, InvalidArgument
from lineal.core.settings import environment, shown


@click.command()
@click.argument("url", required=False)
@click.option("--key-stdin", is_flag=True, help="Read the API key from standard input instead of asking for it.")
def login(url: str | None, key_stdin: bool) -> None:
    """Keep an API key for the server URL (default: the one in use); it is asked for and not shown."""
    place = credentials.server(url or here().settings.url)
    if environment("LINEAL_API_KEY"):
        raise InvalidArgument("LINEAL_API_KEY is set, and would win over what is kept; unset it first")
    if credentials.in_clear(place):
        line(f"{place} is not https: whoever is on the way can read the key.", err=True)
    key = secret("API key", key_stdin)
    former = credentials.find(place)
    file = credentials.keep(place, key)
    try:
        me = _asked(place)
    except Error:
        credentials.forget(place) if former is None else credentials.keep(place, former)
        raise
    line(f"{place} knows you as {me.name}; the key is kept in {file}.")


@click.command()
@click.argument("url", required=False)
def logout(url: str | None) -> None:
    """Forget the API key that is kept for the server URL (default: the one in use); the key itself stays valid."""
    place = credentials.server(url or here().settings.url)
    there = credentials.forget(place)
    line(f"The key for {place} is forgotten." if there else f"No key was kept for {place}.")


@click.command()
@json_option
def whoami(json_: bool) -> None:
    """Show who you are to the store, and what you may do there."""
    conn = here()
    me: Me = conn.backend.access.whoami()
    if json_:
        as_json(me)
        return
    line(f"{me.name} at {shown(conn.settings.url)}{', an admin' if me.is_admin else ''}")
    if me.key_prefix:
        line(f"by the API key {me.key_prefix}" + (f", for {', '.join(me.scopes)} only" if me.scopes else ""))
    for team, role in me.teams.items():
        line(f"{role} in the team {team}")


def secret(what: str, from_stdin: bool, *, twice: bool = False) -> str:
    """What is typed without being shown, or the first line of standard input. Raises invalid.argument if empty."""
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
    else:
        text = str(click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    if not text.strip():
        raise InvalidArgument(f"no {what} was given")
    return text if twice else text.strip()


def _asked(url: str) -> Me:
    from lineal.client.connection import connection

    conn: Any = connection(url=url)
    me: Me = conn.backend.access.whoami()
    return me
