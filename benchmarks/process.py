"""One cell in a fresh process, with a fresh folder and a private home, its process tree's memory watched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from systems import LINEAL, Installed, environment

_SAMPLE_S = 0.02


class CellFailed(Exception):
    """The process ended with an error; the text is the end of its log."""


@dataclass(frozen=True)
class Job:
    """A script with its form, run for one system; `lineal` is the Python that Lineal is installed for."""

    script: Path
    form: str
    seeded: bool
    quick: bool
    timeout_s: float
    lineal: Path


def run(job: Job, installed: Installed, *, work: Path, data: Path) -> list[dict[str, Any]]:
    """The cell's measurements, each with its own peak memory or that of its processes. Raises CellFailed."""
    folder = work / "cell"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "at/home").mkdir(parents=True)
    try:
        if job.seeded:
            _start(job, installed, folder, data, "--seed")
        peak = _start(job, installed, folder, data)
        lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
        return [{"peak_mb": peak / 2**20, **json.loads(line)} for line in lines]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(job: Job, installed: Installed, folder: Path, data: Path, *more: str) -> int:
    """The most bytes that the process and its children held at once."""
    command = [str(installed.python), str(job.script), "--system", installed.system.name, "--form", job.form, *more]
    command += ["--folder", str(folder / "at"), "--data", str(data), "--results", str(folder / "results.jsonl")]
    command += ["--lineal", str(job.lineal)]
    command += ["--quick"] if job.quick else []
    variables = environment(folder / "at/home")
    variables["PATH"] = f"{installed.python.parent}{os.pathsep}{variables['PATH']}"
    if installed.system is not LINEAL:
        del variables["PYTHONPATH"]
    os.sync()
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder / "at", env=variables, stdout=log, stderr=log)
        peak = _watched(process, job.timeout_s)
    if process.returncode:
        raise CellFailed((folder / "log").read_text(errors="replace")[-2000:])
    return peak


def _watched(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """Waits for the process to end, and ends it when its time is over."""
    over = threading.Timer(timeout_s, _end, [process])
    over.start()
    peak, tree = 0, psutil.Process(process.pid)
    try:
        while True:
            try:
                process.wait(_SAMPLE_S)
                return peak
            except subprocess.TimeoutExpired:
                peak = max(peak, _memory(tree))
    finally:
        over.cancel()


def _memory(tree: psutil.Process) -> int:
    total = 0
    try:
        for process in (tree, *tree.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.Error:  # one of them has just ended
        return 0
    return total


def _end(process: subprocess.Popen[bytes]) -> None:
    for child in psutil.Process(process.pid).children(recursive=True):
        child.kill()
    process.kill()
