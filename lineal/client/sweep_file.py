"""A sweep's config as a YAML file has it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lineal.core.errors import InvalidSweep

MAX_BYTES = 1 << 20
_MOST = 1_000_000  # values, once those that the file names again are counted each time


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The config in the file. Raises invalid.sweep, which names the file and, where YAML is at fault, the line."""
    import yaml

    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise InvalidSweep(f"{path} can't be read: {problem.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise InvalidSweep(f"{path} is larger than a sweep's config may be, 1 MiB")
    try:
        found = yaml.safe_load(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidSweep(f"{path} is no text in UTF-8; save it as one") from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise InvalidSweep(f"{where}: {problem.problem or problem.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise InvalidSweep(f"{path} is no YAML: {str(problem)[:200] or type(problem).__name__}") from None
    if not isinstance(found, Mapping):
        raise InvalidSweep(f"{path} holds no mapping; it needs keys such as method and parameters")
    if not _bounded(found):
        raise InvalidSweep(f"{path} names its own parts so often that it is too much to read; write it out")
    return dict(found)


def _bounded(found: Any) -> bool:
    """Whether it is no more than what a file without `*names` may hold."""
    waiting, count = [found], 0
    while waiting and count <= _MOST:
        one = waiting.pop()
        count += 1
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return count <= _MOST
