"""What a sweep's config may hold, as pydantic models of its sections; what pydantic refuses is said in our words.

The schema is W&B's (https://docs.wandb.ai/models/sweeps/sweep-config-keys) and what we add. Imported only where a
config is parsed, since pydantic takes its time.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from lineal.core.errors import InvalidSweep
from lineal.sweeps.model import Goal
from lineal.sweeps.model import Method as KnownMethod
from lineal.sweeps.space import Distribution as KnownDistribution

METHODS: tuple[str, ...] = get_args(KnownMethod)
DISTRIBUTIONS: tuple[str, ...] = get_args(KnownDistribution)
_EXPONENT = re.compile(r"([-+]?\d[\d_]*)(\.\d*)?[eE]([-+]?)(\d+)")
_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
}
_BOUNDS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_BOUND_WORDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def shown(value: Any) -> str:
    """The value as YAML and JSON have it, cut to a length that a message can take."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"


def as_number(text: str) -> str | None:
    """How the number that a text stands for is written in YAML, None where it stands for none."""
    if match := _EXPONENT.fullmatch(text):
        whole, fraction, sign, power = match.groups()
        return f"{whole}{fraction if fraction and fraction != '.' else '.0'}e{sign or '+'}{power}"
    try:
        float(text)
    except ValueError:
        return None
    return text.strip()


def unknown(word: object, kind: str, known: Iterable[str]) -> str:
    """The sentence for a word that isn't among those that are known."""
    words = list(known)
    near = difflib.get_close_matches(str(word).lower()[:200], words[:1000], 1)
    hint = f"; did you mean {near[0]}? " if near else ". "
    listed = ", ".join(words[:20]) + (", …" if len(words) > 20 else "")
    return f"{kind} {shown(word)} is unknown{hint}There are {listed}"


def _whole(sentence: str) -> PydanticCustomError:
    """What is raised where the sentence already names what is wrong, and not only the section it is in."""
    return PydanticCustomError("whole", "{sentence}", {"sentence": sentence})


def _number(value: Any) -> int | float:
    if isinstance(value, str):
        fix = as_number(value)
        raise ValueError(f"is the text {shown(value)}, not a number" + (f": write {fix}" if fix else ""))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"is {shown(value)}, not a number")
    if abs(value) > 1e300:
        raise ValueError("is too large a number; at most 1e300 can be searched")
    return value


def _distribution(value: Any) -> str:
    if value == "categorical_w_probabilities":  # W&B's own name for what its users write as categorical
        return "categorical"
    if value not in DISTRIBUTIONS:
        raise _whole(unknown(value, "distribution", DISTRIBUTIONS))
    return str(value)


def _method(value: Any) -> str:
    if value == "custom":
        raise _whole(
            "method 'custom' is unknown: a search of your own is a program that starts runs, without a sweep here"
        )
    if value not in METHODS:
        raise _whole(unknown(value, "method", METHODS))
    return str(value)


def _impute(value: Any) -> str:
    if value != "worst":
        raise ValueError(f"can't be {shown(value)}: failed trials count as the worst that was seen; leave it out")
    return "worst"


def _hyperband(value: Any) -> str:
    if value != "hyperband":
        raise _whole(unknown(value, "type", ["hyperband"]))
    return "hyperband"


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write something or leave it out")
    return text


Number = Annotated[int | float, PlainValidator(_number)]
Text = Annotated[str, Field(max_length=1000), AfterValidator(_filled)]
Count = Annotated[int, Field(ge=1, le=1 << 40)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


class Metric(Section):
    name: Text
    goal: Goal = "minimize"
    target: Number | None = None
    impute: Annotated[str, PlainValidator(_impute)] = "worst"


class OneOfMetrics(Section):
    name: Text
    goal: Goal = "minimize"


class Constraint(Section):
    name: Text
    min: Number | None = None
    max: Number | None = None


class EarlyTerminate(Section):
    type: Annotated[str, PlainValidator(_hyperband)]
    min_iter: Count | None = None
    max_iter: Count | None = None
    s: Annotated[int, Field(ge=1, le=100)] | None = None
    eta: Number = 3
    strict: bool = False


class Parameter(Section):
    value: Any = None
    values: list[Any] | None = None
    probabilities: list[Number] | None = None
    min: Number | None = None
    max: Number | None = None
    distribution: Annotated[str, PlainValidator(_distribution)] | None = None
    mu: Number | None = None
    sigma: Number | None = None
    q: Number | None = None
    a: Number | None = None
    b: Number | None = None
    parameters: dict[str, Any] | None = None
    when: dict[str, Any] | None = None


class Controller(Section):
    type: Literal["cloud", "local"]


class Config(Section):
    method: Annotated[str, PlainValidator(_method)]
    parameters: dict[str, Any]
    name: Text | None = None
    description: Annotated[str, Field(max_length=20_000)] | None = None
    project: Text | None = None
    entity: Text | None = None
    program: Text | None = None
    command: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    metric: dict[str, Any] | None = None
    metrics: Annotated[list[Any], Field(min_length=1, max_length=10)] | None = None
    constraints: Annotated[list[Any], Field(max_length=100)] | None = None
    early_terminate: dict[str, Any] | None = None
    run_cap: Count | None = None
    max_failures: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 3
    lease_s: Annotated[Number, Field(ge=1, le=86_400)] = 60
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    apiVersion: str | None = None  # noqa: N815 - these three are W&B's, and say nothing about the search
    kind: Literal["sweep"] | None = None
    controller: Controller | None = None


Kind = TypeVar("Kind", bound=Section)


def read(kind: type[Kind], raw: Any, where: str) -> Kind:
    """The section of that kind that `raw` is; `where` is its dotted key. Raises invalid.sweep."""
    if not isinstance(raw, Mapping):
        raise InvalidSweep(f"{where or 'the config'} must be a mapping, not {shown(raw)}")
    try:
        return kind.model_validate(raw)
    except ValidationError as problem:
        # A key that is missing is often one that is misspelt: the misspelling is the better thing to tell.
        errors = problem.errors(include_url=False)
        first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
        raise InvalidSweep(_sentence(first, kind, where)) from None


def _sentence(error: Any, kind: type[Section], where: str) -> str:  # noqa: PLR0911 - a case for each kind
    at, given, facts, type_ = error["loc"], error["input"], error.get("ctx", {}), error["type"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
    key = f"{where}{key}" if where else key.removeprefix(".")
    prefix = f"{where}: " if where else ""
    if type_ == "extra_forbidden":
        return prefix + unknown(at[-1], "key", kind.model_fields if len(at) == 1 else ["type"])
    if type_ == "missing":
        return f"{key} is missing"
    if type_ == "value_error":
        return f"{key} {facts['error']}"
    if type_ == "whole":
        return prefix + str(facts["sentence"])
    if type_ == "literal_error":
        return unknown(given, key, re.findall(r"'([^']*)'", facts["expected"]))
    if type_ in _BOUNDS:
        name = _BOUNDS[type_]
        return f"{key} ({shown(given)}) must be {_BOUND_WORDS[name]} {facts[name]}"
    if type_ == "int_type" and isinstance(given, str) and (fix := as_number(given)):
        return f"{key} is the text {shown(given)}, not a number: write {fix}"
    if type_ in _WANTED:
        return f"{key} must be {_WANTED[type_]}, not {shown(given)}"
    if type_ == "too_short":
        return f"{key} is empty; leave it out or write what belongs there"
    return f"{key} can't be right: {error['msg']}"
