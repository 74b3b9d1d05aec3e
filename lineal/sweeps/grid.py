"""All points of a space, by number.

Parameters keep the order of the config, and the first varies slowest. Those that hang together by conditions vary
together, at the place of the first of them: there, those that others depend on vary slowest. A parameter that is not
active is one way of being, not several, so every point is there once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lineal.core.errors import InvalidSweep
from lineal.sweeps.multiples import multiples
from lineal.sweeps.space import Parameter, Point, Space

_MAX_COMBINATIONS = 10_000  # of what others depend on, in parameters that hang together
_MAX_LOOKS = 200_000  # times the values that conditions look for: all are gone through for every point


def size(space: Space) -> int:
    """How many points the space has. Raises invalid.sweep if they can't be counted."""
    return math.prod(sum(count for _, count in _branches(space, group)) for group in _groups(space))


def point(space: Space, index: int) -> dict[str, Any]:
    """The point with that number, from 0. Raises invalid.sweep, also where there is none."""
    found: dict[str, Any] = {}
    rest = index
    for group in reversed(_groups(space)):
        branches = _branches(space, group)
        rest, place = divmod(rest, sum(count for _, count in branches))
        found |= _within(space, group, branches, place)
    if rest:
        raise InvalidSweep(f"the grid has {size(space)} points, so there is none with number {index}")
    return {each.name: found[each.name] for each in space.parameters if each.name in found}


def check(space: Space) -> None:
    """Raises invalid.sweep if the space's points can't be counted."""
    for parameter in space.parameters:
        if parameter.distribution not in ("constant", "categorical", "int_uniform", "q_uniform"):
            raise InvalidSweep(
                f"parameters.{parameter.name}: a grid can't have all values of {parameter.distribution}; list "
                "values, write distribution: q_uniform with a step q, or use method random"
            )
        if parameter.probabilities:
            raise InvalidSweep(f"parameters.{parameter.name}: a grid tries every value once; leave probabilities out")
    size(space)


def _ways(parameter: Parameter) -> int:
    if parameter.distribution == "int_uniform":
        return int(parameter.high) - int(parameter.low) + 1
    if parameter.distribution == "q_uniform":
        return multiples(parameter.low, parameter.high, parameter.q).count
    return len(parameter.values)


def _value(parameter: Parameter, place: int) -> Any:
    if parameter.distribution == "int_uniform":
        return int(parameter.low) + place
    if parameter.distribution == "q_uniform":
        return multiples(parameter.low, parameter.high, parameter.q).at(place)
    return parameter.values[place]


def _groups(space: Space) -> list[list[Parameter]]:
    """The parameters, those that hang together by conditions in one list."""
    group_of: dict[str, list[Parameter]] = {}
    for parameter in space.parameters:  # conditions look back, so those that they look at are in a group by now
        joined = [parameter]
        for group in {id(group_of[other]): group_of[other] for other in parameter.when}.values():
            joined = [*group, *joined]
        for each in joined:
            group_of[each.name] = joined
    order = {parameter.name: at for at, parameter in enumerate(space.parameters)}
    groups = {id(group): sorted(group, key=lambda each: order[each.name]) for group in group_of.values()}
    return list(groups.values())


def _branches(space: Space, group: Sequence[Parameter]) -> list[tuple[Point, int]]:
    """What those may be that others in the group depend on, each time with the number of points that have it so."""
    deciding = {other for parameter in group for other in parameter.when}
    first = [parameter for parameter in group if parameter.name in deciding]
    others = [parameter for parameter in group if parameter.name not in deciding]
    looks = sum(1 + sum(map(len, parameter.when.values())) for parameter in group)
    branches: list[dict[str, Any]] = [{}]
    for parameter in first:
        ways = [_ways(parameter) if space.active(parameter, branch) else 1 for branch in branches]
        _refuse_many(sum(ways), looks, first)
        branches = [each for branch in branches for each in _with(space, parameter, branch)]
    return [(each, math.prod(_ways(other) for other in others if space.active(other, each))) for each in branches]


def _refuse_many(combinations: int, looks: int, first: Sequence[Parameter]) -> None:
    if combinations > _MAX_COMBINATIONS or combinations * looks > _MAX_LOOKS:
        names = ", ".join(parameter.name for parameter in first[:5])
        raise InvalidSweep(
            f"parameters: what others depend on ({names}) has {combinations} combinations, too many for a grid; "
            "split the sweep, or use method random"
        )


def _with(space: Space, parameter: Parameter, branch: dict[str, Any]) -> list[dict[str, Any]]:
    if not space.active(parameter, branch):
        return [branch]
    return [{**branch, parameter.name: _value(parameter, place)} for place in range(_ways(parameter))]


def _within(
    space: Space, group: Sequence[Parameter], branches: Sequence[tuple[Point, int]], place: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for branch, count in branches:
        if place < count:
            found = dict(branch)
            break
        place -= count
    for parameter in reversed(group):
        if parameter.name not in found and space.active(parameter, found):
            place, way = divmod(place, _ways(parameter))
            found[parameter.name] = _value(parameter, way)
    return found
