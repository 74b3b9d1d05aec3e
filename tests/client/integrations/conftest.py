"""The frameworks themselves, found by name so that a test is skipped where one is not installed."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No framework asks a hub, and Keras computes with torch."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("KERAS_BACKEND", "torch")


@pytest.fixture(autouse=True)
def nothing_left_out(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a framework tells, the run takes."""
    yield
    said = [record.getMessage() for record in caplog.get_records("call") if record.name == "lineal"]
    assert said == []


@pytest.fixture
def framework() -> Callable[[str], ModuleType]:
    """The module by that name, with what it warns of itself on import left to its makers."""

    def load(name: str) -> ModuleType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pytest.importorskip(name)

    return load


@pytest.fixture
def integration(framework: Callable[[str], ModuleType]) -> Callable[[str, str], ModuleType]:
    """Our module for a framework: `integration("keras", "keras")`, skipped where the framework is missing."""

    def load(name: str, needs: str) -> ModuleType:
        framework(needs)
        return importlib.import_module(f"lineal.client.integrations.{name}")

    return load


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes frameworks impossible to import, and our module forget that it was: `without("keras", of="keras")`."""

    def hide(*frameworks: str, of: str) -> None:
        for name in list(sys.modules):
            if name.split(".")[0] in frameworks:
                monkeypatch.delitem(sys.modules, name)
        for name in frameworks:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"lineal.client.integrations.{of}", raising=False)

    return hide
