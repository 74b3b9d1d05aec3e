"""The steps that bring a run back: as a shell script to read and run by hand, or carried out, never through a shell.

Everything lands in one new folder: `code`, a work tree at the run's commit with its uncommitted changes applied and a
`lineal.lock` that pins its inputs, and `venv` with its packages.
"""

from __future__ import annotations

import hashlib
import os
import platform
import posixpath
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lineal
from lineal.client import lock
from lineal.client.recipe import PATCH, Recipe, short_version
from lineal.core.errors import NotReproducible
from lineal.core.settings import environment_like

_GIT = ("git", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never")


@dataclass(frozen=True, slots=True)
class Make:
    """A step: a file with this content."""

    why: str
    path: Path
    data: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A step: a program, called with these words in `folder`, with `variables`; `path` comes first on PATH."""

    why: str
    words: tuple[str, ...]
    folder: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None


Step = Make | Call


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is brought back to. `clone` is a checkout on this machine that has the commit, if any does.

    `python`, whose minor version is `version`, makes the environment; with `own` off, it is the environment.
    """

    folder: Path
    python: str
    version: str
    clone: Path | None = None
    own: bool = True

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def venv(self) -> Path:
        return self.folder / "venv"

    @property
    def bin(self) -> Path:
        return self.venv / "bin" if self.own else Path(self.python).parent


def find_clone(recipe: Recipe, host: str) -> Path | None:
    """A checkout that has the commit: the one we are in, else the one it ran in if that was on this host."""
    from lineal.client.capture.git import git_root, streamed

    candidates = [git_root(Path())]
    if recipe.run.host == host and recipe.checkout:
        candidates.append(git_root(Path(recipe.checkout)))
    for root in candidates:
        if root is not None:
            with streamed(root, "cat-file", "-e", f"{recipe.commit}^{{commit}}") as asked:
                asked.stream.read()
            if asked.succeeded:
                return root
    return None


def find_python(version: str) -> str:
    """A Python of the same minor version on this machine: the present one, else one on PATH; "" without any."""
    short = short_version(version)
    if not short or platform.python_version().startswith(f"{short}."):
        return sys.executable
    return shutil.which(f"python{short}") or ""


def differences_here(recipe: Recipe) -> list[str]:
    """How the present environment differs from the recorded one: Python, and each package."""
    from lineal.client.capture.packages import packages

    differing = []
    if recipe.python != platform.python_version():
        differing.append(f"Python is {platform.python_version()}, was {recipe.python or 'unknown'}")
    here = dict(_named(line) for line in packages())
    for name, line in map(_named, recipe.packages):
        if here.get(name) != line:
            differing.append(f"{here.get(name) or f'no {name}'} is here, was {line}")
    return differing


def _named(line: str) -> tuple[str, str]:
    name = line.partition("==")[0].partition(" @ ")[0]
    return name.lower().replace("_", "-").replace(".", "-"), line


# ---- the steps -----------------------------------------------------------------------------------------------


def steps(recipe: Recipe, place: Place, settings: Mapping[str, str]) -> list[Step]:
    """All steps in order. `settings` are LINEAL_* variables of the last one. Raises conflict.not_reproducible."""
    found: list[Step] = list(_code(recipe, place))
    if place.own:
        found += _environment(recipe, place)
    pins = {"format": lock.FORMAT, "refs": {ref: recipe.pins[ref]._asdict() for ref in sorted(recipe.pins)}}
    text = _json(pins)
    found.append(Make("the versions that it used", place.code / recipe.folder / lock.NAME, text))
    here = {"LINEAL_LOCKED": "1", "LINEAL_REPRODUCES": recipe.run.id, **settings}
    if place.own:
        here["VIRTUAL_ENV"] = str(place.venv)
    found.append(
        Call(
            "the run itself",
            tuple(_words(recipe, place)),
            place.code / recipe.folder,
            {**recipe.variables, **here},
            place.bin,
        )
    )
    return found


def _json(value: object) -> bytes:
    import json

    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _code(recipe: Recipe, place: Place) -> Iterator[Step]:
    code = str(place.code)
    if place.clone is not None:
        words = ("-C", str(place.clone), "worktree", "add", "--quiet", "--detach", "--", code, recipe.commit)
        yield Call("a work tree at its commit", (*_GIT, *words))
    elif recipe.remote is not None:
        yield Call("a clone", (*_GIT, "clone", "--quiet", "--no-checkout", "--", recipe.remote, code))
        yield Call("its commit", (*_GIT, "-C", code, "checkout", "--quiet", "--detach", recipe.commit, "--"))
    else:
        raise NotReproducible(
            f"no remote is on record, and no checkout here has the commit {recipe.commit[:12]}; "
            "go into one that has it"
        )
    if recipe.patch:
        patch = place.folder / PATCH
        yield Make("its uncommitted changes", patch, recipe.patch)
        apply = ("-C", code, "apply", "--whitespace=nowarn", "--", str(patch))
        yield Call("the changes applied", (*_GIT, *apply))


def _environment(recipe: Recipe, place: Place) -> Iterator[Step]:
    python = str(place.bin / "python")
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    yield Call("an environment of its own", (place.python, "-m", "venv", str(place.venv)))
    lines = list(recipe.packages)
    tree = Path(lineal.__file__).resolve().parent.parent
    developed = (tree / "pyproject.toml").is_file()
    if not recipe.has_lineal and not developed:
        lines.append(f"lineal=={lineal.__version__}")
    requirements = place.folder / "requirements.txt"
    if lines:
        yield Make("its packages", requirements, "".join(f"{line}\n" for line in lines).encode())
        yield Call("the packages installed", (*pip, "--requirement", str(requirements)))
    for inside in recipe.editable:
        folder = posixpath.normpath(f"{place.code}/{inside}")
        yield Call("a package of the checkout", (*pip, "--editable", folder))
    if not recipe.has_lineal and developed:
        packages = place.venv / "lib" / f"python{place.version}" / "site-packages"
        yield Make("Lineal itself, as it is developed here", packages / "lineal.pth", f"{tree}\n".encode())


def _words(recipe: Recipe, place: Place) -> Iterator[str]:
    """The command with what lay in the checkout or the environment where it lies now."""
    yield str(place.bin / "python") if place.own else place.python
    programs = posixpath.dirname(recipe.executable)
    for word in recipe.command[1:]:
        if recipe.checkout and (word == recipe.checkout or word.startswith(f"{recipe.checkout}/")):
            yield posixpath.normpath(f"{place.code}/{posixpath.relpath(word, recipe.checkout)}")
        elif programs and posixpath.dirname(word) == programs:
            yield str(place.bin / posixpath.basename(word))
        else:
            yield word


# ---- as a script ---------------------------------------------------------------------------------------------


def script(recipe: Recipe, found: Sequence[Step], place: Place) -> bytes:
    """The steps for `sh`, every word quoted; the script's argument, if any, is the folder to make."""
    run = recipe.run
    lines = ["#!/bin/sh", *_comments(f"Brings back run {run.id} ({run.name}) of {run.entity}/{run.project}.")]
    lines += [line for text in recipe.losses for line in _comments(f"Can't be the same: {text}.")]
    lines += [line for text in recipe.notes for line in _comments(f"Note: {text}.")]
    lines += ["set -eu", f"folder=${{1:-{shlex.quote(str(place.folder))}}}", 'mkdir -- "$folder"']
    lines.append('folder=$(cd -- "$folder" && pwd)')
    text = "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"
    return text + b"".join(_shown(step, place) for step in found)


def _comments(text: str) -> list[str]:
    """The text behind a `#`; it may hold anything, and stays on its line."""
    from lineal.lineage.look import clean

    return [f"# {clean(text)}"]


def _shown(step: Step, place: Place) -> bytes:
    head = "".join(f"\n{line}\n" for line in _comments(step.why[:1].upper() + step.why[1:]))
    if isinstance(step, Make):
        data = step.data if step.data.endswith(b"\n") else step.data + b"\n"
        end = f"END_{hashlib.sha256(data).hexdigest()[:16]}"
        parent = step.path.parent
        made = "" if parent == place.folder else f"mkdir -p -- {_quoted(str(parent), place)}\n"
        start = f"{head}{made}cat > {_quoted(str(step.path), place)} <<'{end}'\n"
        return os.fsencode(start) + data + os.fsencode(f"{end}\n")
    words = " ".join(_quoted(word, place) for word in step.words)
    sets = [f"{name}={_quoted(value, place)}" for name, value in step.variables.items()]
    if step.path is not None:
        sets.append(f'PATH={_quoted(str(step.path), place)}:"$PATH"')
    where = f"cd -- {_quoted(str(step.folder), place)}\n" if step.folder is not None else ""
    return os.fsencode(f"{head}{where}{' '.join([*sets, words])}\n")


def _quoted(word: str, place: Place) -> str:
    """The word as `sh` reads it; what lies in the new folder is told relative to it."""
    top = str(place.folder)
    if word == top or word.startswith(f"{top}/"):
        rest = word[len(top) :]
        return f'"$folder"{shlex.quote(rest) if rest else ""}'
    return shlex.quote(word)


# ---- carried out ---------------------------------------------------------------------------------------------


def carry_out(found: Sequence[Step], place: Place) -> Iterator[Step]:
    """Each step before it is done; at the end of the iteration all is. Raises conflict.not_reproducible."""
    try:
        os.mkdir(place.folder)
    except OSError as problem:
        raise NotReproducible(f"{place.folder} can't be made: {problem.strerror}; choose a new folder") from None
    for step in found:
        yield step
        if isinstance(step, Make):
            _make(step, place)
        else:
            _call(step, place)


def _make(step: Make, place: Place) -> None:
    parent, top = os.path.realpath(step.path.parent), os.path.realpath(place.folder)
    if os.path.commonpath([parent, top]) != top or step.path.is_symlink():  # a link that the commit holds
        raise NotReproducible(f"{step.path} leads out of {place.folder}")
    os.makedirs(parent, exist_ok=True)
    step.path.write_bytes(step.data)


def _call(step: Call, place: Place) -> None:
    variables = {key: value for key, value in environment_like(["*"]).items() if not key.startswith("GIT_")}
    if place.own:
        variables = {key: value for key, value in variables.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    variables |= step.variables
    if step.path is not None:
        variables["PATH"] = f"{step.path}{os.pathsep}{variables.get('PATH', os.defpath)}"
    try:
        code = subprocess.run(step.words, cwd=step.folder, env=variables, check=False).returncode
    except OSError as problem:
        raise NotReproducible(f"{step.words[0]} can't be run: {problem.strerror}") from None
    if code:
        raise NotReproducible(
            f"this step failed with exit code {code}: {step.why}; what there is is in {place.folder}"
        )
