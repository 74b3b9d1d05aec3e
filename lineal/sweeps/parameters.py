"""The section `parameters` of a sweep's config, as the parameters of a space."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from lineal.core.errors import InvalidSweep
from lineal.sweeps import schema
from lineal.sweeps.multiples import multiples
from lineal.sweeps.schema import shown
from lineal.sweeps.space import Distribution, Parameter, Space, key

MAX_PARAMETERS = 1000
COUNTABLE = ("constant", "categorical", "int_uniform")  # what a condition can look at
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_MAX_EXPONENT = 690  # e to the power of it is just below 1e300
_LARGEST_INT = 1 << 53  # beyond it a float, which is what the search counts in, skips some

_FIELDS = {"low": "min", "high": "max", "mu": "mu", "sigma": "sigma", "q": "q", "a": "a", "b": "b"}
_NEEDS: dict[str, tuple[str, ...]] = {"constant": ("value",), "categorical": ("values",)}
_TAKES: dict[str, tuple[str, ...]] = {"categorical": ("probabilities",)}
for _kind in schema.DISTRIBUTIONS:
    if "uniform" in _kind:
        _NEEDS[_kind] = ("min", "max")
    elif "normal" in _kind:
        _TAKES[_kind] = ("mu", "sigma")
    elif "beta" in _kind:
        _TAKES[_kind] = ("a", "b")
    if _kind.startswith("q_"):
        _TAKES[_kind] = (*_TAKES.get(_kind, ()), "q")


def parse(raw: Mapping[str, Any]) -> Space:
    """The space that the section describes, nested names dotted and conditions before what they decide.

    Raises invalid.sweep.
    """
    found: dict[str, Parameter] = {}
    for parameter in _walk(raw, "", "parameters", {}):
        if parameter.name in found:
            raise InvalidSweep(f"parameters.{parameter.name} is there twice: with dots in its name, and nested")
        found[parameter.name] = parameter
        if len(found) > MAX_PARAMETERS:
            raise InvalidSweep(f"parameters has more than {MAX_PARAMETERS} of them; search fewer at a time")
    for name in found:
        parts = name.split(".")
        for above in (".".join(parts[:length]) for length in range(1, len(parts))):
            if above in found:
                raise InvalidSweep(
                    f"parameters.{above} can't have a value and hold {name} as well; rename one of them"
                )
    own = {name: {key(value): value for value in parameter.values} for name, parameter in found.items()}
    return Space(_ordered({name: _with_conditions(parameter, found, own) for name, parameter in found.items()}))


def _walk(raw: Any, prefix: str, where: str, when: Mapping[str, Any]) -> Iterator[Parameter]:
    """The parameters of the section and those nested in it; `when`: the conditions of the groups they are in."""
    if not isinstance(raw, Mapping) or not raw:
        raise InvalidSweep(f"{where} must be a mapping of at least one parameter, not {shown(raw)}")
    for word, section in raw.items():
        name, at = f"{prefix}{word}", f"{where}.{word}"
        if not _NAME.fullmatch(word) or len(name) > 200:
            raise InvalidSweep(
                f"{where}: {shown(word)} can't be a parameter's name: use up to 200 ASCII letters, digits, '_', '-' "
                "and '.', starting with a letter or '_'"
            )
        if not isinstance(section, Mapping):
            fix = f"values: {shown(section)}" if isinstance(section, list) else f"value: {shown(section)}"
            raise InvalidSweep(f"{at} must be a mapping, not {shown(section)}; write {{{fix}}} if that is meant")
        given = schema.read(schema.Parameter, section, at)
        conditions = _merged(when, given.when or {}, at)
        if given.parameters is None:
            yield replace(_parameter(name, given, at), when=conditions)
            continue
        if more := sorted(given.model_fields_set - {"parameters", "when"}):
            raise InvalidSweep(f"{at} has parameters within, so it can't have {more[0]} as well")
        yield from _walk(given.parameters, f"{name}.", f"{at}.parameters", conditions)


def _merged(above: Mapping[str, Any], own: Mapping[str, Any], at: str) -> dict[str, Any]:
    if both := sorted(set(above) & set(own)):
        raise InvalidSweep(f"{at}.when: {both[0]} has a condition in the group already; leave one of them out")
    return {**above, **own}


# ---- one parameter -------------------------------------------------------------------------------------------


def _parameter(name: str, given: schema.Parameter, at: str) -> Parameter:
    kind = given.distribution or _inferred(given, at)
    fields = given.model_fields_set - {"distribution", "when", "parameters"}
    fields = {field for field in fields if field == "value" or getattr(given, field) is not None}
    needs, takes = _NEEDS.get(kind, ()), _TAKES.get(kind, ())
    if missing := [field for field in needs if field not in fields]:
        raise InvalidSweep(f"{at}.{missing[0]} is missing: {kind} needs {' and '.join(needs)}")
    if surplus := sorted(fields - {*needs, *takes}):
        words = ", ".join((*needs, *takes))
        raise InvalidSweep(f"{at}.{surplus[0]} is of no use to {kind}, which takes {words}; leave it out")
    if kind == "constant":
        _refuse_text_for_number([given.value], f"{at}.value")
        return Parameter(name, "constant", values=(given.value,))
    if kind == "categorical":
        return _categorical(name, given, at)
    numbers = {ours: value for ours, field in _FIELDS.items() if (value := getattr(given, field)) is not None}
    for field in ("sigma", "q", "a", "b"):
        if numbers.get(field, 1) <= 0:
            fix = "; for one value write value" if field == "sigma" else ""
            raise InvalidSweep(f"{at}: {field} ({shown(numbers[field])}) must be more than 0{fix}")
    if kind != "int_uniform":
        numbers = {field: value if field == "q" else float(value) for field, value in numbers.items()}
    parameter = Parameter(name, cast(Distribution, kind), **numbers)
    _check_numbers(parameter, at)
    return parameter


def _inferred(given: schema.Parameter, at: str) -> str:
    fields = given.model_fields_set
    if {"value", "values"} <= fields:
        raise InvalidSweep(f"{at} has both value and values; leave one of them out")
    if "value" in fields:
        return "constant"
    if given.values is not None:
        return "categorical"
    if given.min is not None or given.max is not None:
        both_whole = isinstance(given.min, int) and isinstance(given.max, int)
        return "int_uniform" if both_whole else "uniform"
    if loose := sorted(fields - {"when"}):
        fix = "normal" if {"mu", "sigma"} & fields else "beta" if {"a", "b"} & fields else "q_uniform"
        raise InvalidSweep(f"{at}.{loose[0]} says nothing without a distribution; write distribution: {fix}, say")
    raise InvalidSweep(f"{at} has nothing to choose from: give value, values, min and max, or a distribution")


def _categorical(name: str, given: schema.Parameter, at: str) -> Parameter:
    values, chances = given.values or [], given.probabilities or []
    if not values:
        raise InvalidSweep(f"{at}.values is empty; list at least one value")
    seen: dict[Any, Any] = {}
    for value in values:
        if (mark := key(value)) in seen:
            other = seen[mark]
            same = "is there twice" if shown(other) == shown(value) else f"is the same as {shown(other)}"
            raise InvalidSweep(
                f"{at}.values: {shown(value)} {same}; leave it out, and write probabilities for weights"
            )
        seen[mark] = value
    _refuse_text_for_number(values, f"{at}.values")
    if given.probabilities is not None:
        if len(chances) != len(values):
            raise InvalidSweep(
                f"{at}.probabilities has {len(chances)} numbers for {len(values)} values; give one each"
            )
        if bad := [chance for chance in chances if chance < 0]:
            raise InvalidSweep(f"{at}.probabilities: {bad[0]} is less than 0")
        if not math.isclose(total := math.fsum(chances), 1, abs_tol=1e-6):
            raise InvalidSweep(f"{at}.probabilities must sum to 1, not to {total:.6g}")
    return Parameter(name, "categorical", values=tuple(values), probabilities=tuple(chances))


def _refuse_text_for_number(values: list[Any], at: str) -> None:
    """YAML reads 1e-3 as a text: nobody means that, and a script would choke on it hours later."""
    fixes = [schema.as_number(value) if isinstance(value, str) and value[-1:].isdigit() else None for value in values]
    if all(fix and "e" in fix for fix in fixes):
        raise InvalidSweep(f"{at}: {shown(values[0])} is a text, since YAML knows no such number: write {fixes[0]}")


def _check_numbers(parameter: Parameter, at: str) -> None:
    kind, low, high = parameter.distribution, parameter.low, parameter.high
    if "normal" in kind:
        if "log" in kind and abs(parameter.mu) + 8 * parameter.sigma > _MAX_EXPONENT:
            raise InvalidSweep(f"{at}: e to the power of mu ± 8 sigma is more than a number can be; mu and sigma are "
                               "those of the logarithm")  # fmt: skip
        return
    if "uniform" not in kind:
        return
    if low >= high:
        fix = f"; for one value write value: {_told(low)}" if low == high else ""
        raise InvalidSweep(f"{at}: min ({_told(low)}) must be less than max ({_told(high)}){fix}")
    if kind == "int_uniform":
        for field, end in (("min", low), ("max", high)):
            if not isinstance(end, int) or abs(end) > _LARGEST_INT:
                raise InvalidSweep(f"{at}: {field} ({_told(end)}) must be a whole number up to 2**53 for int_uniform")
    if kind.endswith("_values") and low <= 0:
        raise InvalidSweep(f"{at}: min ({_told(low)}) must be more than 0 for {kind}, since it has no logarithm")
    if "log" in kind and not kind.endswith("_values") and max(abs(low), abs(high)) > _MAX_EXPONENT:
        raise InvalidSweep(
            f"{at}: min and max of {kind} are exponents of e, and may be up to {_MAX_EXPONENT}; "
            f"write distribution: {kind}_values if they are the ends themselves"
        )
    if kind.startswith("q_"):
        _check_step(parameter, at)


def _told(number: float) -> str:
    """The number as it was given, most likely: 0 became 0.0."""
    return shown(number).removesuffix(".0")


def _check_step(parameter: Parameter, at: str) -> None:
    low, high, q = parameter.low, parameter.high, parameter.q
    if "log" in parameter.distribution and not parameter.distribution.endswith("_values"):
        low, high = math.exp(low), math.exp(high)
    count = multiples(low, high, q).count
    if not count:
        raise InvalidSweep(f"{at}: no multiple of q ({shown(q)}) lies between min and max; make q smaller")


# ---- conditions ----------------------------------------------------------------------------------------------


def _with_conditions(
    parameter: Parameter, known: Mapping[str, Parameter], own: Mapping[str, Mapping[Any, Any]]
) -> Parameter:
    """The parameter with its conditions checked; `own` has each parameter's values by their keys."""
    at = f"parameters.{parameter.name}.when"
    when: dict[str, tuple[Any, ...]] = {}
    for other, given in parameter.when.items():
        if other not in known:
            raise InvalidSweep(f"{at}: " + schema.unknown(other, "parameter", known))
        wanted: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given]
        if not wanted:
            raise InvalidSweep(f"{at}.{other} is empty; list the values with which {parameter.name} is needed")
        when[other] = tuple(_possible(value, known[other], own[other], at) for value in wanted)
    return replace(parameter, when=when)


def _possible(value: Any, other: Parameter, own: Mapping[Any, Any], at: str) -> Any:
    """The value as the other parameter has it, since 1.0 and 1 may be meant for the same."""
    if other.distribution not in COUNTABLE:
        raise InvalidSweep(
            f"{at}: {other.name} is {other.distribution}, whose values can't be listed; a condition looks at "
            "parameters with value, values, or whole numbers for min and max"
        )
    if other.distribution == "int_uniform":
        if not isinstance(value, int) or isinstance(value, bool) or not other.low <= value <= other.high:
            ends = f"whole numbers from {shown(other.low)} to {shown(other.high)}"
            raise InvalidSweep(f"{at}: {shown(value)} is no value of {other.name}, which has {ends}")
        return value
    if (mark := key(value)) in own:
        return own[mark]
    raise InvalidSweep(f"{at}: " + schema.unknown(value, f"{other.name}’s value", map(shown, other.values)))


def _ordered(parameters: Mapping[str, Parameter]) -> tuple[Parameter, ...]:
    """The parameters in their order, save that one with a condition waits for those it looks at."""
    waiting, placed = dict(parameters), dict[str, Parameter]()
    while waiting:
        before = len(waiting)
        for name, parameter in list(waiting.items()):
            if all(other in placed for other in parameter.when):
                placed[name] = waiting.pop(name)
        if len(waiting) == before:
            circle = ", ".join(list(waiting)[:5])
            raise InvalidSweep(f"parameters: the conditions of {circle} wait for one another; take one of them away")
    return tuple(placed.values())
