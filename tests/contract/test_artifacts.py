"""The sentences of `port.Artifacts`, held against every implementation."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from lineal.core import clock, errors
from lineal.storage import digest as digests
from lineal.storage.manifest import Entry, Manifest, Reference
from lineal.storage.pull import pull

from .conftest import Desk

Open = Callable[..., Desk]
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def numbers(desk: Desk, collection: str = "data", *, deleted: bool = False) -> list[int]:
    return [v.number for v in desk.backend.artifacts.list_versions(collection, deleted=deleted)]


def stands(desk: Desk, ref: str) -> str:
    return desk.backend.artifacts.resolve(ref).version


def code_of(caught: pytest.ExceptionInfo[errors.Error]) -> str:
    return caught.value.code


# ---- logging ---------------------------------------------------------------------------------------------------


def test_versions_are_numbered_from_zero_without_gaps(desk: Desk) -> None:
    assert [desk.log(f"content {n}").version for n in range(5)] == ["v0", "v1", "v2", "v3", "v4"]
    assert numbers(desk) == [4, 3, 2, 1, 0]


def test_each_collection_counts_for_itself(desk: Desk) -> None:
    desk.log("a", "one")
    assert desk.log("b", "two").version == "v0"
    assert desk.log("c", "one").version == "v1"
    assert desk.log("c", "one", project="elsewhere").version == "v0"


def test_same_content_is_the_same_version(desk: Desk) -> None:
    first = desk.logged({"b": "2", "a": "1"})
    again = desk.logged({"a": "1", "b": "2"}, description="said otherwise", metadata={"x": 1})
    assert (first.made, again.made) == (True, False)
    assert again.version == first.version
    assert numbers(desk) == [0]


def test_content_of_an_older_version_is_that_version_and_latest_stays(desk: Desk) -> None:
    desk.log("one")
    desk.log("two")
    assert desk.log("one").version == "v0"
    assert stands(desk, "data") == "v1"


def test_aliases_move_to_content_that_is_there_already(desk: Desk) -> None:
    desk.log("one", aliases=["best"])
    desk.log("two", aliases=["best"])
    again = desk.logged("one", aliases=["best", "best", "latest"])
    assert not again.made
    assert again.version.aliases == ("best",)
    assert stands(desk, "data:best") == "v0"
    assert [e.to_number for e in desk.backend.artifacts.list_alias_events("data:best")] == [0, 1, 0]


def test_the_same_files_under_other_paths_are_another_version(desk: Desk) -> None:
    assert desk.log({"a": "x", "b": "y"}).digest != desk.log({"a": "y", "b": "x"}).digest


def test_a_number_is_never_used_again_after_deletion(desk: Desk) -> None:
    for n in range(3):
        desk.log(f"{n}")
    desk.backend.artifacts.delete("data:v2")
    assert desk.log("3").version == "v3"
    desk.backend.artifacts.delete_collection("data")
    assert desk.log("4").version == "v4"
    assert numbers(desk) == [4]
    assert numbers(desk, deleted=True) == [4, 3, 2, 1, 0]


def test_the_content_of_a_deleted_version_becomes_a_new_version(desk: Desk) -> None:
    desk.log("same")
    desk.backend.artifacts.delete("data:v0")
    again = desk.logged("same")
    assert (again.made, again.version.version) == (True, "v1")


def test_the_type_is_fixed_when_the_collection_is_made(desk: Desk) -> None:
    desk.log("x", "data", "dataset")
    with pytest.raises(errors.TypeMismatch):
        desk.log("y", "data", "model")
    assert numbers(desk) == [0]
    desk.backend.artifacts.delete_collection("data")
    with pytest.raises(errors.TypeMismatch):
        desk.log("y", "data", "model")


def test_a_version_says_what_it_was_logged_with(open_desk: Open) -> None:
    desk = open_desk(user="grace", project="vision")
    before = clock.now()
    version = desk.log(
        {"x": "12345", "d/y": "123"},
        "digits",
        "dataset",
        description="hand-written",
        metadata={"rows": 8, "split": {"train": 0.8}},
        tags=["raw", "raw", "small"],
        ttl_s=3600,
        aliases=["gold"],
    )
    assert before <= version.created_at <= clock.now()
    assert version.ref == "local/vision/digits:v0"
    assert (version.size_bytes, version.file_count) == (8, 2)
    assert (version.description, version.metadata) == ("hand-written", {"rows": 8, "split": {"train": 0.8}})
    assert (version.tags, version.aliases, version.ttl_s) == (("raw", "small"), ("gold",), 3600)
    assert (version.created_by, version.run_id, version.hold) == ("grace", None, None)
    assert desk.backend.artifacts.resolve("digits:v0") == version


def test_what_is_logged_can_be_read_back(desk: Desk, tmp_path: Path) -> None:
    files = {"a": b"\x00\xff" * 100, "d/b": b"text", "d/e/c": b""}
    version = desk.log(files)
    manifest = desk.backend.artifacts.manifest(version.digest)
    assert pull(manifest.entries, desk.backend.blobs, tmp_path / "out", desk.cache) == 3
    assert {path: (tmp_path / "out" / path).read_bytes() for path in files} == files


def test_without_a_project_it_goes_to_the_run_s_then_the_default_one(open_desk: Open) -> None:
    desk = open_desk()
    desk.run("r1", project="vision")
    assert desk.log("x", "one", run_id="r1").project == "vision"
    assert desk.log("x", "two").project == "default"
    assert open_desk(project="mine").log("x", "three").project == "mine"


def test_a_manifest_that_the_store_does_not_hold_is_refused_by_name(desk: Desk) -> None:
    absent = "sha256:" + "ab" * 32
    with pytest.raises(errors.BlobsMissing) as caught:
        desk.backend.artifacts.log("data", "dataset", absent)
    assert caught.value.details["digests"] == [absent]


def test_a_manifest_whose_blobs_are_missing_is_refused_with_their_digests(desk: Desk) -> None:
    there = desk.push_bytes(b"here")
    absent = digests.of_bytes(b"not here")
    digest = desk.push_entries(Entry("a", digests.parse(there), 4), Entry("b", absent, 8))
    with pytest.raises(errors.BlobsMissing) as caught:
        desk.backend.artifacts.log("data", "dataset", digest)
    assert caught.value.details["digests"] == [digests.format(absent)]
    assert desk.backend.artifacts.list_collections() == []


def test_an_empty_manifest_is_refused(desk: Desk) -> None:
    with pytest.raises(errors.EmptyArtifact):
        desk.backend.artifacts.log("data", "dataset", desk.push({}))
    assert desk.backend.artifacts.list_collections() == []


@pytest.mark.parametrize(
    "path",
    ["../up", "/abs", "a/../b", "a//b", "C:x", "a\\b", "", ".", "a/.", "nul\x00", "line\nbreak", "x" * 300],
)
def test_a_manifest_with_a_hostile_path_is_refused_at_log(desk: Desk, path: str) -> None:
    blob = desk.push_bytes(b"x")
    entry = {"digest": blob, "path": path, "size": 1}
    body = {"entries": [entry], "format": 1}
    data = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = desk.push_bytes(data)
    with pytest.raises(errors.Invalid):
        desk.backend.artifacts.log("data", "dataset", digest)
    assert desk.backend.artifacts.list_collections() == []


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"not json", b'{"entries":[],"format":0}', b'{ "entries":[],"format":1}', b"[" * 100_000],
)
def test_a_blob_that_is_no_manifest_is_refused_at_log(desk: Desk, data: bytes) -> None:
    with pytest.raises(errors.InvalidManifest):
        desk.backend.artifacts.log("data", "dataset", desk.push_bytes(data))


def test_a_manifest_with_paths_that_collide_on_some_system_is_refused_at_log(desk: Desk) -> None:
    blob = desk.push_bytes(b"x")
    entries = ",".join(f'{{"digest":"{blob}","path":"{path}","size":1}}' for path in ("A", "a"))
    digest = desk.push_bytes(f'{{"entries":[{entries}],"format":1}}'.encode())
    with pytest.raises(errors.PathCollision):
        desk.backend.artifacts.log("data", "dataset", digest)


def test_the_registry_project_cannot_be_logged_into(open_desk: Open) -> None:
    desk = open_desk()
    with pytest.raises(errors.InvalidRef):
        desk.log("x", project="registry")
    with pytest.raises(errors.InvalidRef):
        open_desk(project="registry").log("x")
    with pytest.raises(errors.InvalidRef):
        desk.run("r", project="registry")
    assert desk.backend.artifacts.list_collections() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", "рrod", "con", "x" * 129, ".hidden", "ends."])
def test_names_that_are_more_than_names_are_refused(desk: Desk, name: str) -> None:
    digest = desk.push({"a": "x"})
    for given in ({"collection": name}, {"type": name}, {"project": name or "../"}):
        asked = {"collection": "data", "type": "dataset", **given}
        with pytest.raises(errors.InvalidName):
            desk.backend.artifacts.log(digest=digest, **asked)
    with pytest.raises(errors.InvalidName):
        desk.backend.artifacts.log("data", "dataset", digest, tags=[name])
    assert desk.backend.artifacts.list_collections() == []


def test_an_error_while_logging_leaves_everything_as_it_was(desk: Desk) -> None:
    desk.log("one", aliases=["best"])
    for asked in (
        {"aliases": ["best", "v3"]},
        {"aliases": ["best"], "run_id": "nobody"},
        {"aliases": ["best"], "metadata": {"x": float("nan")}},
        {"aliases": ["best"], "tags": ["not a tag"]},
    ):
        with pytest.raises(errors.Error):
            desk.log("two", **asked)
    assert numbers(desk) == [0]
    assert stands(desk, "data:best") == "v0"
    assert desk.log("three").version == "v1"


@pytest.mark.parametrize("ttl_s", [-1, -86_400, 10**12, 10**30])
def test_a_ttl_that_no_calendar_can_hold_is_refused(desk: Desk, ttl_s: int) -> None:
    with pytest.raises(errors.InvalidArgument):
        desk.log("x", ttl_s=ttl_s)
    desk.log("x")
    if ttl_s > 0:
        with pytest.raises(errors.InvalidArgument):
            desk.backend.artifacts.change("data:v0", ttl_s=ttl_s)
    desk.backend.store.plan_gc()


@pytest.mark.parametrize("text", ["half a character: \ud800", "a NUL: \x00"])
def test_texts_that_no_database_can_hold_are_refused(desk: Desk, text: str) -> None:
    with pytest.raises(errors.Invalid):
        desk.log("x", description=text)
    desk.log("x")
    with pytest.raises(errors.Invalid):
        desk.backend.artifacts.change("data:v0", description=text)
    with pytest.raises(errors.Invalid):
        desk.backend.artifacts.change("data:v0", hold=text)
    with pytest.raises(errors.Invalid):
        desk.backend.artifacts.move_alias("data:v0", "best", why=text)


# ---- latest ----------------------------------------------------------------------------------------------------


def test_latest_follows_the_newest_version_by_itself(desk: Desk) -> None:
    for n in range(3):
        desk.log(f"{n}")
        assert stands(desk, "data") == stands(desk, "data:latest") == f"v{n}"


def test_latest_falls_back_when_the_newest_is_deleted(desk: Desk) -> None:
    for n in range(3):
        desk.log(f"{n}")
    desk.backend.artifacts.delete("data:latest")
    assert stands(desk, "data") == "v1"
    desk.backend.artifacts.delete("data:v0")
    assert stands(desk, "data") == "v1"
    desk.backend.artifacts.delete("data:v1")
    with pytest.raises(errors.VersionNotFound):
        stands(desk, "data")


def test_latest_cannot_be_moved_removed_or_rolled_back(desk: Desk) -> None:
    desk.log("x")
    desk.log("y")
    for spelled in ("latest", "Latest", "LATEST"):
        with pytest.raises(errors.InvalidAlias):
            desk.backend.artifacts.move_alias("data:v0", spelled)
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.remove_alias("data:latest")
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.rollback("data:latest")
    assert stands(desk, "data") == "v1"


def test_latest_at_a_moment_is_the_newest_that_was_there_then(desk: Desk) -> None:
    moments = []
    for n in range(3):
        desk.log(f"{n}")
        moments.append(clock.now())
    desk.backend.artifacts.delete("data:v2")
    assert [desk.backend.artifacts.resolve("data", at=at).number for at in moments] == [0, 1, 2]
    assert desk.backend.artifacts.resolve("data", at=clock.now()).number == 1
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.resolve("data", at=LONG_AGO)


# ---- aliases ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alias", ["v3", "V3", "v03", "", "a b", "a/b", "a:b", "рrod", "x" * 129])
def test_an_alias_that_reads_like_something_else_is_refused(desk: Desk, alias: str) -> None:
    desk.log("x")
    with pytest.raises(errors.InvalidAlias):
        desk.backend.artifacts.move_alias("data:v0", alias)
    with pytest.raises(errors.InvalidAlias):
        desk.log("y", aliases=[alias])
    assert numbers(desk) == [0]


def test_an_alias_event_says_who_when_where_from_to_and_why(open_desk: Open) -> None:
    ada, grace = open_desk(user="ada"), open_desk(user="grace")
    ada.log("x")
    ada.log("y")
    before = clock.now()
    ada.backend.artifacts.move_alias("data:v0", "production", why="first")
    between = clock.now()
    grace.backend.artifacts.move_alias("data:v1", "production", why="0.3 % better")
    grace.backend.artifacts.remove_alias("data:production", why="recalled")
    first, second, third = ada.backend.artifacts.list_alias_events("data:production")
    assert (first.user, first.kind, first.from_number, first.to_number, first.why) == (
        "ada",
        "move",
        None,
        0,
        "first",
    )
    assert (second.user, second.kind, second.from_number, second.to_number) == ("grace", "move", 0, 1)
    assert (second.why, second.alias, second.collection) == ("0.3 % better", "production", "default/data")
    assert (third.kind, third.from_number, third.to_number, third.why) == ("remove", 1, None, "recalled")
    assert before <= first.at <= between <= second.at <= third.at <= clock.now()
    assert first.at.tzinfo is not None
    assert first.host == third.host != ""


def test_moving_an_alias_to_where_it_stands_is_no_event(desk: Desk) -> None:
    desk.log("x", aliases=["best"])
    assert desk.backend.artifacts.move_alias("data:best", "best").aliases == ("best",)
    assert len(desk.backend.artifacts.list_alias_events("data:best")) == 1


def test_the_events_of_a_collection_are_those_of_all_its_aliases_oldest_first(desk: Desk) -> None:
    desk.log("x", aliases=["a", "b"])
    desk.log("y", aliases=["b"])
    assert [(e.alias, e.to_number) for e in desk.backend.artifacts.list_alias_events("data")] == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
    ]


def test_a_version_bears_many_aliases_and_an_alias_one_version(desk: Desk) -> None:
    desk.log("x", aliases=["b", "a", "c"])
    desk.log("y", aliases=["c"])
    assert desk.backend.artifacts.resolve("data:v0").aliases == ("a", "b")
    assert desk.backend.artifacts.resolve("data:v1").aliases == ("c",)
    (collection,) = desk.backend.artifacts.list_collections()
    assert collection.aliases == {"a": 0, "b": 0, "c": 1}


def test_a_move_with_the_right_expectation_succeeds(desk: Desk) -> None:
    desk.log("x")
    desk.log("y")
    store = desk.backend.artifacts
    assert store.move_alias("data:v0", "prod", expected="none").aliases == ("prod",)
    assert store.move_alias("data:v1", "prod", expected="v0").aliases == ("prod",)
    assert stands(desk, "data:prod") == "v1"


@pytest.mark.parametrize("expected", ["none", "v1", "v7"])
def test_a_move_with_a_wrong_expectation_is_refused_and_moves_nothing(desk: Desk, expected: str) -> None:
    desk.log("x", aliases=["prod"])
    desk.log("y")
    with pytest.raises(errors.AliasMoved) as caught:
        desk.backend.artifacts.move_alias("data:v1", "prod", expected=expected)
    assert caught.value.details["stands"] == "v0"
    assert caught.value.details["expected"] == expected
    assert stands(desk, "data:prod") == "v0"
    assert len(desk.backend.artifacts.list_alias_events("data:prod")) == 1


def test_an_expectation_of_a_version_is_refused_where_the_alias_stands_nowhere(desk: Desk) -> None:
    desk.log("x")
    with pytest.raises(errors.AliasMoved) as caught:
        desk.backend.artifacts.move_alias("data:v0", "prod", expected="v0")
    assert caught.value.details["stands"] is None
    assert desk.backend.artifacts.resolve("data:v0").aliases == ()


@pytest.mark.parametrize("expected", ["", "0", "None", "prod", "v01"])
def test_an_expectation_that_is_no_version_is_refused(desk: Desk, expected: str) -> None:
    desk.log("x")
    with pytest.raises(errors.Invalid):
        desk.backend.artifacts.move_alias("data:v0", "prod", expected=expected)


def test_an_alias_is_moved_from_alias_to_alias(desk: Desk) -> None:
    desk.log("x", aliases=["candidate"])
    desk.log("y")
    assert desk.backend.artifacts.move_alias("data:candidate", "production").version == "v0"
    assert stands(desk, "data:production") == "v0"


def test_a_removed_alias_stands_nowhere(desk: Desk) -> None:
    desk.log("x", aliases=["prod"])
    assert desk.backend.artifacts.remove_alias("data:prod").version == "v0"
    with pytest.raises(errors.NotFound):
        desk.backend.artifacts.resolve("data:prod")
    with pytest.raises(errors.AliasNotFound):
        desk.backend.artifacts.remove_alias("data:prod")
    desk.backend.artifacts.move_alias("data:v0", "prod", expected="none")


@pytest.mark.parametrize("ref", ["data", "data:v0", "data:latest"])
def test_only_an_alias_can_be_removed_or_rolled_back(desk: Desk, ref: str) -> None:
    desk.log("x", aliases=["prod"])
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.remove_alias(ref)
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.rollback(ref)
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.list_alias_intervals(ref)


def test_each_rollback_goes_one_further_back(desk: Desk) -> None:
    for n in range(4):
        desk.log(f"{n}", aliases=["prod"])
    assert [desk.backend.artifacts.rollback("data:prod").version for _ in range(3)] == ["v2", "v1", "v0"]
    with pytest.raises(errors.AliasNotFound):
        desk.backend.artifacts.rollback("data:prod")
    assert stands(desk, "data:prod") == "v0"
    kinds = [e.kind for e in desk.backend.artifacts.list_alias_events("data:prod")]
    assert kinds == ["move"] * 4 + ["rollback"] * 3


def test_a_rollback_after_a_move_by_hand_takes_that_back(desk: Desk) -> None:
    for n in range(3):
        desk.log(f"{n}", aliases=["prod"])
    desk.backend.artifacts.rollback("data:prod", why="worse")
    desk.backend.artifacts.move_alias("data:v2", "prod")
    assert desk.backend.artifacts.rollback("data:prod").version == "v1"
    assert desk.backend.artifacts.rollback("data:prod").version == "v0"
    assert desk.backend.artifacts.list_alias_events("data:prod")[3].why == "worse"


def test_a_rollback_passes_over_a_removal_to_another_version(desk: Desk) -> None:
    desk.log("x", aliases=["prod"])
    desk.log("y", aliases=["prod"])
    desk.backend.artifacts.remove_alias("data:prod")
    desk.backend.artifacts.move_alias("data:v1", "prod")
    assert desk.backend.artifacts.rollback("data:prod").version == "v0"
    assert stands(desk, "data:prod") == "v0"


def test_a_rollback_past_a_deleted_version_is_refused_and_moves_nothing(desk: Desk) -> None:
    desk.log("x", aliases=["prod"])
    desk.log("y", aliases=["prod"])
    desk.backend.artifacts.delete("data:v0")
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.rollback("data:prod")
    assert stands(desk, "data:prod") == "v1"


def test_a_rollback_of_an_alias_that_stands_nowhere_is_refused(desk: Desk) -> None:
    desk.log("x")
    with pytest.raises(errors.AliasNotFound):
        desk.backend.artifacts.rollback("data:prod")
    desk.backend.artifacts.move_alias("data:v0", "prod")
    with pytest.raises(errors.AliasNotFound):
        desk.backend.artifacts.rollback("data:prod")
    desk.backend.artifacts.remove_alias("data:prod")
    with pytest.raises(errors.AliasNotFound):
        desk.backend.artifacts.rollback("data:prod")


def test_who_stood_at_an_alias_at_a_moment(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", aliases=["prod"])
    first = clock.now()
    desk.log("y", aliases=["prod"])
    second = clock.now()
    store.remove_alias("data:prod")
    third = clock.now()
    store.move_alias("data:v0", "prod")
    assert store.resolve("data:prod", at=first).version == "v0"
    assert store.resolve("data:prod", at=second).version == "v1"
    with pytest.raises(errors.NotFound):
        store.resolve("data:prod", at=third)
    assert store.resolve("data:prod", at=clock.now()).version == "v0"
    with pytest.raises(errors.NotFound):
        store.resolve("data:prod", at=LONG_AGO)


def test_intervals_join_without_gaps_and_the_last_is_open(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", aliases=["prod"])
    desk.log("y", aliases=["prod"])
    store.rollback("data:prod", why="back")
    first, second, third = store.list_alias_intervals("data:prod")
    assert [i.number for i in (first, second, third)] == [0, 1, 0]
    assert (first.until, second.until, third.until) == (second.since, third.since, None)
    assert (third.user, third.why) == ("ada", "back")
    store.remove_alias("data:prod")
    ended = store.list_alias_intervals("data:prod")[-1]
    assert ended.until == store.list_alias_events("data:prod")[-1].at
    with pytest.raises(errors.AliasNotFound):
        store.list_alias_intervals("data:never")


# ---- refs ------------------------------------------------------------------------------------------------------


def test_a_ref_may_leave_out_entity_and_project_where_the_name_is_unique(desk: Desk) -> None:
    version = desk.log("x", project="vision")
    for ref in ("data", "vision/data", "local/vision/data", "local/vision/data:v0"):
        assert desk.backend.artifacts.resolve(ref) == version


def test_a_name_in_several_projects_is_ambiguous_until_one_is_named(open_desk: Open) -> None:
    desk = open_desk()
    desk.log("x", project="vision")
    desk.log("y", project="speech")
    with pytest.raises(errors.AmbiguousRef, match="speech/data, vision/data"):
        desk.backend.artifacts.resolve("data")
    assert desk.backend.artifacts.resolve("speech/data").project == "speech"
    assert open_desk(project="vision").backend.artifacts.resolve("data").project == "vision"


def test_a_deleted_collection_makes_no_name_ambiguous(desk: Desk) -> None:
    desk.log("x", project="vision")
    desk.log("y", project="speech")
    desk.backend.artifacts.delete_collection("speech/data")
    assert desk.backend.artifacts.resolve("data").project == "vision"


def test_with_a_default_project_other_projects_are_not_looked_into(open_desk: Open) -> None:
    open_desk(project="vision").log("x")
    with pytest.raises(errors.CollectionNotFound, match="vision/data"):
        open_desk(project="speech").backend.artifacts.resolve("data")


def test_entities_are_apart(open_desk: Open) -> None:
    open_desk(entity="lab").log("x")
    other = open_desk(entity="home")
    with pytest.raises(errors.CollectionNotFound):
        other.backend.artifacts.resolve("data")
    assert other.backend.artifacts.list_collections() == []
    assert other.backend.artifacts.search() == []
    assert other.log("x").ref == "home/default/data:v0"


def test_a_digest_prefix_names_the_version(desk: Desk) -> None:
    version = desk.log("x")
    desk.log("y")
    hex_ = version.digest.removeprefix("sha256:")
    for length in (12, 13, 40, 64):
        assert desk.backend.artifacts.resolve(f"data@sha256:{hex_[:length]}").version == "v0"
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.resolve(f"data@sha256:{hex_[:11]}")
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.resolve(f"data@sha256:{hex_.upper()}g")
    with pytest.raises(errors.NotFound):
        desk.backend.artifacts.resolve("data@sha256:" + ("0" * 12 if hex_[0] != "0" else "1" * 12))


def test_a_digest_prefix_is_looked_for_in_the_named_collection_alone(desk: Desk) -> None:
    version = desk.log("x", "one")
    desk.log("y", "two")
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.resolve(f"two@{version.digest}")


def test_a_deleted_version_is_not_found_by_its_digest(desk: Desk) -> None:
    version = desk.log("x")
    desk.log("y")
    desk.backend.artifacts.delete("data:v0")
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.resolve(f"data@{version.digest}")


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("nothing", "not_found.collection"),
        ("data:v7", "not_found.version"),
        ("data:nobody", "not_found.version"),
        ("", "invalid.ref"),
        ("a/b/c/d", "invalid.ref"),
        ("data:v0@sha256:" + "0" * 12, "invalid.ref"),
        ("../data", "invalid.name"),
        ("data:v007", "invalid.ref"),
    ],
)
def test_a_ref_that_names_nothing_says_so_by_code(desk: Desk, ref: str, code: str) -> None:
    desk.log("x")
    with pytest.raises(errors.Error) as caught:
        desk.backend.artifacts.resolve(ref)
    assert code_of(caught) == code


def test_a_pinned_handle_does_not_change_under_a_promotion(desk: Desk) -> None:
    desk.log("x", aliases=["prod"])
    desk.log("y")
    desk.run("r")
    handle = desk.backend.artifacts.use("data:prod", "r")
    desk.backend.artifacts.move_alias("data:v1", "prod")
    again = desk.backend.artifacts.resolve(handle.ref)
    assert (again.version, again.digest) == (handle.version, handle.digest) == ("v0", handle.digest)
    assert again.aliases == ()
    assert [v.version for v in desk.backend.lineage.artifacts_of("r", output=False)] == ["v0"]


# ---- use -------------------------------------------------------------------------------------------------------


def test_use_needs_a_run_that_is_running(desk: Desk) -> None:
    desk.log("x")
    with pytest.raises(errors.RunNotFound):
        desk.backend.artifacts.use("data", "nobody")
    desk.run("r")
    desk.backend.runs.finish("r")
    with pytest.raises(errors.RunFinished):
        desk.backend.artifacts.use("data", "r")
    with pytest.raises(errors.RunFinished):
        desk.log("y", run_id="r")
    assert desk.backend.lineage.used_by("data") == []
    assert numbers(desk) == [0]


@pytest.mark.parametrize("role", ["../x", "a b", "<img>", "x" * 129])
def test_a_role_is_a_name(desk: Desk, role: str) -> None:
    desk.log("x")
    desk.run("r")
    with pytest.raises(errors.InvalidName):
        desk.backend.artifacts.use("data", "r", role=role)
    with pytest.raises(errors.InvalidName):
        desk.log("y", run_id="r", role=role)


# ---- links -----------------------------------------------------------------------------------------------------


def test_a_link_has_its_own_number_and_aliases(desk: Desk) -> None:
    store = desk.backend.artifacts
    for n in range(3):
        desk.log(f"{n}", "digits", "model", aliases=["best"])
    linked = store.link("digits:v2", "registry/ocr", aliases=["production"])
    assert linked.ref == "local/registry/ocr:v0"
    assert (linked.source, linked.linked) == ("local/default/digits:v2", True)
    assert linked.aliases == ("production",)
    assert store.resolve("digits:v2").aliases == ("best",)
    assert store.link("digits:v0", "registry/ocr").ref == "local/registry/ocr:v1"
    assert stands(desk, "registry/ocr") == "v1"
    store.move_alias("registry/ocr:v1", "production", expected="v0")
    assert store.resolve("registry/ocr:production").source == "local/default/digits:v0"
    assert store.resolve("registry/ocr:production").digest == store.resolve("digits:v0").digest


def test_linking_again_is_the_same_link(desk: Desk) -> None:
    desk.log("x", "m", "model")
    first = desk.backend.artifacts.link("m", "registry/r")
    again = desk.backend.artifacts.link("m", "registry/r", aliases=["staging"])
    assert (again.version, again.aliases) == (first.version, ("staging",))
    assert [link.ref for link in desk.backend.artifacts.list_links("m:v0")] == ["local/registry/r:v0"]


def test_a_link_of_another_type_is_refused(desk: Desk) -> None:
    desk.log("x", "m", "model")
    desk.log("y", "d", "dataset")
    desk.backend.artifacts.link("m", "registry/r")
    with pytest.raises(errors.TypeMismatch):
        desk.backend.artifacts.link("d", "registry/r")
    assert [v.source for v in desk.backend.artifacts.list_versions("registry/r")] == ["local/default/m:v0"]


@pytest.mark.parametrize("target", ["r", "default/r", "registry", "registry/r:v0", "registry/r:production"])
def test_links_go_into_the_registry_only(desk: Desk, target: str) -> None:
    desk.log("x")
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.link("data", target)


def test_a_link_is_ended_by_unlink_and_its_number_never_used_again(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", "m", "model")
    store.link("m", "registry/r", aliases=["production"])
    gone = store.unlink("registry/r:production")
    assert gone.ref == "local/registry/r:v0"
    assert store.list_links("m") == []
    with pytest.raises(errors.NotFound):
        store.resolve("registry/r:production")
    with pytest.raises(errors.VersionNotFound):
        store.resolve("registry/r:v0")
    assert [e.kind for e in store.list_alias_events("registry/r:production")] == ["move", "remove"]
    assert store.link("m", "registry/r").version == "v1"
    assert store.resolve("m:v0").deleted_at is None


def test_only_a_link_can_be_unlinked(desk: Desk) -> None:
    desk.log("x", "m", "model")
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.unlink("m:v0")


def test_a_link_tells_who_linked_and_when(open_desk: Open) -> None:
    desk = open_desk(user="grace")
    desk.log("x", "m", "model")
    before = clock.now()
    desk.backend.artifacts.link("m", "registry/r", aliases=["a", "b"])
    (link,) = desk.backend.artifacts.list_links("m")
    assert (link.ref, link.aliases, link.linked_by) == ("local/registry/r:v0", ("a", "b"), "grace")
    assert before <= link.linked_at <= clock.now()


# ---- deleting --------------------------------------------------------------------------------------------------


def test_a_version_in_use_is_not_deleted(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", "m", "model", aliases=["best"])
    store.link("m", "registry/r")
    with pytest.raises(errors.VersionInUse) as caught:
        store.delete("m:v0")
    assert "best" in caught.value.message
    assert "registry/r:v0" in caught.value.message
    store.remove_alias("m:best")
    with pytest.raises(errors.VersionInUse):
        store.delete("m:v0")
    store.unlink("registry/r:v0")
    assert store.delete("m:v0").deleted_at is not None


def test_force_removes_aliases_and_links_with_events_that_say_so(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", "m", "model", aliases=["best"])
    store.link("m", "registry/r", aliases=["production"])
    gone = store.delete("m:best", force=True)
    assert (gone.version, gone.aliases) == ("v0", ())
    for ref in ("m:best", "registry/r:production"):
        assert [(e.kind, e.to_number) for e in store.list_alias_events(ref)] == [("move", 0), ("remove", None)]
        assert store.list_alias_events(ref)[-1].why
        assert store.list_alias_intervals(ref)[-1].until is not None
    assert store.list_versions("registry/r") == []


def test_a_tombstone_says_when_and_its_name_is_not_found(desk: Desk) -> None:
    before = clock.now()
    desk.log("x")
    tombstone = desk.backend.artifacts.delete("data:v0")
    assert before <= tombstone.deleted_at <= clock.now()
    assert tombstone.purged_at is None
    assert desk.backend.artifacts.list_versions("data") == []
    assert desk.backend.artifacts.list_versions("data", deleted=True) == [tombstone]
    for ask in (desk.backend.artifacts.resolve, desk.backend.artifacts.delete):
        with pytest.raises(errors.VersionNotFound, match="restore"):
            ask("data:v0")
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.move_alias("data:v0", "best")


def test_deleting_through_a_link_is_refused(desk: Desk) -> None:
    desk.log("x", "m", "model")
    desk.backend.artifacts.link("m", "registry/r")
    with pytest.raises(errors.InvalidRef, match="unlink"):
        desk.backend.artifacts.delete("registry/r:v0", force=True)
    with pytest.raises(errors.InvalidRef):
        desk.backend.artifacts.delete_collection("registry/r", force=True)


def test_a_deleted_version_can_be_restored(desk: Desk) -> None:
    store = desk.backend.artifacts
    version = desk.log("x", metadata={"a": 1})
    store.delete("data:v0")
    assert store.restore("data:v0") == version
    assert stands(desk, "data") == "v0"
    assert store.restore("data:v0") == version


def test_only_a_number_can_be_restored(desk: Desk) -> None:
    desk.log("x")
    for ref in ("data", "data:best"):
        with pytest.raises(errors.InvalidRef):
            desk.backend.artifacts.restore(ref)
    with pytest.raises(errors.VersionNotFound):
        desk.backend.artifacts.restore("data:v9")


def test_a_collection_is_deleted_whole_or_not_at_all(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x")
    desk.log("y", aliases=["best"])
    with pytest.raises(errors.VersionInUse):
        store.delete_collection("data")
    assert numbers(desk) == [1, 0]
    assert [v.number for v in store.delete_collection("data", force=True)] == [1, 0]
    assert store.list_collections() == []
    assert [c.name for c in store.list_collections(deleted=True)] == ["data"]
    with pytest.raises(errors.CollectionNotFound):
        store.resolve("data")


def test_restoring_a_version_of_a_deleted_collection_brings_the_collection_back(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x")
    desk.log("y")
    store.delete_collection("data")
    assert store.restore("data:v0").version == "v0"
    assert [c.version_count for c in store.list_collections()] == [1]
    assert stands(desk, "data") == "v0"


def test_after_gc_took_the_bytes_a_version_cannot_be_restored(desk: Desk) -> None:
    desk.log("x")
    desk.log("y")
    desk.backend.artifacts.delete("data:v0")
    desk.backend.store.gc(desk.backend.store.plan_gc(grace_s=0))
    with pytest.raises(errors.VersionPurged):
        desk.backend.artifacts.restore("data:v0")
    (_, tombstone) = desk.backend.artifacts.list_versions("data", deleted=True)
    assert tombstone.purged_at is not None
    assert desk.log("x").version == "v2"


def test_history_is_readable_after_deletion(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", aliases=["prod"])
    then = clock.now()
    desk.log("y", aliases=["prod"])
    store.delete_collection("data", force=True)
    assert [e.to_number for e in store.list_alias_events("data:prod")] == [0, 1, None]
    assert [i.number for i in store.list_alias_intervals("data:prod")] == [0, 1]
    assert store.resolve("data:prod", at=then).version == "v0"
    assert store.resolve("data", at=then).version == "v0"
    assert [v.version for v in store.list_versions("data", deleted=True)] == ["v1", "v0"]


# ---- changing --------------------------------------------------------------------------------------------------


def test_change_sets_what_is_given_and_nothing_else(desk: Desk) -> None:
    store = desk.backend.artifacts
    before = desk.log("x", description="old", metadata={"a": 1}, tags=["t"], ttl_s=60, aliases=["best"])
    after = store.change("data:best", description="new")
    assert (after.description, after.metadata, after.tags, after.ttl_s) == ("new", {"a": 1}, ("t",), 60)
    assert (after.digest, after.version, after.aliases) == (before.digest, "v0", ("best",))
    assert store.change("data:v0", metadata={"b": 2}).metadata == {"b": 2}
    assert store.change("data:v0", tags=[]).tags == ()
    assert store.change("data:v0", description="").description == ""
    assert store.change("data:v0", ttl_s=0).ttl_s == 0
    assert store.change("data:v0", ttl_s=-1).ttl_s is None
    assert store.change("data:v0", hold="audit").hold == "audit"
    assert store.change("data:v0", hold="").hold is None
    assert store.change("data:v0") == store.resolve("data:v0")


def test_change_through_a_link_changes_the_version(desk: Desk) -> None:
    desk.log("x", "m", "model")
    desk.backend.artifacts.link("m", "registry/r")
    assert desk.backend.artifacts.change("registry/r", tags=["ok"]).linked
    assert desk.backend.artifacts.resolve("m").tags == ("ok",)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float32("nan"), object(), b"x"])
def test_metadata_that_json_cannot_say_is_refused_by_key(desk: Desk, value: object) -> None:
    with pytest.raises(errors.InvalidMetadata, match=r"score\.valid\[1\]"):
        desk.log("x", metadata={"score": {"valid": [1, value]}})


def test_numbers_of_numpy_are_taken_as_plain_ones(desk: Desk) -> None:
    given = {"i": np.int64(7), "f": np.float32(0.5), "b": np.bool_(True), "z": np.array(3), "t": (1, 2)}
    version = desk.log("x", metadata=given)
    assert version.metadata == {"i": 7, "f": 0.5, "b": True, "z": 3, "t": [1, 2]}
    assert version.metadata["b"] is True


def test_metadata_of_a_hundred_levels_or_over_a_mebibyte_is_refused(desk: Desk) -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"d": deep}
    with pytest.raises(errors.InvalidMetadata, match="levels"):
        desk.log("x", metadata=deep)
    with pytest.raises(errors.InvalidMetadata, match="bytes"):
        desk.log("x", metadata={"t": "x" * (1 << 20)})
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(errors.InvalidMetadata, match="levels"):
        desk.log("x", metadata={"e": endless})


# ---- listing, comparing, searching -----------------------------------------------------------------------------


def test_collections_and_types_are_listed_by_project_and_name(desk: Desk) -> None:
    store = desk.backend.artifacts
    desk.log("x", "b", "model", project="two")
    desk.log("x", "a", "dataset", project="two")
    desk.log("x", "z", "dataset", project="one", aliases=["best"])
    desk.log("y", "z", "dataset", project="one")
    assert [c.ref for c in store.list_collections()] == ["local/one/z", "local/two/a", "local/two/b"]
    assert [c.name for c in store.list_collections(project="two")] == ["a", "b"]
    assert [c.name for c in store.list_collections(type="model")] == ["b"]
    assert store.list_types() == ["dataset", "model"]
    assert store.list_types(project="one") == ["dataset"]
    (collection,) = store.list_collections(project="one")
    assert (collection.version_count, collection.latest, collection.aliases) == (2, 1, {"best": 0})


def test_diff_tells_files_added_removed_and_changed_and_metadata(desk: Desk) -> None:
    desk.log({"same": "s", "gone": "12", "other": "a"}, metadata={"lr": 0.1, "deep": {"x": 1}})
    desk.log({"same": "s", "new": "123", "other": "abcd"}, metadata={"lr": 0.2, "deep": {"x": 1, "y": 2}})
    difference = desk.backend.artifacts.diff("data:v0", "data:v1")
    assert [(c.path, c.kind, c.size_before, c.size_after) for c in difference.entries] == [
        ("gone", "removed", 2, None),
        ("new", "added", None, 3),
        ("other", "changed", 1, 4),
    ]
    assert difference.unchanged_count == 1
    assert difference.metadata == {"deep.y": (None, 2), "lr": (0.1, 0.2)}
    assert (difference.before.version, difference.after.version) == ("v0", "v1")
    assert desk.backend.artifacts.diff("data:v0", "data:v0").entries == ()


@pytest.fixture
def shelf(desk: Desk) -> Desk:
    desk.log({"a": "x"}, "digits", "dataset", description="Hand-written", tags=["raw"], metadata={"n": 3})
    desk.log({"a": "y"}, "digits", "dataset", metadata={"n": 4, "eval": {"ok": True}})
    desk.log({"a": "z"}, "digit-model", "model", tags=["raw"])
    desk.log({"a": "w"}, "speech", "model", project="audio")
    return desk


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["speech:v0", "digit-model:v0", "digits:v1", "digits:v0"]),
        ({"text": "DIGIT"}, ["digit-model:v0", "digits:v1", "digits:v0"]),
        ({"text": "hand-w"}, ["digits:v0"]),
        ({"text": "digit?"}, ["digits:v1", "digits:v0"]),
        ({"text": "*-model"}, ["digit-model:v0"]),
        ({"text": "digits", "type": "model"}, []),
        ({"type": "model"}, ["speech:v0", "digit-model:v0"]),
        ({"tag": "raw"}, ["digit-model:v0", "digits:v0"]),
        ({"metadata": {"n": "4"}}, ["digits:v1"]),
        ({"metadata": {"eval.ok": "true"}}, ["digits:v1"]),
        ({"metadata": {"n": "4", "eval.ok": "false"}}, []),
        ({"project": "audio"}, ["speech:v0"]),
        ({"text": "100%"}, []),
        ({"text": "' OR 1=1 --"}, []),
    ],
)
def test_search_finds_what_meets_every_condition(shelf: Desk, asked: dict[str, object], found: list[str]) -> None:
    assert [v.name for v in shelf.backend.artifacts.search(**asked)] == found


def test_search_by_digest_finds_the_version_and_every_version_that_holds_the_file(shelf: Desk) -> None:
    search = shelf.backend.artifacts.search
    version = shelf.log({"a": "x", "b": "more"}, "digits", "dataset")
    assert [v.name for v in search(digest=version.digest)] == ["digits:v2"]
    assert [v.name for v in search(digest=digests.format(digests.of_bytes(b"x")))] == ["digits:v2", "digits:v0"]
    assert search(digest="sha256:" + "0" * 64) == []
    with pytest.raises(errors.InvalidDigest):
        search(digest="x")
    shelf.backend.artifacts.delete("digits:v0")
    assert [v.name for v in search(digest=digests.format(digests.of_bytes(b"x")))] == ["digits:v2"]


def test_search_by_digest_finds_a_reference_to_such_bytes(desk: Desk) -> None:
    checksum = digests.format(digests.of_bytes(b"far away"))
    reference = Reference("s3://bucket/key", checksum=checksum)
    digest = desk.push_entries(Entry("far", None, 8, reference))
    desk.backend.artifacts.log("data", "dataset", digest)
    assert [v.name for v in desk.backend.artifacts.search(digest=checksum)] == ["data:v0"]


def test_a_manifest_is_given_by_digest_and_verified(desk: Desk) -> None:
    version = desk.log({"a": "x", "b": "y"})
    manifest = desk.backend.artifacts.manifest(version.digest)
    assert isinstance(manifest, Manifest)
    assert list(manifest.by_path) == ["a", "b"]
    assert digests.format(manifest.digest()) == version.digest
    with pytest.raises(errors.BlobNotFound):
        desk.backend.artifacts.manifest("sha256:" + "0" * 64)
    with pytest.raises(errors.InvalidDigest):
        desk.backend.artifacts.manifest("sha256:zz")


def test_moments_of_other_zones_are_understood(desk: Desk) -> None:
    desk.log("x", aliases=["prod"])
    there = datetime.now(UTC).astimezone(tz=None) + timedelta(hours=1)
    assert desk.backend.artifacts.resolve("data:prod", at=there).version == "v0"
