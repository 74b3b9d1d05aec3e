"""Use cases of finding runs."""

from __future__ import annotations

from lineal.backend.local.context import Context
from lineal.backend.port_runs import Runs


class LocalRunSearch(Runs):
    _here: Context
