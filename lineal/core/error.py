"""The root of the error tree and its families, each with an HTTP status and an exit code."""

from __future__ import annotations

from typing import Any, ClassVar


class Error(Exception):
    """Anything that Lineal refuses or fails at, with a `code` for programs and a message for people."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    by_code: ClassVar[dict[str, type[Error]]] = {}

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __init_subclass__(cls) -> None:
        Error.by_code[cls.code] = cls

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.details)


def _rebuild(kind: type[Error], message: str, details: dict[str, Any]) -> Error:
    return kind(message, **details)


# ---- families ------------------------------------------------------------------------------------------------


class Invalid(Error):
    """What was asked can't be right, whatever the state of the store."""

    code, http_status, exit_code = "invalid", 422, 2


class NotFound(Error):
    """The thing named is not there."""

    code, http_status, exit_code = "not_found", 404, 3


class Conflict(Error):
    """The store is not in the state that the request took for granted."""

    code, http_status, exit_code = "conflict", 409, 4


class Unauthenticated(Error):
    """Nobody knows who asks."""

    code, http_status, exit_code = "unauthenticated", 401, 5


class Forbidden(Error):
    """Whoever asks may not."""

    code, http_status, exit_code = "forbidden", 403, 5


class Corrupt(Error):
    """Bytes or rows are not what they were when they were written."""

    code, http_status, exit_code = "corrupt", 500, 6


class Unavailable(Error):
    """Something needed can't be reached, written or loaded now."""

    code, http_status, exit_code = "unavailable", 503, 7
