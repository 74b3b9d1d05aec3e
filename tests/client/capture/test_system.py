import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lineal.client.capture.gpu import gpu_names
from lineal.client.capture.system import System

ROOT = Path(__file__).resolve().parents[3]
FIRST = {
    "system.memory.used_bytes",
    "system.memory.total_bytes",
    "system.proc.memory.rss_bytes",
    "system.proc.count",
    "system.disk.used_bytes",
    "system.disk.total_bytes",
    "system.disk.read_bytes",
    "system.disk.written_bytes",
    "system.network.sent_bytes",
    "system.network.received_bytes",
}


def without_gpus(values: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in values.items() if not key.startswith("system.gpu.")}


def busy(seconds: float) -> None:
    """Works for as much time of the CPU."""
    ends = time.process_time() + seconds
    while time.process_time() < ends:
        sum(range(1000))


def test_every_value_is_a_number_and_percentages_come_with_the_second_sample(tmp_path):
    system = System(tmp_path)
    first = without_gpus(system.sample())
    assert set(first) == FIRST
    busy(0.1)
    second = without_gpus(system.sample())
    assert set(second) == FIRST | {"system.cpu", "system.proc.cpu"}
    assert all(type(value) is float for value in second.values())


def test_values_are_those_of_the_machine(tmp_path):
    values = System(tmp_path).sample()
    assert values["system.memory.total_bytes"] == psutil.virtual_memory().total
    assert 0 < values["system.memory.used_bytes"] < values["system.memory.total_bytes"]
    assert 0 < values["system.disk.used_bytes"] <= values["system.disk.total_bytes"]
    assert values["system.proc.memory.rss_bytes"] > 5 << 20


def test_work_of_the_process_is_seen(tmp_path):
    system = System(tmp_path)
    system.sample()
    began, worked = time.monotonic(), time.process_time()
    busy(0.4)
    values = system.sample()
    share = 100 * (time.process_time() - worked) / (time.monotonic() - began)
    assert values["system.proc.cpu"] == pytest.approx(share, rel=0.3)
    assert 0 < values["system.cpu"] <= 100


def test_work_and_memory_of_children_are_seen_and_their_end_is_no_trouble(tmp_path):
    program = (
        "import sys; text = b'x' * (100 << 20); print(flush=True); sys.stdin.read(1); "
        "sum(range(10**7)); print(flush=True); sys.stdin.read()"
    )
    system = System(tmp_path)
    before = system.sample()
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        during = system.sample()
        assert during["system.proc.count"] == before["system.proc.count"] + 1
        assert during["system.proc.memory.rss_bytes"] > before["system.proc.memory.rss_bytes"] + (90 << 20)
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()
        assert system.sample()["system.proc.cpu"] > 10
        child.stdin.close()
        child.wait()
    after = system.sample()
    assert after["system.proc.count"] == before["system.proc.count"]
    assert after["system.proc.cpu"] >= 0


def test_bytes_of_disk_and_network_count_from_the_first_sample(tmp_path):
    system = System(tmp_path)
    first = system.sample()
    assert first["system.network.sent_bytes"] == first["system.disk.read_bytes"] == 0
    second = system.sample()
    assert second["system.network.received_bytes"] >= 0


def test_what_can_not_be_read_is_left_out_and_said_once(tmp_path, caplog):
    system = System(tmp_path / "gone")
    with caplog.at_level(logging.DEBUG, "lineal"):
        system.sample()
        values = system.sample()
    assert "system.disk.total_bytes" not in values
    assert "system.memory.total_bytes" in values
    assert sum("does not tell space" in record.getMessage() for record in caplog.records) == 1


def test_gpus_are_among_the_values_where_there_are_any(tmp_path):
    values = System(tmp_path).sample()
    assert len([key for key in values if key.endswith(".memory_total_bytes")]) == len(gpu_names())


def test_psutil_is_loaded_only_by_a_sample():
    program = "import sys, lineal.client.capture.system as s; s.System(s.Path()); print('psutil' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
