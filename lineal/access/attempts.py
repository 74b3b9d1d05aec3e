"""Attempts to sign in, so that nobody can try many passwords: each counts until it turns out right. Never commits."""

from __future__ import annotations

import ipaddress
import math
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from lineal.access import turns
from lineal.core.errors import TooManyAttempts
from lineal.core.names import is_name
from lineal.db.schema import login_attempts
from lineal.db.session import Session

SPAN_S = 300
PER_NAME = 5
PER_ADDRESS = 20


def begin(session: Session, name: str, address: str, *, at: datetime) -> int:
    """The attempt's id: it counts as failed until `forgive`, so that many at once are no way round the limit.

    Five are taken for a name from an address in five minutes, and twenty from an address. Raises
    unavailable.too_many_attempts (`details["retry_after_s"]`).
    """
    turns.take(session)
    name, address = _named(name), network(address)
    since = at - timedelta(seconds=SPAN_S)
    session.execute(delete(login_attempts).where(login_attempts.c.at <= since))
    wanted = select(login_attempts.c.name, login_attempts.c.at).where(login_attempts.c.address == address)
    rows = session.execute(wanted.order_by(login_attempts.c.at.desc()).limit(PER_ADDRESS)).all()
    mine = [row.at for row in rows if row.name == name]
    for times, limit in ((mine, PER_NAME), ([row.at for row in rows], PER_ADDRESS)):
        if len(times) >= limit:
            wait_s = max(1, math.ceil((times[limit - 1] - since).total_seconds()))
            raise TooManyAttempts(f"too many attempts to sign in; try again in {wait_s} s", retry_after_s=wait_s)
    made = insert(login_attempts).values(name=name, address=address, at=at).returning(login_attempts.c.id)
    return int(session.execute(made).scalar_one())


def forgive(session: Session, name: str, address: str) -> None:
    """The last attempt was right: those for the name from the address no longer count."""
    here = (login_attempts.c.name == _named(name)) & (login_attempts.c.address == network(address))
    session.execute(delete(login_attempts).where(here))


def network(address: str) -> str:
    """What counts as one address: of IPv6 the /64, since whoever has one has all of those."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ascii(address)[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


def _named(name: str) -> str:
    """The name, or "" for what can be nobody's: a password typed into the wrong field is not kept."""
    return name if is_name(name) else ""
