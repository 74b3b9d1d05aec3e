"""Use cases of access: users, teams and keys. Roles, protected aliases and the record are in `roles.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lineal.access import attempts, keys, passwords, sessions, teams, users
from lineal.access.model import Caller, Key, Me, NewKey, Team, User
from lineal.access.roles import Role, check_permissions
from lineal.backend.local import guard, permits
from lineal.backend.local.again import repeating_operations
from lineal.backend.local.roles import LocalRoles
from lineal.core import clock
from lineal.core.errors import InvalidArgument, KeyNotFound, LastAdmin, LoginRefused, RoleTooSmall
from lineal.db.session import Session


@repeating_operations
class LocalAccess(LocalRoles):
    """Access to the store of a context, as its caller may see and change it."""

    def whoami(self) -> Me:
        caller = self._caller
        if caller is None:
            return Me(self._here.user, None, True, "", None)
        guard.scope(caller, "read")
        with self._here.database.read() as session:
            found = users.by_id(session, caller.user_id).user
            return Me(
                found.name,
                found,
                found.is_admin,
                caller.key_prefix,
                None if caller.permissions is None else check_permissions(caller.permissions),
                teams.of_user(session, caller.user_id),
            )

    def change_password(self, current: str, new: str) -> User:
        caller = self._caller
        if caller is None:
            raise InvalidArgument("nobody is signed in here; `lineal admin user change NAME --password` sets one")
        now = clock.now()
        with self._here.database.begin() as session:
            attempts.begin(session, caller.name, caller.address, at=now)
            stored = users.by_id(session, caller.user_id).password_hash
        if not passwords.verify(stored, current):
            raise LoginRefused("that is not the present password")
        hashed = passwords.hashed(new, caller.name)
        with permits.act(self._here, "access.change_password", f"user:{caller.name}") as act:
            attempts.forgive(act.session, caller.name, caller.address)
            changed = users.change(act.session, caller.user_id, {"password_hash": hashed})
            sessions.end_all(act.session, caller.user_id)
            act.done(after={"password": "changed"})
        return changed.user

    def add_user(
        self, name: str, *, kind: str = "person", email: str = "", admin: bool = False, password: str | None = None
    ) -> User:
        hashed = self._hashed(password, name)
        if kind == "service" and password is not None:
            raise InvalidArgument("a service has no password; make it an API key instead")
        with permits.act(self._here, "access.add_user", f"user:{name}") as act:
            guard.check_server(self._caller)
            if not admin and not users.any_at_all(act.session):
                raise LastAdmin(
                    "the first user is an admin, since nobody could add others; add one as an admin first"
                )
            more: dict[str, Any] = {"kind": kind, "email": email, "admin": admin}
            made = users.add(act.session, name, at=clock.now(), password_hash=hashed, **more).user
            act.done(after=more)
        return made

    def change_user(
        self,
        name: str,
        *,
        disabled: bool | None = None,
        admin: bool | None = None,
        email: str | None = None,
        password: str | None = None,
    ) -> User:
        hashed = self._hashed(password, name)
        with permits.act(self._here, "access.change_user", f"user:{name}") as act:
            guard.check_server(self._caller)
            before = users.get(act.session, name)
            if before.user.kind == "service" and password is not None:
                raise InvalidArgument(f"{name} is a service, which has no password; make it an API key instead")
            values: dict[str, Any] = {} if hashed is None else {"password_hash": hashed}
            if disabled is not None and disabled != (before.user.disabled_at is not None):
                values["disabled_at"] = clock.now() if disabled else None
            values |= {key: v for key, v in (("is_admin", admin), ("email", email)) if v is not None}
            after = users.change(act.session, before.id, values).user
            if hashed is not None or after.disabled_at is not None:
                sessions.end_all(act.session, before.id)
            told = {"password": "changed"} if hashed is not None else {}
            act.done(_facts(before.user), _facts(after) | told)
        return after

    def list_users(self) -> Sequence[User]:
        guard.check_server(self._caller)
        with self._here.database.read() as session:
            return users.list_all(session)

    def add_team(self, name: str) -> Team:
        with permits.act(self._here, "access.add_team", f"team:{name}") as act:
            guard.check_server(self._caller)
            made = teams.add(act.session, name, at=clock.now())
            act.done()
        return made

    def add_member(self, team: str, user: str, *, role: Role = "writer") -> Team:
        with permits.act(self._here, "access.add_member", f"team:{team}") as act:
            permits.team(act.session, self._caller, team)
            before = teams.set_member(act.session, team, user, role)
            act.done({user: before}, {user: role})
            return _team(act.session, team)

    def remove_member(self, team: str, user: str) -> Team:
        with permits.act(self._here, "access.remove_member", f"team:{team}") as act:
            permits.team(act.session, self._caller, team)
            act.done({user: teams.remove_member(act.session, team, user)}, {user: None})
            return _team(act.session, team)

    def list_teams(self) -> Sequence[Team]:
        caller = self._caller
        if caller is not None:
            guard.scope(caller, "read")
        with self._here.database.read() as session:
            found = teams.list_all(session)
        return found if caller is None or caller.admin else [team for team in found if caller.name in team.members]

    def make_key(
        self,
        name: str,
        *,
        user: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_in_s: int | None = None,
    ) -> NewKey:
        owner = self._owner(user)
        with permits.act(self._here, "access.make_key", f"user:{owner}") as act:
            self._of_own_keys(owner)
            owner_id = users.get(act.session, owner).id
            more: Any = {"at": clock.now(), "scopes": scopes, "expires_in_s": expires_in_s}
            made = keys.make(act.session, owner_id, owner, name, **more)
            limits = made.key.scopes and list(made.key.scopes)
            act.done(after={"prefix": made.key.prefix, "name": name, "scopes": limits, "expires_in_s": expires_in_s})
        return made

    def list_keys(self, *, user: str | None = None) -> Sequence[Key]:
        caller = self._caller
        if caller is not None:
            guard.scope(caller, "read")
            if not caller.admin:
                if user not in (None, caller.name):
                    raise RoleTooSmall(f"only an admin of the server sees the keys of others; {caller.name} is none")
                user = caller.name
        with self._here.database.read() as session:
            if user is not None:
                users.get(session, user)
            return keys.list_all(session, user=user)

    def revoke_key(self, prefix: str) -> Key:
        with permits.act(self._here, "access.revoke_key", f"key:{prefix}") as act:
            key = keys.get(act.session, prefix)
            caller = self._caller
            if caller is not None and not caller.admin and key.user != caller.name:
                raise KeyNotFound(f"{caller.name} has no API key {prefix}; `lineal admin key list` lists them")
            if caller is not None and caller.key_prefix != prefix:  # a key may always end itself
                self._of_own_keys(key.user)
            revoked = keys.revoke(act.session, prefix, at=clock.now())
            act.done(after={"name": key.name, "user": key.user})
        return revoked

    @property
    def _caller(self) -> Caller | None:
        return self._here.caller

    def _owner(self, user: str | None) -> str:
        if user is not None:
            return user
        if self._caller is None:
            raise InvalidArgument("nobody is signed in here; say whose key it is to be")
        return self._caller.name

    def _of_own_keys(self, owner: str) -> None:
        """Raises forbidden.* unless the caller may make and revoke keys of the owner's."""
        if self._caller is not None:
            permits.unlimited(self._caller)
            if owner != self._caller.name:
                guard.check_server(self._caller)

    def _hashed(self, password: str | None, name: str) -> str | None:
        """The new password as it is stored; hashed before the transaction, since that takes its time."""
        refused = self._caller is not None and not self._caller.admin  # the act will say so, and record it
        return None if password is None or refused else passwords.hashed(password, name)


def _facts(user: User) -> dict[str, Any]:
    return {"admin": user.is_admin, "disabled": user.disabled_at is not None, "email": user.email}


def _team(session: Session, name: str) -> Team:
    return next(team for team in teams.list_all(session) if team.name == name)
