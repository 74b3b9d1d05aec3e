"""Values of a config that are held: those that a sweep chose. Pure: they are put back wherever they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from copy import deepcopy
from typing import Any

NOTHING: Any = object()


def hold(
    values: MutableMapping[str, Any], held: Mapping[str, Any], make: Callable[[Any], Any] = deepcopy
) -> dict[str, Any]:
    """Puts the held values (by dotted name) into `values`; what stood there instead, where something else did.

    `make` makes what is put there of a value or of a new level `{}`.
    """
    replaced = {}
    for name, value in held.items():
        *above, last = name.split(".")
        place: Any = values
        for part in above:
            if not isinstance(place.get(part), dict):
                _put(place, part, make({}))
            place = place[part]
        before = place.get(last, NOTHING)
        if before is NOTHING or not same(before, value):
            _put(place, last, make(value))
            if before is not NOTHING:
                replaced[name] = before
    return replaced


def without(value: Any, name: str, held: Mapping[str, Any]) -> Any:
    """The value of the top-level key `name` without what is held in it; NOTHING where nothing is left."""
    if name in held:
        return NOTHING
    inner = {key.removeprefix(f"{name}."): item for key, item in held.items() if key.startswith(f"{name}.")}
    if not inner or not isinstance(value, dict):
        return value
    left = {key: rest for key, item in value.items() if (rest := without(item, key, inner)) is not NOTHING}
    return left or NOTHING


def same(one: Any, other: Any) -> bool:
    """Whether the two are the same value; NaN is."""
    return bool(one == other) or (str(one) == str(other) == "nan")


def _put(place: Any, key: str, value: Any) -> None:
    if isinstance(place, dict):
        dict.__setitem__(place, key, value)  # past what a section of a config does at a change
    else:
        place[key] = value
