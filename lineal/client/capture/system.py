"""How busy the machine is: the host, the process and its children, the disk, the network, the GPUs."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from lineal.client.capture.gpu import gpu_sample

_log = logging.getLogger("lineal")
_Process = tuple[int, float]  # a process's number may be given again: with the moment it began it is one


class System:
    """Samples, one after another; a value that can't be read is left out. One thread at a time may ask.

    A name without a unit is a percentage: of all cores for `system.cpu`, of one core for `system.proc.cpu`.
    CPU percentages are of the time since the sample before, so the first sample has none.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`: whose disk's space is told."""
        self._folder = folder
        self._failed: set[str] = set()
        self._began: dict[str, int] = {}
        self._cpu_before: tuple[float, float] | None = None
        self._tree_before: tuple[float, dict[_Process, float]] | None = None

    def sample(self) -> dict[str, float]:
        """The values now, by key; bytes read, written, sent and received are the host's, since the first sample."""
        values: dict[str, float] = {}
        for read in (self._cpu, self._memory, self._tree, self._space, self._disk, self._network, gpu_sample):
            values |= self._read(read)
        return values

    def _read(self, read: Callable[[], dict[str, float]]) -> dict[str, float]:
        try:
            return read()
        except Exception as problem:  # whatever a platform does not tell must not end the run
            if read.__name__ not in self._failed:
                self._failed.add(read.__name__)
                _log.debug("the system does not tell %s: %r", read.__name__.strip("_"), problem)
            return {}

    def _cpu(self) -> dict[str, float]:
        import psutil

        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Linux counts the time of guests within that of users.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        before, self._cpu_before = self._cpu_before, (idle, total)
        if before is None or total <= before[1]:
            return {}
        busy = 1 - (idle - before[0]) / (total - before[1])
        return {"system.cpu": min(100.0, max(0.0, 100 * busy))}

    def _memory(self) -> dict[str, float]:
        import psutil

        memory = psutil.virtual_memory()
        return {
            "system.memory.used_bytes": float(memory.total - memory.available),
            "system.memory.total_bytes": float(memory.total),
        }

    def _tree(self) -> dict[str, float]:
        import psutil

        this = psutil.Process()
        rss_bytes, seconds = 0, dict[_Process, float]()
        for process in (this, *this.children(recursive=True)):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    rss_bytes += process.memory_info().rss
                    seconds[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:
                continue  # it has just ended
        now = monotonic()
        before, self._tree_before = self._tree_before, (now, seconds)
        values = {"system.proc.memory.rss_bytes": float(rss_bytes), "system.proc.count": float(len(seconds))}
        if before is not None and now > before[0]:
            spent = sum(spent - before[1].get(process, 0.0) for process, spent in seconds.items())
            values["system.proc.cpu"] = 100 * spent / (now - before[0])
        return values

    def _space(self) -> dict[str, float]:
        space = shutil.disk_usage(self._folder)
        return {"system.disk.used_bytes": float(space.used), "system.disk.total_bytes": float(space.total)}

    def _disk(self) -> dict[str, float]:
        import psutil

        disks = psutil.disk_io_counters()
        return self._grown(
            {"system.disk.read_bytes": disks.read_bytes, "system.disk.written_bytes": disks.write_bytes}
        )

    def _network(self) -> dict[str, float]:
        import psutil

        network = psutil.net_io_counters()
        return self._grown(
            {"system.network.sent_bytes": network.bytes_sent, "system.network.received_bytes": network.bytes_recv}
        )

    def _grown(self, counters: dict[str, int]) -> dict[str, float]:
        return {key: float(now - self._began.setdefault(key, now)) for key, now in counters.items()}
