"""Who may change who may do what, what becomes of it, and that all of it is on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from lineal.access.model import Caller
from lineal.access.roles import PERMISSIONS
from lineal.backend.port import Backend
from lineal.backend.port_access import Access
from lineal.core import clock
from lineal.core.errors import (
    Error,
    Forbidden,
    GrantNotFound,
    Invalid,
    InvalidArgument,
    InvalidPassword,
    KeyNotFound,
    KeyRefused,
    LastAdmin,
    LoginRefused,
    NotFound,
    ProjectNotFound,
    ProtectionNotFound,
    RoleTooSmall,
    ScopeTooSmall,
    TeamNotFound,
    TooManyAttempts,
    UserExists,
)

GOOD = "correct horse battery"
As = Callable[..., Access]


@pytest.fixture
def access(backend: Backend) -> Access:
    """Access of whoever opened the store: root, an admin, has one project (`vision/digits`) and two more users."""
    there = backend.access
    there.add_user("root", admin=True)
    there.add_user("ada", email="ada@example.org")
    there.add_user("bob")
    there.add_team("vision")
    there.set_visibility("vision/digits", "team")
    return there


@pytest.fixture
def as_(backend: Backend, access: Access) -> As:
    """Access as a user sees it, by a key with these scopes."""

    if not hasattr(backend.access, "_here"):
        pytest.skip("a server says itself who asks: by the key that is sent")

    def as_user(name: str, scopes: list[str] | None = None) -> Access:
        from lineal.access import keys
        from lineal.backend.local.access import LocalAccess

        here = backend.access._here  # type: ignore[attr-defined]
        made = access.make_key("test", user=name, scopes=scopes)
        with here.database.read() as session:
            caller = keys.find_caller(session, made.secret, at=clock.now(), address="1.2.3.4", request_id="r1").caller
        return LocalAccess(replace(here, served=True, caller=caller))

    return as_user


def newest(access: Access, **given) -> tuple[str, str, str, str]:
    row = access.audit_log(limit=1, **given).rows[0]
    return row.user, row.operation, row.subject, row.outcome


# ---- users and teams -----------------------------------------------------------------------------------------


def test_whoever_opened_the_store_may_everything(access: Access) -> None:
    me = access.whoami()
    assert (me.name, me.user, me.is_admin, me.scopes) == ("ada", None, True, None)
    assert [user.name for user in access.list_users()] == ["ada", "bob", "root"]


def test_the_first_user_is_an_admin(backend: Backend) -> None:
    with pytest.raises(LastAdmin):
        backend.access.add_user("ada")
    assert backend.access.add_user("ada", admin=True).is_admin
    assert not backend.access.add_user("robot", kind="service").is_admin


def test_a_user_sees_who_they_are(access: Access, as_: As) -> None:
    access.add_member("vision", "ada", role="reader")
    me = as_("ada", ["read"]).whoami()
    assert me.user is not None
    assert (me.name, me.user.email, me.is_admin, me.scopes) == ("ada", "ada@example.org", False, ("read",))
    assert me.teams == {"vision": "reader"}
    assert as_("root").whoami().is_admin


def test_only_admins_handle_users(access: Access, as_: As) -> None:
    ada, root = as_("ada"), as_("root")
    for act in (
        lambda: ada.add_user("eve"),
        lambda: ada.change_user("ada", admin=True),
        lambda: ada.list_users(),
        lambda: ada.add_team("mine"),
        lambda: ada.list_grants(),
        lambda: ada.audit_log(),
    ):
        with pytest.raises(RoleTooSmall):
            act()
    assert root.add_user("eve").name == "eve"
    with pytest.raises(UserExists):
        root.add_user("eve")
    assert root.change_user("ada", admin=True, email="").is_admin
    with pytest.raises(ScopeTooSmall):
        as_("root", ["read", "delete"]).add_user("mallory")


def test_a_disabled_user_comes_back_as_they_were(access: Access, as_: As) -> None:
    first = access.change_user("ada", disabled=True).disabled_at
    assert access.change_user("ada", disabled=True).disabled_at == first is not None
    with pytest.raises(KeyRefused):
        as_("ada")
    assert access.change_user("ada", disabled=False).disabled_at is None
    assert as_("ada").whoami().name == "ada"


def test_the_last_admin_can_not_be_taken_away(access: Access, as_: As) -> None:
    for given in ({"disabled": True}, {"admin": False}):
        for who in (access, as_("root")):
            with pytest.raises(LastAdmin):
                who.change_user("root", **given)
    access.change_user("ada", admin=True)
    assert not access.change_user("root", admin=False).is_admin


def test_admins_of_a_team_choose_its_members(access: Access, as_: As) -> None:
    assert access.add_member("vision", "ada", role="admin").members == {"ada": "admin"}
    ada, bob = as_("ada"), as_("bob")
    assert ada.add_member("vision", "bob").members == {"ada": "admin", "bob": "writer"}
    with pytest.raises(RoleTooSmall):
        bob.add_member("vision", "bob", role="admin")
    assert [team.name for team in bob.list_teams()] == ["vision"]
    assert ada.remove_member("vision", "bob").members == {"ada": "admin"}
    with pytest.raises(TeamNotFound):
        bob.add_member("vision", "bob")
    assert list(bob.list_teams()) == []
    with pytest.raises(GrantNotFound):
        ada.remove_member("vision", "bob")


# ---- passwords -----------------------------------------------------------------------------------------------


def test_a_user_changes_their_password_by_the_one_before(access: Access, as_: As) -> None:
    access.change_user("ada", password=GOOD)
    ada = as_("ada")
    with pytest.raises(LoginRefused):
        ada.change_password("another one, wrong", GOOD + "!")
    assert ada.change_password(GOOD, GOOD + "!").has_password
    with pytest.raises(LoginRefused):
        ada.change_password(GOOD, GOOD)
    with pytest.raises(InvalidPassword):
        ada.change_password(GOOD + "!", "short")
    with pytest.raises(InvalidArgument):
        access.change_password(GOOD, GOOD)


def test_a_stolen_key_can_not_try_many_passwords(access: Access, as_: As) -> None:
    access.change_user("ada", password=GOOD)
    ada = as_("ada")
    for _ in range(5):
        with pytest.raises(LoginRefused):
            ada.change_password("wrong wrong wrong", GOOD)
    with pytest.raises(TooManyAttempts):
        ada.change_password(GOOD, GOOD + "!")


def test_no_password_or_secret_is_on_record(access: Access, as_: As) -> None:
    access.add_user("eve", password=GOOD)
    access.change_user("eve", password=GOOD + "!")
    as_("eve").change_password(GOOD + "!", GOOD + "?")
    made = access.make_key("x", user="eve")
    record = str(access.audit_log(limit=1000))
    assert "battery" not in record
    assert "argon2" not in record
    assert made.secret.rpartition("_")[2] not in record
    assert made.key.prefix in record


# ---- keys ----------------------------------------------------------------------------------------------------


def test_users_handle_their_own_keys(access: Access, as_: As) -> None:
    ada = as_("ada")
    made = ada.make_key("laptop", scopes=["read"], expires_in_s=60)
    assert made.key.expires_at == made.key.created_at + timedelta(seconds=60)
    assert {key.name for key in ada.list_keys()} == {"laptop", "test"}
    assert ada.revoke_key(made.key.prefix).revoked_at is not None
    theirs = access.make_key("theirs", user="bob").key.prefix
    for act in (lambda: ada.make_key("x", user="bob"), lambda: ada.list_keys(user="bob")):
        with pytest.raises(RoleTooSmall):
            act()
    with pytest.raises(KeyNotFound):
        ada.revoke_key(theirs)
    root = as_("root")
    assert root.revoke_key(theirs).user == "bob"
    assert root.make_key("x", user="bob").key.user == "bob"
    assert {key.user for key in root.list_keys()} == {"ada", "bob", "root"}
    with pytest.raises(InvalidArgument):
        access.make_key("whose")


def test_a_limited_key_makes_none_that_may_more_but_may_end_itself(access: Access, as_: As) -> None:
    for scopes in (["read"], list(PERMISSIONS)):
        limited = as_("root", scopes)
        for act in (lambda who: who.make_key("x"), lambda who: who.make_key("x", user="ada")):
            with pytest.raises(ScopeTooSmall):
                act(limited)
        own, *others = limited.list_keys(user="root")
        for other in others:
            with pytest.raises(ScopeTooSmall):
                limited.revoke_key(other.prefix)
        assert limited.revoke_key(own.prefix).revoked_at is not None


# ---- projects, roles, protected aliases ----------------------------------------------------------------------


def test_projects_are_seen_by_whom_they_are_for(access: Access, as_: As) -> None:
    access.set_visibility("vision/open", "public")
    access.set_visibility("vision/secret", "private")
    access.add_member("vision", "ada")
    assert [p.path for p in as_("ada").list_accessible()] == ["vision/digits", "vision/open"]
    assert [p.path for p in as_("bob").list_accessible()] == ["vision/open"]
    assert len(as_("root").list_accessible()) == len(access.list_accessible()) == 3
    access.grant("vision/secret", "reader", team="vision")
    assert [p.path for p in as_("ada").list_accessible()] == ["vision/digits", "vision/open", "vision/secret"]


def test_admins_of_a_project_grant_roles_in_it_and_nowhere_else(access: Access, as_: As) -> None:
    access.grant("vision/digits", "admin", user="ada")
    ada, bob = as_("ada"), as_("bob")
    with pytest.raises(ProjectNotFound):
        bob.grant("vision/digits", "admin", user="bob")
    assert ada.grant("vision/digits", "writer", user="bob").role == "writer"
    with pytest.raises(RoleTooSmall):
        bob.grant("vision/digits", "admin", user="bob")
    with pytest.raises(ProjectNotFound):
        ada.grant("vision/other", "reader", user="bob")
    assert {(g.subject, g.role) for g in ada.list_grants(place="vision/digits")} == {
        ("ada", "admin"),
        ("bob", "writer"),
    }
    for hidden in (lambda: ada.list_grants(place="vision/other"), lambda: bob.list_grants(place="vision/other")):
        with pytest.raises(ProjectNotFound):
            hidden()
    assert ada.revoke("vision/digits", user="bob").role == "writer"
    with pytest.raises(GrantNotFound):
        ada.revoke("vision/digits", user="bob")


def test_an_admin_of_the_team_who_makes_a_project_private_stays_its_admin(access: Access, as_: As) -> None:
    access.add_member("vision", "ada", role="admin")
    ada = as_("ada")
    assert ada.set_visibility("vision/digits", "private").visibility == "private"
    assert ada.set_visibility("vision/digits", "team").visibility == "team"
    assert [(g.subject, g.role) for g in ada.list_grants(place="vision/digits")] == [("ada", "admin")]


def test_a_users_own_projects_are_theirs_to_open(access: Access, as_: As) -> None:
    ada, bob = as_("ada"), as_("bob")
    ada.set_visibility("ada/notes", "private")
    assert ada.list_grants(place="ada/notes") == []
    with pytest.raises(ProjectNotFound):
        bob.set_visibility("ada/notes", "public")
    ada.set_visibility("ada/notes", "public")
    assert [p.path for p in bob.list_accessible()] == ["ada/notes"]
    with pytest.raises(RoleTooSmall):
        bob.set_visibility("ada/notes", "private")


def test_aliases_are_protected_by_admins_of_the_project(access: Access, as_: As) -> None:
    access.grant("vision/digits", "admin", user="ada")
    access.grant("vision/digits", "maintainer", user="bob")
    ada, bob = as_("ada"), as_("bob")
    assert ada.protect_alias("vision/digits", "prod*").role == "maintainer"
    assert ada.protect_alias("vision/digits/model", "best", role="admin").path == "vision/digits/model"
    with pytest.raises(RoleTooSmall):
        bob.unprotect_alias("vision/digits/model", "best")
    with pytest.raises(ProjectNotFound):
        bob.protect_alias("vision/other", "best")
    assert [p.alias for p in bob.list_protections(place="vision/digits/data")] == ["prod*"]
    assert [p.alias for p in bob.list_protections()] == ["prod*", "best"]
    access.protect_alias("vision/other", "prod")
    assert len(bob.list_protections()) == 2
    with pytest.raises(ProjectNotFound):
        bob.list_protections(place="vision/other")
    assert ada.unprotect_alias("vision/digits", "prod*").role == "maintainer"
    with pytest.raises(ProtectionNotFound):
        ada.unprotect_alias("vision/digits", "prod*")


def test_a_key_may_no_more_than_its_scopes(access: Access, as_: As) -> None:
    access.grant("vision/digits", "admin", user="ada")
    limited, writing = as_("ada", ["read", "write"]), as_("ada", ["write"])
    for act in (
        lambda: limited.grant("vision/digits", "admin", user="bob"),
        lambda: limited.protect_alias("vision/digits", "x"),
        lambda: limited.set_visibility("vision/digits", "public"),
        lambda: limited.add_team("x"),
        lambda: writing.whoami(),
        lambda: writing.list_accessible(),
        lambda: writing.list_keys(),
        lambda: writing.list_teams(),
        lambda: writing.list_protections(place="vision/digits"),
    ):
        with pytest.raises(ScopeTooSmall):
            act()


# ---- the record ----------------------------------------------------------------------------------------------


def test_every_change_is_on_record_with_what_it_changed(access: Access, as_: As) -> None:
    root = as_("root")
    root.grant("vision/digits", "reader", user="ada")
    root.grant("vision/digits", "admin", user="ada")
    row = access.audit_log(limit=1).rows[0]
    assert (row.user, row.operation, row.subject, row.outcome) == ("root", "access.grant", "vision/digits", "done")
    assert (row.address, row.request_id, len(row.key_prefix)) == ("1.2.3.4", "r1", 12)
    assert (row.before, row.after) == ({"user:ada": "reader"}, {"user:ada": "admin"})
    root.change_user("ada", disabled=True)
    row = access.audit_log(limit=1).rows[0]
    assert row.before == {"admin": False, "disabled": False, "email": "ada@example.org"}
    assert row.after == {"admin": False, "disabled": True, "email": "ada@example.org"}
    access.add_team("sound")
    assert newest(access) == ("ada", "access.add_team", "team:sound", "done")


def test_a_refusal_is_on_record_and_changes_nothing(access: Access, as_: As) -> None:
    ada = as_("ada")
    with pytest.raises(Forbidden) as caught:
        ada.add_user("eve", admin=True)
    row = access.audit_log(limit=1).rows[0]
    assert (row.user, row.operation, row.subject, row.outcome) == ("ada", "access.add_user", "user:eve", "refused")
    assert row.why == caught.value.message
    assert "eve" not in [user.name for user in access.list_users()]


def test_admins_of_a_project_see_its_part_of_the_record(access: Access, as_: As) -> None:
    access.grant("vision/digits", "admin", user="ada")
    ada, bob = as_("ada"), as_("bob")
    assert newest(ada, subject="vision/digits")[1] == "access.grant"
    assert ada.audit_log(subject="vision/digits/model:v3").rows == ()
    for subject in (None, "", "vision", "user:ada", "run:x/y"):
        with pytest.raises(RoleTooSmall):
            ada.audit_log(subject=subject)
    with pytest.raises(ProjectNotFound):
        ada.audit_log(subject="vision/other/digits")
    with pytest.raises(ProjectNotFound):
        bob.audit_log(subject="vision/digits")


def test_the_record_is_read_page_by_page(access: Access) -> None:
    whole = access.audit_log(limit=1000).rows
    assert len(whole) >= 5
    first = access.audit_log(limit=2)
    rest = access.audit_log(limit=1000, after=first.cursor)
    assert (*first.rows, *rest.rows) == whole
    assert rest.cursor is None


# ---- what can't be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a b", "../x", "x" * 129, "\0", "\ud800", "аda", "a/b/c/d", "%2e%2e", "';--"])
def test_hostile_names_are_refused_as_what_they_are(access: Access, text: str) -> None:
    acts: list[Callable[[], object]] = [
        lambda: access.add_user(text),
        lambda: access.change_user(text, admin=True),
        lambda: access.add_team(text),
        lambda: access.add_member(text, "ada"),
        lambda: access.add_member("vision", text),
        lambda: access.remove_member("vision", text),
        lambda: access.make_key("x", user=text),
        lambda: access.list_keys(user=text),
        lambda: access.revoke_key(text),
        lambda: access.set_visibility(text, "public"),
        lambda: access.set_visibility("vision/digits", text),  # type: ignore[arg-type]
        lambda: access.grant(text, "reader", user="ada"),
        lambda: access.grant("vision/digits", text, user="ada"),  # type: ignore[arg-type]
        lambda: access.grant("vision/digits", "reader", user=text),
        lambda: access.grant("vision/digits", "reader", team=text),
        lambda: access.revoke(text, user="ada"),
        lambda: access.list_grants(place=text),
        lambda: access.protect_alias(text, "x"),
        lambda: access.protect_alias("vision/digits", text),
        lambda: access.unprotect_alias("vision/digits", text),
        lambda: access.list_protections(place=text),
    ]
    for number, act in enumerate(acts):
        with pytest.raises(Error) as caught:
            act()
        assert isinstance(caught.value, Invalid | NotFound), number
    for given in ({"user": text}, {"operation": text}, {"subject": text}, {"outcome": text}):
        try:
            access.audit_log(**given)
        except Error as problem:
            assert isinstance(problem, Invalid)


def test_a_grant_is_to_a_user_or_to_a_team(access: Access) -> None:
    for given in ({}, {"user": "ada", "team": "vision"}):
        with pytest.raises(InvalidArgument):
            access.grant("vision/digits", "reader", **given)
    with pytest.raises(InvalidArgument):
        access.set_visibility("vision/registry/best", "public")
    with pytest.raises(InvalidArgument):
        access.grant("vision/digits/model", "reader", user="ada")
    assert access.grant("vision/registry/best", "reader", user="ada").collection == "best"
    assert access.grant("digits", "reader", user="ada").path == "local/digits"


def test_a_caller_shows_no_secret() -> None:
    assert "secret" not in repr(Caller(1, "ada"))
