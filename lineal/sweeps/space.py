"""The space that a sweep searches: its parameters, and the points that fit them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Distribution = Literal[
    "constant",
    "categorical",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "log_uniform_values",
    "q_log_uniform",
    "q_log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
]

Point = Mapping[str, Any]  # a value for each active parameter, by dotted name


@dataclass(frozen=True, slots=True)
class Parameter:
    """One dimension. Fields that its distribution has no use for are empty.

    constant, categorical: `values`, with `probabilities` that sum to 1, or none for equal ones. The uniform kinds:
    `low` to `high`, both included; for `log_uniform` and `inv_log_uniform` these are exponents of e, for the kinds
    ending in `_values` the ends themselves. The normal kinds: `mu`, `sigma`; the beta kinds: `a`, `b`. `q` is the
    step of the `q_` kinds: values are rounded to multiples of it. `when` maps other parameters to the values with
    which this one is active; empty: always.
    """

    name: str
    distribution: Distribution
    values: tuple[Any, ...] = ()
    probabilities: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 1.0
    q: float = 1.0
    mu: float = 0.0
    sigma: float = 1.0
    a: float = 1.0
    b: float = 1.0
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Space:
    """The parameters in the order of the config, which is one in which every `when` looks back."""

    parameters: tuple[Parameter, ...]

    def active(self, parameter: Parameter, point: Point) -> bool:
        """Whether the parameter belongs into the point, as far as the ones before it tell."""
        return all(
            parent in point and key(point[parent]) in {key(value) for value in values}
            for parent, values in parameter.when.items()
        )


def key(value: Any) -> Hashable:
    """What two JSON values have in common exactly if they are the same: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, str | bool) or value is None:
        return type(value), value
    if isinstance(value, int | float):
        return float(value) if isinstance(value, int) and abs(value) < 2**53 else value
    if isinstance(value, Mapping):
        return frozenset((name, key(inner)) for name, inner in value.items())
    return tuple(key(inner) for inner in value)
