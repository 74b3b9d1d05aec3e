"""Logs the dataset `digits`: v0 as scikit-learn ships it, v1 without the images that look mislabelled."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import lineal

SHARD = 30


def write(folder: Path, images: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> None:
    """CSV files of up to 30 images, 48 to train on and the rest to test on; those not kept are left out."""
    header = "label," + ",".join(f"p{i}" for i in range(64))
    for number, start in enumerate(range(0, len(images), SHARD)):
        here = [i for i in range(start, min(start + SHARD, len(images))) if keep[i]]
        part = "train" if number < 48 else "test"
        (folder / part).mkdir(parents=True, exist_ok=True)
        rows = np.column_stack([labels[here], images[here]]).astype(int)
        np.savetxt(folder / part / f"{number:03}.csv", rows, fmt="%d", delimiter=",", header=header, comments="")


def main() -> None:
    digits = load_digits()
    images, labels = digits.data, digits.target
    likeness = cross_val_predict(KNeighborsClassifier(5), images, labels, cv=5, method="predict_proba")
    doubtful = (likeness[np.arange(len(labels)), labels] == 0) & (likeness.max(axis=1) == 1)  # all five disagree
    doubtful &= np.arange(len(labels)) < 48 * SHARD
    with tempfile.TemporaryDirectory() as folder, lineal.init(job_type="prepare") as run:
        facts = {"source": "scikit-learn", "images": len(labels)}
        raw = lineal.Artifact("digits", "dataset", "Handwritten digits, 8×8", facts)
        write(Path(folder, "raw"), images, labels, np.ones(len(labels), dtype=bool))
        raw.add_dir(Path(folder, "raw"))
        run.log_artifact(raw)
        facts["images"] = int((~doubtful).sum())
        clean = lineal.Artifact("digits", "dataset", "Without doubtful labels", facts)
        write(Path(folder, "clean"), images, labels, ~doubtful)
        clean.add_dir(Path(folder, "clean"))
        run.log_artifact(clean)
        print(
            f"logged {raw.name} ({raw.file_count} files) and, without {doubtful.sum()} doubtful images, {clean.name}"
        )


if __name__ == "__main__":
    main()
