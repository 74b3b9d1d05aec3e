"""Grammars: names of projects, collections, aliases and tags; refs; logical paths inside an artifact.

Names are ASCII on purpose: no look-alike letters, nothing a shell or a file system could read as more than a name.
A name never becomes a path on the store's side; a logical path becomes one only on the machine that downloads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lineal.core.errors import InvalidAlias, InvalidArgument, InvalidName, InvalidPath, InvalidRef, PathCollision

LATEST = "latest"
REGISTRY = "registry"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NUMBER = re.compile(r"v(0|[1-9][0-9]{0,9})")
_NUMBER_LIKE = re.compile(r"[vV][0-9]+")
_PREFIX = re.compile(r"sha256:([0-9a-f]{12,64})")
_SEGMENT = r"(?!\.\.?(?:[/\x00]|\Z))[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,255}"
_PATH_TEXT = rf"(?![A-Za-z]:){_SEGMENT}(?:/{_SEGMENT}){{0,254}}"
_PATH = re.compile(_PATH_TEXT)
_PATHS = re.compile(rf"{_PATH_TEXT}(?>\0{_PATH_TEXT})*+")  # possessive: nothing is kept to go back to
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
_MAX_PATH_BYTES = 4096
_MAX_SEGMENT_BYTES = 255
_MAX_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Ref:
    """A parsed ref. At most one of `number`, `alias` and `digest_prefix` is set; none of them means `latest`.

    `entity` and `project` are None where the text left them out.
    """

    collection: str
    entity: str | None = None
    project: str | None = None
    number: int | None = None
    alias: str | None = None
    digest_prefix: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the ref names one content for ever."""
        return self.number is not None or self.digest_prefix is not None


def check_name(text: str, what: str = "name") -> str:
    """`text`, if it is a valid name of a project, collection, entity or tag."""
    if not isinstance(text, str) or not _NAME.fullmatch(text) or text.endswith(".") or text.lower() in _RESERVED:
        raise InvalidName(
            f"{_shown(text)} can't be a {what}: use up to 128 ASCII letters, digits, '.', '_' or '-', "
            "starting with a letter or digit and not ending with '.'"
        )
    return text


def is_name(text: object) -> bool:
    """Whether `check_name` would take it: what is no name is nobody's."""
    try:
        check_name(text)  # type: ignore[arg-type]
    except InvalidName:
        return False
    return True


def check_alias(text: str) -> str:
    """`text`, if it may be moved by hand as an alias: a name, but not `latest` and not like `v3`."""
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise InvalidAlias(f"{_shown(text)} can't be an alias: use up to 128 ASCII letters, digits, '.', '_' or '-'")
    if text.lower() == LATEST:
        raise InvalidAlias("'latest' follows the newest version by itself and can't be moved by hand")
    if _NUMBER_LIKE.fullmatch(text):
        raise InvalidAlias(f"{text!r} can't be an alias: it reads like a version number")
    return text


def check_limit(limit: int | None) -> int | None:
    """`limit`, if so many can be asked for. Raises invalid.argument."""
    if limit is not None and not 1 <= limit <= _MAX_LIMIT:
        raise InvalidArgument(f"limit is {limit}; from 1 to {_MAX_LIMIT:,} can be asked for at once")
    return limit


def parse_number(text: str) -> int:
    """The number in `v7`. Inverse of `format_number`."""
    match = _NUMBER.fullmatch(text)
    if not match:
        raise InvalidRef(f"{_shown(text)} is not a version; write it like v3")
    return int(match[1])


def format_number(number: int) -> str:
    """`v7` for 7."""
    return f"v{number}"


def parse_ref(text: str) -> Ref:
    """The parts of `[entity/][project/]collection[:vN | :alias | @sha256:<prefix>]`. Inverse of `format_ref`."""
    if not isinstance(text, str) or not text:
        raise InvalidRef(f"{_shown(text)} is not a ref; write it like name:v3 or project/name:production")
    path, at, prefix = text.partition("@")
    path, colon, tag = path.partition(":")
    if at and colon:
        raise InvalidRef(f"{_shown(text)} names both a tag and a digest; keep one")
    parts = path.split("/")
    if len(parts) > 3:
        raise InvalidRef(f"{_shown(text)} has too many '/'; a ref is [entity/][project/]collection[:version]")
    for part, what in zip(reversed(parts), ("collection", "project", "entity"), strict=False):
        check_name(part, what)
    entity, project, collection = [None] * (3 - len(parts)) + parts
    assert collection is not None
    if at:
        match = _PREFIX.fullmatch(prefix)
        if not match:
            raise InvalidRef(f"{_shown(text)}: after '@' comes sha256: and at least 12 hex digits")
        return Ref(collection, entity, project, digest_prefix=match[1])
    if not colon or tag == LATEST:
        return Ref(collection, entity, project)
    if _NUMBER_LIKE.fullmatch(tag):
        return Ref(collection, entity, project, number=parse_number(tag))
    return Ref(collection, entity, project, alias=check_alias(tag))


def format_ref(ref: Ref) -> str:
    """The text that `parse_ref` reads back as `ref`."""
    path = "/".join(part for part in (ref.entity, ref.project, ref.collection) if part)
    if ref.digest_prefix is not None:
        return f"{path}@sha256:{ref.digest_prefix}"
    if ref.number is not None:
        return f"{path}:{format_number(ref.number)}"
    return f"{path}:{ref.alias}" if ref.alias else path


def check_path(text: str) -> str:
    """`text`, if it is a safe logical path: relative, `/`-separated, nothing that leads elsewhere on any system."""
    if not isinstance(text, str) or not _PATH.fullmatch(text):
        raise InvalidPath(f"{_shown(text)} is not a safe path inside an artifact: {_why(text)}")
    if len(text) > 63:
        _check_lengths(text)
    return text


def check_each(paths: Sequence[str]) -> str:
    """The paths, each of them safe, joined by NUL. Raises invalid.path."""
    joined = "\0".join(paths)
    whole = joined.isascii() and joined.count("\0") == len(paths) - 1  # a NUL inside a path would split it
    if not (whole and _PATHS.fullmatch(joined) and max(map(len, paths)) <= _MAX_PATH_BYTES):
        for path in paths:
            check_path(path)
    return joined


def check_paths(paths: Sequence[str]) -> None:
    """Refuses paths of one artifact that are unsafe, or that some file system would take for the same file."""
    joined = check_each(paths)
    folded = set(joined.lower().split("\0")) if joined.isascii() and paths else {_folded(path) for path in paths}
    if len(folded) != len(paths):
        raise PathCollision(
            f"{_colliding(paths)!r} is there twice, or differs from another only in case or Unicode form"
        )
    above = {""}
    for folder in {path.rpartition("/")[0] for path in paths}:
        while folder not in above:
            above.add(folder)
            folder = folder.rpartition("/")[0]
    for folder in above:
        if _folded(folder) in folded:
            raise PathCollision(f"{folder!r} would be both a file and a folder")


def _colliding(paths: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(path for path in paths if _folded(path) in seen or seen.add(_folded(path)))  # type: ignore[func-returns-value]


def texts(*lists: Sequence[str], what: str) -> list[str]:
    """All of the lists' texts; one text alone is refused, since it would be taken apart into its letters."""
    for given in lists:
        if isinstance(given, str):
            raise InvalidArgument(f"{what} are a list of texts, not one text: write [{_shown(given)}]")
    return [text for given in lists for text in given]


def under_prefix(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or lies below it, by whole segments: `a` holds `a/b`, not `ab`."""
    prefix = prefix.strip("/")
    return not prefix or path == prefix or path.startswith(prefix + "/")


def _folded(path: str) -> str:
    """The form in which canonical caseless matching compares paths (Unicode 3.13, D145)."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def _check_lengths(path: str) -> None:
    encoded = path.encode()
    if len(encoded) > _MAX_PATH_BYTES or any(len(s) > _MAX_SEGMENT_BYTES for s in encoded.split(b"/")):
        raise InvalidPath(f"{_shown(path)} is too long: at most 255 bytes a segment and 4096 in all")


def _why(text: object) -> str:
    if not isinstance(text, str) or not text:
        return "it is empty"
    if text.startswith("/") or re.match("[A-Za-z]:", text):
        return "it is absolute"
    if "\\" in text:
        return "it has a backslash"
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        return "it has control characters or bytes that are no text"
    if any(segment in ("", ".", "..") for segment in text.split("/")):
        return "it has an empty, '.' or '..' segment"
    return "a segment is longer than 255 bytes, or it has more than 255 segments"


def _shown(text: object) -> str:
    shown = ascii(text)
    return shown if len(shown) <= 80 else shown[:77] + "..."
