"""What refs name without a store: `lineal.lock`, which a person writes and keeps, and what this machine last saw.

    {"format": 1, "refs": {"digits:latest": {"digest": "sha256:…", "ref": "local/default/digits:v3"}}}

A lock says which version a ref means, wherever the file goes; the record of that version and its files are in the
cache of each machine that has got them (`lineal lock`, `lineal.download`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

from lineal.backend.wire import to_json
from lineal.client.connection import Connection
from lineal.core.clock import new_id, parse_time
from lineal.core.errors import Error, InvalidSource, NewerFormat
from lineal.core.names import LATEST, Ref, format_number, format_ref, parse_ref
from lineal.core.settings import Settings
from lineal.registry.model import Version
from lineal.storage import digest as digests
from lineal.storage.blobs import from_os_error

NAME = "lineal.lock"
FORMAT = 1
_MOMENTS = ("created_at", "deleted_at", "purged_at")


class Pin(NamedTuple):
    """What a ref is locked to: a full ref with a number, and the content it had."""

    ref: str
    digest: str


def nearest(folder: Path | None = None) -> Path | None:
    """The `lineal.lock` in the folder (default: the working folder) or the nearest one above it, if any."""
    here = folder or Path.cwd()
    return next((file for place in (here, *here.parents) if (file := place / NAME).is_file()), None)


def read(file: Path) -> dict[str, Pin]:
    """The pins in the file by ref, sorted. Raises invalid.source, unavailable.newer_format."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT:
            raise NewerFormat(f"{file} was written by a newer Lineal; bring this one up to date")
        found = {ref: Pin(pin["ref"], pin["digest"]) for ref, pin in sorted(told["refs"].items())}
        for ref, pin in found.items():
            parse_ref(ref)
            digests.parse(pin.digest)
            if parse_ref(pin.ref).number is None:
                raise ValueError(f"{pin.ref} is no version")
    except NewerFormat:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Error) as problem:
        raise InvalidSource(f"{file} can't be read as a lock: {problem}; write it anew with `lineal lock`") from None
    return found


def write(file: Path, pins: Mapping[str, Pin]) -> None:
    """Replaces the file at once; equal pins give equal bytes. Raises unavailable.*."""
    told = {"format": FORMAT, "refs": {ref: pins[ref]._asdict() for ref in sorted(pins)}}
    half = file.with_name(f".new-{new_id()}")
    try:
        half.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(half, file)
    except OSError as problem:
        half.unlink(missing_ok=True)
        raise from_os_error(problem, str(file)) from problem


def remember(conn: Connection, ref: str, version: Version) -> None:
    """Notes what the ref named just now, for the day when the store can't be asked."""
    facts = json.dumps(to_json(version))
    full = replace(parse_ref(ref), entity=version.entity, project=version.project)
    for text in {
        whole(ref, conn.settings),
        whole(version.ref, conn.settings),
        whole(format_ref(full), conn.settings),
    }:
        conn.cache.remember_ref(conn.settings.url, text, facts)


def find(conn: Connection, ref: str) -> Version | None:
    """The version that the ref means: by the nearest lock, else as this machine last saw it; None: never seen.

    Raises invalid.source for a lock that can't be read.
    """
    asked = whole(ref, conn.settings)
    pins = read(file) if (file := nearest()) is not None else {}
    pin = next((pin for text, pin in pins.items() if whole(text, conn.settings) == asked), None)
    facts = conn.cache.find_ref(conn.settings.url, whole(pin.ref, conn.settings) if pin else asked)
    version = _version(facts) if facts is not None else None
    return version if version is None or pin is None or version.digest == pin.digest else None


def key(text: str) -> str:
    """The ref as a lock names it: `digits:latest` for `digits`. Raises invalid.ref."""
    ref = parse_ref(text)
    return text if ref.pinned or ref.alias is not None else f"{text.partition(':')[0]}:{LATEST}"


def put(pins: Mapping[str, Pin], ref: str, pin: Pin, settings: Settings) -> dict[str, Pin]:
    """The pins with this one for the ref, in the place of any for a ref that means the same."""
    others = {text: old for text, old in pins.items() if whole(text, settings) != whole(ref, settings)}
    return {**others, key(ref): pin}


def whole(text: str, settings: Settings) -> str:
    """The ref with all its parts, the same for all ways to write it. Raises invalid.ref."""
    ref = parse_ref(text)
    return f"{ref.entity or settings.entity}/{ref.project or settings.project or ''}/{ref.collection}{_tag(ref)}"


def _tag(ref: Ref) -> str:
    if ref.digest_prefix is not None:
        return f"@{ref.digest_prefix}"
    return f":{ref.alias or LATEST}" if ref.number is None else f":{format_number(ref.number)}"


def _version(text: str) -> Version:
    """The record in what was remembered."""
    told = json.loads(text)
    facts = {field.name: told[field.name] for field in fields(Version)}
    facts |= {name: parse_time(facts[name]) if facts[name] else None for name in _MOMENTS}
    return Version(**{**facts, "tags": tuple(facts["tags"]), "aliases": tuple(facts["aliases"])})
