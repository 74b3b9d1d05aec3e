"""What is recorded of how a run came about, checked, and what of it can't be brought back.

A record is untrusted text: only what has the form it should have gets out of here.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from lineal.backend.port import Backend
from lineal.client.lock import Pin
from lineal.core.errors import NotReproducible
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.blobs import read_blob
from lineal.tracking.model import Run

PATCH = "diff.patch"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REMOTE = re.compile(
    r"(?:https?|ssh|git|file)://[^\s\x00-\x1f]+"  # an URL of these only: others run programs (ext::)
    r"|/[^\x00-\x1f:]+"
    r"|[A-Za-z0-9_][\w.-]*@[A-Za-z0-9][\w.-]*:[A-Za-z0-9_~/.][^\s\x00-\x1f]*"
)
_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,200})==([A-Za-z0-9][A-Za-z0-9.!+_-]{0,200})")
_LOCAL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,200}) @ file://(/[^\x00-\x1f]*)")
_PYTHON = re.compile(r"(\d{1,2}\.\d{1,2})\.\d{1,3}\S{0,20}")
_VALUE = re.compile(r"[A-Za-z0-9:.,_+-]{1,200}")
# Recorded variables that change what a program computes, rather than where it runs.
_VARIABLES = (
    *("PYTHONHASHSEED", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"),
    *("CUBLAS_WORKSPACE_CONFIG", "TF_DETERMINISTIC_OPS"),
)
_HIDDEN, _CUT = "***", "…"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to bring a run back. `losses`: why the result can't be the same; `notes`: what else there is to know.

    `folder` is relative to the checkout, `checkout` and `executable` are paths of the machine it ran on. `packages`
    are `name==version`, `editable` folders of the checkout that hold a package.
    """

    run: Run
    commit: str
    remote: str | None
    patch: bytes
    command: tuple[str, ...]
    folder: str
    checkout: str
    executable: str
    python: str
    packages: tuple[str, ...]
    editable: tuple[str, ...]
    variables: Mapping[str, str]
    pins: Mapping[str, Pin]
    losses: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def has_lineal(self) -> bool:
        """Whether Lineal itself is among the packages."""
        return any(package.startswith("lineal==") for package in self.packages)


@dataclass(slots=True)
class _Found:
    """What comes to light on the way."""

    losses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def recipe(backend: Backend, run: Run) -> Recipe:
    """The recipe of the run. Raises conflict.not_reproducible where not even a try is possible."""
    found = _Found()
    code, surroundings = run.code, run.environment
    commit = _text(code, "commit")
    if not _COMMIT.fullmatch(commit):
        raise NotReproducible(
            f"run {run.id} has no commit on record: it ran outside of a git checkout, or git was switched off"
        )
    command = _command(surroundings, found)
    checkout, executable = _text(surroundings, "checkout"), _text(surroundings, "executable")
    remote: str | None = _text(code, "remote")
    if remote and not _REMOTE.fullmatch(remote):
        found.notes.append("the remote's address is none that may be cloned; a clone on this machine is needed")
        remote = None
    packages, editable = _packages(surroundings, checkout, found)
    _look_at_run(run, found)
    return Recipe(
        run,
        commit,
        remote or None,
        _patch(backend, run, found),
        command,
        _folder(surroundings, checkout, found),
        checkout,
        executable,
        _python(surroundings, found),
        packages,
        editable,
        _variables(surroundings),
        _pins(backend.lineage.artifacts_of(run.id, output=False), found),
        tuple(found.losses),
        tuple(found.notes),
    )


def _text(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    return value if isinstance(value, str) and "\0" not in value else ""


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _command(surroundings: Mapping[str, Any], found: _Found) -> tuple[str, ...]:
    words = _texts(surroundings.get("command"))
    if not words:
        raise NotReproducible("the command line is not on record: what a run records of its environment was off")
    try:
        if any("\0" in word for word in words):
            raise ValueError
        b"".join(os.fsencode(word) for word in words)
    except ValueError:
        raise NotReproducible("the command line on record is none that a system could run") from None
    if any(_HIDDEN in word for word in words):
        found.losses.append("the command line holds a secret, which is not recorded (it shows ***)")
    if any(word.endswith(_CUT) for word in words):
        found.losses.append("the command line was too long to be recorded whole")
    if not posixpath.basename(words[0]).startswith("python"):
        found.losses.append("it was not started by `python …`")
    if any("ipykernel" in word for word in words):
        found.losses.append("it ran in a notebook, whose cells are run by hand")
    return tuple(words)


def _folder(surroundings: Mapping[str, Any], checkout: str, found: _Found) -> str:
    folder = _text(surroundings, "folder")
    if not checkout or not folder:
        found.notes.append("where in the checkout it ran is not on record; its top is taken")
        return "."
    inside = posixpath.relpath(folder, checkout)
    if inside.split("/")[0] == ".." or posixpath.isabs(inside):
        found.losses.append("it ran in a folder outside of the checkout")
        return "."
    return inside


def _python(surroundings: Mapping[str, Any], found: _Found) -> str:
    version = _text(surroundings, "python")
    if not _PYTHON.fullmatch(version):
        found.losses.append("the version of Python is not on record")
        return ""
    if _text(surroundings, "python_implementation") not in ("", "CPython"):
        found.losses.append("it ran on another Python than CPython")
    return version


def short_version(python: str) -> str:
    """`3.12` for `3.12.4`; empty for none."""
    match = _PYTHON.fullmatch(python)
    return match[1] if match else ""


def _packages(
    surroundings: Mapping[str, Any], checkout: str, found: _Found
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    lines = _texts(surroundings.get("packages"))
    if not lines:
        found.losses.append("the packages are not on record")
    exact, editable, skipped = [], [], []
    for line in lines:
        local = _LOCAL.fullmatch(line)
        if _PACKAGE.fullmatch(line):
            exact.append(line)
        elif local and checkout and (inside := _inside(local[2], checkout)) is not None:
            editable.append(inside)
        elif not line.lower().startswith("lineal @"):  # a development tree of Lineal; the present one takes its place
            skipped.append(line[:80])
    if skipped:
        found.losses.append(f"packages that came from elsewhere than an index are left out: {_some(skipped)}")
    if conda := _texts(surroundings.get("conda_packages")):
        found.notes.append(f"it ran in a conda environment with {len(conda)} packages, which is not rebuilt")
    return tuple(exact), tuple(editable)


def _inside(path: str, checkout: str) -> str | None:
    inside = posixpath.relpath(path, checkout)
    return None if inside.split("/")[0] == ".." else inside


def _patch(backend: Backend, run: Run, found: _Found) -> bytes:
    git = _mapping(run.environment.get("git"))
    if git.get("patch_left_out_bytes"):
        found.losses.append("the uncommitted changes were too large to be recorded whole")
    if not run.code.get("dirty"):
        return b""
    file = next((file for file in backend.runs.list_files(run.id) if file.path == PATCH), None)
    if file is None:
        found.losses.append("it ran with uncommitted changes, which are not on record")
        return b""
    return read_blob(backend.blobs, digests.parse(file.digest))


def _look_at_run(run: Run, found: _Found) -> None:
    """Losses and notes that follow from single facts."""
    git = _mapping(run.environment.get("git"))
    untracked = _texts(git.get("untracked"))
    program = _text(run.code, "program")
    if any(program == name or (name.endswith("/") and program.startswith(name)) for name in untracked if program):
        found.losses.append(f"the program itself, {program}, is not in git")
    elif git.get("untracked_count"):
        count = git["untracked_count"]
        found.notes.append(f"files that git does not track were there, and will not be: {_some(untracked, count)}")
    elsewhere = [word for word in _texts(run.environment.get("command"))[1:] if _is_elsewhere(word, program, run)]
    if elsewhere:
        found.losses.append(f"the program {elsewhere[0][:80]} lies outside of the checkout")
    size = _text(_mapping(run.environment.get("variables")), "WORLD_SIZE")
    if size not in ("", "0", "1"):
        found.losses.append(f"it was one of {size[:10]} processes that ran together")
    if run.state == "running":
        found.notes.append("it is still running; its metrics may change")
    elif run.state != "finished":
        found.notes.append(f"it ended as {run.state}")
    if run.parent:
        found.losses.append(f"it was forked from run {run.parent} and began with that one's history")


def _is_elsewhere(word: str, program: str, run: Run) -> bool:
    """Whether the word is the program's path, in neither the checkout nor the environment."""
    checkout, executable = _text(run.environment, "checkout"), _text(run.environment, "executable")
    if not program or not posixpath.isabs(word) or posixpath.basename(word) != posixpath.basename(program):
        return False
    return posixpath.dirname(word) != posixpath.dirname(executable) and _inside(word, checkout or "/") is None


def _variables(surroundings: Mapping[str, Any]) -> dict[str, str]:
    recorded = _mapping(surroundings.get("variables"))
    return {name: value for name in _VARIABLES if _VALUE.fullmatch(value := _text(recorded, name))}


def _pins(inputs: Sequence[Version], found: _Found) -> dict[str, Pin]:
    """The versions that went in, under each name that a program may have for them."""
    pins: dict[str, set[Pin]] = {}
    for version in inputs:
        if version.deleted_at is not None or version.purged_at is not None:
            found.losses.append(f"its input {version.name} was deleted")
        for name in _names(version):
            pins.setdefault(name, set()).add(Pin(version.ref, version.digest))
    if double := sorted(name for name, several in pins.items() if len(several) > 1):
        found.notes.append(f"it used several versions under {_some(double)}; its program has to name them")
    return {name: several.pop() for name, several in pins.items() if len(several) == 1}


def _names(version: Version) -> Iterator[str]:
    place = f"{version.project}/{version.collection}"
    paths = (version.collection, place, f"{version.entity}/{place}")
    return chain((f"{path}:latest" for path in paths), [version.ref])


def _some(names: Sequence[str], count: int | None = None) -> str:
    more = (len(names) if count is None else count) - len(names[:3])
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
