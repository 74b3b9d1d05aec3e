"""Retention: for each version, whether garbage collection may take it, and if not, why not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lineal.core.errors import InvalidArgument
from lineal.registry.model import Version

MAX_TTL_S = 1000 * 365 * 86_400

Fate = Literal["keep", "expire", "purge"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a version: kept, expired (its ttl is over: deleted now), or purged (deleted earlier)."""

    version: Version
    fate: Fate
    why: str


def check_ttl(ttl_s: int) -> int:
    """`ttl_s`, if it is a span of 0 seconds to 1000 years. Raises invalid.argument."""
    if not 0 <= ttl_s <= MAX_TTL_S:
        raise InvalidArgument(f"a ttl of {ttl_s} s is not between 0 seconds and 1000 years")
    return ttl_s


def decide(
    version: Version,
    *,
    linked: Collection[str],
    newest: bool,
    used: bool,
    now: datetime,
) -> Decision:
    """The version's fate; `linked` are the refs of its links (with their aliases), `used` whether a run used it."""
    if version.deleted_at is not None:
        return Decision(version, "purge", f"deleted {version.deleted_at:%Y-%m-%d}")
    over = None if version.ttl_s is None else version.created_at + timedelta(seconds=version.ttl_s)
    reasons = (
        (version.hold is not None, f"hold: {version.hold}"),
        (bool(version.aliases), f"alias {', '.join(version.aliases)}"),
        (bool(linked), f"link {', '.join(linked)}"),
        (newest, "newest"),
        (used, "used by a run"),
        (over is None, "no ttl"),
        (over is not None and now < over, f"ttl not over before {over:%Y-%m-%d %H:%M}Z" if over else ""),
    )
    for holds, why in reasons:
        if holds:
            return Decision(version, "keep", why)
    return Decision(version, "expire", f"ttl over since {over:%Y-%m-%d %H:%M}Z")
