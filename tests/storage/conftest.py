"""Fixtures of this room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.local.context import LocalBlobs
from lineal.storage.cache import Cache
from tests.processes import open_path, run_child, start_child
from tests.stores import folder_blobs

__all__ = ["open_path", "run_child", "start_child"]


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    """Blobs in a folder of the test's own."""
    return folder_blobs(tmp_path / "store")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    """A cache of the test's own."""
    cache = Cache(tmp_path / "cache")
    yield cache
    cache.close()
