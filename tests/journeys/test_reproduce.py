"""A run with uncommitted changes and an input that has moved on since is brought back, to the same metric."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

import lineal

DATA = """
import json, sys
import numpy as np
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
keep = slice(0, int(sys.argv[1]))
np.save("images.npy", images[keep]), np.save("labels.npy", labels[keep])
"""
TRAIN = """
import argparse
import lineal
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--power", type=float)
args = parser.parse_args()
with lineal.init(project="digits", config=vars(args), settings={"system": False}) as run:
    folder = run.use_artifact("digits:latest").download()
    images, labels = np.load(f"{folder}/images.npy"), np.load(f"{folder}/labels.npy")
    images = images ** args.power
    half = len(images) // 2
    means = np.stack([images[:half][labels[:half] == n].mean(0) for n in range(10)])
    found = ((images[half:, None] - means) ** 2).sum(2).argmin(1)
    run.log({"accuracy": float((found == labels[half:]).mean()), "count": len(images)})
"""


@pytest.fixture
def trained(shell, place):
    """The id of a run of a changed script on the first version of the digits, which have a second one by now."""
    pytest.importorskip("sklearn")
    repo = place.work / "repo"
    (repo / "src").mkdir(parents=True)
    (repo / "src" / "train.py").write_text(TRAIN.replace("images ** args.power", "images"))
    (repo / ".gitignore").write_text("artifacts/\n__pycache__/\n")
    (place.work / "data.py").write_text(DATA)
    git = "git -c user.name=a -c user.email=a@example.org"
    shell(f"cd repo && git init -q && git add . && {git} commit -q -m first", check=True)
    (repo / "src" / "train.py").write_text(TRAIN)
    add = "python data.py {} && mkdir -p d && mv *.npy d && lineal --project digits add d digits --type dataset"
    shell(add.format(1797), check=True)
    done = shell("cd repo/src && python train.py --power 0.5")
    assert done.returncode == 0, done.stderr
    shell(add.format(300), check=True)
    [run] = [run for run in lineal.Api().runs("digits") if "accuracy" in run.summary]
    assert run.summary["count"] == 1797
    return run


def accuracy_of_the_reproduction(run):
    [again] = [one for one in lineal.Api().runs("digits") if f"reproduces:{run.id}" in one.tags]
    assert again.id != run.id
    assert dict(again.config) == {"power": 0.5}
    assert [artifact.name for artifact in again.used_artifacts()] == ["digits:v0"]
    return again.summary["accuracy"]


def test_the_run_comes_back_in_this_environment(trained, shell, place):
    done = shell(f"cd repo && lineal reproduce {trained.id} --execute --yes --this-environment --into ../again")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Can't be the same" not in done.stdout
    assert re.search(r"^accuracy .* equal$", done.stdout, re.M)
    assert "2 of 2 metrics are equal" in done.stdout
    assert accuracy_of_the_reproduction(trained) == trained.summary["accuracy"]
    assert (place.work / "again" / "code" / "src" / "train.py").read_text() == TRAIN
    script = place.work / "repo" / "src" / "train.py"
    assert script.read_text() == TRAIN


def test_the_run_comes_back_by_the_script_too(trained, shell, place):
    asked = f"lineal reproduce {trained.id} --this-environment --output steps.sh"
    assert "sh steps.sh" in shell(asked, check=True).stdout
    done = shell("sh steps.sh ./again")
    assert done.returncode == 0, done.stderr
    assert accuracy_of_the_reproduction(trained) == trained.summary["accuracy"]


def test_the_run_comes_back_in_an_environment_of_its_own(trained, shell, place, installation):
    """The recorded packages are one wheel from a folder here, which opens the present packages to it."""
    wheels = place.work / "wheels"
    wheels.mkdir()
    paths = (installation.site_packages / "dependencies.pth").read_text()
    info = "everything-1.0.dist-info"
    with zipfile.ZipFile(wheels / "everything-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("everything.pth", paths)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: everything\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"everything.pth,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    from lineal.client.connection import connection
    from lineal.tracking.model import Batch

    runs = connection().backend.runs
    environment = {**runs.get(trained.id).environment, "packages": ["everything==1.0"]}
    runs.append(trained.id, "another", 1, Batch(environment=environment))

    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": "/dev/null"}
    done = shell(f"cd repo && lineal reproduce {trained.id} --execute --yes --into ../again", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 metrics are equal" in done.stdout
    assert accuracy_of_the_reproduction(trained) == trained.summary["accuracy"]
    [again] = [one for one in lineal.Api().runs("digits") if f"reproduces:{trained.id}" in one.tags]
    executable = Path(again._record.environment["executable"])
    assert executable == place.work / "again" / "venv" / "bin" / "python"
