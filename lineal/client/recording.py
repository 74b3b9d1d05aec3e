"""What a run records without being asked, as far as its settings let it: surroundings, console, system metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lineal.client.options import Settings

if TYPE_CHECKING:
    from lineal.client.run import Run


def record_surroundings(run: Run, settings: Settings, code: Mapping[str, Any]) -> None:
    """Starts recording."""
