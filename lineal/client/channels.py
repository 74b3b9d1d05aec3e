"""Channels that alerts go to, each an Apprise URL. Such an URL holds secrets: only its public name leaves here."""

from __future__ import annotations

import importlib.util
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from lineal.tracking.model import Alert

SENT, WAITING = "sent", "waiting"
# Only of these does the host say where a message goes; in others it may be a token.
_SHOWN_HOSTS = ("json", "jsons", "xml", "xmls", "form", "forms", "http", "https")
_HOST = re.compile(r"[a-z0-9.:-]{1,253}")
_SCHEME = re.compile(r"([A-Za-z0-9]{1,20})://")
_STATUS = re.compile(r"error=(\d{3})\b")
_TALKATIVE = ("apprise", "urllib3.connectionpool", "urllib3.util.retry", "requests_oauthlib", "markdown")
_AGAIN = (408, 425, 429)
_KINDS = {"info": "info", "warn": "warning", "error": "failure"}


class Answer(NamedTuple):
    """What came of an attempt: why it failed, "" where it didn't, and whether another one may help."""

    problem: str
    again: bool = False


class Channel:
    """One channel. `name` is fit to be shown; the URL stays inside."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self._url = name, url
        self._plugin: Any = None

    def __repr__(self) -> str:
        return f"<Channel {self.name}>"

    def send(self, alert: Alert, sender: str) -> Answer:
        """What came of it, after at most some seconds per request. What the libraries log of it is kept back."""
        if importlib.util.find_spec("apprise") is None:
            return Answer("pip install 'lineal[alerts]'")
        with _listening() as said:
            try:
                return self._send(alert, sender, said)
            except Exception as problem:  # its text may hold the URL
                return Answer(type(problem).__name__, again=True)

    def _send(self, alert: Alert, sender: str, said: list[str]) -> Answer:
        import apprise

        if self._plugin is None:
            self._plugin = apprise.Apprise.instantiate(self._url)
        if self._plugin is None:
            return Answer("Apprise does not understand its URL")
        began = time.monotonic()
        body = f"{alert.text}\n\n{sender}" if alert.text else sender
        kind = apprise.NotifyType(_KINDS[alert.level])
        if self._plugin.notify(body=body, title=alert.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT):
            return Answer("")
        statuses = [int(match[1]) for text in said if (match := _STATUS.search(text))]
        if statuses:
            status = statuses[-1]
            return Answer(f"it answered {status}", again=status >= 500 or status in _AGAIN)
        late = time.monotonic() - began >= self._plugin.socket_read_timeout
        return Answer("no answer in time" if late else "it can't be reached", again=True)


def channels(urls: Sequence[str]) -> list[Channel]:
    """The channels, in order; those that would share a name are numbered."""
    found: list[Channel] = []
    seen: dict[str, int] = {}
    for url in urls:
        name = public_name(url)
        seen[name] = seen.get(name, 0) + 1
        found.append(Channel(name if seen[name] == 1 else f"{name} #{seen[name]}", url))
    return found


def public_name(url: str) -> str:
    """The channel's scheme, such as `slack`, with the host where that is no secret: `json://alerts.example.org`."""
    match = _SCHEME.match(url)
    if not match:
        return "channel"
    scheme = match[1].lower()
    if scheme not in _SHOWN_HOSTS:
        return scheme
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    return f"{scheme}://{host}" if _HOST.fullmatch(host) else scheme


class _Kept(logging.Filter):
    """Takes what one thread logs out of the log."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()
        self.said: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return True
        self.said.append(record.getMessage())
        return False


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What the libraries of channels log in this thread, which nobody else gets to see."""
    kept = _Kept()
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    for logger in loggers:
        logger.addFilter(kept)
    try:
        yield kept.said
    finally:
        for logger in loggers:
            logger.removeFilter(kept)
