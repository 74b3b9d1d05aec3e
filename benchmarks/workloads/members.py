"""Who asks Lineal's server: a member of a team, by an API key that is looked up with every request."""

from __future__ import annotations

import os
from pathlib import Path

TEAM, PROJECT = "team", "p"


def make(database: str, folder: Path, role: str) -> str:
    """Makes the first users of the store that the server is to serve; gives the secret of a new member's key.

    They don't administer the server. The process works on the store itself from here on, as its operator would.
    """
    os.environ |= {"LINEAL_URL": database, "LINEAL_STORE": str(folder / "bytes"), "LINEAL_ENTITY": TEAM}
    from lineal.client.connection import connection

    access = connection().backend.access
    access.add_user("root", admin=True)
    access.add_team(TEAM)
    access.add_user("ada")
    access.add_member(TEAM, "ada", role=role)  # type: ignore[arg-type]
    return access.make_key("benchmark", user="ada").secret


def turn_to(server: str, secret: str) -> None:
    """Has the process ask the server from here on, as the member."""
    from lineal.client.connection import close_all

    close_all()
    os.environ.pop("LINEAL_STORE", None)
    os.environ |= {"LINEAL_URL": server, "LINEAL_API_KEY": secret}
