"""Settings, read once: argument > `LINEAL_*` variable > project file > default. The only reader of the environment.

| setting | variable | `lineal.toml` | default |
|---|---|---|---|
| url | LINEAL_URL | url | ~/.lineal |
| store | LINEAL_STORE | store | none: a folder holds rows and bytes; a PostgreSQL url needs one |
| entity | LINEAL_ENTITY | entity | local |
| project | LINEAL_PROJECT | project | none: `default` for what is logged, any project for what is looked up |
| user | LINEAL_USER | - | the name the system knows you by |
| cache_dir | LINEAL_CACHE_DIR | - | the system's cache folder |
| cache_size | LINEAL_CACHE_SIZE | - | 20 GB, or 10 % of the disk if that is less |
| pack_limit | LINEAL_PACK_LIMIT | pack_limit | 128 KiB: larger files become objects of their own |
| mode | LINEAL_MODE | mode | online |
| runs_dir | LINEAL_DIR | - | the system's folder for the state of programs |

A server has settings of its own, `load_server`. The channels of alerts are in LINEAL_ALERTS or the user's own
`alerts.txt`, never in `lineal.toml`, which is shared. So is the API key of a server: in LINEAL_API_KEY, or where
`lineal login` keeps it.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lineal.core.errors import InvalidSettings
from lineal.core.names import check_name

PROJECT_FILE = "lineal.toml"
ALERTS_FILE = "alerts.txt"
DEFAULT_ENTITY = "local"
DEFAULT_PROJECT = "default"
MAX_PACK_LIMIT_BYTES = 8 << 20
_FILE_KEYS = {"url", "store", "entity", "project", "pack_limit", "mode"}
MODES = ("online", "offline", "disabled")
_SIZE = re.compile(r"(\d+)\s*(|K|M|G|T|Ki|Mi|Gi|Ti)B?", re.IGNORECASE)
_SECRET = re.compile(r"(?i)([\w.-]*(?:password|passwd|secret|token|key)[\w.-]*)=[^&;\s]*")
_UNITS = {
    "": 1,
    **{u: 1000 ** (i + 1) for i, u in enumerate("kmgt")},
    **{f"{u}i": 1024 ** (i + 1) for i, u in enumerate("kmgt")},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the store is and who acts; `project` is None when nobody set one."""

    url: str = field(repr=False)  # it may hold a password
    entity: str
    project: str | None
    user: str
    host: str
    cache_dir: Path
    cache_size_bytes: int | None
    pack_limit_bytes: int
    runs_dir: Path
    mode: str = "online"
    store: str | None = field(default=None, repr=False)
    project_file: Path | None = None


def load(folder: Path | None = None, **given: Any) -> Settings:
    """The settings in force in `folder` (default: the working folder); `given` values that are not None win.

    Raises invalid.settings for a project file or a value that can't be read.
    """
    file = find_project_file(folder or _working_folder())
    values: dict[str, Any] = _read_project_file(file) if file else {}
    for key in ("url", "store", "entity", "project", "user", "cache_dir", "cache_size", "pack_limit", "mode"):
        if variable := os.environ.get(f"LINEAL_{key.upper()}"):
            values[key] = variable
    if variable := os.environ.get("LINEAL_DIR"):
        values["runs_dir"] = variable
    values |= {key: value for key, value in given.items() if value is not None}
    return _checked(values, file)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server listens, whom it believes, and what it lets others take of it."""

    host: str = "127.0.0.1"
    port: int = 8230
    workers: int = 1
    names: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    metrics_from: tuple[str, ...] = ()
    stop_within_s: float = 30
    stall_after_s: float = 60
    max_upload_bytes: int = 1 << 40
    telemetry: bool = False

    @property
    def local(self) -> bool:
        """Whether it listens to this machine only."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def answers_to(self) -> tuple[str, ...]:
        """The names that a request may call it by: those given, the loopback's, and the host it listens on."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        here = () if self.host in ("0.0.0.0", "::") else (shown,)  # noqa: S104 - what others may have asked for
        return tuple(dict.fromkeys((*self.names, "localhost", "127.0.0.1", "[::1]", *here)))


def load_server(**given: Any) -> ServerSettings:
    """A server's settings: `given` values that are neither None nor empty win over `LINEAL_SERVER_*` variables.

    Lists are separated by commas. Raises invalid.settings.
    """
    values: dict[str, Any] = {}
    for key, name in _SERVER_VARIABLES.items():
        value = given.get(key)
        if value is None or value == ():
            value = os.environ.get(name) or None
        if value is not None:
            values[key] = _server_value(key, name, value)
    return ServerSettings(**values)


_SERVER_VARIABLES = {
    "host": "LINEAL_SERVER_HOST",
    "port": "LINEAL_SERVER_PORT",
    "workers": "LINEAL_SERVER_WORKERS",
    "names": "LINEAL_SERVER_NAMES",
    "trusted_proxies": "LINEAL_SERVER_TRUSTED_PROXIES",
    "metrics_from": "LINEAL_SERVER_METRICS_FROM",
    "stop_within_s": "LINEAL_SERVER_STOP_WITHIN",
    "stall_after_s": "LINEAL_SERVER_STALL_AFTER",
    "max_upload_bytes": "LINEAL_SERVER_MAX_UPLOAD",
    "telemetry": "LINEAL_SERVER_TELEMETRY",
}
_NUMBERS = {"port": (0, 65_535), "workers": (1, 256)}
_HOST = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]{0,252})|\[[0-9A-Fa-f:.]+\]")


def _server_value(key: str, name: str, value: Any) -> Any:
    from lineal.core.clock import parse_duration

    if key in _NUMBERS:
        low, high = _NUMBERS[key]
        if not re.fullmatch(r"[0-9]{1,9}", text := str(value).strip()) or not low <= int(text) <= high:
            raise InvalidSettings(f"{text[:40]!r} is no {key}; set {name} to a number from {low} to {high}")
        return int(text)
    if key in ("names", "trusted_proxies", "metrics_from"):
        parts = value.split(",") if isinstance(value, str) else value
        check = _host_name if key == "names" else _network
        return tuple(check(part.strip(), name) for part in parts if part.strip())
    if key.endswith("_s"):
        return value if isinstance(value, int | float) else parse_duration(value).total_seconds()
    if key == "max_upload_bytes":
        return parse_size(value)
    if key == "telemetry":
        return value if isinstance(value, bool) else str(value).lower() in ("1", "true", "yes", "on")
    return str(value).strip().removeprefix("[").removesuffix("]")


def _host_name(text: str, name: str) -> str:
    if not _HOST.fullmatch(text):
        raise InvalidSettings(f"{text[:60]!r} is no host name; set {name} to one like lineal.example.org, no port")
    return text.lower()


def _network(text: str, name: str) -> str:
    from ipaddress import ip_network

    try:
        return str(ip_network(text))
    except ValueError:
        raise InvalidSettings(
            f"{text[:60]!r} is no address; set {name} to ones like 10.0.0.7 or 10.0.0.0/8"
        ) from None


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise InvalidSettings("the working folder was deleted; go to one that is there") from None


def find_project_file(folder: Path) -> Path | None:
    """The nearest `lineal.toml` in `folder` or above it, if any."""
    for place in (folder, *folder.parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
    return None


def parse_size(text: str | int) -> int:
    """The bytes in a size such as `20GB`, `512 MiB` or `1000`."""
    match = _SIZE.fullmatch(str(text).strip())
    if not match or len(match[1]) > 30:
        raise InvalidSettings(f"{str(text)[:40]!r} is not a size; write it like 20GB or 512MiB")
    return int(match[1]) * int(_UNITS[match[2].lower()])


def shown(url: str) -> str:
    """The URL as people and logs may see it: without its passwords and keys."""
    head, at, rest = url.rpartition("@")
    scheme, slashes, account = head.partition("://")
    if at and slashes and ":" in account:
        url = f"{scheme}://{account.partition(':')[0]}:***@{rest}"
    return _SECRET.sub(r"\1=***", url)


def environment(name: str) -> str | None:
    """The variable `name` of the process, for the few facts that are not settings (a terminal's, git's)."""
    return os.environ.get(name)


def environment_like(patterns: Iterable[str]) -> dict[str, str]:
    """The variables of the process whose names match one of the patterns (`SLURM_*`), by name."""
    wanted = tuple(patterns)
    return {
        name: os.environ[name] for name in sorted(os.environ) if any(fnmatchcase(name, pattern) for pattern in wanted)
    }


def forget(names: Iterable[str]) -> None:
    """Takes the variables out of the process's environment: what it starts from now on doesn't get them."""
    for name in names:
        os.environ.pop(name, None)


def alert_urls() -> tuple[str, ...]:
    """The channels of alerts, as Apprise URLs: those of LINEAL_ALERTS if it is set, else of `alerts.txt`.

    They hold secrets, which is why they are no part of `Settings`. Raises invalid.settings.
    """
    given = os.environ.get("LINEAL_ALERTS")
    if given is None:
        import platformdirs

        file = Path(platformdirs.user_config_path("lineal")) / ALERTS_FILE
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as problem:
            raise InvalidSettings(f"{file} can't be read: {type(problem).__name__}") from None
        given = " ".join(line for line in lines if not line.lstrip().startswith("#"))
    # A comma may be part of an URL: it parts two only where another one begins behind it.
    return tuple(url for text in re.split(r"[\s,]+(?=\w+://)", given) if (url := text.strip(" ,\t\r\n")))


def api_key(url: str) -> str | None:
    """The API key for the server at `url`: LINEAL_API_KEY if it is set, else what `lineal login` kept for it.

    A secret, which is why it is no part of `Settings`. Raises invalid.settings.
    """
    from lineal.core import credentials

    given = os.environ.get("LINEAL_API_KEY", "").strip()
    return given or credentials.find(url)


@contextmanager
def with_default(name: str, value: str) -> Iterator[None]:
    """Sets the variable `name`, unless it is set, for what reads it inside the block: libraries, as they load."""
    absent = name not in os.environ
    os.environ.setdefault(name, value)
    try:
        yield
    finally:
        if absent:
            os.environ.pop(name, None)


def _read_project_file(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise InvalidSettings(f"{file} can't be read: {problem}") from None
    if unknown := set(values) - _FILE_KEYS:
        raise InvalidSettings(
            f"{file} has unknown keys: {', '.join(sorted(unknown))}; known are {', '.join(sorted(_FILE_KEYS))}"
        )
    for key, value in values.items():
        if not isinstance(value, str) and not (key == "pack_limit" and isinstance(value, int)):
            raise InvalidSettings(f"{file}: {key} must be a text")
        if value == "":
            raise InvalidSettings(f"{file}: {key} is empty")
    for key in ("url", "store"):
        place = values.get(key)
        if isinstance(place, str) and "://" not in place and not place.startswith(("memory:", "~")):
            values[key] = str((file.parent / place).absolute())
    return values


def _checked(values: Mapping[str, Any], file: Path | None) -> Settings:
    project = values.get("project")
    if not (url := str(values.get("url", "~/.lineal"))):
        raise InvalidSettings("the store's url is empty; set it to a folder")
    limit = parse_size(values.get("pack_limit", 128 * 1024))
    if limit > MAX_PACK_LIMIT_BYTES:
        raise InvalidSettings("pack_limit is at most 8 MiB")
    cache, runs_dir = values.get("cache_dir"), values.get("runs_dir")
    if (mode := values.get("mode", "online")) not in MODES:
        raise InvalidSettings(f"{str(mode)[:40]!r} is no mode; say {', '.join(MODES)}")
    return Settings(
        url=url,
        entity=check_name(values.get("entity", DEFAULT_ENTITY), "entity"),
        project=check_name(project, "project") if project is not None else None,
        user=str(values.get("user") or _user()),
        host=socket.gethostname(),
        cache_dir=Path(cache).expanduser().absolute() if cache else _default_cache_dir(),
        cache_size_bytes=parse_size(values["cache_size"]) if "cache_size" in values else None,
        pack_limit_bytes=limit,
        runs_dir=Path(runs_dir).expanduser().absolute() if runs_dir else _default_runs_dir(),
        mode=mode,
        store=str(values["store"]) if values.get("store") else None,
        project_file=file,
    )


def _default_cache_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_path("lineal"))


def _default_runs_dir() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_path("lineal")) / "runs"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
