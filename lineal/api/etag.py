"""Conditions in headers: what a version was when it was read, and where an alias must stand to be moved."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import Request, Response

from lineal.api.outer import Answer, envelope
from lineal.backend.port import Artifacts
from lineal.core.errors import AliasMoved, InvalidArgument, NotFound
from lineal.core.names import parse_number, parse_ref

_TRIES = 5
NOWHERE = "none"


def resolved(request: Request, artifacts: Artifacts, given: dict[str, Any]) -> Response:
    """The version with its ETag, or 304 where it is still as `If-None-Match` knows it."""
    version = artifacts.resolve(**given)
    answer = Answer(version)
    tag = f'"{version.version}.{hashlib.blake2b(answer.body, digest_size=8).hexdigest()}"'
    known = request.headers.get("if-none-match")
    if known is not None and (known.strip() == "*" or tag in [part.strip() for part in known.split(",")]):
        answer = Response(status_code=304)  # type: ignore[assignment]
    answer.headers["ETag"] = tag
    answer.headers["Cache-Control"] = "private, no-cache"  # may be kept, but is to be asked for each time
    return answer


def moved(request: Request, artifacts: Artifacts, given: dict[str, Any]) -> Response:
    """The version that bears the alias; 412 where a condition in the headers isn't met, 409 where one in the body."""
    wanted, unless = request.headers.get("if-match"), request.headers.get("if-none-match")
    if wanted is None and unless is None:
        return Answer(artifacts.move_alias(**given))
    if given.get("expected") is not None or (wanted is not None and unless is not None):
        raise InvalidArgument("give one condition: If-Match, If-None-Match: *, or `expected` in the body")
    if unless is not None and unless.strip() != "*":
        raise InvalidArgument("If-None-Match can only be * here: the alias must stand nowhere yet")
    try:
        if wanted is not None and wanted.strip() == "*":
            return Answer(_from_anywhere(artifacts, given))
        expected = NOWHERE if wanted is None else _number(wanted)
        return Answer(artifacts.move_alias(**given | {"expected": expected}))
    except AliasMoved as problem:
        return envelope(problem, 412)


def _from_anywhere(artifacts: Artifacts, given: dict[str, Any]) -> Any:
    """The alias moved from wherever it stands."""
    version = artifacts.resolve(given["ref"])
    place = f"{version.entity}/{version.project}/{version.collection}:{given['alias']}"
    parse_ref(place)
    for tried in range(_TRIES):
        try:
            stands = artifacts.resolve(place).version
        except NotFound:
            raise AliasMoved(f"{place} stands nowhere", stands=None, expected="*") from None
        try:
            return artifacts.move_alias(**given | {"expected": stands})
        except AliasMoved:
            if tried == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _number(text: str) -> str:
    """The `vN` in `"vN"` or in an ETag of `resolve`."""
    tag = text.strip()
    if len(tag) < 3 or tag[0] != '"' or tag[-1] != '"':
        raise InvalidArgument(f'If-Match is {ascii(text)[:60]}; give "vN" in quotes, the ETag of a version, or *')
    name = tag[1:-1].partition(".")[0]
    parse_number(name)
    return name
