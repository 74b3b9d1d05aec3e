"""NVIDIA GPUs, asked through the driver's own library (NVML)."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from lineal.core.settings import environment

_DRIVER_FOLDERS = (
    *("/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"),
    *("/usr/local/nvidia/lib64", "/usr/lib/wsl/lib", "/run/opengl-driver/lib"),
)
_log = logging.getLogger("lineal")
_opening = threading.Lock()


def gpu_names() -> list[str]:
    """The names of the host's NVIDIA GPUs, in the driver's order; asking for the first time may take a second."""
    names = []
    for _, nvml, gpu in _gpus():
        try:
            names.append(str(nvml.nvmlDeviceGetName(gpu)))
        except Exception:  # a GPU that fell off the bus
            names.append("unknown")
    return names


def gpu_sample() -> dict[str, float]:
    """Per GPU: utilisation (percent), memory, temperature and power, as far as the driver tells; empty without."""
    values: dict[str, float] = {}
    for number, nvml, gpu in _gpus():
        for read in (_utilisation, _memory, _temperature, _power):
            try:
                values |= {f"system.gpu.{number}.{key}": value for key, value in read(nvml, gpu).items()}
            except Exception as problem:  # not supported by this GPU, or it fell off the bus
                _say_once(number, read, repr(problem))
    return values


def _utilisation(nvml: Any, gpu: Any) -> dict[str, float]:
    return {"utilisation": float(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu)}


def _memory(nvml: Any, gpu: Any) -> dict[str, float]:
    memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
    return {"memory_bytes": float(memory.used), "memory_total_bytes": float(memory.total)}


def _temperature(nvml: Any, gpu: Any) -> dict[str, float]:
    return {"temperature_c": float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU))}


def _power(nvml: Any, gpu: Any) -> dict[str, float]:
    return {"power_w": nvml.nvmlDeviceGetPowerUsage(gpu) / 1000}


def _gpus() -> list[tuple[int, Any, Any]]:
    with _opening:  # two threads asking at first would open the driver twice
        return _opened()


@cache
def _opened() -> list[tuple[int, Any, Any]]:
    """Each GPU's number, NVML and its handle. Opened once: a host without GPU is asked once and stays without."""
    if not _likely():
        _log.debug("no NVIDIA GPU is watched: there is no driver")
        return []
    try:
        import pynvml as nvml

        nvml.nvmlInit()
        count = nvml.nvmlDeviceGetCount()
    except Exception as problem:  # no driver, no library, or one that can't be asked
        _log.debug("no NVIDIA GPU is watched: %s", problem)
        return []
    found = []
    for number in range(count):
        try:
            found.append((number, nvml, nvml.nvmlDeviceGetHandleByIndex(number)))
        except Exception as problem:  # lost, or not ours to see
            _log.debug("GPU %d is not watched: %s", number, problem)
    return found


def _likely() -> bool:
    """Whether it is worth loading NVML, which takes as long as starting a run: off Linux nobody knows."""
    if sys.platform != "linux":
        return True
    folders = [*(environment("LD_LIBRARY_PATH") or "").split(":"), *_DRIVER_FOLDERS]
    return os.path.exists("/proc/driver/nvidia") or any(
        os.path.exists(os.path.join(folder, "libnvidia-ml.so.1")) for folder in folders if folder
    )


@cache
def _say_once(number: int, read: Callable[..., object], problem: str) -> None:
    _log.debug("GPU %d tells no %s: %s", number, read.__name__.strip("_"), problem)
