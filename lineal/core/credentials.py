"""API keys of servers on this machine, by URL, in a file that only its user can read."""

from __future__ import annotations

import ipaddress
import json
import os
import stat
from pathlib import Path
from urllib.parse import urlsplit

from lineal.core.errors import InvalidSettings

FILE = "credentials.json"


def file() -> Path:
    """Where the keys are."""
    import platformdirs

    return Path(platformdirs.user_config_path("lineal")) / FILE


def server(url: str) -> str:
    """The server's address, by which its key is kept. Raises invalid.settings for what is no server."""
    try:
        parts = urlsplit(url.strip())
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme = host = ""
    if scheme not in ("http", "https") or not host:
        raise InvalidSettings("that is no server's address; write it like https://lineal.example.org")
    if "@" in parts.netloc:
        raise InvalidSettings("a server's address holds no user or password; `lineal login` asks for an API key")
    named = f"[{host}]" if ":" in host else host
    return f"{scheme}://{named}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def in_clear(url: str) -> bool:
    """Whether what is sent to the server can be read by everybody on the way: plain http to another machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = host == "localhost"
    return parts.scheme == "http" and not near


def find(url: str) -> str | None:
    """The key that is kept for the server, if any. Raises invalid.settings where others can read the file."""
    return _read().get(server(url))


def keep(url: str, key: str) -> Path:
    """The file that the key is in now, in place of the one before."""
    keys = _read()
    keys[server(url)] = key
    return _write(keys)


def forget(url: str) -> bool:
    """Whether there was a key of the server to forget."""
    keys = _read()
    there = keys.pop(server(url), None) is not None
    if there:
        _write(keys)
    return there


def _read() -> dict[str, str]:
    path = file()
    try:
        with path.open(encoding="utf-8") as opened:
            if os.name == "posix" and os.fstat(opened.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise InvalidSettings(f"{path} can be read by others; run: chmod 600 {path}")
            keys = json.load(opened)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise InvalidSettings(f"{path} can't be read: {type(problem).__name__}") from None
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise InvalidSettings(f"{path} is not as `lineal login` writes it; delete it and log in again")
    return keys


def _write(keys: dict[str, str]) -> Path:
    path = file()
    half = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump(keys, opened, indent=1)
        os.replace(half, path)
    except OSError as problem:
        raise InvalidSettings(f"{path} can't be written: {problem.strerror}") from None
    return path
