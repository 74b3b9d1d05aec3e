"""An ordinary W&B script, run with `import lineal as wandb`, and what is read back of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import lineal
from tests.conftest import ROOT

SCRIPT = ROOT / "examples/tracking/train.py"


@pytest.fixture
def train(place):
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")

    def train_(*words: str) -> None:
        done = subprocess.run(
            [sys.executable, SCRIPT, *words], cwd=place.work, capture_output=True, check=False, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""

    return train_


def test_a_script_written_for_wandb_runs_unchanged_and_everything_is_read_back(train, place):
    train("--alpha", "0.0001", "--epochs", "4")
    api = lineal.Api()
    (run,) = api.runs("digits-tracking")
    assert (run.state, run.tags, run.config) == ("finished", ["sgd"], {"alpha": 0.0001, "epochs": 4, "seed": 0})
    assert run.summary["epoch"] == 3
    assert 0.8 < run.summary["val/f1"]["max"] < 1
    assert run.metadata["command"][-2:] == ["--epochs", "4"]

    rows = run.history(keys=["val/f1"], pandas=False)
    assert [row["_step"] for row in rows] == [10, 21, 32, 43]
    assert max(row["val/f1"] for row in rows) == run.summary["val/f1"]["max"]
    assert len(list(run.scan_history(keys=["train/loss"]))) == 40
    console = [row["stdout"] for row in run.scan_history(stream="console") if "stdout" in row]
    assert [line[:8] for line in console] == [f"epoch {n}:" for n in range(4)]

    images = run.summary["mistakes"]["items"]
    assert {image["_type"] for image in images} == {"image-file"}
    picture = run.file(images[0]["path"]).download("pictures")
    from PIL import Image

    with Image.open(picture) as opened:
        assert opened.size == (8, 8)
    import pyarrow.parquet as pq

    table = pq.read_table(run.file(run.summary["mistakes_table"]["path"]).download("tables"))
    assert table.column_names == ["image", "label", "guess"]
    assert json.loads(table.column("image")[0].as_py())["_type"] == "image-file"
    counts = pq.read_table(run.file(run.summary["confusion"]["table"]["path"]).download("tables"))
    assert sum(counts.column("nPredictions").to_pylist()) == 540

    assert {artifact.name for artifact in run.used_artifacts()} == {"digits-raw:v0"}
    model = api.artifact("digits-tracking/digits-sgd:candidate")
    assert model.logged_by().id == run.id
    assert not list((place.cache / "runs").iterdir()), "what the store has is not kept twice"


def test_the_best_of_several_runs_is_found_in_a_data_frame(train):
    pandas = pytest.importorskip("pandas")
    for alpha in ("0.1", "0.0001"):
        train("--alpha", alpha, "--epochs", "2")
    runs = lineal.Api().runs("digits-tracking", order="-summary_metrics.val/f1.max")
    frame = runs.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    best = frame.sort_values("summary.val/f1.max").iloc[-1]
    assert best["config.alpha"] == runs[0].config["alpha"] == 0.0001
