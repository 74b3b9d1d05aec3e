"""What a server's callers may and may not do, by role and operation, whatever way they come; and the record of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineal.access.model import Caller
from lineal.access.roles import PERMISSIONS, ROLES, permissions
from lineal.backend.connect import connect
from lineal.backend.declared import operations
from lineal.backend.local.backend import LocalBackend
from lineal.backend.local.served import ServedBackend
from lineal.core import errors, settings
from lineal.core.errors import Error
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.tracking.model import Batch, RunFile

from .conftest import Desk

As = Callable[..., Desk]
IN_TEAM = {"rhea": "reader", "wim": "writer", "maia": "maintainer", "abe": "admin"}


class House:
    """A store with the team `vision`, one user in each role there, one outside, and an admin of the server."""

    def __init__(self, root: LocalBackend, folder: Path) -> None:
        self.root = root
        self._folder = folder
        access = root.access
        access.add_user("root", admin=True)
        access.add_team("vision")
        for name, role in IN_TEAM.items():
            access.add_user(name)
            access.add_member("vision", name, role=role)  # type: ignore[arg-type]
        access.add_user("olga")
        self.own = self.desk_of(root.served_to(None, entity="vision", project="digits", host="box", user="setup"))

    def backend_of(
        self, name: str, *, scopes: list[str] | None = None, project: str | None = "digits"
    ) -> ServedBackend:
        from lineal.access import users

        with self.root.context.database.read() as session:
            found = users.get(session, name)
        limited = None if scopes is None else frozenset(scopes)
        caller = Caller(found.id, name, found.user.is_admin, limited, "k1", "10.0.0.9", "req1")  # type: ignore[arg-type]
        return self.root.served_to(caller, entity="vision", project=project, host="box", user="nobody")

    def desk_of(self, backend: Any) -> Desk:
        return Desk(backend, Cache(self._folder / "cache"))

    def as_(self, name: str, **more: Any) -> Desk:
        return self.desk_of(self.backend_of(name, **more))


@pytest.fixture(params=["folder", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    given: dict[str, Any] = {"url": str(tmp_path / "store"), "user": "operator", "entity": "vision"}
    if request.param == "postgres":
        given |= {"url": request.getfixturevalue("postgres_url"), "store": str(tmp_path / "bytes")}
    root = connect(settings.load(tmp_path, **given))
    assert isinstance(root, LocalBackend)
    yield House(root, tmp_path)
    root.close()


@pytest.fixture
def model(house: House) -> Version:
    """`model:v0`, and `v1` that stands at `best`, of the project `digits` of the team."""
    house.own.log({"w": "one"}, "model", "model")
    house.own.log({"w": "two"}, "model", "model", aliases=["best"])
    return house.own.backend.artifacts.resolve("model:v1")


def rows(house: House, **more: Any) -> list[tuple[str, str, str, str]]:
    found = house.root.access.audit_log(**more).rows
    return [(row.user, row.operation, row.subject, row.outcome) for row in reversed(found)]


# ---- every operation asks ----------------------------------------------------------------------------------------

SWEEP = {"method": "random", "parameters": {"lr": {"min": 0.0, "max": 1.0}}}

TRIES: dict[str, Callable[[Desk], object]] = {
    "artifacts.log": lambda d: d.backend.artifacts.log("model", "model", _digest(d)),
    "artifacts.use": lambda d: d.backend.artifacts.use("model:v0", "r1"),
    "artifacts.resolve": lambda d: d.backend.artifacts.resolve("model:best"),
    "artifacts.list_versions": lambda d: d.backend.artifacts.list_versions("model"),
    "artifacts.move_alias": lambda d: d.backend.artifacts.move_alias("model:v0", "best"),
    "artifacts.remove_alias": lambda d: d.backend.artifacts.remove_alias("model:best"),
    "artifacts.rollback": lambda d: d.backend.artifacts.rollback("model:best"),
    "artifacts.list_alias_events": lambda d: d.backend.artifacts.list_alias_events("model:best"),
    "artifacts.list_alias_intervals": lambda d: d.backend.artifacts.list_alias_intervals("model:best"),
    "artifacts.change": lambda d: d.backend.artifacts.change("model:v0", description="x"),
    "artifacts.delete": lambda d: d.backend.artifacts.delete("model:v0"),
    "artifacts.restore": lambda d: d.backend.artifacts.restore("gone:v0"),
    "artifacts.delete_collection": lambda d: d.backend.artifacts.delete_collection("spare"),
    "artifacts.link": lambda d: d.backend.artifacts.link("model:v0", "registry/prod"),
    "artifacts.unlink": lambda d: d.backend.artifacts.unlink("registry/old:v0"),
    "artifacts.list_links": lambda d: d.backend.artifacts.list_links("model:v0"),
    "artifacts.diff": lambda d: d.backend.artifacts.diff("model:v0", "model:v1"),
    "runs.start": lambda d: d.backend.runs.start("new"),
    "runs.append": lambda d: d.backend.runs.append("r1", "w", 1, Batch()),
    "runs.finish": lambda d: d.backend.runs.finish("r1"),
    "runs.change": lambda d: d.backend.runs.change("r1", notes="x"),
    "runs.get": lambda d: d.backend.runs.get("r1"),
    "runs.stop": lambda d: d.backend.runs.stop("r1"),
    "runs.delete": lambda d: d.backend.runs.delete("r2"),
    "runs.rewind": lambda d: d.backend.runs.rewind("r1", 0),
    "runs.fork": lambda d: d.backend.runs.fork("r2", "r1", 0),
    "runs.list_keys": lambda d: d.backend.runs.list_keys("r1"),
    "runs.rows": lambda d: d.backend.runs.rows("r1"),
    "runs.columns": lambda d: d.backend.runs.columns("r1", ["x"]),
    "runs.samples": lambda d: d.backend.runs.samples(["r1"], ["x"]),
    "runs.list_files": lambda d: d.backend.runs.list_files("r1"),
    "runs.events": lambda d: d.backend.runs.events("r1"),
    "runs.list_alerts": lambda d: d.backend.runs.list_alerts("r1"),
    "sweeps.create": lambda d: d.backend.sweeps.create("new", SWEEP),
    "sweeps.get": lambda d: d.backend.sweeps.get("s1"),
    "sweeps.change": lambda d: d.backend.sweeps.change("s1", state="paused"),
    "sweeps.delete": lambda d: d.backend.sweeps.delete("s1"),
    "sweeps.list_trials": lambda d: d.backend.sweeps.list_trials("s1"),
    "sweeps.insight": lambda d: d.backend.sweeps.insight("s1"),
    "sweeps.take": lambda d: d.backend.sweeps.take("s1", "a", "t"),
    "sweeps.beat": lambda d: d.backend.sweeps.beat("s1", "a", [0]),
    "sweeps.leave": lambda d: d.backend.sweeps.leave("s1", "a"),
    "sweeps.list_agents": lambda d: d.backend.sweeps.list_agents("s1"),
    "sweeps.end": lambda d: d.backend.sweeps.end("s1", 0, "r", "failed"),
    "lineage.graph": lambda d: d.backend.lineage.graph("model:v0"),
    "lineage.reach": lambda d: d.backend.lineage.reach("run:r1"),
    "lineage.used_by": lambda d: d.backend.lineage.used_by("model:v0"),
    "lineage.artifacts_of": lambda d: d.backend.lineage.artifacts_of("r1", output=True),
    "lineage.audit": lambda d: d.backend.lineage.audit("model:v0"),
    "lineage.impact": lambda d: d.backend.lineage.impact("model:v0"),
    "store.plan_gc": lambda d: d.backend.store.plan_gc(),
    "store.fsck": lambda d: d.backend.store.fsck(),
}
# Those that show what the caller may see, and so refuse nobody; and those whose tests stand by themselves.
SHOWING = {
    "artifacts.list_collections",
    "artifacts.list_types",
    "artifacts.search",
    "artifacts.manifest",
    "runs.list",
    "sweeps.list",
    "runs.list_projects",
    "runs.last_seq",
    "store.gc",
}
NEEDS = {
    f"{declared.noun}.{declared.name}": declared.operation.needs
    for declared in operations()
    if declared.noun != "access"
}


def _digest(desk: Desk) -> str:
    return desk.push({"w": "new"})


def test_every_operation_has_its_try() -> None:
    assert TRIES.keys() | SHOWING == NEEDS.keys()


@pytest.fixture
def full(house: House, model: Version) -> House:
    """Something for every operation to be tried on."""
    own = house.own
    own.log("gone", "gone")
    own.backend.artifacts.delete("gone:v0")
    own.log("spare", "spare")
    own.backend.artifacts.link("model:v1", "registry/old")
    own.backend.artifacts.move_alias("model:v0", "best")
    own.backend.artifacts.move_alias("model:v1", "best")
    own.run("r1")
    own.run("r2")
    own.backend.sweeps.create("s1", SWEEP)
    own.backend.sweeps.take("s1", "b", "first")
    return house


@pytest.mark.parametrize("role", [*ROLES, "none"])
@pytest.mark.parametrize("operation", TRIES)
def test_a_role_may_do_what_it_holds_and_nothing_else(full: House, operation: str, role: str) -> None:
    name = {"none": "olga", **{of: user for user, of in IN_TEAM.items()}}[role]
    needs = NEEDS[operation]
    allowed = role != "none" and needs in permissions(role) and not operation.startswith("store.")  # type: ignore[arg-type]
    desk = full.as_(name)
    if allowed:
        TRIES[operation](desk)
        return
    with pytest.raises((errors.Forbidden, errors.NotFound)) as raised:
        TRIES[operation](desk)
    if role == "none" and needs == "read":
        assert raised.value.code.startswith("not_found."), "what can't be read isn't there"
    elif role != "none":
        assert raised.value.code.startswith("forbidden.")


@pytest.mark.parametrize("operation", TRIES)
def test_a_server_admin_may_do_everything(full: House, operation: str) -> None:
    TRIES[operation](full.as_("root"))


@pytest.mark.parametrize("operation", TRIES)
def test_a_key_that_is_limited_does_no_more_than_its_scopes(full: House, operation: str) -> None:
    others = [permission for permission in PERMISSIONS if permission != NEEDS[operation]]
    with pytest.raises(errors.ScopeTooSmall):
        TRIES[operation](full.as_("root", scopes=others))


def test_an_operation_that_asks_nothing_is_a_fault_and_changes_nothing(
    full: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineal.backend.local.context import Context

    monkeypatch.setattr(Context, "check", lambda *_, **__: True)
    with pytest.raises(Error, match="did not ask"):
        full.as_("wim").backend.runs.change("r1", notes="sly")
    with pytest.raises(Error, match="did not ask"):
        full.as_("wim").backend.runs.get("r1")
    monkeypatch.undo()
    assert full.root.runs.get("r1").notes == ""


# ---- what is shown -----------------------------------------------------------------------------------------------


@pytest.fixture
def private(house: House, model: Version) -> House:
    """A model of the team's project `digits` that came from data in its private project `secret`."""
    house.own.backend.access.set_visibility("vision/secret", "private")
    secret = house.desk_of(house.root.served_to(None, entity="vision", project="secret", host="b", user="setup"))
    secret.log("the data", "data")
    secret.run("inner", config={"lr": 1})
    secret.log("prepared", "prepared", run_id="inner")
    house.own.run("outer")
    house.own.backend.artifacts.use("secret/data", "outer")
    house.own.backend.artifacts.use("secret/prepared", "outer")
    house.own.log("from data", "net", "model", run_id="outer")
    return house


def test_lists_show_what_may_be_read_and_no_more(private: House) -> None:
    wim, olga = private.as_("wim", project=None).backend, private.as_("olga", project=None).backend
    assert [one.name for one in wim.artifacts.list_collections()] == ["model", "net"]
    assert olga.artifacts.list_collections() == []
    assert wim.artifacts.list_types() == ["model"]
    assert {version.collection for version in wim.artifacts.search()} == {"model", "net"}
    assert olga.artifacts.search() == []
    assert list(wim.runs.list_projects()) == ["digits"]
    page = wim.runs.list(count=True)
    assert ([run.id for run in page.runs], page.total) == (["outer"], 1)
    by_config = wim.runs.list(order="+config.lr", count=True)
    assert ([run.id for run in by_config.runs], by_config.total) == (["outer"], 1)
    assert olga.runs.list(count=True).total == 0
    assert wim.runs.last_seq("inner", "w") == -1
    assert wim.artifacts.search(digest=digests.format(digests.of_bytes(b"the data"))) == []


def test_what_is_private_is_as_if_it_were_not_there(private: House) -> None:
    wim = private.as_("wim", project=None).backend
    for ask in (
        lambda: wim.artifacts.resolve("secret/data:v0"),
        lambda: wim.artifacts.resolve("data:v0"),
        lambda: wim.artifacts.list_versions("secret/data"),
        lambda: wim.runs.get("inner"),
        lambda: wim.lineage.graph("run:inner"),
        lambda: wim.lineage.impact("secret/data"),
        lambda: wim.lineage.impact(digests.format(digests.of_bytes(b"the data"))),
    ):
        with pytest.raises(errors.NotFound):
            ask()
    with pytest.raises(errors.RunExists):
        wim.runs.start("inner", project="digits")
    with pytest.raises(errors.Forbidden):
        wim.runs.start("mine", project="secret")


def test_a_graph_shows_what_is_private_as_nodes_without_names(private: House) -> None:
    graph = private.as_("wim").backend.lineage.graph("net")
    hidden = [node for node in graph.nodes if node.id.startswith("hidden:")]
    assert {node.kind for node in hidden} == {"version", "run"}
    assert len(hidden) == 3
    for node in hidden:
        assert (node.name, node.type, node.detail, node.aliases, node.created_at) == ("private", "", {}, (), None)
    assert "secret" not in repr(graph)
    assert "prepared" not in repr(graph)
    assert len(graph.edges) == 4
    assert "secret" in repr(private.as_("root").backend.lineage.graph("net"))


def test_a_sweep_is_seen_by_whoever_may_read_its_project(private: House) -> None:
    secret = private.own.backend
    grid = {"method": "grid", "name": "covert", "parameters": {"lr": {"values": [1]}}}
    secret.sweeps.create("s1", grid, project="secret")
    trial = secret.sweeps.take("s1", "a", "t").trial
    assert trial is not None
    secret.runs.start(trial.run_id, project="secret", sweep="s1")
    secret.artifacts.use("secret/prepared", trial.run_id)
    made = private.own.log("tuned", "tuned", run_id=trial.run_id, project="secret")
    secret.artifacts.use(made.ref, "outer")
    wim, root = private.as_("wim").backend.lineage, private.as_("root").backend.lineage
    for graph in (wim.graph("net"), wim.audit("net").graph):
        assert {node.kind for node in graph.nodes} == {"version", "run"}
        assert not any(word in repr(graph) for word in ("sweep:", "covert", trial.run_id))
    assert "sweep:s1" in {node.id for node in root.graph("net").nodes}
    assert len(root.graph("sweep:s1").nodes) > 3
    for ask in (wim.graph, wim.reach):
        with pytest.raises(errors.SweepNotFound):
            ask("sweep:s1")


def test_walks_from_a_sweep_find_the_same_for_whoever_sees_less(house: House) -> None:
    house.own.backend.sweeps.create("s1", {"method": "grid", "parameters": {"lr": {"values": [1]}}})
    house.own.log("x", "set")
    trial = house.own.backend.sweeps.take("s1", "a", "t").trial
    assert trial is not None
    house.own.backend.runs.start(trial.run_id, sweep="s1")
    house.own.backend.artifacts.use("set", trial.run_id)
    house.own.log("m", "net", "model", run_id=trial.run_id)
    root, wim = house.root.lineage, house.as_("wim").backend.lineage
    for up in (True, False):
        assert sorted(wim.reach("sweep:s1", up=up)) == sorted(root.reach("sweep:s1", up=up))
        assert len(wim.reach("sweep:s1", up=up)) == 2
    assert wim.graph("sweep:s1") == root.graph("sweep:s1")


def test_an_audit_tells_that_something_is_hidden_but_not_what(private: House) -> None:
    audit = private.as_("wim").backend.lineage.audit("net")
    assert "secret" not in repr(audit)
    assert "inner" not in repr(audit)
    (finding,) = [finding for finding in audit.findings if finding.code == "hidden"]
    assert finding.text.startswith("3 ")
    whole = private.as_("root").backend.lineage.audit("net")
    assert [finding for finding in whole.findings if finding.code == "hidden"] == []


def test_walks_and_lists_of_a_run_leave_out_what_is_private(private: House) -> None:
    wim = private.as_("wim").backend.lineage
    assert set(wim.reach("net")) == {"run:outer"}
    assert wim.artifacts_of("outer", output=False) == []
    private.own.backend.artifacts.link("net", "registry/nets")
    private.root.access.set_visibility("vision/registry", "private")
    assert private.as_("wim").backend.artifacts.list_links("net") == []
    assert private.as_("wim").backend.lineage.impact("net").links == ()


def test_a_public_project_is_read_by_all_and_written_by_its_own(house: House, model: Version) -> None:
    house.root.access.set_visibility("vision/digits", "public")
    olga = house.as_("olga")
    assert olga.backend.artifacts.resolve("model:best") == model
    manifest = olga.backend.artifacts.manifest(model.digest)
    assert olga.backend.blobs.find(list(manifest.blobs)).keys() == manifest.blobs.keys()
    with pytest.raises(errors.RoleTooSmall):
        olga.log("x", "model", "model")


def test_a_role_for_one_registry_collection_opens_that_and_its_bytes_alone(house: House, model: Version) -> None:
    own = house.own.backend
    own.artifacts.link("model:v1", "registry/prod", aliases=["production"])
    own.artifacts.link("model:v0", "registry/other")
    house.root.access.set_visibility("vision/digits", "private")
    house.root.access.set_visibility("vision/registry", "private")
    house.root.access.grant("vision/registry/prod", "reader", user="olga")
    olga = house.as_("olga", project=None)
    found = olga.backend.artifacts.resolve("registry/prod:production")
    assert found.digest == model.digest
    manifest = olga.backend.artifacts.manifest(found.digest)
    assert olga.backend.blobs.find(list(manifest.blobs)).keys() == manifest.blobs.keys()
    assert [one.name for one in olga.backend.artifacts.list_collections()] == ["prod"]
    with pytest.raises(errors.NotFound):
        olga.backend.artifacts.resolve("registry/other:v0")
    other = own.artifacts.resolve("model:v0").digest
    with pytest.raises(errors.NotFound):
        olga.backend.artifacts.manifest(other)
    assert olga.backend.blobs.find([digests.of_bytes(b"one")]) == {}


# ---- digests are no oracle ---------------------------------------------------------------------------------------


def test_a_blob_that_others_hold_is_missing_until_it_was_sent(house: House, model: Version) -> None:
    digest, manifest = digests.of_bytes(b"two"), digests.parse(model.digest)
    olga = house.as_("olga", project="mine").backend
    assert olga.blobs.missing([digest, manifest]) == {digest, manifest}
    assert olga.blobs.find([digest, manifest]) == {}
    with pytest.raises(errors.NotFound):
        olga.artifacts.manifest(model.digest)
    assert house.as_("rhea").backend.blobs.missing([digest, manifest]) == set()
    before = house.root.blobs.find([digest])
    own = house.desk_of(house.root.served_to(olga.context.caller, entity="olga", project="mine", host="b", user=""))
    own.push({"x": "two"})
    assert olga.blobs.missing([digest]) == set()
    assert house.root.blobs.find([digest]) == before, "the store keeps one copy"


def test_whoever_names_digests_without_having_had_the_bytes_is_told_to_send_them(
    house: House, model: Version
) -> None:
    olga = house.desk_of(
        house.root.served_to(
            house.backend_of("olga").context.caller, entity="olga", project="mine", host="b", user=""
        )
    )
    with pytest.raises(errors.BlobsMissing):
        olga.backend.artifacts.log("stolen", "model", model.digest)
    from lineal.storage.manifest import Entry

    guessed = olga.push_entries(Entry("w", digests.of_bytes(b"two"), 3))
    with pytest.raises(errors.BlobsMissing):
        olga.backend.artifacts.log("stolen", "model", guessed)
    olga.run("r9")
    file = RunFile("w", digests.format(digests.of_bytes(b"two")), 3)
    with pytest.raises(errors.BlobsMissing):
        olga.backend.runs.append("r9", "w", 1, Batch(files=[file]))
    assert olga.backend.artifacts.list_collections() == []


def test_a_file_of_a_run_is_known_to_those_who_may_read_the_run(house: House) -> None:
    wim = house.as_("wim")
    wim.run("r1")
    digest = digests.of_bytes(b"a plot")
    wim.push({"x": "a plot"})
    wim.backend.runs.append("r1", "w", 1, Batch(files=[RunFile("x", digests.format(digest), 6)]))
    assert house.as_("rhea").backend.blobs.missing([digest]) == set()
    assert house.as_("olga").backend.blobs.missing([digest]) == {digest}


def test_what_was_logged_past_the_server_is_known_to_its_readers(house: House) -> None:
    direct = house.desk_of(house.root)
    direct.log({"w": "direct"}, "straight", project="digits")
    digest = digests.of_bytes(b"direct")
    assert house.as_("rhea").backend.blobs.missing([digest]) == set()
    assert house.as_("olga").backend.blobs.missing([digest]) == {digest}


def test_an_object_is_read_only_where_its_blobs_may_be(house: House, model: Version) -> None:
    """`two` lies in a pack with its manifest; olga has sent the same file, and sees no more of the pack than that."""
    place = house.root.blobs.find([digests.of_bytes(b"two")])[digests.of_bytes(b"two")]
    start, end = place.offset, place.offset + place.length
    olga = house.as_("olga", project="mine")
    with pytest.raises(errors.NotFound):
        olga.backend.blobs.check_readable(place.key, start, end)
    olga.backend.blobs.sent([place.digest])
    olga.backend.blobs.check_readable(place.key, start, end)
    for wrong in ((0, end), (start, end + 1), (0, None), (end, end + 4)):
        with pytest.raises(errors.NotFound):
            olga.backend.blobs.check_readable(place.key, *wrong)
    house.as_("rhea").backend.blobs.check_readable(place.key, start, end)
    with pytest.raises(errors.NotFound):
        house.as_("rhea").backend.blobs.check_readable(place.key, 0, end)  # a pack's list says what else is in it


# ---- protected aliases -------------------------------------------------------------------------------------------


WAYS: dict[str, Callable[[Desk], object]] = {
    "promoting": lambda d: d.backend.artifacts.move_alias("model:v0", "production"),
    "logging again": lambda d: d.log({"w": "one"}, "model", "model", aliases=["production"]),
    "logging anew": lambda d: d.log({"w": "three"}, "model", "model", aliases=["production"]),
    "removing": lambda d: d.backend.artifacts.remove_alias("model:production"),
    "rolling back": lambda d: d.backend.artifacts.rollback("model:production"),
    "deleting": lambda d: d.backend.artifacts.delete("model:production", force=True),
    "deleting all": lambda d: d.backend.artifacts.delete_collection("model", force=True),
    "linking": lambda d: d.backend.artifacts.link("model:v0", "registry/prod", aliases=["production"]),
    "unlinking": lambda d: d.backend.artifacts.unlink("registry/prod:production"),
}


@pytest.fixture
def guarded(house: House, model: Version) -> House:
    own = house.own.backend
    for number in (0, 1):
        own.artifacts.move_alias(f"model:v{number}", "production")
    own.artifacts.link("model:v1", "registry/prod", aliases=["production"])
    return house


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_past_a_protected_alias(guarded: House, way: str) -> None:
    guarded.root.access.protect_alias("vision/digits", "prod*", role="admin")
    guarded.root.access.protect_alias("vision/registry", "production", role="admin")
    before = [version.aliases for version in guarded.root.artifacts.list_versions("digits/model")]
    for name in ("wim", "maia"):
        with pytest.raises(errors.Forbidden):
            WAYS[way](guarded.as_(name))
    assert [version.aliases for version in guarded.root.artifacts.list_versions("digits/model")] == before
    assert [row for row in rows(guarded) if row[3] == "refused"], "a refusal is on record"
    WAYS[way](guarded.as_("abe"))


def test_writers_move_no_alias_unless_a_rule_lets_them(guarded: House) -> None:
    wim = guarded.as_("wim")
    with pytest.raises(errors.AliasProtected):
        wim.log({"w": "four"}, "model", "model", aliases=["candidate"])
    guarded.root.access.protect_alias("vision/digits", "candidate", role="writer")
    wim.log({"w": "four"}, "model", "model", aliases=["candidate"])
    guarded.as_("wim", scopes=["read", "write"]).log({"w": "five"}, "model", "model", aliases=["candidate"])


# ---- the record --------------------------------------------------------------------------------------------------


CHANGING = [
    name for name, needs in NEEDS.items() if name in TRIES and needs != "read" and not name.startswith("store.")
]


@pytest.mark.parametrize("operation", CHANGING)
def test_every_change_leaves_a_row_that_says_who_from_where_and_what(full: House, operation: str) -> None:
    TRIES[operation](full.as_("root"))
    told = full.root.access.audit_log(user="root", operation=operation).rows
    if operation == "runs.append":  # batches are a record themselves
        assert told == ()
        return
    (row,) = told
    assert (row.key_prefix, row.address, row.request_id, row.outcome) == ("k1", "10.0.0.9", "req1", "done")
    assert row.subject.startswith("vision/")
    assert row.after is not None


def test_a_move_of_an_alias_says_from_where_to_where(full: House) -> None:
    full.as_("maia").backend.artifacts.move_alias("model:v0", "best", why="better")
    row = full.root.access.audit_log(operation="artifacts.move_alias", user="maia").rows[0]
    assert (row.subject, row.before, row.after) == ("vision/digits/model", {"best": "v1"}, {"best": "v0"})


def test_a_row_names_the_place_whoever_acts_and_however_the_ref_was_written(full: House) -> None:
    """So that an admin of the project finds it in their part of the record."""
    full.as_("maia").backend.artifacts.remove_alias("model:best")
    (row,) = full.root.access.audit_log(user="maia").rows
    assert (row.operation, row.subject) == ("artifacts.remove_alias", "vision/digits/model")


def test_what_failed_leaves_no_row_and_what_was_refused_one_with_the_reason(full: House) -> None:
    count = len(rows(full, limit=1000))
    with pytest.raises(errors.NotFound):
        full.as_("maia").backend.artifacts.move_alias("model:v9", "best")
    assert len(rows(full, limit=1000)) == count
    with pytest.raises(errors.Forbidden):
        full.as_("wim").backend.artifacts.move_alias("model:v0", "best")
    row = full.root.access.audit_log(user="wim").rows[0]
    assert (row.operation, row.outcome, row.subject) == ("artifacts.move_alias", "refused", "vision/digits/model")
    assert "maintainer" in row.why


def test_what_nobody_is_asked_for_is_on_record_too(house: House) -> None:
    """A server without users is open; what is done is told all the same."""
    house.own.run("r1")
    assert ("setup", "runs.start", "vision/digits/run:r1", "done") in rows(house)
