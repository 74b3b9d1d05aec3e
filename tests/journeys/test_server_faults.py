"""What was acknowledged stays, whatever fails: servers killed, PostgreSQL restarted, an S3 in trouble, clients killed.

Two real server processes over a real PostgreSQL and a real S3, with client processes that go on by themselves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lineal.backend.connect import connect
from lineal.core import settings
from lineal.storage.cache import Cache
from tests.journeys.farm import Farm, contents, farm, heard, to_the_end
from tests.journeys.processes import workers
from tests.journeys.serving import until
from tests.journeys.workers import fill, log
from tests.postgres import own_server
from tests.proxy import Fault, Passed, before
from tests.seaweed import Endpoint

TEAM = [("team", str(n), "4") for n in range(8)]


@pytest.fixture
def two(tmp_path: Path, postgres_url: str, s3_url: str) -> Iterator[Farm]:
    with farm(tmp_path, postgres_url, s3_url) as servers:
        yield servers


def test_two_servers_that_are_killed_under_eight_clients_lose_nothing(two: Farm) -> None:
    with workers(two.folder, TEAM) as clients:
        said = heard(clients[:3], 1)
        for _ in range(2):
            two.kill()
            two.start()
            said += heard(clients[:1], 1)
        said += to_the_end(clients)
    two.check(said)
    assert len([line for line in said if line.startswith("done")]) == 32


def test_a_database_that_stops_under_eight_clients_of_two_servers_loses_nothing(tmp_path: Path, s3_url: str) -> None:
    with own_server() as postgres, farm(tmp_path, postgres.url, s3_url) as servers:
        with workers(tmp_path, TEAM) as clients:
            said = heard(clients[:2], 1)
            for how in ("fast", "immediate"):
                postgres.stop(how)
                postgres.start()
                said += heard(clients[:1], 1)
            said += to_the_end(clients)
        servers.check(said)
        assert len([line for line in said if line.startswith("done")]) == 32


class Trouble:
    """An S3 that goes wrong in turns: busy, cutting what it is sent and what it sends, slow, and well at last."""

    def __init__(self) -> None:
        self.met: dict[str, int] = {}
        self.all_met = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, passed: Passed, number: int) -> Fault | None:
        turn = number % 12
        if self.all_met.is_set() and number % 5:
            return None
        if turn in (1, 2):
            return self._meet("busy", Fault(status=503))
        if turn == 4 and passed.size > 100:
            return self._meet("request cut", Fault(request_cut=passed.size // 2))
        if turn == 6 and passed.method == "GET":
            return self._meet("answer cut", Fault(answer_cut=100))
        if turn in (8, 9):
            return self._meet("slow", Fault(slow_s=0.3))
        return None

    def _meet(self, what: str, fault: Fault) -> Fault:
        with self._lock:
            self.met[what] = self.met.get(what, 0) + 1
            if len(self.met) == 4:
                self.all_met.set()
        return fault


def test_an_s3_that_is_busy_slow_and_cuts_bodies_costs_time_and_nothing_else(
    tmp_path: Path, postgres_url: str, s3: Endpoint, s3_url: str
) -> None:
    with before(s3.url) as proxy:
        trouble = Trouble()
        with farm(tmp_path, postgres_url, s3_url, AWS_ENDPOINT_URL_S3=proxy.url) as servers:
            proxy.faults = trouble
            with workers(tmp_path, [("team", str(n), "3") for n in range(4)]) as clients:
                said = to_the_end(clients)
            proxy.faults = lambda _passed, _number: None
            servers.check(said)
    assert len([line for line in said if line.startswith("done")]) == 12
    assert trouble.met.keys() >= {"busy", "request cut", "slow"}, trouble.met


def test_an_s3_that_is_gone_is_told_as_unavailable_and_clients_go_on_once_it_is_back(
    tmp_path: Path, postgres_url: str, s3: Endpoint, s3_url: str
) -> None:
    with before(s3.url) as proxy, farm(tmp_path, postgres_url, s3_url, AWS_ENDPOINT_URL_S3=proxy.url) as servers:
        with workers(tmp_path, [("team", str(n), "2") for n in range(4)]) as clients:
            proxy.faults = lambda _passed, _number: Fault(status=503)
            line = clients[0].hear()
            proxy.faults = lambda _passed, _number: None
            said = [line, *to_the_end(clients)]
        assert line.startswith("refused unavailable."), line
        servers.check(said)
