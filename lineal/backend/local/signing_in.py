"""Use cases of who asks a server: keys, sessions, passwords, the set-up token. OpenID Connect is in `vouched.py`.

They are no operations of the port: whoever opened the store by its folder or its database is asked for nothing.
"""

from __future__ import annotations

from datetime import datetime

from lineal.access import attempts, audit, keys, passwords, sessions, setup, users
from lineal.access.keys import Known
from lineal.access.model import Caller
from lineal.access.sessions import Started
from lineal.backend.local.again import repeating
from lineal.backend.local.context import Context
from lineal.core import clock
from lineal.core.errors import AlreadySetUp, LoginRefused
from lineal.core.names import is_name
from lineal.db.session import Session

_REFUSED = "that name and that password don't go together"


class SigningIn:
    """Who asks the store of a context. An `address` and a `request_id` are for the record."""

    def __init__(self, here: Context) -> None:
        self._here = here
        self._anybody = False

    def anybody(self) -> bool:
        """Whether the store has a user: without one it is open. Asked of the rows until there is one."""
        if not self._anybody:
            with self._here.database.look() as session:
                self._anybody = users.any_at_all(session)
        return self._anybody

    def by_key(self, token: str, *, address: str, request_id: str) -> Known:
        """Whose key it is; one query. Raises unauthenticated.key."""
        with self._here.database.look() as session:
            return keys.find_caller(session, token, at=clock.now(), address=address, request_id=request_id)

    def by_session(self, token: str, *, changes: bool, csrf: str | None, address: str, request_id: str) -> Known:
        """Whose session it is; one query. Raises unauthenticated.session, forbidden.csrf."""
        asked = {"address": address, "request_id": request_id}
        with self._here.database.look() as session:
            return sessions.find_caller(session, token, at=clock.now(), csrf=csrf, changes=changes, **asked)

    @repeating
    def note_key(self, prefix: str) -> None:
        """Writes down that the key was used."""
        with self._here.database.begin() as session:
            keys.note_use(session, prefix, at=clock.now())

    @repeating
    def extend_session(self, token: str) -> None:
        """The session lasts longer, since it was used."""
        with self._here.database.begin() as session:
            sessions.extend(session, token, at=clock.now())

    @repeating
    def sign_in(self, name: str, password: str, *, address: str, request_id: str) -> Started:
        """A new session of the user's. As long in refusing a name that nobody has.

        Raises unauthenticated.login, unavailable.too_many_attempts.
        """
        now = clock.now()
        with self._here.database.begin() as session:
            attempts.begin(session, name, address, at=now)
            found = users.find(session, name) if is_name(name) else None
        good = passwords.verify(found.password_hash if found else None, password)
        nobody = Caller(0, "", address=address, request_id=request_id)
        with self._here.database.begin() as session:
            held = users.hold(session, found.id) if found else None
            if held and good and held.user.disabled_at is None and held == found:  # nothing has changed meanwhile
                attempts.forgive(session, name, address)
                return start(session, held, address=address, request_id=request_id, at=now)
            subject = f"user:{name}" if held else "user:"  # what was typed for a name may be a password
            audit.add(session, nobody, "session.sign_in", subject, at=now, outcome="refused", why=_REFUSED)
        raise LoginRefused(_REFUSED)

    @repeating
    def sign_out(self, token: str) -> None:
        """Ends the session, if it is one."""
        with self._here.database.begin() as session:
            sessions.end(session, token)

    @repeating
    def set_up_token(self) -> str | None:
        """A new set-up token, which makes the first admin, in place of the one before; None once there is a user."""
        if self.anybody():
            return None
        with self._here.database.begin() as session:
            return None if users.any_at_all(session) else setup.make_token(session)

    @repeating
    def set_up(
        self, token: str, name: str, password: str, *, email: str = "", address: str, request_id: str
    ) -> Started:
        """A session of the first admin's, who is made by the set-up token.

        Raises unauthenticated.login, unavailable.too_many_attempts, conflict.already_set_up, invalid.*.
        """
        if self.anybody():
            raise AlreadySetUp("the server has its first admin; sign in")
        passwords.check(password, name)  # a person may choose again, without that counting
        now = clock.now()
        with self._here.database.begin() as session:
            attempts.begin(session, "", address, at=now)
        hashed = passwords.hashed(password, name)
        with self._here.database.begin() as session:
            made = setup.make_admin(session, token, name, hashed, at=now, email=email)
            attempts.forgive(session, "", address)
            return start(session, made, address=address, request_id=request_id, at=now, operation="session.set_up")


def start(
    session: Session,
    found: users.Found,
    *,
    address: str,
    request_id: str,
    at: datetime,
    operation: str = "session.sign_in",
) -> Started:
    """A new session of the user's, which the record tells of."""
    caller = Caller(found.id, found.user.name, found.user.is_admin, None, "", address, request_id)
    audit.add(session, caller, operation, f"user:{found.user.name}", at=at)
    return sessions.start(session, found.id, at=at)
