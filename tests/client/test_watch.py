"""Gradients and weights of a real torch model, as histograms."""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import numpy as np
import pytest

from lineal.client import watch as watching
from lineal.client.media.histogram import Histogram
from lineal.client.watch import histogram, unwatch, watch
from lineal.core.errors import InvalidArgument, RunFinished

torch = pytest.importorskip("torch")


class Lines:
    """A run's place in these tests: it keeps what it is told to log."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def log(self, data: dict[str, Any], *, commit: bool) -> None:
        assert commit is False
        self.lines.append(data)

    @property
    def keys(self) -> list[str]:
        return sorted(key for line in self.lines for key in line)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))


@pytest.fixture(autouse=True)
def _unwatched():
    yield
    unwatch()


def train(model, steps):
    for _ in range(steps):
        model.zero_grad()
        model(torch.ones(5, 3)).sum().backward()


NAMES = ["0.bias", "0.weight", "2.bias", "2.weight"]


def test_gradients_are_logged_with_every_so_many_backward_passes(model):
    run = Lines()
    watch(model, log_freq=3, run=run)
    train(model, 2)
    assert run.lines == []
    train(model, 5)
    assert run.keys == sorted(2 * [f"gradients/{name}" for name in NAMES])
    made = next(line["gradients/0.weight"] for line in run.lines if "gradients/0.weight" in line)
    assert sum(made.histogram) == 12


def test_parameters_are_logged_too(model):
    run = Lines()
    watch(model, log="parameters", log_freq=2, run=run)
    with torch.no_grad():
        model(torch.ones(5, 3))
    train(model, 2)
    assert run.keys == [f"parameters/{name}" for name in NAMES]
    made = next(line["parameters/0.bias"] for line in run.lines if "parameters/0.bias" in line)
    assert made.bins[0] == pytest.approx(model[0].bias.min().item())


def test_all_is_both_and_what_is_frozen_is_left_out(model):
    model[0].weight.requires_grad = False
    run = Lines()
    watch(model, log="all", log_freq=1, run=run)
    train(model, 1)
    assert run.keys == sorted(
        f"{what}/{name}" for what in ("gradients", "parameters") for name in NAMES if name != "0.weight"
    )


@pytest.mark.parametrize("first", ["watched", "compiled"])
def test_a_compiled_model_stays_in_one_piece(model, first):
    run = Lines()
    if first == "watched":
        watch(model, log="all", log_freq=2, run=run)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    if first == "compiled":
        watch(compiled, log="all", log_freq=2, run=run)
    train(compiled, 4)
    assert len(run.keys) == 16
    torch._dynamo.reset()


def test_nothing_is_watched_for_none(model):
    assert watch(model, log=None, run=Lines()) == []
    assert not model[0].weight._backward_hooks


def test_several_models_have_names_of_their_own(model):
    run = Lines()
    watch([model, torch.nn.Linear(1, 1)], log="parameters", log_freq=1, run=run)
    other = torch.nn.Linear(1, 1)
    watch(other, log="parameters", log_freq=1, idx=5, run=run)
    train(model, 1)
    other(torch.ones(1, 1)).sum().backward()
    assert "parameters/0.bias" in run.keys
    assert "parameters/graph_5.weight" in run.keys


def test_unwatch_takes_the_hooks_out(model):
    run = Lines()
    watch(model, log="all", log_freq=1, run=run)
    unwatch(model)
    unwatch(model)
    train(model, 2)
    assert run.lines == []
    assert not model[0].weight._backward_hooks


def test_watching_again_watches_once(model):
    first, second = Lines(), Lines()
    watch(model, log_freq=1, run=first)
    watch(model, log_freq=1, run=second)
    train(model, 1)
    assert first.lines == []
    assert len(second.lines) == 4


def test_a_model_is_not_kept_alive():
    import gc

    watch(torch.nn.Linear(1, 1), log="all", run=Lines())
    gc.collect()
    assert len(watching._watched) == 0


def test_copies_and_files_of_the_model_are_without_hooks(model):
    run = Lines()
    watch(model, log="all", log_freq=1, run=run)
    twin = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save(model, file)
    train(twin, 1)
    assert run.lines == []
    file.seek(0)
    train(torch.load(file, weights_only=False), 1)
    assert run.lines == []


def test_the_training_goes_on_when_the_run_has_ended(model):
    class Ended:
        def log(self, data: dict[str, Any], *, commit: bool) -> None:
            raise RunFinished("the run has ended")

    watch(model, log="all", log_freq=1, run=Ended())
    train(model, 3)
    assert model[0].weight.grad is not None


def test_gradients_are_left_as_they_are(model):
    twin = copy.deepcopy(model)
    watch(model, log="all", log_freq=1, run=Lines())
    train(model, 1)
    train(twin, 1)
    assert torch.equal(model[0].weight.grad, twin[0].weight.grad)


@pytest.mark.parametrize("given", [{"log": "weights"}, {"log_freq": 0}, {"log_freq": 1.5}])
def test_what_can_not_be_watched_is_refused(model, given):
    with pytest.raises(InvalidArgument):
        watch(model, run=Lines(), **given)
    with pytest.raises(InvalidArgument, match="modules of torch"):
        watch("model", run=Lines())
    with pytest.raises(InvalidArgument, match="modules of torch"):
        watch([torch.ones(3)], run=Lines())


# ---- counting ------------------------------------------------------------------------------------------------


def test_a_tensors_histogram_is_numpys():
    numbers = torch.randn(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = histogram(numbers)
    known = Histogram(numbers.numpy())
    assert made is not None
    assert made.bins == pytest.approx(known.bins)
    assert np.abs(np.subtract(made.histogram, known.histogram)).sum() <= 2


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_nan_and_infinities_are_counted_apart(kind):
    made = histogram(torch.tensor([1, 2, math.nan, math.inf, -math.inf, math.nan], dtype=kind))
    assert made is not None
    assert (sum(made.histogram), made.nans, made.infs) == (2, 2, 2)


@pytest.mark.parametrize(
    ("numbers", "count"),
    [([], 0), ([math.nan], 0), ([5.0], 1), ([5.0, 5.0], 2), ([-3e38, 3e38], 2), ([1e30, 1e30], 2), ([0.0, 1e-45], 2)],
)
def test_odd_tensors_have_histograms(numbers, count):
    made = histogram(torch.tensor(numbers))
    assert made is not None
    assert sum(made.histogram) == count
    assert all(math.isfinite(edge) for edge in made.bins)


def test_sparse_gradients_have_histograms_and_whole_numbers_none():
    embedding = torch.nn.Embedding(10, 3, sparse=True)
    run = Lines()
    watch(embedding, log_freq=1, run=run)
    embedding(torch.tensor([1, 1, 2])).sum().backward()
    assert sum(run.lines[0]["gradients/weight"].histogram) == 6
    assert histogram(torch.tensor([1, 2])) is None
