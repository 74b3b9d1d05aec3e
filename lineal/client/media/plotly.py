"""Plotly figures, kept as their JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from lineal.client.media.arrays import owners
from lineal.client.media.base import MAX_FILE_BYTES, Media, is_path, read, regular
from lineal.core.errors import InvalidArgument


class Plotly(Media):
    """A figure of plotly, which the web page draws so that one can zoom and read its points."""

    kind: ClassVar[str] = "plotly"
    type: ClassVar[str] = "plotly-file"
    _extension = "plotly.json"

    def __init__(self, val: Any) -> None:
        """Of a figure, of the mapping that it is in JSON, or of the path of such a file."""
        if "plotly" in owners(val) and hasattr(val, "to_json"):
            self._source = str(val.to_json()).encode()
        elif isinstance(val, Mapping):
            try:
                self._source = json.dumps(val).encode()
            except (TypeError, ValueError) as problem:
                raise InvalidArgument(f"the figure is not JSON: {problem}") from None
            _check(val)
        elif is_path(val):
            self._source = read(regular(val), MAX_FILE_BYTES + 1)
            try:
                _check(json.loads(self._source))
            except (ValueError, RecursionError):
                raise InvalidArgument(f"{str(val)[:200]} is no JSON file of a plotly figure") from None
        else:
            raise InvalidArgument(
                f"Plotly takes a figure of plotly, not {type(val).__name__}; one of matplotlib is logged as it is"
            )


def _check(figure: Any) -> None:
    if not isinstance(figure, Mapping) or not isinstance(figure.get("data"), list | tuple):
        raise InvalidArgument("a plotly figure in JSON is a mapping with a list 'data' and a mapping 'layout'")
