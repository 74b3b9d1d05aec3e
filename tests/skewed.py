"""The environment of a process whose clock is wrong, by libfaketime from its wheel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def skewed(hours: int) -> dict[str, str]:
    """Variables for a process whose clock is that far ahead (or, below 0, behind); what files say stays right."""
    spec = find_spec("libfaketime")
    assert spec is not None and spec.submodule_search_locations, "`pip install libfaketime` brings what shifts clocks"
    library = Path(spec.submodule_search_locations[0], "vendor/libfaketime/src/libfaketime.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{hours:+}h",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
