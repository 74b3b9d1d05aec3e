"""Values of one parameter: drawn at random, and by their place in the parameter's distribution.

The place of a value is where it stands in the distribution's cumulative function, 0 to 1. In terms of places every
parameter is alike: a step of 0.1 passes a tenth of what random search would try, be it on a log scale or not.
"""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from lineal.sweeps.space import Parameter, Space

if TYPE_CHECKING:
    from numpy.random import Generator

LEVELS = (
    64  # a parameter with more values than that is searched as if it had all between them, and rounded at the end
)
_TAIL = 1e-9  # how near to 0 and 1 a place gets where the distribution has no ends


def draw(space: Space, random: Generator) -> dict[str, Any]:
    """A point at random, with what is active in it."""
    point: dict[str, Any] = {}
    for parameter in space.parameters:
        if space.active(parameter, point):
            point[parameter.name] = draw_value(parameter, random)
    return point


def draw_value(parameter: Parameter, random: Generator) -> Any:
    """A value at random. Needs no SciPy, whatever the distribution."""
    if parameter.distribution in ("beta", "q_beta"):
        return tidy(parameter, float(random.beta(parameter.a, parameter.b)))
    return value_at(parameter, float(random.random()))


def value_at(parameter: Parameter, place: float) -> Any:
    """The value at a place of 0 to 1, of the type that the parameter has."""
    kind = parameter.distribution
    if kind in ("constant", "categorical"):
        return parameter.values[_choice(parameter, place)]
    if kind == "int_uniform":
        count = int(parameter.high) - int(parameter.low) + 1
        return int(parameter.low) + min(int(place * count), count - 1)
    return tidy(parameter, _quantile(parameter, place))


def place_of(parameter: Parameter, value: Any) -> float | None:
    """The place of a number, None if it is none. What lies outside of the bounds has a place below 0 or above 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    kind = parameter.distribution
    if kind == "int_uniform":
        return _bounded((value - parameter.low + 0.5) / (parameter.high - parameter.low + 1))
    low, high = _scale(parameter)
    if kind.endswith("normal"):
        if kind.endswith("log_normal"):
            value = _log(value)
        return NormalDist(parameter.mu, max(parameter.sigma, sys.float_info.min)).cdf(value)
    if kind.endswith("beta"):
        from scipy.special import betainc

        return float(betainc(parameter.a, parameter.b, min(max(value, 0.0), 1.0)))
    scaled = _log(value) if "log" in kind else float(value)
    return _bounded((scaled - low) / (high - low)) if high > low else 0.5


def places(parameter: Parameter) -> tuple[float, ...] | None:
    """The places of all values, lowest first, None if there are more than `LEVELS` or infinitely many.

    Of a distribution without ends these are the values that it is likely to have.
    """
    if parameter.distribution == "int_uniform":
        low, high = int(parameter.low), int(parameter.high)
        return None if high - low >= LEVELS else tuple((k + 0.5) / (high - low + 1) for k in range(high - low + 1))
    if not parameter.distribution.startswith("q_"):
        return None
    first, last = (_step(parameter, _quantile(parameter, place)) for place in (0.0005, 0.9995))
    if last - first >= LEVELS:
        return None
    found = [place_of(parameter, _multiple(parameter, k)) for k in range(first, last + 1)]
    return tuple(sorted({place for place in found if place is not None}))


def tidy(parameter: Parameter, number: float) -> int | float:
    """The number as a value of the parameter: within its bounds, rounded, an int where all its values are ints."""
    if parameter.distribution == "int_uniform":
        return min(max(round(number), int(parameter.low)), int(parameter.high))
    if parameter.distribution.startswith("q_"):
        return _multiple(parameter, _step(parameter, number))
    low, high = _ends(parameter)
    return min(max(number, low), high)


def _choice(parameter: Parameter, place: float) -> int:
    count = len(parameter.values)
    if not parameter.probabilities:
        return min(int(place * count), count - 1)
    total = 0.0
    for index, probability in enumerate(parameter.probabilities):
        total += probability
        if place < total:
            return index
    return max(index for index, probability in enumerate(parameter.probabilities) if probability > 0)


def _quantile(parameter: Parameter, place: float) -> float:
    kind = parameter.distribution
    if kind.endswith("normal"):
        number = parameter.mu
        if parameter.sigma > 0:
            number = NormalDist(parameter.mu, parameter.sigma).inv_cdf(min(max(place, _TAIL), 1 - _TAIL))
        return _exp(number) if kind.endswith("log_normal") else number
    if kind.endswith("beta"):
        from scipy.special import betaincinv

        return float(betaincinv(parameter.a, parameter.b, min(max(place, _TAIL), 1 - _TAIL)))
    low, high = _scale(parameter)
    number = low * (1 - place) + high * place  # so written, it can't overflow
    return _exp(number) if "log" in kind else number


@lru_cache(maxsize=1024)
def _limits(kind: str, low: float, high: float) -> tuple[float, float, float, float]:  # noqa: PLR0911
    """The ends on the scale on which the distribution is uniform, then the ends themselves."""
    if kind.endswith("log_uniform_values"):  # the inverse one, too: log(1/x) is uniform exactly where log(x) is
        return _log(low), _log(high), low, high
    if kind == "inv_log_uniform":
        return -high, -low, _exp(-high), _exp(-low)
    if kind.endswith("log_uniform"):
        return low, high, _exp(low), _exp(high)
    if kind.endswith("log_normal"):
        return low, high, 0.0, sys.float_info.max
    if kind.endswith("normal"):
        return low, high, -sys.float_info.max, sys.float_info.max
    if kind.endswith("beta"):
        return low, high, 0.0, 1.0
    return low, high, low, high


def _scale(parameter: Parameter) -> tuple[float, float]:
    return _limits(parameter.distribution, parameter.low, parameter.high)[:2]


def _ends(parameter: Parameter) -> tuple[float, float]:
    return _limits(parameter.distribution, parameter.low, parameter.high)[2:]


def _step(parameter: Parameter, number: float) -> int:
    """The multiple of q nearest to the number within the bounds, or the nearest at all if they hold none."""
    low, high = _ends(parameter)
    q = parameter.q
    nearest = round(min(max(number / q, -sys.float_info.max), sys.float_info.max))
    if parameter.distribution.endswith("normal"):
        return nearest
    first, last = math.ceil(low / q - 1e-9), math.floor(high / q + 1e-9)
    return min(max(nearest, first), last) if first <= last else nearest


def _multiple(parameter: Parameter, step: int) -> int | float:
    """`step` times q as people write it: three times 0.1 is 0.3."""
    if float(parameter.q).is_integer():
        return step * int(parameter.q)
    return float(step * Decimal(repr(float(parameter.q))))


def _bounded(place: float) -> float:
    """Far outside is outside: a prior run's value a thousand ranges away would stretch the scale for all others."""
    return min(max(place, -1.0), 2.0)


def _log(number: float) -> float:
    return math.log(number) if number > 0 else -1e3


def _exp(number: float) -> float:
    return math.exp(min(number, 709.0))
