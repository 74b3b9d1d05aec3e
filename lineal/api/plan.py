"""What a worker process is told when it starts: the store and the server's settings, as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from lineal.core import settings
from lineal.core.settings import ServerSettings, Settings

_OF_THE_STORE = ("url", "store", "entity", "project", "user", "mode")


@dataclass(frozen=True, slots=True)
class Plan:
    """A server to be: its store, how it is to listen and what it lets others take of it."""

    store: Settings
    server: ServerSettings

    def to_line(self) -> bytes:
        """The plan as one line. It may hold the passwords of the store's URL: it goes through a pipe, not argv."""
        store = {name: getattr(self.store, name) for name in _OF_THE_STORE}
        return json.dumps({"store": store, "server": asdict(self.server)}).encode("ascii") + b"\n"

    @staticmethod
    def from_line(line: bytes) -> Plan:
        """The plan that `to_line` wrote."""
        said: dict[str, Any] = json.loads(line)
        server = {name: _kept(said["server"][name]) for name in (field.name for field in fields(ServerSettings))}
        return Plan(settings.load(**said["store"]), ServerSettings(**server))


def _kept(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
