"""HTML and Markdown: texts that the page shows, HTML in a sandboxed frame of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.base import Fetch, Media, is_path, regular, utf8
from lineal.client.media.base import text as checked_text
from lineal.core.errors import InvalidArgument

_SUFFIXES = (".html", ".htm")


class Html(Media):
    """A page or a piece of one, kept byte by byte and never trusted.

    The web page shows it in a sandboxed frame without access to anything of yours, so it is also the place for SVG.
    """

    kind: ClassVar[str] = "html"
    type: ClassVar[str] = "html-file"
    _extension = "html"

    def __init__(
        self, data: Any, inject: bool = True, data_is_not_path: bool = False, caption: str | None = None
    ) -> None:
        """Of a text, an open file, or a path: a `Path`, or a text that ends in .html and names a file.

        `inject` is there for scripts written for others: nothing is ever put into the page.
        """
        self.caption = checked_text(caption, "a page's caption")
        if hasattr(data, "read"):
            data = data.read()
        elif not data_is_not_path and is_path(data) and _names_file(data):
            self._source = regular(data)
            return
        if isinstance(data, bytes | bytearray):
            self._source = bytes(data)
        elif isinstance(data, str):
            self._source = utf8(data, "the HTML")
        else:
            raise InvalidArgument(f"Html takes a text, a path or an open file, not {type(data).__name__}")

    @classmethod
    def from_value(cls, value: Mapping[str, Any], fetch: Fetch) -> Html:
        """The page that a stored value stands for; its file is fetched when it is first needed."""
        page = cls.__new__(cls)
        page.caption, page._source = value.get("caption"), lambda: fetch(value["path"])
        return page

    @property
    def html(self) -> str:
        """Its text; bytes that are no UTF-8 are shown as U+FFFD."""
        return self._bytes().decode("utf-8", "replace")

    def _facts(self, *_: Any) -> dict[str, Any]:
        return {"caption": self.caption}


def _names_file(data: str | os.PathLike[str]) -> bool:
    if not isinstance(data, str):
        return True
    if len(data) > 4096 or "\n" in data or not data.lower().endswith(_SUFFIXES):
        return False
    return Path(os.path.expanduser(data)).is_file()


class Markdown(Media):
    """A text with light marks, such as a model card; the web page shows it without any HTML that it holds."""

    kind: ClassVar[str] = "markdown"
    type: ClassVar[str] = "markdown-file"
    _extension = "md"

    def __init__(self, data: str | os.PathLike[str], caption: str | None = None) -> None:
        """Of a text, or of the file that a `Path` names."""
        self.caption = checked_text(caption, "a text's caption")
        if isinstance(data, str):
            self._source = utf8(data, "the Markdown")
        elif isinstance(data, os.PathLike):
            self._source = regular(data)
        else:
            raise InvalidArgument(f"Markdown takes a text or a Path, not {type(data).__name__}")

    def _facts(self, *_: Any) -> dict[str, Any]:
        return {"caption": self.caption}
