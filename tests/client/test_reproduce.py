import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lineal.client.lock import Pin
from lineal.client.recipe import Recipe
from lineal.client.reproduce import Call, Make, Place, carry_out, find_clone, find_python, script, steps
from lineal.core.errors import NotReproducible
from lineal.tracking.model import Run

VERSION = ".".join(map(str, sys.version_info[:2]))
NASTY = 'it\'s; $(touch pwned) `touch pwned`\n# \\ "x" *'


def git(folder, *words):
    options = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *options, *words], cwd=folder, capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path):
    """A checkout with one commit."""
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "say.py").write_text("import os, sys\nprint(sys.argv[1:], os.environ['LINEAL_LOCKED'])\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "x")
    return folder


@pytest.fixture
def recipe_of(repo):
    """A recipe of a run of `say.py`."""

    def make(**facts):
        run = Run("abcd1234", "e", "p", f"name {NASTY}", "", "finished", {}, {}, "u", "h", datetime.now(UTC))
        given = {
            "run": run,
            "commit": git(repo, "rev-parse", "HEAD"),
            "remote": None,
            "patch": b"",
            "command": ("python", "say.py", NASTY),
            "folder": ".",
            "checkout": str(repo),
            "executable": "/old/bin/python",
            "python": f"{VERSION}.0",
            "packages": ("lineal==0.1.0",),
            "editable": (),
            "variables": {},
            "pins": {"digits:latest": Pin("local/p/digits:v0", f"sha256:{'0' * 64}")},
            "losses": (NASTY,),
            "notes": (),
        }
        return Recipe(**{**given, **facts})

    return make


@pytest.fixture
def there(tmp_path, repo):
    """A folder to be made, with a name that a shell would trip over, and the present environment."""
    return Place(tmp_path / "it's $(x) here", sys.executable, VERSION, repo, own=False)


def do(found, place):
    return [step.why for step in carry_out(found, place)]


def test_the_steps_bring_the_work_tree_the_lock_and_the_command(recipe_of, there, capfd):
    found = steps(recipe_of(), there, {"LINEAL_URL": "x"})
    do(found, there)
    assert capfd.readouterr().out.strip() == f"{[NASTY]!r} 1"
    assert git(there.code, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"
    assert "local/p/digits:v0" in (there.code / "lineal.lock").read_text()


def test_the_script_does_the_same_and_nothing_else_whatever_is_on_record(recipe_of, there, tmp_path):
    recipe = recipe_of()
    text = script(recipe, steps(recipe, there, {"LINEAL_URL": NASTY}), there)
    file = tmp_path / "steps.sh"
    file.write_bytes(text)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(["sh", str(file)], cwd=empty, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == f"{[NASTY]!r} 1"
    assert not list(tmp_path.rglob("pwned"))
    again = subprocess.run(["sh", str(file), "another"], cwd=empty, capture_output=True, text=True, check=False)
    assert again.stdout == done.stdout
    assert (empty / "another" / "code" / "lineal.lock").is_file()
    twice = subprocess.run(["sh", str(file)], cwd=empty, capture_output=True, text=True, check=False)
    assert twice.returncode != 0, "a folder that is there is left alone"


def test_changes_are_applied_by_steps_and_script(recipe_of, repo, there, tmp_path, capfd):
    (repo / "say.py").write_text("print('changed', 'caf\xe9 \U0001f600')\n", encoding="utf-8")
    (repo / "raw.bin").write_bytes(bytes(range(256)))
    git(repo, "add", "-N", "raw.bin")
    patch = subprocess.run(["git", "diff", "HEAD", "--binary"], cwd=repo, capture_output=True, check=True).stdout
    recipe = recipe_of(patch=patch)
    do(steps(recipe, there, {}), there)
    assert capfd.readouterr().out.strip() == "changed caf\xe9 \U0001f600"
    assert (there.code / "raw.bin").read_bytes() == bytes(range(256))
    file = tmp_path / "steps.sh"
    file.write_bytes(script(recipe, steps(recipe, there, {}), there))
    done = subprocess.run(["sh", str(file), "other"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "changed caf\xe9 \U0001f600", done.stderr


def test_a_patch_that_leads_out_of_the_work_tree_is_refused(recipe_of, there, tmp_path):
    patch = b"diff --git a/../out b/../out\nnew file mode 100644\n--- /dev/null\n+++ b/../out\n@@ -0,0 +1 @@\n+x\n"
    with pytest.raises(NotReproducible, match="changes applied"):
        do(steps(recipe_of(patch=patch), there, {}), there)
    assert not list(tmp_path.rglob("out"))


def test_a_link_in_the_commit_does_not_lead_the_lock_elsewhere(recipe_of, repo, there, tmp_path):
    target = tmp_path / "precious"
    target.write_text("kept")
    (repo / "lineal.lock").symlink_to(target)
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "link")
    with pytest.raises(NotReproducible, match="leads out"):
        do(steps(recipe_of(), there, {}), there)
    assert target.read_text() == "kept"


def test_a_hook_of_the_checkout_is_not_run(recipe_of, repo, there, tmp_path):
    hook = repo / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{tmp_path}/hooked'\n")
    hook.chmod(0o755)
    do(steps(recipe_of(), there, {}), there)
    assert not (tmp_path / "hooked").exists()


def test_without_a_checkout_the_remote_is_cloned(recipe_of, repo, there):
    place = Place(there.folder, there.python, VERSION, None, own=False)
    do(steps(recipe_of(remote=repo.as_uri()), place, {}), place)
    assert git(place.code, "remote", "get-url", "origin") == repo.as_uri()
    with pytest.raises(NotReproducible, match="no remote"):
        steps(recipe_of(), place, {})


def test_the_checkout_is_found_here_or_where_it_ran(recipe_of, repo, tmp_path, monkeypatch):
    recipe = recipe_of()
    assert find_clone(recipe, "h") == repo
    assert find_clone(recipe, "another host") is None
    monkeypatch.chdir(repo)
    assert find_clone(recipe, "another host") == repo
    assert find_clone(recipe_of(commit="0" * 40), "h") is None


def test_paths_of_the_old_checkout_and_environment_become_those_of_the_new(recipe_of, repo, there):
    words = ("python", f"{repo}/say.py", "/old/bin/accelerate", "/data/x", str(repo), f"{repo}-other/x")
    last = steps(recipe_of(command=words), there, {})[-1]
    assert isinstance(last, Call)
    bin_ = Path(sys.executable).parent
    assert last.words == (
        *(sys.executable, f"{there.code}/say.py", f"{bin_}/accelerate", "/data/x"),
        *(str(there.code), f"{repo}-other/x"),
    )


def test_an_environment_gets_the_recorded_packages_and_lineal(recipe_of, there, repo):
    place = Place(there.folder, sys.executable, VERSION, repo)
    found = steps(recipe_of(packages=("a==1", "b==2"), editable=("pkg",)), place, {})
    made = {step.path.name: step.data for step in found if isinstance(step, Make)}
    assert made["requirements.txt"] == b"a==1\nb==2\n"
    assert Path(os.fsdecode(made["lineal.pth"]).strip(), "lineal", "__init__.py").is_file()
    installs = [step.words for step in found if isinstance(step, Call) and "pip" in step.words]
    assert all("--no-deps" in words for words in installs)
    assert installs[1][-2:] == ("--editable", f"{place.code}/pkg")


def test_a_step_that_fails_ends_it_and_says_which(recipe_of, there):
    with pytest.raises(NotReproducible, match="exit code 3: the run itself"):
        do(steps(recipe_of(command=("python", "-c", "raise SystemExit(3)")), there, {}), there)


def test_a_folder_that_is_there_is_left_alone(recipe_of, there):
    there.folder.mkdir()
    with pytest.raises(NotReproducible, match="new folder"):
        do(steps(recipe_of(), there, {}), there)
    assert list(there.folder.iterdir()) == []


def test_the_present_python_is_taken_where_it_fits():
    assert find_python(f"{VERSION}.99") == sys.executable
    assert find_python("3.1.4") == ""
