import pytest

from lineal import Api
from lineal.core import errors


@pytest.fixture
def api(log) -> Api:
    """Two projects: digits v0 and v1, a model of v1, and letters."""
    log("digits", {"a": "1"}, project="vision", aliases=["raw"])
    log("digits", {"a": "2"}, project="vision")
    log("model", {"w": "1"}, "model", project="vision", uses=("vision/digits:v1",))
    log("letters", {"a": "3"}, project="text")
    return Api()


def test_a_ref_gives_a_pinned_artifact(api):
    assert api.artifact("digits").version == "v1"
    assert api.artifact("digits:raw").version == "v0"
    assert api.artifact("vision/digits:v0").version == "v0"
    digest = api.artifact("digits:v0").digest
    assert api.artifact(f"digits@{digest}").version == "v0"
    assert api.artifact(f"local/vision/digits@{digest[:19]}").version == "v0"


def test_a_wrong_type_is_refused(api):
    assert api.artifact("model", "model").type == "model"
    with pytest.raises(errors.InvalidArgument, match="not a 'dataset'"):
        api.artifact("model", "dataset")


def test_the_past_can_be_asked(api, log):
    before = api.artifact("digits:v1").created_at
    log("digits", {"a": "9"}, project="vision", aliases=["raw"])
    assert api.artifact("digits:raw").version == "v2"
    assert api.artifact("digits:raw", at=before).version == "v0"
    assert api.artifact("digits", at=before).version == "v1"
    with pytest.raises(errors.VersionNotFound, match="nothing stood"):
        api.artifact("digits", at="1999-01-01")
    with pytest.raises(errors.InvalidArgument, match="is not a time"):
        api.artifact("digits", at="yesterday")


def test_versions_are_listed_newest_first(api):
    assert [a.name for a in api.artifact_versions("digits")] == ["digits:v1", "digits:v0"]
    api.artifact("digits:v1").delete()
    assert [a.name for a in api.artifact_versions("digits")] == ["digits:v0"]
    assert [a.name for a in api.artifact_versions("digits", deleted=True)] == ["digits:v1", "digits:v0"]
    with pytest.raises(errors.CollectionNotFound):
        api.artifact_versions("nothing")


def test_versions_of_a_type(api):
    assert [a.name for a in api.artifacts("dataset", "digits")] == ["digits:v1", "digits:v0"]
    assert api.artifacts("model", "digits") == []


def test_collections_and_types_are_listed_by_project(api):
    assert [c.ref for c in api.artifact_collections()] == [
        "local/text/letters",
        "local/vision/digits",
        "local/vision/model",
    ]
    assert [c.name for c in api.artifact_collections("vision", "model")] == ["model"]
    assert api.artifact_types() == ["dataset", "model"]
    assert api.artifact_types("text") == ["dataset"]


def test_whether_something_exists_is_answered_for_any_text(api):
    assert api.artifact_exists("digits:raw")
    assert api.artifact_exists("digits:raw", "dataset")
    for ref in ("digits:v9", "nothing", "digits:raw:raw", "../etc/passwd", ""):
        assert not api.artifact_exists(ref)
    assert not api.artifact_exists("digits", "model")


def test_a_run_is_found_by_id_or_path(api):
    run = api.artifact("model").logged_by()
    for path in (run.id, run.path, f"vision/{run.id}", f"local/vision/runs/{run.id}", f"/{run.path}"):
        assert api.run(path).path == run.path
    for path in ("nobody", f"text/{run.id}", f"other/vision/{run.id}", "", "/"):
        with pytest.raises(errors.RunNotFound):
            api.run(path)


def test_projects_are_listed_and_found_by_name(api):
    assert [project.path for project in api.projects()] == ["local/text", "local/vision"]
    project = api.project("vision")
    assert repr(project) == "<Project local/vision>"
    assert {run.project for run in project.runs("state = finished")} == {"vision"}
    assert api.projects("nobody") == []
    with pytest.raises(errors.ProjectNotFound):
        api.project("nothing")


def test_a_name_in_two_projects_must_say_which(api, log):
    log("digits", {"a": "1"}, project="text")
    with pytest.raises(errors.AmbiguousRef, match="text"):
        api.artifact("digits")
    assert Api(project="text").artifact("digits").project == "text"


def test_another_store_is_another_view(api, place):
    other = Api(url=str(place.work / "other"))
    assert other.artifact_collections() == []
    with pytest.raises(errors.Invalid, match="LINEAL_URL"):
        Api(url="ftp://example.org").artifact_types()


def test_a_link_of_the_same_name_leaves_a_bare_name_unambiguous(api):
    api.artifact("model").link("registry/model")
    assert api.artifact("model").project == "vision"
    api.artifact("digits:v0").link("registry/numbers")
    assert api.artifact("numbers").source_qualified_name == "local/vision/digits:v0"
