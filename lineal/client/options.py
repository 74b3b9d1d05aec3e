"""What can be switched about a run: `lineal.init(settings=lineal.Settings(console=False))`, or a mapping."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lineal.core.errors import InvalidArgument
from lineal.core.names import texts

_MAX_LABEL = 64
_MAX_PATIENCE_S = 604_800
_log = logging.getLogger("lineal")
_OFF = ("off", "false", "none", "0", "")
_AS_WANDB = {"x_disable_stats": ("system", True), "disable_git": ("git", True), "save_code": ("code", False)}


@dataclass(frozen=True, slots=True)
class Settings:
    """Switches of a run. Each `bool` says whether that part is recorded.

    mode: "shared" where several processes write into one run. primary: whether this process ends a shared run.
    label: what rows of a shared run say of this writer. code_dir: the folder whose source becomes a `code` artifact.
    patience_s: how long `finish` waits for a store that can't be reached.
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
    known = {field.name for field in fields(Settings)}
    chosen: dict[str, Any] = {}
    for key, value in given.items():
        if key in _AS_WANDB:
            name, inverted = _AS_WANDB[key]
            chosen[name] = bool(value) != inverted
        elif key == "console":
            chosen[key] = str(value).lower() not in _OFF
        elif key in known:
            chosen[key] = value
        else:
            _log.warning("the setting %s means nothing to Lineal and is left out", ascii(key)[:80])
    return _checked(replace(Settings(), **chosen))


def _checked(settings: Settings) -> Settings:
    if settings.mode not in (None, "shared"):
        raise InvalidArgument(f"{str(settings.mode)[:40]!r} is no mode of a run's settings; there is 'shared'")
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
