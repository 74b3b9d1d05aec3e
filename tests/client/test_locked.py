import pytest

import lineal
from lineal.client import lock
from lineal.client.locked import locked
from lineal.core import errors, settings


@pytest.fixture
def versions(log):
    """Two versions of one collection."""
    return log("digits", {"a.csv": "1"}, project="p"), log("digits", {"a.csv": "2"}, project="p")


@pytest.fixture
def pinned(versions, place, monkeypatch):
    """Writes a lock that pins refs to versions, and locks."""

    def pin(**refs):
        pins = {name.replace("__", ":"): lock.Pin(f"local/p/{v.name}", v.digest) for name, v in refs.items()}
        lock.write(place.work / "lineal.lock", pins)
        monkeypatch.setenv("LINEAL_LOCKED", "1")

    return pin


def used(ref):
    with lineal.init(project="p") as run:
        return run.use_artifact(ref).name


def test_without_the_variable_a_ref_means_what_the_store_says(versions, place):
    lock.write(place.work / "lineal.lock", {"digits:latest": lock.Pin("local/p/digits:v0", versions[0].digest)})
    assert used("digits:latest") == "digits:v1"


def test_a_locked_ref_means_the_pinned_version(versions, pinned):
    pinned(digits__latest=versions[0])
    assert used("digits:latest") == "digits:v0"
    assert used("p/digits") == "digits:v0"


def test_a_ref_that_is_not_in_the_lock_means_its_collections_version_there(versions, pinned, monkeypatch):
    pinned(digits__latest=versions[0])
    assert used("digits:best") == "digits:v0"
    assert used("local/p/digits:best") == "digits:v0"


def test_a_pinned_ref_stays(versions, pinned):
    pinned(digits__latest=versions[0])
    assert used("digits:v1") == "digits:v1"


def test_an_artifact_in_hand_stays(versions, pinned):
    pinned(digits__latest=versions[0])
    with lineal.init(project="p") as run:
        assert run.use_artifact(versions[1]).name == "digits:v1"


def test_what_the_lock_does_not_have_is_refused(versions, pinned):
    pinned(digits__latest=versions[0])
    with pytest.raises(errors.VersionNotFound, match="does not have"):
        used("other:latest")
    with pytest.raises(errors.VersionNotFound, match="does not have"):
        used("elsewhere/digits")


def test_several_versions_of_one_collection_need_a_name_each(versions, pinned):
    pinned(digits__best=versions[0], digits__worst=versions[1])
    assert (used("digits:best"), used("digits:worst")) == ("digits:v0", "digits:v1")
    with pytest.raises(errors.VersionNotFound, match="several versions"):
        used("digits:latest")


def test_locked_without_a_lock_is_refused(monkeypatch):
    monkeypatch.setenv("LINEAL_LOCKED", "1")
    with pytest.raises(errors.InvalidSource, match=r"lineal\.lock"):
        locked("digits:latest", settings.load())


def test_a_pin_of_other_content_is_not_found(versions, place, monkeypatch):
    lock.write(place.work / "lineal.lock", {"digits:latest": lock.Pin("local/p/digits:v0", f"sha256:{'0' * 64}")})
    monkeypatch.setenv("LINEAL_LOCKED", "1")
    with pytest.raises(errors.NotFound):
        used("digits:latest")
