"""Use cases of what runs record: batches in, rows out."""

from __future__ import annotations

from lineal.backend.local.context import Context
from lineal.backend.port_runs import Runs


class LocalHistory(Runs):
    def __init__(self, context: Context) -> None:
        self._here = context

    def settle(self, run_id: str) -> None:
        """Makes one file of each stream's rows."""
