"""Values as people read them: the same words in the terminal, in reports and on pages."""

from __future__ import annotations

from datetime import UTC, datetime


def printable(text: str) -> str:
    r"""`text` with each character that steers rather than shows (ESC, bidi marks) written as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def moment(at: datetime) -> str:
    """`2026-05-01 12:00:00 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(size_bytes: int | None) -> str:
    """`1.4 MB`: bytes in powers of 1000, three digits or so; `?` where nobody knows."""
    if size_bytes is None:
        return "?"
    if size_bytes < 1000:
        return count(size_bytes, "byte")
    number = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        number /= 1000
        if number < 999.5:
            return f"{number:.1f} {unit}" if number < 99.95 else f"{number:.0f} {unit}"
    return f"{number / 1000:,.1f} PB"


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def short(digest: str, length: int = 12) -> str:
    """A digest without its tail: `sha256:0123456789ab`."""
    head, colon, rest = digest.partition(":")
    return printable(f"{head}{colon}{rest[:length]}")
