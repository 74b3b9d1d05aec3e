"""The code that runs: commit, branch, remote and whether the tree is dirty, asked of git itself.

Git is run by name, without a shell, without taking locks, with nothing to read, and for a bounded time. Hooks and a
file-system monitor that the repository names are not run. Its clean filters are (git-lfs is one): without them git
itself can't tell what has changed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from lineal.core.settings import environment

_TIMEOUT_S = 5.0
_UNTRACKED_NAMES = 100
_SAFE = (
    *("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.quotePath=true", "-c", "status.showStash=false"),
)
_STATUS = (
    *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--no-renames"),
    *("--untracked-files=no", "--ignore-submodules=dirty"),
)
_COMMIT = ("rev-parse", "--verify", "--quiet", "HEAD")
_REMOTES = ("config", "-z", "--get-regexp", r"^remote\..*\.url$")
_UNTRACKED = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")


def code_facts(folder: Path | None = None) -> dict[str, Any]:
    """What is known of the code in `folder` (default: the working folder) and the program; empty without git.

    `program` is relative to the checkout if it lies in it; a remote's user and password are left out.
    """
    place = folder or Path()
    root = git_root(place)
    name = program(root)
    facts: dict[str, Any] = {"program": name} if name else {}
    if root is None and not environment("GIT_DIR"):
        return facts  # where there is nothing to ask, no process is started
    status, remotes = _answers(place, _STATUS, _REMOTES)
    lines = (status or "").splitlines()
    head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    if status is None:  # a checkout so large that looking for changes takes too long still has a commit
        (commit,) = _answers(place, _COMMIT)
        head = {"branch.oid": commit.strip()} if commit else {}
    if head.get("branch.oid", "(initial)") == "(initial)":
        return facts
    facts["commit"] = head["branch.oid"]
    if status is not None:
        facts["dirty"] = any(not line.startswith("#") for line in lines)
    if head.get("branch.head", "(detached)") != "(detached)":
        facts["branch"] = head["branch.head"]
    if remote := _remote(remotes or ""):
        facts["remote"] = without_password(remote)
    return facts


def untracked_facts(folder: Path) -> dict[str, Any]:
    """How many files git neither tracks nor ignores, and the first names of them; empty without git.

    A folder without any tracked file counts as one, and its name ends in `/`. Contents are never read.
    """
    root = git_root(folder)
    if root is None:
        return {}
    names: list[str] = []
    count, rest = 0, b""
    with streamed(root, *_UNTRACKED) as running:
        while piece := running.stream.read(1 << 16):
            *found, rest = (rest + piece).split(b"\0")
            count += len(found)
            names += [os.fsdecode(name) for name in found[: _UNTRACKED_NAMES - len(names)]]
    return {"untracked_count": count, "untracked": names} if running.succeeded else {}


def git_root(folder: Path) -> Path | None:
    """The checkout that `folder` lies in, found without git."""
    try:
        place = Path(os.path.abspath(folder))
    except OSError:  # the working folder was deleted
        return None
    return next((above for above in (place, *place.parents) if (above / ".git").exists()), None)


def program(root: Path | None) -> str | None:
    """The path of the script that runs, relative to `root` if it lies in it, else its name; None at a prompt."""
    main = sys.argv[0] if sys.argv else ""
    if main in ("", "-c", "-m"):
        return None
    path = Path(os.path.realpath(main))
    if root is not None and path.is_relative_to(real := os.path.realpath(root)) and path.is_file():
        return path.relative_to(real).as_posix()
    return Path(main).name


def without_password(remote: str) -> str:
    """The remote's address without user and password, where it is a URL."""
    try:
        parts = urlsplit(remote)
        if "://" not in remote or "@" not in parts.netloc:
            return remote
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return ""


class Running:
    """A git under way: what it writes, and, once the block has ended, whether it came to a good end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.succeeded = False
        self.late = False


@contextmanager
def streamed(folder: Path, *words: str, timeout_s: float = _TIMEOUT_S) -> Iterator[Running]:
    """Git's output as a stream, empty if git can't be run; it is stopped after `timeout_s` and with the block."""
    try:
        process = _start(folder, words)
    except OSError:
        with open(os.devnull, "rb") as nothing:
            yield Running(nothing)
        return
    assert process.stdout is not None
    running = Running(process.stdout)

    def stop() -> None:
        running.late = True
        process.kill()

    clock = threading.Timer(timeout_s, stop)
    clock.daemon = True
    clock.start()
    try:
        with process.stdout:
            yield running
    except BaseException:
        process.kill()
        raise
    finally:
        # A pipe closed early ends git; the clock ends one that goes on all the same.
        code = process.wait()
        clock.cancel()
        running.succeeded = code == 0 and not running.late


def _start(folder: Path, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_SAFE, "-C", str(folder), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _answers(folder: Path, *questions: tuple[str, ...]) -> list[str | None]:
    """What git answers to each, asked at the same time; None where it fails or takes too long."""
    deadline = monotonic() + _TIMEOUT_S
    processes: list[subprocess.Popen[bytes]] = []
    answers: list[str | None] = []
    try:
        processes += [_start(folder, words) for words in questions]
        for process in processes:
            answers.append(_answer(process, max(0.1, deadline - monotonic())))
    except OSError:
        pass
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                process.communicate()
    return answers + [None] * (len(questions) - len(answers))


def _answer(process: subprocess.Popen[bytes], timeout_s: float) -> str | None:
    try:
        said, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        return None
    return said.decode("utf-8", "replace") if process.returncode == 0 else None


def _remote(remotes: str) -> str | None:
    """The address of `origin`, else of the remote that is named first."""
    named = dict(pair.split("\n", 1) for pair in reversed(remotes.split("\0")) if "\n" in pair)
    return named.get("remote.origin.url") or next(reversed(named.values()), None)
