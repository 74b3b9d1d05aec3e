"""Time in UTC, and ids that sort by the time they were made."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta

from lineal.core.errors import InvalidArgument

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
_DURATION = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh id of 26 characters: 48 bits of milliseconds, 80 of chance; ids sort by time (ULID's layout)."""
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def new_run_id() -> str:
    """A fresh run id of 8 characters, short enough to type."""
    number = int.from_bytes(os.urandom(5))
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(35, -1, -5))


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`, microseconds when there are any. Inverse of `parse_time`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def aware(moment: datetime) -> datetime:
    """The moment in UTC; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 or ISO 8601 text names; one without a zone is taken as UTC."""
    try:
        return aware(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        raise InvalidArgument(f"{text!r} is not a time; write it like 2026-05-01T12:00Z") from None


def parse_duration(text: str) -> timedelta:
    """The span that a text such as `90s`, `24h`, `30d` or `1w 2d` names."""
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        raise InvalidArgument(f"{text!r} is not a duration; write it like 24h, 30d or 90s")
    try:
        return timedelta(seconds=sum(int(count) * _UNIT_S[unit] for count, unit in parts))
    except (OverflowError, ValueError):  # int() refuses thousands of digits
        raise InvalidArgument(f"{text[:40]!r} is too long a duration") from None
