"""A small neural network as plain arrays: stored as safetensors, run with numpy alone. Nothing is unpickled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def read_part(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as rows of 64 values in 0–1, and their labels, from the CSV files of a part (train or test)."""
    rows = np.vstack(
        [np.loadtxt(f, delimiter=",", skiprows=1, ndmin=2) for f in sorted((folder / part).glob("*.csv"))]
    )
    return rows[:, 1:] / 16.0, rows[:, 0].astype(int)


def save(path: Path, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
    layers = {f"layer{i}.weight": np.ascontiguousarray(w, dtype=np.float32) for i, w in enumerate(weights)}
    layers |= {f"layer{i}.bias": np.ascontiguousarray(b, dtype=np.float32) for i, b in enumerate(biases)}
    save_file(layers, path)


def predict(path: Path, images: np.ndarray) -> np.ndarray:
    """The digit that the model sees in each image."""
    layers = load_file(path)
    count = len(layers) // 2
    values = images.astype(np.float32)
    for i in range(count):
        values = values @ layers[f"layer{i}.weight"] + layers[f"layer{i}.bias"]
        if i < count - 1:
            values = np.maximum(values, 0)
    return values.argmax(axis=1)
