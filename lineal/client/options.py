"""What can be switched about a run: `lineal.init(settings=lineal.Settings(console=False))`, or a mapping."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lineal.core.errors import InvalidArgument
from lineal.core.names import texts
from lineal.core.settings import MODES

_MAX_LABEL = 64
_MAX_PATIENCE_S = 604_800
_log = logging.getLogger("lineal")
_OFF = ("off", "false", "none", "0", "")
_INVERTED = {"x_disable_stats": "system", "disable_git": "git"}
_RENAMED = {"save_code": "code", "x_label": "label", "x_primary": "primary"}


class _Lenient(type):
    """Makes a class take W&B's names for its fields, and leave out with a warning what it doesn't know."""

    def __call__(cls, **given: Any) -> Any:
        return super().__call__(**_understood(given))


@dataclass(frozen=True, slots=True)
class Settings(metaclass=_Lenient):
    """Switches of a run. Each `bool` says whether that part is recorded.

    mode: as `init` takes it, or "shared" where several processes write into one run. primary: whether this process
    ends a shared run. label: what rows of a shared run say of this writer. code_dir: the folder whose source becomes
    a `code` artifact. patience_s: how long `finish` waits for a store that can't be reached.
    """

    mode: str | None = None
    primary: bool = True
    label: str | None = None
    git: bool = True
    environment: bool = True
    packages: bool = True
    console: bool = True
    system: bool = True
    notebook: bool = True
    code: bool = False
    code_dir: str | Path | None = None
    system_interval_s: float = 10
    patience_s: float = 60
    variables: tuple[str, ...] = ()


def of(given: Settings | Mapping[str, Any] | None) -> Settings:
    """The switches in `given`. Settings of W&B that mean nothing here are left out; raises invalid.argument."""
    if given is None:
        return Settings()
    if isinstance(given, Settings):
        return _checked(given)
    if not isinstance(given, Mapping):
        raise InvalidArgument(f"settings is a lineal.Settings or a mapping, not a {type(given).__name__}")
    return _checked(Settings(**given))


def _understood(given: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(Settings)}
    chosen: dict[str, Any] = {}
    for key, value in given.items():
        name = _RENAMED.get(key, key)
        if key in _INVERTED:
            chosen[_INVERTED[key]] = not value
        elif name == "console":
            chosen[name] = str(value).lower() not in _OFF
        elif name in known:
            chosen[name] = value
        else:
            _log.warning("the setting %s means nothing to Lineal and is left out", ascii(key)[:80])
    return chosen


def _checked(settings: Settings) -> Settings:
    if settings.mode not in (None, "shared", *MODES):
        raise InvalidArgument(f"{str(settings.mode)[:40]!r} is no mode; say shared, {', '.join(MODES)}")
    for what in ("system_interval_s", "patience_s"):
        if not isinstance(getattr(settings, what), int | float):
            raise InvalidArgument(f"{what} is a number of seconds")
    if not settings.system_interval_s > 0:
        raise InvalidArgument("system_interval_s must be more than 0")
    if not 0 <= settings.patience_s <= _MAX_PATIENCE_S:
        raise InvalidArgument("patience_s must be from 0 to a week")
    label = "" if settings.label is None else settings.label
    if not isinstance(label, str) or len(label) > _MAX_LABEL or not label.isprintable():
        raise InvalidArgument(f"label is a text of at most {_MAX_LABEL} printable characters")
    texts(settings.variables, what="variables")
    return settings
