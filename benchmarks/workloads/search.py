"""20,000 runs with 20 config values and 20 metrics each: the best 50 of those that meet a condition on each kind."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cell
import rows

_KEYS = 20
_BEST = 50


class Adapter:
    """A system with its runs below `folder`; the first is made by its own means, the others are copies in its rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def seed(self, runs: int) -> None:
        raise NotImplementedError

    def ask(self) -> list[tuple[str, float]]:
        """p3 is "7", m5 over 0.5, by m1, the largest first, 50 at most: name and m1 of each."""
        raise NotImplementedError


class Lineal(Adapter):
    def open(self) -> None:
        import os

        os.environ["LINEAL_URL"] = str(self.folder / "store")
        import lineal

        self._lineal = lineal
        self._api = lineal.Api(project="p")

    def seed(self, runs: int) -> None:
        config, metrics = _values(random.Random(1))
        with self._lineal.init(project="p", id="first", config=config) as run:
            run.log(metrics)
        made = list(_made(runs))
        database = self.folder / "store/lineal.db"
        keys = rows.numbered(database, "run_keys")
        facts = (
            {"id": 1000 + n, "run_id": name, "name": name, "config": json.dumps(p), "summary": json.dumps(m)}
            for n, (name, p, m) in enumerate(made)
        )
        rows.clone(
            database,
            {
                "runs": ({**fact, "created_at": 1_700_000_000_000_000 + int(str(fact["id"]))} for fact in facts),
                "run_values": (
                    {"run_id": 1000 + n, "key_id": keys[key], "number": number, "text": text}
                    for n, (_, p, m) in enumerate(made)
                    for key, number, text in (
                        *((f"config.{key}", None, value) for key, value in p.items()),
                        *((f"summary.{key}", value, None) for key, value in m.items()),
                    )
                ),
            },
        )

    def ask(self) -> list[tuple[str, float]]:
        filters = {"config.p3": "7", "summary_metrics.m5": {"$gt": 0.5}}
        found = self._api.runs(filters=filters, order="-summary_metrics.m1", per_page=_BEST)[:_BEST]
        return [(run.name, run.summary["m1"]) for run in found]


class Mlflow(Adapter):
    def open(self) -> None:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self.folder}/mlflow.db")
        self._client: Any = mlflow.MlflowClient()

    def seed(self, runs: int) -> None:
        from mlflow.entities import Metric, Param

        config, metrics = _values(random.Random(1))
        first = self._client.create_run("0").info.run_id
        self._client.log_batch(
            first,
            metrics=[Metric(key, value, 1, 0) for key, value in metrics.items()],
            params=[Param(key, value) for key, value in config.items()],
        )
        made = list(_made(runs))
        rows.clone(
            self.folder / "mlflow.db",
            {
                "runs": ({"run_uuid": name, "name": name} for name, _, _ in made),
                "params": ({"run_uuid": r, "key": k, "value": v} for r, p, _ in made for k, v in p.items()),
                "latest_metrics": ({"run_uuid": r, "key": k, "value": v} for r, _, m in made for k, v in m.items()),
            },
        )

    def ask(self) -> list[tuple[str, float]]:
        found = self._client.search_runs(
            ["0"],
            filter_string="params.p3 = '7' and metrics.m5 > 0.5",
            order_by=["metrics.m1 DESC"],
            max_results=_BEST,
        )
        return [(run.info.run_id, run.data.metrics["m1"]) for run in found]


ADAPTERS: dict[str, Callable[[Path], Adapter]] = {"lineal": Lineal, "mlflow": Mlflow}


def main() -> None:
    """Seeds the runs, or takes the median of asking, after the answer was found to be right."""
    here = cell.parse()
    runs = here.choose(full=20_000, quick=200)
    adapter = ADAPTERS[here.system](here.folder)
    if here.seed:
        adapter.seed(runs)
        return
    found = adapter.ask()
    wanted = _best(runs)
    assert [name for name, _ in found] == [name for name, _ in wanted], "the answer is wrong"
    taken, times = cell.median_of(adapter.ask, times=here.choose(full=100, quick=3))
    here.record("search.top", taken, count=times)


def _made(runs: int) -> Iterator[tuple[str, dict[str, str], dict[str, float]]]:
    source = random.Random(0)
    for number in range(runs):
        yield f"r{number:05d}", *_values(source)


def _values(source: random.Random) -> tuple[dict[str, str], dict[str, float]]:
    config = {f"p{key}": str(source.randrange(10)) for key in range(_KEYS)}
    return config, {f"m{key}": source.random() for key in range(_KEYS)}


def _best(runs: int) -> list[tuple[str, float]]:
    met = [(name, m["m1"]) for name, p, m in _made(runs) if p["p3"] == "7" and m["m5"] > 0.5]
    return sorted(met, key=lambda pair: -pair[1])[:_BEST]


if __name__ == "__main__":
    main()
