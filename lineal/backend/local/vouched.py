"""Use cases of signing in by OpenID Connect: a user is who the issuer says, by its own name for them alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lineal.access import audit, users
from lineal.access.model import Caller
from lineal.access.sessions import Started
from lineal.backend.local.again import repeating
from lineal.backend.local.context import Context
from lineal.backend.local.signing_in import start
from lineal.core import clock
from lineal.core.errors import InvalidArgument, LoginRefused
from lineal.db.session import Session


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom an issuer vouches for. `email` is only what it has verified, else ""; `name` is a wish."""

    issuer: str
    subject: str
    name: str
    email: str


class VouchedSigningIn:
    """Sessions for whom an issuer vouches."""

    def __init__(self, here: Context) -> None:
        self._here = here

    @repeating
    def sign_in(self, who: Vouched, *, domains: Collection[str], address: str, request_id: str) -> Started:
        """A new session of the user's whom the issuer knows as that subject.

        One who isn't there yet is made if their verified e-mail is of one of the `domains`; `*` is any, without one
        too. E-mail and name never lead to a user who is there. Raises unauthenticated.login.
        """
        asked = {"address": address, "request_id": request_id}
        now = clock.now()
        with self._here.database.begin() as session:
            found = users.by_subject(session, who.issuer, who.subject)
            if found is not None:
                found = users.hold(session, found.id)
            why = _why_not(session, who, found, domains)
            if why is None:
                return start(session, found or self._made(session, who), at=now, **asked)
            nobody = Caller(0, "", address=address, request_id=request_id)
            audit.add(session, nobody, "session.sign_in", _subject(found), at=now, outcome="refused", why=why)
        raise LoginRefused(why)

    def _made(self, session: Session, who: Vouched) -> users.Found:
        name = users.free_name(session, who.name or who.email.partition("@")[0])  # others wait from here on
        there = users.by_subject(session, who.issuer, who.subject)
        return there or users.add(
            session, name, at=clock.now(), email=_address(who.email), issuer=who.issuer, subject=who.subject
        )


def _why_not(session: Session, who: Vouched, found: users.Found | None, domains: Collection[str]) -> str | None:
    if found is not None:
        return None if found.user.disabled_at is None else f"the user {found.user.name} was disabled; ask an admin"
    if not users.any_at_all(session):
        return "the server has no admin yet; make one with the set-up token that its start printed"
    _, at, domain = who.email.rpartition("@")
    if "*" in domains or (at and domain.lower() in domains):
        return None
    return "the server doesn't know you, and takes nobody new from where your e-mail is; ask an admin of it"


def _subject(found: users.Found | None) -> str:
    return f"user:{found.user.name}" if found else "user:"


def _address(text: str) -> str:
    try:
        return users.check_email(text)
    except InvalidArgument:
        return ""
