"""Fixtures of this room's tests."""

from __future__ import annotations

from tests.processes import open_path, run_child, start_child

__all__ = ["open_path", "run_child", "start_child"]
