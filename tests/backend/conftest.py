"""A backend behind a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineal.backend.connect import connect
from lineal.backend.remote import RemoteBackend
from lineal.core import settings


@pytest.fixture
def remote(tmp_path: Path, url: str) -> Iterator[RemoteBackend]:
    """The store behind the server at the test's own `url`."""
    backend = connect(settings.load(tmp_path, url=url, cache_dir=str(tmp_path / "cache")))
    assert isinstance(backend, RemoteBackend)
    yield backend
    backend.close()
