"""Artifacts once they are logged: what can be changed about them, asked of them and drawn from them."""

from datetime import timedelta

import pytest

import lineal
from lineal import Api, Artifact
from lineal.core import errors


def test_wait_gives_the_artifact_itself(log):
    artifact = log("digits", {"a": "1"})
    assert artifact.wait() is artifact
    assert artifact.wait(timeout=1) is artifact


def test_aliases_appended_to_the_list_move_on_save(log):
    old = log("model", {"w": "1"}, aliases=["best", "keep"])
    new = log("model", {"w": "2"})
    new.aliases.append("best")
    new.save()
    assert Api().artifact("model:best").version == "v1"
    assert new.aliases == ["best"]
    assert Api().artifact("model:keep").version == old.version


def test_aliases_taken_off_the_list_stand_nowhere_after_save(log):
    artifact = log("model", {"w": "1"}, aliases=["best", "keep"])
    artifact.aliases.remove("best")
    artifact.save()
    assert not Api().artifact_exists("model:best")
    assert Api().artifact("model:keep").version == "v0"


def test_tags_metadata_description_and_ttl_are_stored_on_save(log):
    artifact = log("model", {"w": "1"}, metadata={"f1": 0.5})
    artifact.metadata["f1"] = 0.75
    artifact.tags.append("checked")
    artifact.description = "Checked by hand"
    artifact.ttl = timedelta(days=1)
    artifact.save()
    found = Api().artifact("model:v0")
    assert (found.metadata, found.tags, found.description) == ({"f1": 0.75}, ["checked"], "Checked by hand")
    assert found.ttl == timedelta(days=1)
    found.ttl = None
    assert found.save().ttl is None


def test_a_ttl_may_be_set_as_a_text(log):
    artifact = log("model", {"w": "1"})
    artifact.ttl = "30d"
    artifact.save()
    assert Api().artifact("model:v0").ttl == timedelta(days=30)


def test_what_cannot_be_stored_is_refused_and_nothing_changes(log):
    artifact = log("model", {"w": "1"}, metadata={"n": 1})
    artifact.metadata["bad"] = float("nan")
    with pytest.raises(errors.InvalidMetadata, match=r"metadata\.bad"):
        artifact.save()
    assert Api().artifact("model:v0").metadata == {"n": 1}


def test_saving_a_draft_logs_it():
    draft = Artifact("digits", "dataset")
    draft.add("1", "a")
    assert draft.save().version == "v0"
    assert Api().artifact("digits").logged_by() is None


def test_a_new_draft_has_the_files_and_reads_none_again(log, write):
    folder = write({"a": "1", "b": "2"})
    first = Artifact("digits", "dataset", "Digits", {"n": 1})
    first.add_dir(folder)
    with lineal.init() as run:
        run.log_artifact(first)
    (folder / "a").unlink()
    (folder / "b").unlink()
    draft = first.new_draft()
    draft.remove("b")
    draft.add("3", "c")
    with lineal.init() as run:
        second = run.log_artifact(draft)
    assert second.version == "v1"
    assert (second.description, second.metadata) == ("Digits", {"n": 1})
    assert [entry.path for entry in second.files()] == ["a", "c"]
    second.verify(second.download("out"))


def test_a_changed_draft_leaves_the_metadata_of_the_version_alone(log):
    first = log("digits", {"a": "1"}, metadata={"n": 1})
    first.new_draft().metadata["n"] = 2
    assert first.metadata == {"n": 1}


def test_it_knows_who_made_it_and_who_used_it(log):
    digits = log("digits", {"a": "1"})
    model = log("model", {"w": "1"}, "model", uses=("digits:v0",))
    assert [run.id for run in digits.used_by()] == [model.logged_by().id]
    assert digits.logged_by().job_type == "make"
    assert model.used_by() == []


def test_its_lineage_leads_up_and_down(log):
    digits = log("digits", {"a": "1"})
    model = log("model", {"w": "1"}, "model", uses=("digits:v0",))
    names = {node.name for node in model.lineage("up").nodes if node.kind == "version"}
    assert names == {"digits:v0", "model:v0"}
    assert {n.name for n in digits.lineage("down").nodes if n.kind == "version"} == names
    assert {n.name for n in digits.lineage("up").nodes if n.kind == "version"} == {"digits:v0"}


def test_its_history_tells_every_move_oldest_first(log):
    log("model", {"w": "1"}, aliases=["best"])
    newer = log("model", {"w": "2"}, aliases=["best"])
    newer.aliases.remove("best")
    newer.save()
    moves = [(e.alias, e.from_number, e.to_number, e.user) for e in newer.history()]
    assert moves == [("best", None, 0, "ada"), ("best", 0, 1, "ada"), ("best", 1, None, "ada")]


def test_a_version_with_aliases_is_deleted_only_when_asked_to(log):
    artifact = log("model", {"w": "1"}, aliases=["best"])
    with pytest.raises(errors.VersionInUse, match="'best'"):
        artifact.delete()
    assert Api().artifact_exists("model:best")
    artifact.delete(delete_aliases=True)
    assert not Api().artifact_exists("model:v0")
    assert [a.version for a in Api().artifact_versions("model", deleted=True)] == ["v0"]


def test_a_link_is_seen_through_the_registry_and_goes_with_unlink(log):
    artifact = log("model", {"w": "1"}, "model")
    linked = artifact.link("registry/classifiers", ["staging"])
    assert linked.qualified_name == "local/registry/classifiers:v0"
    assert linked.source_qualified_name == artifact.qualified_name
    assert linked.aliases == ["staging"]
    assert Api().artifact("registry/classifiers:staging").digest == artifact.digest
    linked.unlink()
    assert not Api().artifact_exists("registry/classifiers:staging")
    assert Api().artifact_exists("model:v0")


def test_unlinking_what_is_no_link_is_refused(log):
    with pytest.raises(errors.InvalidRef, match="is no link"):
        log("model", {"w": "1"}).unlink()


def test_a_link_leads_only_into_the_registry(log):
    with pytest.raises(errors.InvalidRef, match="registry/<collection>"):
        log("model", {"w": "1"}).link("elsewhere/classifiers")


def test_aliases_of_a_link_are_saved_in_the_registry(log):
    linked = log("model", {"w": "1"}, "model").link("registry/classifiers")
    linked.aliases.append("production")
    linked.save()
    assert Api().artifact("registry/classifiers:production").source_qualified_name == "local/default/model:v0"
    assert not Api().artifact_exists("model:production")
