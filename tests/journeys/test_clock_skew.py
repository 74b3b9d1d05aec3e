"""Clocks that are an hour wrong: of a client, of one of two servers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from lineal.backend.connect import connect
from lineal.backend.port import Backend
from lineal.core import clock, settings
from lineal.core.errors import BlobsMissing
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from tests.journeys.farm import Farm, contents
from tests.journeys.serving import Serving, until
from tests.journeys.test_server import Upload, under_way
from tests.journeys.workers import fill, log
from tests.skewed import skewed

RUN = """
import sys, time
import lineal
with lineal.init(project="p", id=sys.argv[1]) as run:
    for n in range(3):
        run.log({"loss": n})
    artifact = lineal.Artifact("m", "model")
    artifact.add(sys.argv[1], "a.txt")
    print(run.log_artifact(artifact, aliases=["best"]).version, time.time())
"""


@pytest.fixture
def ground(tmp_path: Path, postgres_url: str, s3_url: str) -> Iterator[Farm]:
    farm = Farm(tmp_path, postgres_url, s3_url)
    yield farm
    farm.kill()


def reach(server: Serving, folder: Path, stack: ExitStack) -> Backend:
    opened = connect(settings.load(folder, url=server.url, user="ada", project="p"))
    return stack.enter_context(closing(opened))


def test_clients_an_hour_ahead_and_behind_are_shown_by_the_servers_clock(ground: Farm) -> None:
    ground.start(1)
    began, told = clock.now(), {}
    for n, hours in enumerate((1, -1)):
        variables = {**os.environ, "LINEAL_URL": ground.servers[0].url, **skewed(hours)}
        command = [sys.executable, "-W", "error", "-c", RUN, f"r{n}"]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        version, told[hours] = done.stdout.split()[-2:]
        assert version == f"v{n}"
    ended = clock.now()
    assert float(told[1]) - float(told[-1]) > 3600  # their clocks were as wrong as that
    with closing(ground.reach()) as backend:
        found = backend.runs.list(order="+created_at").runs
        assert [(run.id, run.state) for run in found] == [("r0", "finished"), ("r1", "finished")]
        for run in found:
            assert run.finished_at is not None
            assert began <= run.created_at <= run.finished_at <= ended
        versions = backend.artifacts.list_versions("m")
        assert [version.number for version in versions] == [1, 0]
        assert began <= versions[1].created_at < versions[0].created_at <= ended
        assert backend.artifacts.resolve("m:best", at=versions[0].created_at - timedelta(microseconds=1)).number == 0
        assert [row["loss"] for row in backend.runs.rows("r0")] == [0, 1, 2]
        assert backend.store.fsck().problems == ()


@pytest.mark.parametrize("hours", [1, -1])
def test_a_server_an_hour_off_is_not_ready_says_why_and_harms_nothing(ground: Farm, hours: int) -> None:
    ground.start(1)
    with ExitStack() as stack:
        wrong = ground.one(**skewed(hours))
        stack.callback(wrong.process.communicate)
        stack.callback(wrong.process.kill)
        assert httpx.get(f"{wrong.url}/health").status_code == 200
        answer = httpx.get(f"{wrong.url}/ready")
        assert (answer.status_code, answer.json()["reason"]) == (503, "unavailable.clock")
        assert until(lambda: "have both set by NTP" in wrong.log.read_text())
        refused = httpx.post(f"{wrong.url}/api/v1/store/fsck", json={}, timeout=60)
        assert refused.status_code == 503
        assert "RequestTimeTooSkewed" in refused.json()["error"]["message"]  # S3 sees it too
        right = reach(ground.servers[0], ground.folder, stack)
        cache = stack.enter_context(closing(Cache(ground.folder / "cache")))
        assert log(right, cache, fill(ground.folder, "right", large=True), "data").number == 0
        assert httpx.get(f"{ground.servers[0].url}/ready").json() == {"status": "ready"}
        assert right.store.fsck().problems == ()


def test_a_server_an_hour_ahead_collects_nothing_that_is_on_its_way_now(tmp_path: Path, postgres_url: str) -> None:
    ground = Farm(tmp_path, postgres_url, str(tmp_path / "store"))
    with ExitStack() as stack:
        stack.callback(ground.kill)
        ground.start(1)
        ahead = ground.one(**skewed(1))
        stack.callback(ground.servers.append, ahead)
        right, wrong = reach(ground.servers[0], tmp_path, stack), reach(ahead, tmp_path, stack)
        cache = stack.enter_context(closing(Cache(tmp_path / "cache")))
        log(right, cache, fill(tmp_path, "before", large=True), "data")
        before = len(contents(tmp_path / "store"))
        with Upload(ground.servers[0]) as upload:
            until(lambda: under_way(ground.servers[0]))
            until(lambda: len(contents(tmp_path / "store")) > before)
            plan = wrong.store.plan_gc(grace_s=0)
            assert (plan.stray_count, plan.blob_count) == (0, 0)
            wrong.store.gc(plan)
            assert upload.end() == 204
        with Push(right.blobs, cache) as push:
            digest = digests.format(push.manifest(Manifest([push.data("a", b"pushed now")])))
        wrong.store.gc(wrong.store.plan_gc())
        assert right.artifacts.log("pushed", "dataset", digest).made
        with Push(right.blobs, cache) as push:
            digest = digests.format(push.manifest(Manifest([push.data("a", b"pushed with little grace")])))
        wrong.store.gc(wrong.store.plan_gc(grace_s=60))  # to that server it is an hour old
        with pytest.raises(BlobsMissing):  # on which clients push again
            right.artifacts.log("pushed", "dataset", digest)
        assert log(right, cache, fill(tmp_path, "before", large=True), "data").number == 0
        assert log(right, cache, fill(tmp_path, "after", large=False), "data").number == 1
        assert right.store.fsck().problems == ()


def test_keys_and_sessions_of_one_server_hold_at_another_that_is_an_hour_ahead(ground: Farm) -> None:
    ground.start(1)
    with ExitStack() as stack:
        ahead = ground.one(**skewed(1))
        stack.callback(ground.servers.append, ahead)
        backend = stack.enter_context(closing(ground.reach()))
        backend.access.add_user("ada", admin=True, password="four words are enough")
        lasting = backend.access.make_key("a", user="ada").secret
        short = backend.access.make_key("b", user="ada", expires_in_s=1800).secret
        urls = [ground.servers[0].url, ahead.url]

        def status(url: str, key: str) -> int:
            return httpx.get(f"{url}/api/v1/projects", headers={"Authorization": f"Bearer {key}"}).status_code

        assert [status(url, lasting) for url in urls] == [200, 200]
        assert [status(url, short) for url in urls] == [200, 401]  # early rather than late
        for first, second in (urls, urls[::-1]):
            with httpx.Client(headers={"Origin": first}) as browser:
                body = {"name": "ada", "password": "four words are enough"}
                assert browser.post(f"{first}/api/v1/session", json=body).status_code == 200
                assert browser.get(f"{second}/api/v1/projects").status_code == 200


def test_a_run_is_running_for_the_right_server_whatever_another_thinks(ground: Farm) -> None:
    ground.start(1)
    with ExitStack() as stack:
        ahead = ground.one(**skewed(1))
        stack.callback(ground.servers.append, ahead)
        right, wrong = reach(ground.servers[0], ground.folder, stack), reach(ahead, ground.folder, stack)
        right.runs.start("r")
        assert right.runs.get("r").state == "running"
        assert wrong.runs.get("r").state in ("running", "crashed")  # which is why no proxy asks it: it isn't ready
        assert right.runs.finish("r").state == "finished"
        assert wrong.runs.get("r").state == "finished"
