"""Numbers for Prometheus, and who may read them."""

import os
import re
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from lineal.api.app import create_app
from lineal.api.metrics import Metrics, may_read
from lineal.backend.local.backend import LocalBackend
from tests.api.conftest import Ask, asking


@pytest.fixture
def ask(backend: LocalBackend) -> Ask:
    metrics = Metrics(backend)
    return asking(create_app(backend, listeners=[metrics], more=[metrics.router()]), peer="127.0.0.1")


def number(text: str, name: str, labels: str = "") -> float:
    match = re.search(rf"^{re.escape(name + labels)} (\S+)$", text, re.M)
    assert match, f"{name}{labels} in {text}"
    return float(match[1])


def test_requests_are_counted_by_route_and_status_with_their_time_and_bytes(ask: Ask) -> None:
    sent = sum(len(ask("GET", "/api/v1/projects").content) for _ in range(3))
    missing = ask("GET", "/api/v1/runs/secret")
    ask("POST", "/api/v1/runs", json={"run_id": "r"})
    text = ask("GET", "/metrics").text
    labels = '{method="GET",route="/api/v1/projects",status="200"}'
    assert number(text, "lineal_requests_total", labels) == 3
    assert number(text, "lineal_requests_total", '{method="GET",route="/api/v1/runs/{run_id}",status="404"}') == 1
    assert number(text, "lineal_request_seconds_count", '{method="GET",route="/api/v1/projects"}') == 3
    assert number(text, "lineal_sent_bytes_total") >= sent + len(missing.content)
    assert number(text, "lineal_received_bytes_total") == len(b'{"run_id":"r"}')
    assert number(text, "lineal_requests_under_way") == 1
    assert number(text, "lineal_database_connections") == 0
    assert number(text, "lineal_process_resident_bytes", f'{{process="{os.getpid()}"}}') > 1e6
    assert "secret" not in text


def test_paths_that_are_none_share_one_label(ask: Ask) -> None:
    for n in range(5):
        ask("GET", f"/nowhere/{n}")
    text = ask("GET", "/metrics").text
    assert number(text, "lineal_requests_total", '{method="GET",route="none",status="404"}') == 5


def scope(peer: str, *headers: tuple[bytes, bytes], caller: Any = None) -> dict[str, Any]:
    return {"client": (peer, 1), "headers": list(headers), "state": {"caller": caller}}


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "127.9.9.9"])
def test_this_machine_may_read_them_but_not_who_comes_through_a_proxy_on_it(peer: str) -> None:
    assert may_read(scope(peer), [])
    for name in (b"x-forwarded-for", b"forwarded", b"x-real-ip"):
        assert not may_read(scope(peer, (name, b"127.0.0.1")), [])


def test_other_machines_may_where_they_are_listed() -> None:
    listed = [ip_network("10.0.0.0/8"), ip_network("fd00::1")]
    assert may_read(scope("10.1.2.3"), listed)
    assert may_read(scope("fd00::1"), listed)
    for peer in ("192.168.0.1", "11.0.0.1", "fd00::2", "", "unix"):
        assert not may_read(scope(peer), listed)


def test_a_key_that_may_read_may() -> None:
    for permissions, may in ((None, True), (frozenset({"read"}), True), (frozenset({"write"}), False)):
        assert may_read(scope("192.168.0.1", caller=SimpleNamespace(permissions=permissions)), []) is may


def test_who_may_not_is_told_how_it_could(ask: Ask) -> None:
    answer = ask("GET", "/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden.metrics"
    assert "--metrics-from" in answer.json()["error"]["message"]
