"""Measures what we claim about speed, against peers, in one command.

    python benchmarks/run.py [--quick] [--only NAME …] [--peers NAME …] [--runs N] [--out FILE.md] [--work FOLDER]

Each peer gets a virtual environment (`BENCHMARK_VENVS`: a folder of existing ones); the files to log are made once
(`BENCHMARK_DATA`: the folder they are in). Every cell, one system doing one family of work, is a fresh process in a
fresh folder, and run k of every system comes before run k + 1 of any. Raw results go to `<work>/results.jsonl`.

`--quick` does everything in small, with what is installed already, and only shows that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import table
from process import CellFailed, Job
from process import run as run_cell
from systems import LINEAL, ROOT, SYSTEMS, Installed, Unavailable, find, install

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Workload:
    """A script of `workloads/`, in one of its forms, and who takes part.

    `seeded`: a process of its own fills stores. `once`: what it finds is the same each time, so it is run once.
    """

    script: str
    systems: tuple[str, ...] = ()
    form: str = ""
    seeded: bool = False
    once: bool = False


WORKLOADS = {
    "limits": Workload("limits.py"),
    "start": Workload("workloads/start.py", ("trackio", "wandb", "mlflow", "aim")),
    "file": Workload("workloads/files.py", ("trackio", "wandb", "mlflow", "dvc"), form="file"),
    "tree": Workload("workloads/files.py", ("trackio", "wandb", "mlflow", "dvc", "aim"), form="tree"),
    "s3-tree": Workload("workloads/s3.py", form="tree"),
    "s3-file": Workload("workloads/s3.py", form="file"),
    "registry": Workload("workloads/registry.py", ("mlflow", "trackio"), seeded=True),
    "search": Workload("workloads/search.py", ("mlflow",), seeded=True),
    "log": Workload("workloads/log.py", ("trackio", "wandb", "aim")),
    "long": Workload("workloads/log.py", ("trackio", "wandb"), form="long"),
    "curves": Workload("workloads/curves.py", seeded=True),
    "http-resolve": Workload("workloads/http_resolve.py", ("mlflow",)),
    "http-log": Workload("workloads/http_log.py", ("mlflow",)),
    "server-start": Workload("workloads/server_start.py", ("mlflow",)),
    "http-load": Workload("workloads/http_load.py"),
    "lineage": Workload("workloads/lineage.py", ("mlmd",), seeded=True),
    "sweeps": Workload("workloads/trials.py", ("optuna", "skopt", "sweeps"), form="alone", once=True),
    "sweeps-four": Workload("workloads/trials.py", ("optuna", "sweeps"), form="four", once=True),
    "sweeps-tables": Workload("workloads/trials.py", ("optuna", "sweeps"), form="tables", once=True),
    "sweeps-time": Workload("workloads/suggestion.py", ("optuna", "sweeps")),
    "sweeps-stop": Workload("workloads/hyperband.py", ("optuna", "sweeps"), once=True),
    "sweeps-agents": Workload("workloads/agents.py"),
}


@dataclass(frozen=True)
class Asked:
    """The command line."""

    quick: bool
    only: Sequence[str]
    peers: Sequence[str]
    runs: int
    out: Path | None
    work: Path


def main() -> int:
    """0 where every cell has its numbers."""
    asked = _parse()
    asked.work.mkdir(parents=True, exist_ok=True)
    venvs = Path(os.environ.get("BENCHMARK_VENVS", asked.work / "venvs")).absolute()
    installed, absent = _systems(asked, venvs)
    rows, failed = _measure(asked, installed)
    titles = {name: found.title for name, found in installed.items()}
    titles["lineal"] += f" ({_commit()})"
    results = table.Results(rows, titles, absent | failed, small=asked.quick)
    page = table.report(results, machine.facts(asked.work), runs=asked.runs)
    print(page)
    if asked.out is not None:
        asked.out.write_text(page, encoding="utf-8")
    return 1 if failed else 0


def _parse() -> Asked:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--peers", nargs="+", choices=[name for name in SYSTEMS if name != LINEAL.name], default=None)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", type=Path, default=HERE / ".work")
    given = parser.parse_args()
    peers = list(SYSTEMS) if given.peers is None else given.peers
    runs = given.runs or (1 if given.quick else 3)
    return Asked(given.quick, given.only, peers, runs, given.out, given.work.absolute())


def _systems(asked: Asked, venvs: Path) -> tuple[dict[str, Installed], dict[str, str]]:
    """The systems that take part, Lineal first, and why the others don't."""
    wanted = {name for workload in asked.only for name in WORKLOADS[workload].systems if name in asked.peers}
    installed, absent = {}, {}
    for name, system in SYSTEMS.items():
        if system is LINEAL or name in wanted:
            try:
                installed[name] = (find if asked.quick else install)(system, venvs)
            except Unavailable as problem:
                if system is LINEAL:
                    raise
                absent[system.package] = str(problem)
    return installed, absent


def _measure(asked: Asked, installed: dict[str, Installed]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every measurement, written to the raw results as it is made, and the cells that failed."""
    rows, failed = [], {}
    data = Path(os.environ.get("BENCHMARK_DATA", asked.work / "data")).absolute()
    with (asked.work / "results.jsonl").open("w", encoding="utf-8") as raw:
        for run, name, found in _cells(asked, installed):
            cell = f"{name}, {found.title}"
            print(f"run {run + 1} of {asked.runs}: {cell}", file=sys.stderr, flush=True)
            try:
                made = run_cell(_job(name, installed["lineal"], quick=asked.quick), found, work=asked.work, data=data)
            except CellFailed as problem:
                print(problem, file=sys.stderr)
                failed[cell] = str(problem).strip().rpartition("\n")[2]
                continue
            for row in made:
                rows.append(row)
                raw.write(json.dumps(row | {"run": run, "version": found.version}) + "\n")
            raw.flush()
    return rows, failed


def _cells(asked: Asked, installed: dict[str, Installed]) -> Iterator[tuple[int, str, Installed]]:
    for name in asked.only:
        for run in range(1 if WORKLOADS[name].once else asked.runs):
            for system in ("lineal", *WORKLOADS[name].systems):
                if system in installed:
                    yield run, name, installed[system]


def _job(name: str, ours: Installed, *, quick: bool) -> Job:
    workload = WORKLOADS[name]
    limit_s = 120 if quick else 1800
    return Job(HERE / workload.script, workload.form, workload.seeded, quick, limit_s, ours.python)


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "no git"


if __name__ == "__main__":
    sys.exit(main())
