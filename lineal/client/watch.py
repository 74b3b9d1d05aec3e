"""Histograms of a torch model's gradients and weights, gathered while it trains.

Nothing of torch is imported: all is asked of the model and its tensors. Counting is done on the tensor's device;
what leaves it is 64 counts and 4 numbers for each parameter that is logged.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol, get_args

from lineal.client.media.arrays import owners
from lineal.client.media.histogram import Histogram
from lineal.core.errors import Error, InvalidArgument

BINS = 64
What = Literal["gradients", "parameters", "all"]

_watched: weakref.WeakKeyDictionary[Any, Watch] = weakref.WeakKeyDictionary()


class Logs(Protocol):
    """Whatever takes values to log; `log` is called in the thread that trains, for CUDA that of its backward pass."""

    def log(self, data: dict[str, Any], *, commit: bool) -> object: ...


class Watch:
    """The hooks on one model's parameters; a deep copy or a file of the model is without them."""

    def __init__(self, model: Any, prefix: str, what: What, log_freq: int, run: Logs) -> None:
        self._run, self._every = run, log_freq
        # Hooks of tensors only: those of modules would be traced where a model is compiled, and copied with it.
        self._hooks = [
            parameter.register_hook(self._hook(weakref.ref(parameter), prefix + name, what))
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        ]

    def stop(self) -> None:
        """Takes the hooks out; stopping again does nothing."""
        while self._hooks:
            self._hooks.pop().remove()

    def _hook(self, parameter: Callable[[], Any], name: str, what: What) -> Callable[[Any], None]:
        calls = itertools.count(1)

        def hook(gradient: Any) -> None:
            if next(calls) % self._every == 0:
                seen = {}
                if what != "parameters":
                    seen[f"gradients/{name}"] = histogram(gradient)
                if what != "gradients":
                    seen[f"parameters/{name}"] = histogram(parameter())
                self._log({key: made for key, made in seen.items() if made is not None})

        return hook

    def _log(self, histograms: dict[str, Histogram]) -> None:
        try:
            self._run.log(histograms, commit=False)
        except Error:  # the run has ended; the training goes on
            self.stop()


def watch(
    models: Any,
    criterion: object = None,
    log: What | None = "gradients",
    log_freq: int = 1000,
    idx: int | None = None,
    log_graph: bool = False,
    *,
    run: Logs,
) -> list[Watch]:
    """The watches put on a torch module, or on several; a model that was watched already is watched anew.

    With every `log_freq`-th backward pass, `run.log(…, commit=False)` gets histograms named `gradients/<parameter>`
    and `parameters/<parameter>`, of those that are trained; of several models, `graph_1.` is put before those of the
    second, and so on from `idx`. `criterion` and `log_graph` are there for scripts written for others.
    """
    if log not in (None, *get_args(What)):
        raise InvalidArgument(f"log={log!r} is not possible; use 'gradients', 'parameters', 'all' or None")
    if not isinstance(log_freq, int) or log_freq < 1:
        raise InvalidArgument(f"log_freq must be a whole number from 1, not {log_freq!r}")
    if log is None:
        return []
    made = []
    for number, model in enumerate(_models(models), idx or 0):
        unwatch(model)
        _watched[model] = Watch(model, f"graph_{number}." if number else "", log, log_freq, run)
        made.append(_watched[model])
    return made


def unwatch(models: Any = None) -> None:
    """Takes the hooks out of the models, or of all that are watched."""
    for model in list(_watched) if models is None else _models(models):
        if (found := _watched.pop(model, None)) is not None:
            found.stop()


def histogram(tensor: Any) -> Histogram | None:
    """Of a tensor's finite numbers, NaN and infinities counted apart; None for one that is not of floats."""
    numbers = tensor.detach()
    if not numbers.is_floating_point():
        return None
    if numbers.is_sparse:
        numbers = numbers.coalesce().values()
    numbers = numbers.flatten()
    if numbers.element_size() < 4:
        numbers = numbers.float()
    finite = numbers.isfinite()
    nans, bad = numbers.isnan().sum().item(), (~finite).sum().item()
    if bad:
        numbers = numbers[finite]
    counts, low, high = [0] * BINS, 0.0, 1.0
    if numbers.numel():
        counts, low, high = _count(numbers)
    made = Histogram(np_histogram=(counts, [low + (high - low) / BINS * edge for edge in range(BINS)] + [high]))
    made.nans, made.infs = int(nans), int(bad - nans)
    return made


def _count(numbers: Any) -> tuple[list[int], float, float]:
    """Counts in bins of equal width, and where the first begins and the last ends."""
    low, high = (end.item() for end in numbers.aminmax())
    if high - low < 1e-30:  # equal, or nearer than the tensor's floats can divide
        pad = max(0.5, abs(low) * 1e-9)
        low, high = low - pad, high + pad
    half = high / 2 - low / 2  # by halves, since the whole may be more than a float can be
    unit = (numbers / 2 - low / 2) / half if half else numbers * 0
    places = (unit.clamp(0, 1) * BINS).long().clamp(max=BINS - 1)
    return places.bincount(minlength=BINS).tolist(), low, high


def _models(models: Any) -> Iterator[Any]:
    for model in models if isinstance(models, Sequence) and "torch" not in owners(models) else (models,):
        if "torch" not in owners(model) or not hasattr(model, "named_parameters"):
            raise InvalidArgument(f"watch takes modules of torch, not {type(model).__name__}")
        yield model
