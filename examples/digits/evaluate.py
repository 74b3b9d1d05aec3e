"""Compares two models on the test images and logs what they predicted.  usage: evaluate.py DATA MODEL MODEL"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

from model import predict, read_part

import lineal


def main(data_ref: str, *model_refs: str) -> None:
    with lineal.init(job_type="evaluate") as run, tempfile.TemporaryDirectory() as folder:
        data = Path(run.use_artifact(data_ref, use_as="test-data").download(Path(folder, "data")))
        images, labels = read_part(data, "test")
        models = [run.use_artifact(ref, use_as="candidate") for ref in model_refs]
        seen = {model.name: predict(Path(model.file(Path(folder, model.version))), images) for model in models}
        scores = {name: float((guess == labels).mean()) for name, guess in seen.items()}
        result = lineal.Artifact("digits-predictions", "result", metadata={"accuracy": scores})
        with result.new_file("predictions.csv") as file:
            table = csv.writer(file)
            table.writerow(["label", *seen])
            table.writerows(zip(labels, *seen.values(), strict=True))
        run.log_artifact(result)
        print("  ".join(f"{name}: {score:.3f}" for name, score in scores.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
