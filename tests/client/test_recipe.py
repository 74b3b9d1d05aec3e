from dataclasses import replace

import pytest

import lineal
from lineal.client.connection import connection
from lineal.client.recipe import recipe, short_version
from lineal.core import errors
from lineal.tracking.model import Batch

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CODE = {"commit": COMMIT, "remote": "https://example.org/x.git", "dirty": False, "program": "src/train.py"}
ENVIRONMENT = {
    "command": ["python", "/repo/src/train.py", "--lr", "0.1"],
    "folder": "/repo/src",
    "checkout": "/repo",
    "executable": "/venv/bin/python",
    "python": "3.12.4",
    "packages": ["lineal==0.1.0", "numpy==2.0.0+cpu"],
    "variables": {"PYTHONHASHSEED": "0", "CUDA_VISIBLE_DEVICES": "3", "OMP_NUM_THREADS": "4; rm x"},
}


@pytest.fixture
def record():
    """A finished run of which that is on record."""

    def make(code=None, uses=(), **environment):
        with lineal.init(settings={"git": False, "environment": False, "packages": False}) as run:
            for ref in uses:
                run.use_artifact(ref)
        facts = {key: value for key, value in {**ENVIRONMENT, **environment}.items() if value is not None}
        runs = connection().backend.runs
        runs.append(run.id, "writer", 1, Batch(environment=facts, code={**CODE, **(code or {})}))
        return runs.get(run.id)

    return make


def of(run):
    return recipe(connection().backend, run)


def test_a_whole_record_makes_a_recipe_without_losses(record):
    found = of(record())
    assert (found.losses, found.notes) == ((), ())
    assert (found.commit, found.remote, found.folder, found.patch) == (COMMIT, CODE["remote"], "src", b"")
    assert found.packages == ("lineal==0.1.0", "numpy==2.0.0+cpu")
    assert found.has_lineal
    assert found.variables == {"PYTHONHASHSEED": "0"}
    assert short_version(found.python) == "3.12"


@pytest.mark.parametrize("commit", ["", "HEAD", "--upload-pack=x", "0123456", COMMIT + "\n", COMMIT.upper(), 7, None])
def test_a_commit_that_is_none_is_refused(record, commit):
    with pytest.raises(errors.NotReproducible, match="no commit"):
        of(record(code={"commit": commit}))


@pytest.mark.parametrize("words", [None, [], "python train.py", [7], ["python", "a\0b"], ["python", "\ud800"]])
def test_a_command_that_is_none_is_refused(record, words):
    run = record()
    facts = {**run.environment, "command": words}
    with pytest.raises(errors.NotReproducible, match="command line"):
        of(replace(run, environment=facts))


@pytest.mark.parametrize(
    "remote",
    [
        "https://example.org/x.git",
        "ssh://git@example.org:22/x.git",
        "git@example.org:team/x.git",
        "file:///srv/git/x.git",
        "/srv/git/x.git",
    ],
)
def test_remotes_that_may_be_cloned(record, remote):
    assert of(record(code={"remote": remote})).remote == remote


@pytest.mark.parametrize(
    "remote",
    [
        "ext::sh -c touch% x",
        "--upload-pack=x",
        "-u",
        "fd::7",
        "https://example.org/a\nb",
        "x@-oProxyCommand=y:z",
        "-x@example.org:a",
        "git@example.org:-x",
        "ftp://example.org/x",
        "../x",
    ],
)
def test_remotes_that_may_not(record, remote):
    found = of(record(code={"remote": remote}))
    assert found.remote is None
    assert "remote" in found.notes[0]


@pytest.mark.parametrize(
    ("facts", "loss"),
    [
        ({"command": ["python", "train.py", "--token", "***"]}, "secret"),
        ({"command": ["python", "train.py", "…"]}, "too long"),
        ({"command": ["accelerate", "launch"]}, "not started by"),
        ({"command": ["python", "-m", "ipykernel_launcher"]}, "notebook"),
        ({"command": ["python", "/other/train.py"]}, "outside of the checkout"),
        ({"folder": "/elsewhere"}, "outside of the checkout"),
        ({"python": None}, "version of Python"),
        ({"python": "3; rm -r x"}, "version of Python"),
        ({"python_implementation": "PyPy"}, "another Python"),
        ({"packages": None}, "packages are not on record"),
        ({"packages": ["a==1", "b @ git+https://example.org/b@1"]}, "left out: b @ git"),
        ({"packages": ["a==1", "--index-url=http://evil"]}, "left out: --index-url"),
        ({"packages": ["a==1", "b==1 --hash=x"]}, "left out: b==1 --hash"),
        ({"packages": ["a==1", "b==1\n-e ."]}, "left out"),
        ({"git": {"untracked_count": 1, "untracked": ["src/"]}}, "is not in git"),
        ({"git": {"patch_left_out_bytes": 7}}, "too large"),
        ({"variables": {"WORLD_SIZE": "8"}}, "one of 8 processes"),
    ],
)
def test_what_can_not_be_the_same_is_said(record, facts, loss):
    [found] = of(record(**facts)).losses
    assert loss in found


def test_uncommitted_changes_that_are_not_on_record_are_said(record):
    assert "not on record" in of(record(code={"dirty": True})).losses[0]


def test_what_may_matter_is_noted(record):
    facts = {"git": {"untracked_count": 5, "untracked": ["a", "b", "c", "d", "e"]}, "conda_packages": ["x=1=0"]}
    first, second = of(record(**facts)).notes
    assert "conda" in first
    assert second.endswith("a, b, c and 2 more")


def test_packages_of_the_checkout_and_a_developed_lineal_are_no_loss(record):
    packages = ["a==1", "lineal @ file:///home-of/lineal", "mine @ file:///repo/pkg", "top @ file:///repo"]
    found = of(record(packages=packages))
    assert found.losses == ()
    assert (found.packages, found.editable, found.has_lineal) == (("a==1",), ("pkg", "."), False)


def test_inputs_are_pinned_under_the_names_that_a_program_may_have_for_them(record, log):
    log("digits", {"a": "1"}, project="p")
    pin = of(record(uses=["p/digits:v0"])).pins
    assert set(pin) == {"digits:latest", "p/digits:latest", "local/p/digits:latest", "local/p/digits:v0"}
    assert {p.ref for p in pin.values()} == {"local/p/digits:v0"}


def test_several_versions_of_one_collection_are_pinned_by_number_only(record, log):
    log("digits", {"a": "1"}, project="p")
    log("digits", {"a": "2"}, project="p")
    found = of(record(uses=["p/digits:v0", "p/digits:v1"]))
    assert set(found.pins) == {"local/p/digits:v0", "local/p/digits:v1"}
    assert "several versions" in found.notes[0]


def test_a_deleted_input_is_a_loss(record, log):
    log("digits", {"a": "1"}, project="p")
    run = record(uses=["p/digits:v0"])
    connection().backend.artifacts.delete("p/digits:v0", force=True)
    assert of(run).losses == ("its input digits:v0 was deleted",)
