"""Trains on one version of `digits` and logs a version of `digits-classifier`.  usage: train.py REF HIDDEN..."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

from model import predict, read_part, save
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import f1_score
from sklearn.neural_network import MLPClassifier

import lineal


def main(ref: str, hidden: tuple[int, ...]) -> None:
    config = {"hidden": list(hidden), "max_iter": 60, "seed": 0}
    with lineal.init(job_type="train", config=config) as run, tempfile.TemporaryDirectory() as folder:
        data = Path(run.use_artifact(ref, use_as="training-data").download(Path(folder, "data")))
        images, labels = read_part(data, "train")
        network = MLPClassifier(hidden, max_iter=run.config.max_iter, random_state=run.config.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(images, labels)
        path = Path(folder, "model.safetensors")
        save(path, network.coefs_, network.intercepts_)
        test_images, test_labels = read_part(data, "test")
        seen = predict(path, test_images)
        f1 = f1_score(test_labels, seen, average="macro")
        metrics = {"accuracy": float((seen == test_labels).mean()), "f1": float(f1)}
        artifact = lineal.Artifact("digits-classifier", "model", metadata={"metrics": metrics})
        artifact.add_file(path)
        run.log_artifact(artifact)
        print(f"logged {artifact.name} trained on {ref}: accuracy {metrics['accuracy']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1], tuple(int(size) for size in sys.argv[2:]))
