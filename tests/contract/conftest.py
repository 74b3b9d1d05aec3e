"""Every implementation of the Backend, and small builders on top of the port alone.

A new implementation is one more function in OPENERS: it gives a Backend at one and the same store each time it is
called within a test, as whoever the settings say.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lineal.backend.connect import connect
from lineal.backend.port import Backend, Logged
from lineal.core import settings
from lineal.core.clock import new_id
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage import sources
from lineal.storage.cache import Cache
from lineal.storage.manifest import Entry, Manifest
from lineal.storage.transfer import Push
from tests import server
from tests.proxy import before

Files = Mapping[str, bytes | str]
Opener = Callable[..., Backend]


def folder_opener(tmp_path: Path, _request: pytest.FixtureRequest) -> Opener:
    return lambda **given: connect(settings.load(tmp_path, url=str(tmp_path / "store"), **given))


def memory_opener(tmp_path: Path, _request: pytest.FixtureRequest) -> Opener:
    url = f"memory:{new_id()}"
    return lambda **given: connect(settings.load(tmp_path, url=url, **given))


def postgres_opener(tmp_path: Path, request: pytest.FixtureRequest) -> Opener:
    url = request.getfixturevalue("postgres_url")
    return lambda **given: connect(settings.load(tmp_path, url=url, store=str(tmp_path / "store"), **given))


def server_opener(tmp_path: Path, _request: pytest.FixtureRequest) -> Opener:
    """A real server over real HTTP, with a store in a folder of its own."""
    url = server.start(tmp_path / "served")
    return lambda **given: connect(settings.load(tmp_path, url=url, **given))


def team_opener(tmp_path: Path, request: pytest.FixtureRequest) -> Opener:
    """Two servers over one PostgreSQL and one S3; each request goes to the other one than the last."""
    given = {
        name: request.getfixturevalue(f"{fixture}_url") for name, fixture in (("url", "postgres"), ("store", "s3"))
    }
    urls = [server.start(tmp_path / name, **given) for name in ("left", "right")]
    ends = ExitStack()
    request.addfinalizer(ends.close)
    proxy = ends.enter_context(before(*urls))
    return lambda **given: connect(settings.load(tmp_path, url=proxy.url, **given))


OPENERS = {
    "folder": folder_opener,
    "memory": memory_opener,
    "postgres": postgres_opener,
    "server": server_opener,
    "team": team_opener,
}


# A team takes seconds for what a folder does in milliseconds: it shows that no process keeps anything to itself.
_BY_A_TEAM = {
    "test_versions_are_numbered_from_zero_without_gaps",
    "test_same_content_is_the_same_version",
    "test_what_is_logged_can_be_read_back",
    "test_a_manifest_that_the_store_does_not_hold_is_refused_by_name",
    "test_a_manifest_whose_blobs_are_missing_is_refused_with_their_digests",
    "test_a_blob_that_is_no_manifest_is_refused_at_log",
    "test_latest_follows_the_newest_version_by_itself",
    "test_a_move_with_the_right_expectation_succeeds",
    "test_each_rollback_goes_one_further_back",
    "test_use_needs_a_run_that_is_running",
    "test_a_link_has_its_own_number_and_aliases",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves to a team only its own tests, one case of each, and to a server those that need nobody to be known."""
    seen: set[str] = set()
    left: list[pytest.Item] = []
    kept: list[pytest.Item] = []
    for item in items:
        name = getattr(item, "originalname", item.name)
        by_team = "open_desk" in (params := _params(item)) and params["open_desk"] == "team"
        skipped = by_team and (name not in _BY_A_TEAM or name in seen)
        # Once there are users a server asks who one is: tests of the guard, of the API and the journeys play that.
        skipped |= "test_access.py" in item.nodeid and params.get("open_desk") == "server"
        (left if skipped else kept).append(item)
        if by_team:
            seen.add(name)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def _params(item: pytest.Item) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return found


@dataclass(frozen=True)
class Desk:
    """A backend and a cache of its own, with what a client does on the way to a version."""

    backend: Backend
    cache: Cache

    def push(self, files: Files) -> str:
        """The digest of the manifest of `files`, all of it in the store."""
        with Push(self.backend.blobs, self.cache) as push:
            entries = [push.data(path, as_bytes(data)) for path, data in files.items()]
            return digests.format(push.manifest(Manifest(entries)))

    def push_entries(self, *entries: Entry) -> str:
        """The digest of a manifest whose blobs may not be there."""
        with Push(self.backend.blobs, self.cache) as push:
            return digests.format(push.manifest(Manifest(entries)))

    def push_bytes(self, data: bytes) -> str:
        """The digest of a blob that claims nothing about itself."""
        with Push(self.backend.blobs, self.cache) as push:
            entry = push.data("x", data)
        assert entry.digest is not None
        return digests.format(entry.digest)

    def push_folder(self, folder: Path, *, pack_limit_bytes: int = 1024) -> str:
        """The digest of the manifest of a folder; files over the limit become objects of their own."""
        with Push(self.backend.blobs, self.cache, pack_limit_bytes=pack_limit_bytes) as push:
            entries = push.files(sources.find_files(folder), trust=False)
            return digests.format(push.manifest(Manifest(entries)))

    def log(self, files: Files | str, collection: str = "data", type: str = "dataset", **more: Any) -> Version:
        """The version with these files; a text is the content of the one file `a`."""
        return self.logged(files, collection, type, **more).version

    def logged(self, files: Files | str, collection: str = "data", type: str = "dataset", **more: Any) -> Logged:
        digest = self.push({"a": files} if isinstance(files, str) else files)
        return self.backend.artifacts.log(collection, type, digest, **more)

    def run(self, run_id: str, **more: Any) -> str:
        return self.backend.runs.start(run_id, **more).id

    def step(self, run_id: str, uses: tuple[str, ...], makes: tuple[str, ...]) -> None:
        """A run that used some refs and made one version in each of the collections `makes`."""
        self.run(run_id)
        for ref in uses:
            self.backend.artifacts.use(ref, run_id)
        for collection in makes:
            self.log(f"{collection} by {run_id}", collection, run_id=run_id)


def as_bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


@pytest.fixture(params=sorted(OPENERS))
def open_desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens the test's one store as `user`, with `project` and so on as defaults."""
    import tempfile

    for name in ("URL", "STORE", "ENTITY", "PROJECT", "USER", "CACHE_DIR", "CACHE_SIZE", "PACK_LIMIT"):
        monkeypatch.delenv(f"LINEAL_{name}", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opener = OPENERS[request.param](tmp_path, request)
    opened: list[Desk] = []

    def open_(**given: Any) -> Desk:
        given = {"user": "ada", "cache_dir": str(tmp_path / "cache"), **given}
        opened.append(Desk(opener(**given), Cache(tmp_path / "cache")))
        return opened[-1]

    yield open_
    for desk in opened:
        desk.backend.close()
        desk.cache.close()
    server.stop()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


@pytest.fixture
def backend(desk: Desk) -> Backend:
    return desk.backend
