"""Trains two scikit-learn models at every cell of a grid: `tables.py svr|mlp FILE.json [--quick]`.

svr: a support vector regression of the diabetes data, its error over 3 folds in standard deviations of the target.
mlp: a perceptron that reads digits after 12 rounds over 500 of them, its log loss on 500 others.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import problems

CELLS = {"svr": (3, 2, 13, 13, 4), "mlp": (3, 2, 13, 5, 5)}
SMALL = {"svr": (3, 2, 2, 2, 2), "mlp": (3, 2, 2, 2, 2)}

_STEPS = 5_000  # of libsvm, which bounds what hopeless settings cost


def main() -> None:
    """Writes the values of all cells, the first dimension varying slowest."""
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    name, path, quick = sys.argv[1], Path(sys.argv[2]), "--quick" in sys.argv
    cells = (SMALL if quick else CELLS)[name]
    train = {"svr": svr, "mlp": mlp}[name]
    points = [_point(name, cells, at) for at in itertools.product(*map(range, cells))]
    if quick:
        values = list(map(train, points))
    else:
        with ProcessPoolExecutor() as pool:
            values = list(pool.map(train, points, chunksize=16))
    made = path.with_suffix(".part")
    made.write_text(json.dumps({"cells": cells, "values": values}), encoding="utf-8")
    made.rename(path)


def _point(name: str, cells: tuple[int, ...], at: tuple[int, ...]) -> problems.Point:
    return {
        each.name: each.values[place] if each.values else each.at(place / (count - 1))
        for each, count, place in zip(problems.SPACES[name], cells, at, strict=True)
    }


def svr(point: problems.Point) -> float:
    """The root of the mean squared error, the folds being the same for every point."""
    import numpy as np
    from sklearn.datasets import load_diabetes
    from sklearn.model_selection import KFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.svm import SVR

    x, y = load_diabetes(return_X_y=True, scaled=False)
    scaling = StandardScaler() if point["scaling"] == "standard" else MinMaxScaler()
    settings: Any = {key: point[key] for key in ("kernel", "C", "gamma", "epsilon")}
    model = make_pipeline(scaling, SVR(max_iter=_STEPS, **settings))
    warnings.simplefilter("ignore")
    folds = KFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(model, x, (y - y.mean()) / y.std(), cv=folds, scoring="neg_mean_squared_error")
    return min(float(np.sqrt(-scores.mean())), 10.0)


def mlp(point: problems.Point) -> float:
    """The log loss, 10 at most."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    x, y = _digits()
    order = np.random.default_rng(0).permutation(len(y))
    seen, unseen = order[:500], order[500:1000]
    model = MLPClassifier(
        (point["width"],),
        activation=point["activation"],
        solver=point["solver"],
        alpha=point["alpha"],
        learning_rate_init=point["learning_rate"],
        batch_size=50,
        max_iter=12,
        random_state=0,
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model.fit(x[seen] / 16, y[seen])
            sure = model.predict_proba(x[unseen] / 16)[np.arange(500), y[unseen]]
        except ValueError:  # it diverged
            return 10.0
        loss = float(-np.log(np.maximum(sure, 1e-300)).mean())
    return min(loss, 10.0) if np.isfinite(loss) else 10.0


@cache
def _digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


if __name__ == "__main__":
    main()
