"""A run's config: settings by item and attribute, from whatever a script has them in."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Callable, Container, Iterator, Mapping, MutableMapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from lineal.client import held as holding
from lineal.core.errors import ConfigChanged, InvalidArgument
from lineal.core.metadata import check_metadata, restored
from lineal.core.names import texts

MAX_BYTES = 32 << 20


class Section(dict[str, Any]):
    """Nested settings, by item and by attribute; a change of one is recorded like any other. A copy is on its own."""

    def __init__(self, values: Mapping[str, Any], record: Callable[[], None] | None = None) -> None:
        """`values` are plain data; `record` is called after every change and may refuse it by raising."""
        self.__dict__["_record"] = record
        super().__init__(self._within(values))

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"there is no {key!r} here") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delattr__(self, key: str) -> None:
        del self[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._become({**self, key: value})

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __ior__(self, other: Any) -> Section:  # type: ignore[override,misc]
        self.update(other)
        return self

    def update(self, *others: Any, **more: Any) -> None:
        """Sets many at once, all or none."""
        self._become({**self, **dict(*others, **more)})

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        if key not in self and default:
            return default[0]
        value = self[key]
        self._become({name: kept for name, kept in self.items() if name != key})
        return value

    def popitem(self) -> tuple[str, Any]:
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        self._become({})

    def __reduce__(self) -> Any:
        return Section, (plain(self),)

    def _within(self, values: Mapping[str, Any]) -> dict[str, Any]:
        record = self.__dict__["_record"]
        return {key: Section(item, record) if isinstance(item, dict) else item for key, item in values.items()}

    def _become(self, values: Mapping[str, Any]) -> None:
        new, before = self._within(checked(values)), dict(self)
        self._replace(new)
        try:
            if (record := self.__dict__["_record"]) is not None:
                record()
        except BaseException:
            self._replace(before)
            raise

    def _replace(self, values: Mapping[str, Any]) -> None:
        super().clear()
        super().update(values)


class Config(MutableMapping[str, Any]):
    """The run's settings, as items and as attributes; every change is recorded.

    A key that has a value keeps it, unless `update(..., allow_val_change=True)` says otherwise. What a sweep chose
    stays as it is in any case, with a warning.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        record: Callable[[Callable[[], dict[str, Any]]], None],
        *,
        held: Mapping[str, Any] | None = None,
    ) -> None:
        """`record` is given what tells the values at any later time; it refuses a change by raising.

        `held` are those that stay as they are, by dotted name.
        """
        own = self.__dict__
        own["_record"], own["_values"], own["_lock"] = record, {}, threading.RLock()
        own["_held"], own["_warned"] = held or {}, set()
        begun = checked(values)
        holding.hold(begun, own["_held"])
        own["_values"] = self._sections(begun)
        own["_size"] = len(json.dumps(values))

    _values: dict[str, Any]
    _record: Callable[[Callable[[], dict[str, Any]]], None]
    _lock: threading.RLock
    _held: Mapping[str, Any]
    _warned: set[str]
    _size: int  # of all that was ever set, as JSON

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        with self._lock:
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

    def __delattr__(self, key: str) -> None:
        del self[key]

    def __reduce__(self) -> Any:
        return Config, (plain(self._values), _nowhere)

    def __repr__(self) -> str:
        return repr(self._values)

    def as_dict(self) -> dict[str, Any]:
        """A copy as plain data."""
        found: dict[str, Any] = plain(self._values)
        return found

    def update(self, *others: Any, allow_val_change: bool | None = None, **more: Any) -> None:
        """Sets many at once, all or none. Raises conflict.config for a key that has another value already."""
        new = dict(more)
        for other in reversed(others):
            new = of(other) | new
        given = checked(new)
        with self._lock:
            self._hold(given, only=given)
            for key, value in given.items():
                if not allow_val_change and key in self._values and not self._agrees(key, value):
                    raise ConfigChanged(
                        f"config {key!r} is {str(self._values[key])[:80]} already; pass allow_val_change=True to "
                        "config.update to change it"
                    )
            self._become(self._values | self._sections(given), len(json.dumps(given)))

    def setdefaults(self, values: Any) -> None:
        """Sets those keys that have no value yet."""
        self.update({key: value for key, value in of(values).items() if key not in self._values})

    def _agrees(self, key: str, value: Any) -> bool:
        """Whether the value is the one there is, or differs from it in what nobody but the sweep has set."""
        before = holding.without(self._values[key], key, self._held)
        return before is holding.NOTHING or holding.same(before, holding.without(value, key, self._held))

    def _hold(self, values: dict[str, Any], *, only: Container[str] | None = None) -> None:
        """Puts back what is held (below the keys `only`), and says so the first time."""
        if not self._held:
            return
        held = {name: value for name, value in self._held.items() if only is None or name.split(".")[0] in only}
        for name, asked in holding.hold(values, held, self._made).items():
            if name not in self._warned:
                self._warned.add(name)
                _warn_held(name, self._held[name], asked)

    def _made(self, value: Any) -> Any:
        return Section(value, self._section_changed) if isinstance(value, dict) else value

    def _section_changed(self) -> None:
        self._hold(self._values)
        checked(self._values)
        self._record(self.as_dict)

    def _become(self, values: dict[str, Any], added: int = 0) -> None:
        self._hold(values)
        size = self._size + added
        if size > MAX_BYTES:  # perhaps: what was replaced is counted too
            checked(values)
            size = len(json.dumps(values))
        before, self.__dict__["_values"] = self._values, values
        try:
            self._record(self.as_dict)
        except BaseException:
            self.__dict__["_values"] = before
            raise
        self.__dict__["_size"] = size

    def _sections(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self._made(item) for key, item in values.items()}


def _warn_held(name: str, value: Any, asked: Any) -> None:
    """Says that a value that a sweep chose stays."""
    texts_ = (str(one)[:80] for one in (value, asked))
    logging.getLogger("lineal").warning("config %r is the sweep's, %s; %s is left out", name[:80], *texts_)


def _nowhere(_now: Callable[[], Mapping[str, Any]]) -> None:
    """Records nothing: a copy of a config is no run's."""


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `values` as plain data. Raises invalid.metadata."""
    found: dict[str, Any] = restored(check_metadata(values, "config", finite=False, max_bytes=MAX_BYTES))
    return found


def plain(values: Any) -> Any:
    """A copy of `values` with sections as plain dictionaries."""
    if isinstance(values, dict):
        return {key: plain(item) for key, item in values.items()}
    return [plain(item) for item in values] if isinstance(values, list) else values


def of(given: Any, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None) -> dict[str, Any]:
    """The settings in a mapping, Namespace, dataclass, pydantic model, absl flags, or YAML or JSON file.

    Only the top-level keys `include`, where given, and none of `exclude`. Raises invalid.argument.
    """
    if include is not None and exclude is not None:
        raise InvalidArgument("say config_include_keys or config_exclude_keys, not both")
    try:
        found = _of(given)
    except RecursionError:
        raise InvalidArgument("the config is nested too deep, or holds itself") from None
    if include is not None:
        wanted = set(texts(include, what="config_include_keys"))
        return {key: value for key, value in found.items() if key in wanted}
    left_out = set(texts(exclude or (), what="config_exclude_keys"))
    return {key: value for key, value in found.items() if key not in left_out}


def _of(given: Any) -> dict[str, Any]:  # noqa: PLR0911 - a case for each kind
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(key): _nested(value) for key, value in given.items()}
    if isinstance(given, str | Path):
        return _of_file(Path(given))
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return _fields(given)
    if callable(dump := getattr(given, "model_dump", None)):
        return dict(dump(mode="json"))
    if callable(flags := getattr(given, "flag_values_dict", None)):
        return {key: _nested(value) for key, value in flags().items()}
    if hasattr(given, "__dict__") and not isinstance(given, type) and not callable(given):
        return {key: _nested(value) for key, value in vars(given).items() if not key.startswith("_")}
    raise InvalidArgument(
        f"a config can't be made of a {type(given).__name__}; give a dict, a Namespace, a dataclass or a YAML file"
    )


def _fields(given: Any) -> dict[str, Any]:
    return {field.name: _nested(getattr(given, field.name)) for field in dataclasses.fields(given)}


def _nested(value: Any) -> Any:  # noqa: PLR0911 - a case for each kind
    """A value of a config: what is like a config itself becomes one, paths and classes become texts."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, type) or callable(value):
        return getattr(value, "__qualname__", None) or repr(type(value).__name__)
    if isinstance(value, Enum):
        return value.name
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
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)  # 1e-3 is a text in YAML
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as problem:
        raise InvalidArgument(f"the config file {path} can't be read: {problem}") from None
    if not isinstance(found, Mapping):
        raise InvalidArgument(f"the config file {path} holds no mapping of keys to values")
    return {str(key): _unwrapped(value) for key, value in found.items()}


def _unwrapped(value: Any) -> Any:
    """The value in `{"value": …, "desc": …}`, as files for W&B have it."""
    if isinstance(value, Mapping) and "value" in value and set(value) <= {"value", "desc"}:
        return value["value"]
    return value
