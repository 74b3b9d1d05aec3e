"""`LINEAL_LOCKED=1`: refs mean what `lineal.lock` says, whatever the store would answer now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lineal.client import lock
from lineal.core.errors import InvalidSource, VersionNotFound
from lineal.core.names import Ref, format_ref, parse_ref
from lineal.core.settings import Settings, environment


def locked(ref: str, settings: Settings) -> str:
    """The ref, or where refs are locked the one it is pinned to, by content.

    Of a ref that the lock does not have literally the collection counts, if it has one version of it. A ref that is
    pinned itself stays. Raises not_found.version, invalid.source.
    """
    if environment("LINEAL_LOCKED") not in ("1", "true", "yes"):
        return ref
    asked = parse_ref(ref)
    if asked.pinned:
        return ref
    file = lock.nearest()
    if file is None:
        raise InvalidSource(f"LINEAL_LOCKED is set, but there is no {lock.NAME} in {Path.cwd()} or above it")
    pins = lock.read(file)
    whole = lock.whole(ref, settings)
    found = {pin for text, pin in pins.items() if lock.whole(text, settings) == whole}
    found = found or {pin for pin in pins.values() if _same_collection(asked, parse_ref(pin.ref))}
    if len(found) != 1:
        what = "does not have" if not found else "has several versions of"
        raise VersionNotFound(f"{file} {what} {ref}, and LINEAL_LOCKED is set; name the version, such as name:v3")
    pin = found.pop()
    return format_ref(replace(parse_ref(pin.ref), number=None, digest_prefix=pin.digest.removeprefix("sha256:")))


def _same_collection(asked: Ref, pinned: Ref) -> bool:
    return (
        asked.collection == pinned.collection
        and asked.project in (None, pinned.project)
        and asked.entity in (None, pinned.entity)
    )
