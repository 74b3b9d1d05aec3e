"""Every system that suggests points, as its documentation says, with one way of being asked and told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from problems import Dimension, Point, Problem


class Searcher:
    """A search of the problem. What was asked for and not yet told is pending."""

    def __init__(self, problem: Problem, seed: int, *, parallel: bool) -> None:
        """`parallel`: several points will be pending at a time."""
        raise NotImplementedError

    def ask(self) -> tuple[Any, Point]:
        """A point, and what to tell its value with."""
        raise NotImplementedError

    def tell(self, token: Any, value: float) -> None:
        raise NotImplementedError

    def load(self, points: Sequence[Point], values: Sequence[float]) -> None:
        """Takes them as tried."""
        raise NotImplementedError


class Lineal(Searcher):
    method = "bayes"

    def __init__(self, problem: Problem, seed: int, *, parallel: bool) -> None:
        from lineal.sweeps import config, search

        parameters = {each.name: _wandb(each) for each in problem.dimensions}
        given = {"method": self.method, "metric": {"name": "y"}, "parameters": parameters, "seed": seed}
        self._config, self._search = config.parse(given), search
        self._evidence: list[Any] = []

    def ask(self) -> tuple[Any, Point]:
        number = len(self._evidence)
        point = self._search.suggest(self._config.space, self._config.plan, self._evidence, number)
        self._evidence.append(self._search.Evidence(point, None))
        return number, point

    def tell(self, token: Any, value: float) -> None:
        self._evidence[token] = self._search.Evidence(self._evidence[token].point, (value,))

    def load(self, points: Sequence[Point], values: Sequence[float]) -> None:
        self._evidence += [self._search.Evidence(p, (v,)) for p, v in zip(points, values, strict=True)]


class LinealTpe(Lineal):
    method = "tpe"


class LinealRandom(Lineal):
    method = "random"


class Optuna(Searcher):
    """Its Gaussian process."""

    def __init__(self, problem: Problem, seed: int, *, parallel: bool) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna: Any = optuna
        self._study = optuna.create_study(sampler=self._sampler(seed, parallel=parallel))
        self._distributions = {each.name: self._distribution(each) for each in problem.dimensions}

    def _sampler(self, seed: int, *, parallel: bool) -> Any:
        return self._optuna.samplers.GPSampler(seed=seed)

    def _distribution(self, each: Dimension) -> Any:
        of = self._optuna.distributions
        if each.values:
            return of.CategoricalDistribution(each.values)
        if each.whole:
            return of.IntDistribution(int(each.low), int(each.high), log=each.log)
        return of.FloatDistribution(each.low, each.high, log=each.log)

    def ask(self) -> tuple[Any, Point]:
        trial = self._study.ask(self._distributions)
        return trial, trial.params

    def tell(self, token: Any, value: float) -> None:
        self._study.tell(token, value)

    def load(self, points: Sequence[Point], values: Sequence[float]) -> None:
        make = self._optuna.trial.create_trial
        for point, value in zip(points, values, strict=True):
            self._study.add_trial(make(params=point, distributions=self._distributions, value=value))


class OptunaTpe(Optuna):
    """With what its documentation recommends where several trials run at once."""

    def _sampler(self, seed: int, *, parallel: bool) -> Any:
        return self._optuna.samplers.TPESampler(seed=seed, constant_liar=parallel)


class Skopt(Searcher):
    """Its `Optimizer`."""

    def __init__(self, problem: Problem, seed: int, *, parallel: bool) -> None:
        import skopt

        self._names = [each.name for each in problem.dimensions]
        dimensions = [self._dimension(skopt.space, each) for each in problem.dimensions]
        self._optimizer = skopt.Optimizer(dimensions, "GP", random_state=seed)

    def _dimension(self, of: Any, each: Dimension) -> Any:
        if each.values:
            return of.Categorical(each.values)
        prior = "log-uniform" if each.log else "uniform"
        if each.whole:
            return of.Integer(int(each.low), int(each.high), prior=prior)
        return of.Real(each.low, each.high, prior=prior)

    def ask(self) -> tuple[Any, Point]:
        found = self._optimizer.ask()
        return found, dict(zip(self._names, found, strict=True))

    def tell(self, token: Any, value: float) -> None:
        self._optimizer.tell(token, value)

    def load(self, points: Sequence[Point], values: Sequence[float]) -> None:
        self._optimizer.tell([[point[name] for name in self._names] for point in points], list(values))


class Sweeps(Searcher):
    """What wandb's local controller asks; it draws from the global generators."""

    def __init__(self, problem: Problem, seed: int, *, parallel: bool) -> None:
        import numpy
        import sweeps

        numpy.random.seed(seed)
        random.seed(seed)
        parameters = {each.name: _wandb(each) for each in problem.dimensions}
        metric = {"name": "y", "goal": "minimize"}
        self._config = {"method": "bayes", "metric": metric, "parameters": parameters}
        self._sweeps, self._runs = sweeps, []  # type: Any, list[Any]

    def ask(self) -> tuple[Any, Point]:
        run = self._sweeps.next_run(self._config, self._runs)
        run.state = self._sweeps.RunState.running
        self._runs.append(run)
        return run, {name: each["value"] for name, each in run.config.items()}

    def tell(self, token: Any, value: float) -> None:
        token.state = self._sweeps.RunState.finished
        token.summary_metrics, token.history = {"y": value}, [{"y": value}]

    def load(self, points: Sequence[Point], values: Sequence[float]) -> None:
        for point, value in zip(points, values, strict=True):
            config = {name: {"value": each} for name, each in point.items()}
            self._runs.append(self._sweeps.SweepRun(config=config))
            self.tell(self._runs[-1], value)


def _wandb(each: Dimension) -> dict[str, Any]:
    """The dimension in the schema of W&B's sweeps."""
    if each.values:
        return {"values": list(each.values)}
    ends = {"min": int(each.low), "max": int(each.high)} if each.whole else {"min": each.low, "max": each.high}
    if each.whole and each.log:
        return {"distribution": "q_log_uniform_values", "q": 1, **ends}
    if each.whole:
        return {"distribution": "int_uniform", **ends}
    return {"distribution": "log_uniform_values" if each.log else "uniform", **ends}


Make = Callable[..., Searcher]
SEARCHERS: dict[str, dict[str, Make]] = {  # by what is added to the work's name
    "lineal": {"": Lineal, ".tpe": LinealTpe, ".random": LinealRandom},
    "optuna": {"": Optuna, ".tpe": OptunaTpe},
    "skopt": {"": Skopt},
    "sweeps": {"": Sweeps},
}
