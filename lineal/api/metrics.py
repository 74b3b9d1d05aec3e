"""`/metrics` for Prometheus: what was asked, how long it took, what it cost; over all workers of this server.

Several workers put their numbers into files of one folder, which PROMETHEUS_MULTIPROC_DIR names when this process
starts; whichever worker is asked adds them up. No label has a name of a user, a project or a collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from lineal.api.outer import Scope
from lineal.api.served import Listener, Served, peer_of
from lineal.backend.local.backend import LocalBackend
from lineal.core.errors import ForbiddenMetrics
from lineal.core.settings import environment

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})


class Metrics(Listener):
    """The numbers of this process, and the route that shows those of all."""

    def __init__(self, backend: LocalBackend, *, readers: Collection[str] = ()) -> None:
        self._backend = backend
        self._readers = [ip_network(reader) for reader in readers]
        self._own = own = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter("lineal_requests", "Requests answered.", (*labels, "status"), registry=own)
        self._seconds = Histogram(
            "lineal_request_seconds", "How long requests took.", labels, buckets=_BUCKETS, registry=own
        )
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._under_way = _gauge("lineal_requests_under_way", "Requests begun and not ended.", own)
        self._in = Counter("lineal_received_bytes", "Bytes of requests' bodies.", registry=own)
        self._out = Counter("lineal_sent_bytes", "Bytes of answers' bodies.", registry=own)
        self._rows = Counter("lineal_run_rows", "Rows recorded for runs.", registry=own)
        self._connections = _gauge("lineal_database_connections", "Connections to the rows in use.", own)

    def begun(self) -> None:
        self._under_way.inc()

    def ended(self, served: Served) -> None:
        self._under_way.dec()
        route = served.route or "none"
        requests, seconds = self._of(served.method, route, served.status)
        requests.inc()
        seconds.observe(served.seconds)
        self._in.inc(served.bytes_in)
        self._out.inc(served.bytes_out)
        self._rows.inc(served.rows)
        self._connections.set(self._backend.connections())

    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """The numbers with these labels, which prometheus_client takes its time to find."""
        found = self._found.get((method, route, status))
        if found is None:
            requests = self._requests.labels(method, route, str(status))
            found = requests, self._seconds.labels(method, route)
            self._found[method, route, status] = found
        return found

    def router(self) -> APIRouter:
        """`/metrics`, for those who may read it."""
        made = APIRouter(include_in_schema=False)

        @made.get("/metrics")
        def metrics(request: Request) -> Response:
            if not may_read(request.scope, self._readers):
                raise ForbiddenMetrics(
                    "metrics are for this machine, for keys that may read, and for the addresses that the server was "
                    "started with: `--metrics-from` or LINEAL_SERVER_METRICS_FROM"
                )
            return Response(self.text(), media_type=CONTENT_TYPE_LATEST)

        return made

    def text(self) -> bytes:
        """All numbers, as Prometheus reads them."""
        registry = self._own
        if _together():
            from prometheus_client import multiprocess

            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(_Processes())


def may_read(scope: Scope, readers: Iterable[object]) -> bool:
    """Whether who asks may read the numbers: a key that may read, a listed address, or this machine itself.

    What comes through a proxy on this machine comes from elsewhere, whether or not that proxy is trusted.
    """
    caller = scope.get("state", {}).get("caller")
    if caller is not None and (caller.permissions is None or "read" in caller.permissions):
        return True
    try:
        peer = ip_address(peer_of(scope))
    except ValueError:
        return False
    if any(peer in reader for reader in readers):  # type: ignore[operator]
        return True
    return peer.is_loopback and not any(name in _FORWARDED for name, _ in scope["headers"])


class _Processes:
    """Memory, time and threads of each worker, asked when somebody reads them."""

    def collect(self) -> Iterator[Metric]:
        import psutil

        label = ("process",)
        memory = GaugeMetricFamily("lineal_process_resident_bytes", "Memory in use.", labels=label)
        spent = CounterMetricFamily("lineal_process_cpu_seconds", "Processor time spent.", labels=label)
        began = GaugeMetricFamily("lineal_process_start_time_seconds", "When it started.", labels=label)
        files = GaugeMetricFamily("lineal_process_open_files", "Descriptors in use.", labels=label)
        for process in _processes():
            try:
                with process.oneshot():
                    of = (str(process.pid),)
                    memory.add_metric(of, process.memory_info().rss)
                    times = process.cpu_times()
                    spent.add_metric(of, times.user + times.system)
                    began.add_metric(of, process.create_time())
                    files.add_metric(of, process.num_fds() if hasattr(process, "num_fds") else process.num_handles())
            except psutil.Error:
                continue  # it has ended meanwhile
        yield from (memory, spent, began, files)


def _processes() -> list[Any]:
    import psutil

    here = psutil.Process()
    if not _together() or (supervisor := here.parent()) is None:
        return [here]
    return [supervisor, *supervisor.children()]


def _together() -> bool:
    """Whether several workers count into one folder."""
    return bool(environment("PROMETHEUS_MULTIPROC_DIR"))


def _gauge(name: str, what: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, what, registry=registry, multiprocess_mode="livesum")
