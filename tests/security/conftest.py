"""An app over a store of its own, as in the tests of the API, and what must stay outside of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.conftest import ask, backend, key

__all__ = ["ask", "backend", "key"]

_heard: list[Callable[[str, tuple[object, ...]], None]] = []
_hooked: list[bool] = []


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file beside the store that nobody may get to see, alter or delete through it."""
    file = tmp_path / "canary.txt"
    file.write_text("the bird sings")
    return file


@contextmanager
def hearing(hear: Callable[[str, tuple[object, ...]], None]) -> Iterator[None]:
    """Tells `hear` of every event of the interpreter's audit while the block runs: files opened, connections made."""
    if not _hooked:
        sys.addaudithook(lambda event, given: [listener(event, given) for listener in _heard] and None)
        _hooked.append(True)
    _heard.append(hear)
    try:
        yield
    finally:
        _heard.remove(hear)
