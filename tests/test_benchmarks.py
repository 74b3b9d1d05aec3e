"""The benchmarks run: no time is checked, only that every cell comes to a number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_small_form_measures_every_cell(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import claims
    finally:
        sys.path.pop(0)
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
