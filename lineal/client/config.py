"""A run's config: settings by item and attribute, from whatever a script has them in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from lineal.core.errors import ConfigChanged, InvalidArgument
from lineal.core.metadata import check_metadata, restored

MAX_BYTES = 32 << 20


class Section(dict[str, Any]):
    """Nested settings, by item and by attribute; a change of one is recorded like any other."""

    _record: Callable[[], None]

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"the config has no {key!r} here") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        before = self.get(key, self)
        super().__setitem__(key, value)
        try:
            self._record()
        except BaseException:
            if before is self:
                super().__delitem__(key)
            else:
                super().__setitem__(key, before)
            raise


class Config(MutableMapping[str, Any]):
    """The run's settings, as items and as attributes; every change is recorded.

    A key that has a value keeps it, unless `update(..., allow_val_change=True)` says otherwise.
    """

    def __init__(self, values: Mapping[str, Any], record: Callable[[dict[str, Any]], None]) -> None:
        own = self.__dict__
        own["_record"], own["_values"] = record, {}
        own["_values"] = self._plain(values)

    _values: dict[str, Any]
    _record: Callable[[dict[str, Any]], None]

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        if key not in self._values:
            raise KeyError(key)
        self._become({k: v for k, v in self._values.items() if k != key})

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, key: str) -> Any:
        try:
            return self.__dict__["_values"][key]  # not by attribute: a copy under way has none yet
        except KeyError:
            raise AttributeError(f"the run's config has no {key!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __repr__(self) -> str:
        return repr(self._values)

    def as_dict(self) -> dict[str, Any]:
        """A copy as plain data."""
        return plain(self._values)

    def update(self, *others: Any, allow_val_change: bool | None = None, **more: Any) -> None:
        """Sets many at once, all or none. Raises conflict.config for a key that has another value already."""
        new = dict(more)
        for other in reversed(others):
            new = of(other) | new
        given = self._plain(new)
        if not allow_val_change:
            for key, value in given.items():
                if key in self._values and not _same(self._values[key], value):
                    raise ConfigChanged(
                        f"config {key!r} is {str(self._values[key])[:80]} already; pass allow_val_change=True to "
                        "config.update to change it"
                    )
        self._become(self._values | given)

    def setdefaults(self, values: Any) -> None:
        """Sets those keys that have no value yet."""
        self.update({key: value for key, value in of(values).items() if key not in self._values})

    def _become(self, values: dict[str, Any]) -> None:
        self._record(plain(values))
        self.__dict__["_values"] = values

    def _plain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = restored(check_metadata(values, "config", finite=False, max_bytes=MAX_BYTES))
        return {key: self._section(value) for key, value in checked.items()}

    def _section(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        section = Section({key: self._section(item) for key, item in value.items()})
        section.__dict__["_record"] = lambda: self._record(plain(self._values))
        return section


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with sections as plain dictionaries."""
    return {key: plain(item) if isinstance(item, dict) else item for key, item in values.items()}


def of(given: Any, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None) -> dict[str, Any]:
    """The settings in a mapping, Namespace, dataclass, pydantic model, absl flags, or YAML or JSON file.

    Only the top-level keys `include`, where given, and none of `exclude`. Raises invalid.argument.
    """
    if include is not None and exclude is not None:
        raise InvalidArgument("say config_include_keys or config_exclude_keys, not both")
    found = _of(given)
    if include is not None:
        return {key: value for key, value in found.items() if key in include}
    return {key: value for key, value in found.items() if key not in (exclude or ())}


def _of(given: Any) -> dict[str, Any]:  # noqa: PLR0911 - a case for each kind
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(key): _nested(value) for key, value in given.items()}
    if isinstance(given, str | Path):
        return _of_file(Path(given))
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return dataclasses.asdict(given)
    if callable(dump := getattr(given, "model_dump", None)):
        return dict(dump(mode="json"))
    if callable(flags := getattr(given, "flag_values_dict", None)):
        return dict(flags())
    if hasattr(given, "__dict__") and not isinstance(given, type) and not callable(given):
        return {key: _nested(value) for key, value in vars(given).items() if not key.startswith("_")}
    raise InvalidArgument(
        f"a config can't be made of a {type(given).__name__}; give a dict, a Namespace, a dataclass or a YAML file"
    )


def _nested(value: Any) -> Any:
    """A value of a config: what is like a config itself becomes one, paths and classes become texts."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, type) or callable(value):
        return getattr(value, "__qualname__", None) or repr(type(value).__name__)
    if dataclasses.is_dataclass(value) or hasattr(value, "model_dump") or type(value).__name__ == "Namespace":
        return _of(value)
    if isinstance(value, Mapping):
        return {str(key): _nested(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nested(item) for item in value]
    return value


def _of_file(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML too
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as problem:
        raise InvalidArgument(f"the config file {path} can't be read: {problem}") from None
    if not isinstance(found, Mapping):
        raise InvalidArgument(f"the config file {path} holds no mapping of keys to values")
    return {str(key): _unwrapped(value) for key, value in found.items()}


def _unwrapped(value: Any) -> Any:
    """The value in `{"value": …, "desc": …}`, as files for W&B have it."""
    if isinstance(value, Mapping) and "value" in value and set(value) <= {"value", "desc"}:
        return value["value"]
    return value


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (str(one) == str(other) == "nan")
