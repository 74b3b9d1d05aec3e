"""The sentences of `port.Stores`, held against every implementation: gc, fsck, repair and rebuild."""

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lineal.backend.local.context import Context
from lineal.backend.port import Backend, Check, GcPlan
from lineal.core import errors
from lineal.db.session import Session
from lineal.storage import digest as digests
from lineal.storage.blobs import Place, StoredObject, read_blob
from lineal.storage.digest import Digest
from lineal.storage.pull import pull

from .conftest import Desk
from .damage import age, behind, flip_blob, keys, overwrite, place_of, whole

Open = Callable[..., Desk]
DAY_S = 86_400


def collect(desk: Desk, grace_s: int = 0) -> GcPlan:
    return desk.backend.store.gc(desk.backend.store.plan_gc(grace_s=grace_s))


def reasons(plan: GcPlan) -> dict[str, str]:
    return {d.version.name: d.why for d in plan.decisions}


def fates(plan: GcPlan) -> dict[str, str]:
    return {d.version.name: d.fate for d in plan.decisions}


def readable(desk: Desk, ref: str, target: Path) -> dict[str, bytes]:
    """The version's files, downloaded and verified."""
    version = desk.backend.artifacts.resolve(ref)
    manifest = desk.backend.artifacts.manifest(version.digest)
    pull(manifest.entries, desk.backend.blobs, target, desk.cache)
    return {entry.path: (target / entry.path).read_bytes() for entry in manifest}


def codes(check: Check) -> set[str]:
    return {problem.code for problem in check.problems}


def named(check: Check) -> set[str]:
    return {p.subject for p in check.problems if p.subject.startswith("local/")}


def sound(desk: Desk) -> bool:
    return desk.backend.store.fsck().problems == ()


def forget_index(backend: Backend) -> None:
    """Loses the rows of blobs and objects, as a restored database might."""
    from lineal.storage import index

    with behind(backend).context.database.begin() as session:
        index.clear(session)


# ---- what a plan says ------------------------------------------------------------------------------------------


def test_a_plan_says_why_each_version_stays_or_goes(desk: Desk) -> None:
    store = desk.backend.artifacts
    for name in ("aliased", "used", "linked", "held", "young", "over", "plain"):
        ttl_s = {"plain": None, "young": 3600}.get(name, 0)
        desk.log(name, name, "model", ttl_s=ttl_s)
        desk.log(f"newer {name}", name, "model", ttl_s=0)
    store.move_alias("aliased:v0", "best")
    desk.run("r")
    store.use("used:v0", "r")
    store.link("linked:v0", "registry/r", aliases=["production"])
    store.change("held:v0", hold="audit 2026")
    desk.log("gone", "plain", "model")
    store.delete("plain:v2")
    plan = desk.backend.store.plan_gc()
    why = reasons(plan)
    assert why["aliased:v0"] == "alias best"
    assert why["used:v0"] == "used by a run"
    assert why["linked:v0"].startswith("link local/registry/r:v0")
    assert why["held:v0"] == "hold: audit 2026"
    assert why["young:v0"].startswith("ttl not over before")
    assert why["plain:v0"] == "no ttl"
    assert why["over:v1"] == "newest"
    assert why["over:v0"].startswith("ttl over since")
    assert why["plain:v2"].startswith("deleted")
    assert {name for name, fate in fates(plan).items() if fate != "keep"} == {"over:v0", "plain:v2"}
    assert (fates(plan)["over:v0"], fates(plan)["plain:v2"]) == ("expire", "purge")


def test_the_newest_is_the_newest_that_is_not_deleted(desk: Desk) -> None:
    for n in range(3):
        desk.log(f"{n}", ttl_s=0)
    desk.backend.artifacts.delete("data:v2")
    assert fates(desk.backend.store.plan_gc()) == {"data:v0": "expire", "data:v1": "keep", "data:v2": "purge"}


def test_a_plan_changes_nothing(desk: Desk) -> None:
    desk.log("x", ttl_s=0)
    desk.log("y")
    desk.backend.artifacts.delete("data:v1")
    before = keys(desk.backend)
    assert desk.backend.store.plan_gc(grace_s=0).blob_count > 0
    assert keys(desk.backend) == before
    assert desk.backend.artifacts.restore("data:v1").version == "v1"


def test_unreferenced_blobs_wait_until_the_grace_period_is_over(desk: Desk) -> None:
    desk.push_bytes(b"nobody's")
    waiting = desk.backend.store.plan_gc(grace_s=DAY_S)
    assert (waiting.blob_count, waiting.object_count, waiting.waiting_count) == (0, 0, 1)
    assert (waiting.waiting_bytes, waiting.freed_bytes) == (8, 0)
    over = desk.backend.store.plan_gc(grace_s=0)
    assert (over.blob_count, over.object_count, over.waiting_count) == (1, 1, 0)


# ---- what gc does ----------------------------------------------------------------------------------------------


def test_gc_does_exactly_what_the_plan_said(desk: Desk, tmp_path: Path) -> None:
    desk.log({"a": "keep", "shared": "both"}, "kept")
    desk.log({"a": "drop", "shared": "both"}, "gone")
    desk.log("newer", "gone")
    desk.backend.artifacts.delete("gone:v0")
    plan = desk.backend.store.plan_gc(grace_s=0)
    assert plan.blob_count == 2  # `drop` and its manifest; `both` is kept by the other
    assert desk.backend.store.gc(plan) == plan
    blobs = {name: digests.of_bytes(name.encode()) for name in ("keep", "both", "drop", "newer")}
    assert desk.backend.blobs.missing(blobs.values()) == {blobs["drop"]}
    assert readable(desk, "kept", tmp_path / "out") == {"a": b"keep", "shared": b"both"}
    tombstones = desk.backend.artifacts.list_versions("gone", deleted=True)
    assert [(v.version, v.purged_at is not None) for v in tombstones] == [("v1", False), ("v0", True)]
    assert sound(desk)
    again = desk.backend.store.plan_gc(grace_s=0)
    assert (again.blob_count, again.object_count, again.stray_count) == (0, 0, 0)
    assert set(fates(again)) == {"kept:v0", "gone:v1"}


def test_gc_deletes_versions_whose_ttl_is_over(desk: Desk) -> None:
    desk.log("x", ttl_s=0)
    desk.log("y", ttl_s=0)
    collect(desk)
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.resolve("data:v0")
    tombstone = desk.backend.artifacts.list_versions("data", deleted=True)[1]
    assert tombstone.deleted_at is not None
    assert tombstone.purged_at is not None
    with pytest.raises(errors.VersionPurged):
        desk.backend.artifacts.restore("data:v0")


def test_a_ttl_runs_over_for_the_newest_too_once_it_is_not_the_newest(desk: Desk) -> None:
    desk.log("x", ttl_s=0)
    assert fates(collect(desk)) == {"data:v0": "keep"}
    desk.log("y")
    assert fates(collect(desk)) == {"data:v0": "expire", "data:v1": "keep"}


def test_a_purged_version_s_content_is_logged_anew(desk: Desk, tmp_path: Path) -> None:
    desk.log("x")
    desk.backend.artifacts.delete("data:v0")
    collect(desk)
    again = desk.logged("x")
    assert (again.made, again.version.version) == (True, "v1")
    assert readable(desk, "data", tmp_path / "out") == {"a": b"x"}


def test_a_plan_made_before_the_store_changed_is_refused(desk: Desk) -> None:
    desk.log("x", ttl_s=0)
    desk.log("y")
    store, kept = desk.backend.store, desk.backend.artifacts
    for change in (
        lambda: kept.move_alias("data:v0", "best"),
        lambda: kept.remove_alias("data:best"),
        lambda: kept.change("data:v0", hold="wait"),
    ):
        plan = store.plan_gc(grace_s=0)
        change()
        with pytest.raises(errors.PlanOutdated):
            store.gc(plan)
        assert kept.resolve("data:v0").version == "v0"
    plan = store.plan_gc(grace_s=0)
    desk.push_bytes(b"somebody was here")
    with pytest.raises(errors.PlanOutdated):
        store.gc(plan)


@pytest.mark.parametrize("change", ["use", "longer ttl", "alias", "hold", "log"])
def test_what_happens_while_gc_looks_is_noticed_before_it_deletes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    desk.log("x", ttl_s=1)
    desk.log("x", "old", ttl_s=0)
    desk.log("y", "old")
    desk.backend.artifacts.change("data:v0", ttl_s=0)
    desk.log("y")
    desk.run("r")
    kept, objects = desk.backend.artifacts, behind(desk.backend).blobs.store
    plan = desk.backend.store.plan_gc(grace_s=DAY_S)
    look = objects.list

    def meanwhile() -> Iterator[StoredObject]:
        monkeypatch.undo()
        match change:
            case "use":
                kept.use("data:v0", "r")
            case "longer ttl":
                kept.change("data:v0", ttl_s=3600)
            case "alias":
                kept.move_alias("data:v0", "best")
            case "hold":
                kept.change("data:v0", hold="wait")
            case "log":
                desk.log("z")
        return look()

    monkeypatch.setattr(objects, "list", meanwhile)
    with pytest.raises(errors.PlanOutdated):
        desk.backend.store.gc(plan)
    assert kept.resolve("data:v0").version == "v0"
    assert kept.resolve("old:v0").version == "v0"


def test_bytes_are_really_freed(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(200_000))
    (folder / "small").write_bytes(os.urandom(500))
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(folder))
    desk.log("newer")
    before = sum(stored.size for stored in behind(desk.backend).blobs.store.list())
    desk.backend.artifacts.delete("data:v0")
    plan = collect(desk)
    after = sum(stored.size for stored in behind(desk.backend).blobs.store.list())
    assert before - after >= 200_500
    assert abs(plan.freed_bytes - (before - after)) < 1000
    assert sound(desk)


def test_a_pack_more_than_half_dead_is_rewritten_and_its_living_blobs_are_readable(
    desk: Desk, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(10):
        (folder / f"f{n}").write_bytes(os.urandom(1000))
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(folder))
    kept = {"f0": (folder / "f0").read_bytes()}
    desk.log(kept, "kept")
    desk.log("newer")
    pack = place_of(desk.backend, digests.of_bytes(kept["f0"])).key
    desk.backend.artifacts.delete("data:v0")
    plan = collect(desk)
    assert plan.rewrite_count == 1
    assert pack not in keys(desk.backend)
    assert readable(desk, "kept", tmp_path / "out") == kept
    assert sound(desk)
    assert collect(desk).freed_bytes == 0


def test_a_pack_less_than_half_dead_stays_as_it_is(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(10):
        (folder / f"f{n}").write_bytes(os.urandom(1000))
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(folder))
    kept = {f"f{n}": (folder / f"f{n}").read_bytes() for n in range(8)}
    desk.log(kept, "kept")
    desk.log("newer")
    pack = place_of(desk.backend, digests.of_bytes(kept["f0"])).key
    desk.backend.artifacts.delete("data:v0")
    assert collect(desk).rewrite_count == 0
    assert pack in keys(desk.backend)
    assert readable(desk, "kept", tmp_path / "out") == kept


def test_a_blob_collected_after_the_writer_saw_it_is_told_as_missing(desk: Desk) -> None:
    digest = desk.push({"a": "x"})
    collect(desk)
    with pytest.raises(errors.BlobsMissing):
        desk.backend.artifacts.log("data", "dataset", digest)
    assert desk.log("x").version == "v0"
    assert sound(desk)


def test_a_manifest_collected_after_it_was_read_is_told_as_missing(desk: Desk) -> None:
    """The manifest may be remembered from a version that was purged; a new version needs it in the store."""
    version = desk.log("x")
    desk.backend.artifacts.manifest(version.digest)
    desk.log("x", "other")
    desk.log("newer")
    desk.backend.artifacts.delete("data:v0")
    desk.backend.artifacts.delete("other:v0")
    collect(desk)
    with pytest.raises(errors.BlobsMissing) as caught:
        desk.backend.artifacts.log("data", "dataset", version.digest)
    assert version.digest in caught.value.details["digests"]


def test_two_plans_of_the_same_state_are_carried_out_once(desk: Desk) -> None:
    desk.log("x")
    desk.log("y")
    desk.backend.artifacts.delete("data:v0")
    first, second = desk.backend.store.plan_gc(grace_s=0), desk.backend.store.plan_gc(grace_s=0)
    assert first.fingerprint == second.fingerprint
    desk.backend.store.gc(first)
    with pytest.raises(errors.PlanOutdated):
        desk.backend.store.gc(second)
    assert sound(desk)


# ---- strays ----------------------------------------------------------------------------------------------------


def test_strays_are_garbage_and_no_damage(desk: Desk) -> None:
    desk.log("x")
    strays = {"objects/.new-half", "packs/torn.pack", "objects/ab/nothing"}
    for key in strays:
        overwrite(behind(desk.backend).blobs.store, key, b"half a file")
    check = desk.backend.store.fsck()
    assert (check.problems, set(check.garbage)) == ((), strays)
    assert desk.backend.store.fsck(repair=True).problems == ()


def test_old_strays_are_collected_and_young_ones_wait_whatever_the_grace_period(desk: Desk) -> None:
    """A young stray may be an object that a writer has just written and is about to make known."""
    desk.log("x")
    store = behind(desk.backend).blobs.store
    for key in ("objects/.new-old", "objects/.new-young"):
        overwrite(store, key, b"half a file")
    age(store, "objects/.new-old", 2 * DAY_S)
    assert collect(desk, DAY_S).stray_count == 1
    assert "objects/.new-old" not in keys(desk.backend)
    collect(desk, 0)
    assert "objects/.new-young" in keys(desk.backend)


# ---- fsck ------------------------------------------------------------------------------------------------------


def test_fsck_of_a_sound_store_finds_nothing_and_says_what_it_read(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/large").write_bytes(os.urandom(5000))
    (tmp_path / "in/small").write_bytes(b"small")
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(tmp_path / "in"))
    check = desk.backend.store.fsck()
    assert (check.version_count, check.blob_count, check.problems, check.garbage) == (1, 3, (), ())
    assert check.size_bytes > 5005


def test_fsck_finds_a_flipped_byte_and_names_the_version_and_the_file(desk: Desk) -> None:
    desk.log({"d/bad": "will be hurt", "good": "stays"})
    desk.log("other", "other")
    flip_blob(desk.backend, digests.of_bytes(b"will be hurt"))
    check = desk.backend.store.fsck()
    assert codes(check) == {"damaged_blob", "damaged_version"}
    assert named(check) == {"local/default/data:v0"}
    assert "d/bad" in next(p.text for p in check.problems if p.code == "damaged_version")
    assert not any(p.repaired for p in check.problems)


def test_fsck_finds_a_lost_object(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    data = os.urandom(5000)
    (tmp_path / "in/large").write_bytes(data)
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(tmp_path / "in"))
    behind(desk.backend).blobs.store.delete(place_of(desk.backend, digests.of_bytes(data)).key)
    check = desk.backend.store.fsck()
    assert codes(check) == {"lost_blob", "damaged_version"}
    assert named(check) == {"local/default/data:v0"}


def test_fsck_finds_a_truncated_pack(desk: Desk) -> None:
    desk.log({"a": b"a" * 1000, "b": b"b" * 1000})
    key = place_of(desk.backend, digests.of_bytes(b"b" * 1000)).key
    data = whole(behind(desk.backend).blobs.store, key)
    overwrite(behind(desk.backend).blobs.store, key, data[:1500])
    check = desk.backend.store.fsck()
    assert {"damaged_blob"} < codes(check)
    assert named(check) == {"local/default/data:v0"}


def test_fsck_finds_a_damaged_manifest_even_where_it_is_remembered(desk: Desk) -> None:
    version = desk.log({"a": "x" * 100, "b": "y" * 100})
    desk.backend.artifacts.manifest(version.digest)
    flip_blob(desk.backend, digests.parse(version.digest))
    check = desk.backend.store.fsck()
    assert codes(check) == {"damaged_blob", "lost_manifest"}
    assert named(check) == {"local/default/data:v0"}


def test_damage_to_what_no_version_names_is_told_without_a_version(desk: Desk) -> None:
    desk.push_bytes(b"nobody's")
    flip_blob(desk.backend, digests.of_bytes(b"nobody's"))
    check = desk.backend.store.fsck()
    assert (codes(check), named(check)) == ({"damaged_blob"}, set())


def test_a_tombstone_s_bytes_are_not_missed(desk: Desk) -> None:
    desk.log("x")
    desk.log("y")
    desk.backend.artifacts.delete("data:v0")
    collect(desk)
    assert sound(desk)


@pytest.mark.parametrize("where", ["a file", "the manifest"])
def test_after_a_repair_logging_again_heals(desk: Desk, tmp_path: Path, where: str) -> None:
    files = {"a": "x" * 100, "b": "y" * 100}
    version = desk.log(files)
    hurt = digests.of_bytes(b"x" * 100) if where == "a file" else digests.parse(version.digest)
    flip_blob(desk.backend, hurt)
    check = desk.backend.store.fsck(repair=True)
    assert [p.repaired for p in check.problems if p.code == "damaged_blob"] == [True]
    assert named(check) == {"local/default/data:v0"}
    again = desk.logged(files)
    assert (again.made, again.version.version) == (False, "v0")
    assert sound(desk)
    assert readable(desk, "data", tmp_path / "out") == {path: data.encode() for path, data in files.items()}


def test_a_repair_adopts_blobs_that_the_index_had_lost(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    data = os.urandom(5000)
    (tmp_path / "in/large").write_bytes(data)
    (tmp_path / "in/small").write_bytes(b"small")
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(tmp_path / "in"))
    forget_index(desk.backend)
    assert named(desk.backend.store.fsck()) == {"local/default/data:v0"}
    repaired = desk.backend.store.fsck(repair=True)
    assert (named(repaired), repaired.garbage) == (set(), ())
    assert sound(desk)
    assert readable(desk, "data", tmp_path / "out") == {"large": data, "small": b"small"}


def test_a_repair_mends_an_index_that_describes_a_blob_wrongly(desk: Desk, tmp_path: Path) -> None:
    from sqlalchemy import update

    from lineal.db.schema import blobs

    desk.log({"a": "x", "b": "y"})
    with behind(desk.backend).context.database.begin() as session:
        wrong = update(blobs).where(blobs.c.digest == digests.of_bytes(b"x")).values(fast=b"0" * 16, size=7)
        session.execute(wrong)
    assert codes(desk.backend.store.fsck()) == {"index_mismatch", "damaged_version"}
    repaired = desk.backend.store.fsck(repair=True)
    assert [(p.code, p.repaired) for p in repaired.problems] == [("index_mismatch", True)]
    assert sound(desk)
    assert readable(desk, "data", tmp_path / "out") == {"a": b"x", "b": b"y"}


def test_a_blob_of_which_only_the_sha256_is_known_is_sound(desk: Desk, tmp_path: Path) -> None:
    from sqlalchemy import update

    from lineal.db.schema import blobs

    desk.log({"a": "x", "b": "y"})
    with behind(desk.backend).context.database.begin() as session:
        session.execute(update(blobs).values(fast=b""))
    assert sound(desk)
    flip_blob(desk.backend, digests.of_bytes(b"x"))
    assert codes(desk.backend.store.fsck()) == {"damaged_blob", "damaged_version"}


def test_a_rebuild_makes_the_index_anew_from_the_store_alone(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    data = os.urandom(5000)
    (tmp_path / "in/large").write_bytes(data)
    (tmp_path / "in/small").write_bytes(b"small")
    desk.backend.artifacts.log("data", "dataset", desk.push_folder(tmp_path / "in"))
    desk.log("x", "other")
    before = desk.backend.store.fsck()
    forget_index(desk.backend)
    rebuilt = desk.backend.store.fsck(rebuild=True)
    assert (rebuilt.problems, rebuilt.blob_count, rebuilt.garbage) == ((), before.blob_count, ())
    assert readable(desk, "data", tmp_path / "out") == {"large": data, "small": b"small"}
    assert sound(desk)


def test_a_rebuild_leaves_out_what_is_damaged_and_names_whose_it_was(desk: Desk, tmp_path: Path) -> None:
    desk.log({"a": "x" * 100, "b": "y" * 100})
    desk.log("fine", "other")
    flip_blob(desk.backend, digests.of_bytes(b"x" * 100))
    overwrite(behind(desk.backend).blobs.store, "packs/torn.pack", b"LNLPACK1 torn")
    check = desk.backend.store.fsck(rebuild=True)
    assert {"damaged_blob", "damaged_pack", "damaged_version"} == codes(check)
    assert named(check) == {"local/default/data:v0"}
    assert readable(desk, "other", tmp_path / "out") == {"a": b"fine"}
    desk.log({"a": "x" * 100, "b": "y" * 100})
    assert named(desk.backend.store.fsck()) == set()


def test_a_rebuild_of_a_store_with_the_same_blob_twice_keeps_one(desk: Desk) -> None:
    desk.log({"a": "x"})
    place = place_of(desk.backend, digests.of_bytes(b"x"))
    overwrite(behind(desk.backend).blobs.store, "packs/copy.pack", whole(behind(desk.backend).blobs.store, place.key))
    check = desk.backend.store.fsck(rebuild=True)
    assert check.problems == ()
    assert len(check.garbage) == 1
    assert sound(desk)


def test_a_small_pack_is_not_rewritten_when_nothing_in_it_died(desk: Desk) -> None:
    desk.log("x")
    plan = desk.backend.store.plan_gc(grace_s=0)
    assert (plan.rewrite_count, plan.freed_bytes) == (0, 0)


def test_a_download_survives_gc_moving_its_blobs(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between asking where the blobs lie and reading them, gc may rewrite their pack."""
    kept = {"kept": b"k" * 100}
    desk.log(kept | {"gone": b"g" * 1000})
    version = desk.log(kept)
    manifest = desk.backend.artifacts.manifest(version.digest)
    desk.backend.artifacts.delete("data:v0")
    find = desk.backend.blobs.find

    def found_just_before_gc(wanted: Collection[Digest]) -> dict[Digest, Place]:
        monkeypatch.undo()
        places = find(wanted)
        assert collect(desk).rewrite_count == 1
        return places

    monkeypatch.setattr(desk.backend.blobs, "find", found_just_before_gc)
    assert pull(manifest.entries, desk.backend.blobs, tmp_path / "out", desk.cache) == 1
    assert (tmp_path / "out/kept").read_bytes() == kept["kept"]


def test_a_blob_is_read_though_gc_moves_it_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"kept": b"k" * 100}
    desk.log(kept | {"gone": b"g" * 1000})
    desk.log(kept)
    desk.backend.artifacts.delete("data:v0")
    find = desk.backend.blobs.find

    def found_just_before_gc(wanted: Collection[Digest]) -> dict[Digest, Place]:
        monkeypatch.undo()
        places = find(wanted)
        collect(desk)
        return places

    monkeypatch.setattr(desk.backend.blobs, "find", found_just_before_gc)
    assert read_blob(desk.backend.blobs, digests.of_bytes(b"k" * 100)) == b"k" * 100


@pytest.mark.parametrize("when", ["before the rewrite", "after the rewrite"])
def test_a_gc_that_another_one_overtakes_gives_up(desk: Desk, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    kept = {"kept": b"k" * 100}
    desk.log(kept | {"gone": b"g" * 1000})
    desk.log(kept)
    desk.backend.artifacts.delete("data:v0")
    plan = desk.backend.store.plan_gc(grace_s=0)
    objects = behind(desk.backend).blobs.store
    look, create = objects.list, objects.create

    def overtaken(*_: object) -> object:
        monkeypatch.undo()
        seen = list(look()) if when == "before the rewrite" else create()
        assert collect(desk).rewrite_count == 1
        return seen

    monkeypatch.setattr(objects, "list" if when == "before the rewrite" else "create", overtaken)
    with pytest.raises(errors.PlanOutdated):
        desk.backend.store.gc(plan)
    assert sound(desk)


def test_a_manifest_that_gc_takes_while_it_is_being_logged_again_is_told_as_missing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files live on in another version, so that only the manifest itself is gone."""
    version = desk.log({"a": "x"})
    desk.log({"a": "x", "b": "y"})
    desk.backend.artifacts.delete("data:v0")
    missing = Context.unknown

    def seen_just_before_gc(here: Context, session: Session, wanted: Collection[Digest]) -> set[Digest]:
        monkeypatch.undo()
        answer = missing(here, session, wanted)
        collect(desk)
        return answer

    for _ in range(2):  # once read from the store, once remembered
        monkeypatch.setattr(Context, "unknown", seen_just_before_gc)
        with pytest.raises(errors.BlobsMissing):
            desk.backend.artifacts.log("data", "dataset", version.digest)
        desk.push({"a": "x"})
        desk.backend.artifacts.manifest(version.digest)
    assert sound(desk)


def test_an_object_just_written_is_listed_as_young(desk: Desk) -> None:
    before = time.time()
    desk.log("x")
    (stored,) = behind(desk.backend).blobs.store.list()
    assert before - 1 <= stored.modified_at <= time.time()


def test_a_grace_period_that_can_be_none_is_refused(backend: Backend) -> None:
    for grace_s in (-1, 10**10, 10**30):
        with pytest.raises(errors.InvalidArgument, match="grace"):
            backend.store.plan_gc(grace_s=grace_s)


def test_only_what_the_store_itself_decides_is_deleted(desk: Desk) -> None:
    """A plan that comes back with other decisions than were shown changes nothing of what stays."""
    desk.log("one")
    plan = desk.backend.store.plan_gc(grace_s=0)
    forged = replace(plan, decisions=tuple(replace(d, fate="purge") for d in plan.decisions))
    desk.backend.store.gc(forged)
    assert desk.backend.artifacts.resolve("data:v0").purged_at is None
