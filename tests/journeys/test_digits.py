"""The digits demo, whole, as `make demo` runs it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lineal import Api
from tests.conftest import ROOT


@pytest.mark.timeout(600)
def test_the_demo_tells_its_whole_story(installation, place):
    pytest.importorskip("sklearn")
    pytest.importorskip("safetensors")
    out = place.work / "out"
    done = subprocess.run(
        [installation.python, ROOT / "examples/digits/demo.py", out],
        env=installation.environment(),
        capture_output=True,
        check=False,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    story = done.stdout

    accuracies = [float(number) for number in re.findall(r"accuracy (\d\.\d+)", story)]
    assert len(accuracies) == 3
    assert all(0.8 < accuracy < 1 for accuracy in accuracies)
    assert accuracies[2] == accuracies[1], "what is served is the second model"
    promoted = story.index("digits-classifier:production is now v0.")
    again = story.index("digits-classifier:production is now v1.")
    rolled_back = story.index("digits-classifier:production is v0 again.")
    assert promoted < again < rolled_back
    assert "matches its digest" in story

    api = Api(url=str(out / "store"), project="digits")
    assert api.artifact("digits-classifier:production").version == "v0"
    page = (out / "audit.html").read_text(encoding="utf-8")
    model = api.artifact("digits-classifier:v1")
    for artifact in (model, api.artifact("digits:v1")):
        assert artifact.digest in page
    assert model.logged_by() is not None
    assert (out / "lineage.svg").read_text(encoding="utf-8").count("<svg") == 1
    assert "digits-classifier" in (out / "lineage.html").read_text(encoding="utf-8")


def test_the_demo_leaves_nothing_beside_the_examples():
    ignored = (ROOT / ".gitignore").read_text() if (ROOT / ".gitignore").exists() else "/demo-out/"
    assert "/demo-out/" in ignored
    assert [p for p in Path(ROOT / "examples").rglob("*") if p.name in ("artifacts", "lineal.toml")] == []
