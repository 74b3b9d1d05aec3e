"""Trains a small network on scikit-learn's digits: by itself, or as a trial of the sweep in `sweep.yaml`.

python train.py                      one run with the settings below
lineal sweep create sweep.yaml       a sweep; it prints its id
lineal agent ID --parallel 2         on as many machines as you have
lineal sweep best ID --promote production
"""

from __future__ import annotations

import warnings

import numpy as np
from safetensors.numpy import save
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import lineal

DEFAULTS = {"lr": 0.001, "alpha": 0.0001, "hidden": 32, "activation": "relu", "epochs": 27}


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.3, random_state=0, stratify=y)
    with lineal.init(project="digits-sweep", config=DEFAULTS, job_type="train") as run:
        settings = run.config
        model = MLPClassifier(
            (settings["hidden"],),
            activation=settings["activation"],
            alpha=settings["alpha"],
            learning_rate_init=settings["lr"],
            random_state=0,
        )
        for epoch in range(settings["epochs"]):
            model.partial_fit(x_train, y_train, classes=range(10))
            run.log({"epoch": epoch, "loss": model.loss_, "accuracy": model.score(x_test, y_test)})
        artifact = lineal.Artifact("digits-network", type="model", metadata={"accuracy": run.summary["accuracy"]})
        with artifact.new_file("model.safetensors", mode="wb") as file:
            file.write(save(parts_of(model)))
        run.log_artifact(artifact)


def parts_of(model: MLPClassifier) -> dict[str, np.ndarray]:
    """The network's arrays by name."""
    weights = {f"layer{number}.weight": np.ascontiguousarray(part) for number, part in enumerate(model.coefs_)}
    return weights | {f"layer{number}.bias": part for number, part in enumerate(model.intercepts_)}


if __name__ == "__main__":
    main()
