"""The port's declarations as data: what the HTTP routes and the HTTP client are both derived from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

from lineal.backend import port, port_access, port_runs, port_sweeps
from lineal.backend.operation import Operation

NOUNS = {
    "artifacts": port.Artifacts,
    "runs": port_runs.Runs,
    "sweeps": port_sweeps.Sweeps,
    "lineage": port.Lineage,
    "store": port.Stores,
    "access": port_access.Access,
}
_IN_PATH = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Declared:
    """One operation: where it is asked for, its parameters with their types, and its contract in words."""

    noun: str
    name: str
    operation: Operation
    parameters: Mapping[str, inspect.Parameter]
    hints: Mapping[str, Any]
    doc: str

    @property
    def in_path(self) -> frozenset[str]:
        """The parameters that are part of the path."""
        return frozenset(_IN_PATH.findall(self.operation.path))

    @property
    def in_body(self) -> bool:
        """Whether the other parameters travel as a JSON body, not as a query."""
        return self.operation.method not in ("GET", "DELETE")


@cache
def operations() -> tuple[Declared, ...]:
    """Every operation of every noun, in the order of their declarations."""
    _load_types()
    return tuple(
        _declared(noun, name, function)
        for noun, kind in NOUNS.items()
        for name, function in vars(kind).items()
        if hasattr(function, "operation")
    )


def _declared(noun: str, name: str, function: Any) -> Declared:
    parameters = dict(inspect.signature(function).parameters)
    del parameters["self"]
    return Declared(
        noun, name, function.operation, parameters, get_type_hints(function), inspect.getdoc(function) or ""
    )


def _load_types() -> None:
    """Makes the names in the port's signatures real; an embedded training process never needs them to be."""
    from lineal.access import model as access_model
    from lineal.access import roles
    from lineal.lineage import model as lineage_model
    from lineal.lineage import report
    from lineal.registry import model, retention
    from lineal.storage import blobs, manifest
    from lineal.sweeps import model as sweeps_model
    from lineal.tracking import model as tracking_model

    for module in (
        access_model,
        roles,
        lineage_model,
        report,
        model,
        retention,
        blobs,
        manifest,
        sweeps_model,
        tracking_model,
    ):
        for name, value in vars(module).items():
            if not name.startswith("_"):
                for place in (port, port_access, port_runs, port_sweeps):
                    vars(place).setdefault(name, value)
