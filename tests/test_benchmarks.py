"""The benchmarks run: no time is checked, only that every cell comes to a number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import pi, prod
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def found(folder: str) -> Iterator[None]:
    """Modules of that folder can be imported."""
    sys.path.insert(0, str(ROOT / folder))
    try:
        yield
    finally:
        sys.path.pop(0)


def test_the_small_form_measures_every_cell(tmp_path: Path) -> None:
    with found("benchmarks"):
        import claims
    alone = os.environ | {"BENCHMARK_VENVS": str(tmp_path / "none"), "BENCHMARK_DATA": str(tmp_path / "data")}
    command = [
        sys.executable,
        "benchmarks/run.py",
        "--quick",
        "--work",
        str(tmp_path),
        "--out",
        str(tmp_path / "out.md"),
    ]
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert {row["work"] for row in rows} == {
        c.work for c in claims.CLAIMS
    } | claims.ALSO.keys() | claims.LIMITS.keys()
    assert all(row["seconds"] > 0 and row["peak_mb"] >= 0 for row in rows)
    assert "one 2 GiB file" in (tmp_path / "out.md").read_text()


def test_what_counts_in_a_work_is_seconds_unless_said_otherwise_for_it_or_what_it_is_named_after() -> None:
    with found("benchmarks"):
        import claims
    assert claims.fact("sweeps.branin") == claims.fact("sweeps.branin.four.tpe") == "regret"
    assert claims.fact("sweeps.suggest.20") == claims.fact("sweeps.branins") == "seconds"


def test_the_functions_that_sweeps_are_measured_on_have_their_known_minima() -> None:
    with found("benchmarks/workloads"):
        import problems
    branin, hartmann = problems.FUNCTIONS["branin"], problems.FUNCTIONS["hartmann6"]
    for a, b in ((-pi, 12.275), (pi, 2.275), (9.42478, 2.475)):
        point = {"x0": (a + 5) / 15, "x1": b / 15}
        assert branin.value(point) == pytest.approx(branin.least, abs=1e-5)
    at = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    assert hartmann.value({f"x{n}": v for n, v in enumerate(at)}) == pytest.approx(hartmann.least, abs=1e-5)


def test_a_table_has_the_nearest_cell_for_every_point(tmp_path: Path) -> None:
    with found("benchmarks/workloads"):
        import problems
    cells = [len(each.values) or 3 for each in problems.SPACES["svr"]]
    count = prod(cells)
    made = {"cells": cells, "values": list(range(count))}
    (tmp_path / "sweeps_svr.json").write_text(json.dumps(made))
    problem = problems.table("svr", tmp_path, Path(sys.executable), quick=False)
    last = {"kernel": "sigmoid", "scaling": "minmax", "C": 90.0, "gamma": 10.0, "epsilon": 0.5}
    assert problem.value(last) == count - 1
    assert problem.value(last | {"epsilon": 0.1}) == count - 2  # nearer to the middle, by its logarithm
    assert problem.value({"kernel": "rbf", "scaling": "standard", "C": 0.01, "gamma": 1e-4, "epsilon": 1e-3}) == 0
