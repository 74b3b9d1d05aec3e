"""How a node looks wherever it is drawn: its colour, its caption and its badges.

Versions are coloured by their collection's type. `dataset`, `model`, `result` and `code` have fixed colours;
any other type gets one of six by a checksum of its name, so it is the same on every machine and every day.
Runs and sweeps are neutral: round and six-sided shapes tell them from versions, and colour stays free for the data.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lineal.core.display import moment, size
from lineal.lineage.model import Node

GROUP_PREFIX = "group:"
_UNFIT = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\ufffe\uffff]"
)
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Colour:
    """A fill, its outline and the ink on it, once for light surroundings and once for dark ones."""

    fill: str
    line: str
    ink: str
    dark_fill: str
    dark_line: str
    dark_ink: str


RUN = Colour("#f4f5f7", "#6b7684", "#29313b", "#262c35", "#8b97a6", "#e3e8ee")
SWEEP = Colour("#dbe1e9", "#3b4654", "#1a222c", "#39434f", "#bcc7d4", "#f1f5f9")
DELETED = Colour("#f3f3f3", "#9a9a9a", "#6a6a6a", "#222427", "#767b82", "#a3a9b1")
FIXED: Mapping[str, Colour] = {
    "dataset": Colour("#e1eefc", "#2b76c4", "#12406f", "#14304d", "#5aa5ef", "#d6e9ff"),
    "model": Colour("#ece5fb", "#7650c8", "#40257e", "#30234f", "#a98bf0", "#e9e0ff"),
    "result": Colour("#dff4e7", "#2a8a57", "#114c2d", "#143a28", "#57c48a", "#d5f5e3"),
    "code": Colour("#fdf0d5", "#b97a12", "#634004", "#40300f", "#e0aa4a", "#fdeccb"),
}
OTHERS: tuple[Colour, ...] = (
    Colour("#fbe4ec", "#c24474", "#6f1c3e", "#471d2e", "#ee82a9", "#ffdfea"),
    Colour("#dcf3f4", "#1b868e", "#0b4a4f", "#113a3e", "#4fc0c9", "#d2f3f5"),
    Colour("#fde6dc", "#c65b2a", "#6d2c0f", "#46241a", "#f0906a", "#ffe2d6"),
    Colour("#e9f2d4", "#678a1c", "#37490c", "#2c381a", "#a5c95a", "#ecf7d5"),
    Colour("#f5e3f7", "#a046ad", "#571f60", "#3d2043", "#d68be2", "#fae1fd"),
    Colour("#e4e7fb", "#4c5fc9", "#232f7c", "#232a50", "#8d9cf3", "#e0e5ff"),
)

_NEUTRAL: Mapping[str, Colour] = {"run": RUN, "sweep": SWEEP}


def colour(node: Node) -> Colour:
    """The colour a node is drawn in; a deleted one is grey."""
    if node.deleted:
        return DELETED
    return _NEUTRAL.get(node.kind) or type_colour(node.type)


def type_colour(kind: str) -> Colour:
    """The colour of a collection's type, the same wherever and whenever it is asked for."""
    return FIXED.get(kind) or OTHERS[zlib.crc32(kind.encode("utf-8", "replace")) % len(OTHERS)]


def is_group(node: Node) -> bool:
    """Whether the node stands for several that `groups.grouped` folded into it."""
    return node.id.startswith(GROUP_PREFIX)


def caption(node: Node, length: int = 46) -> str:
    """The node's name on one line of at most `length` characters, cut in the middle so that `:v12` stays."""
    return shorten(clean(node.name) or clean(node.id), length)


def subtitle(node: Node, length: int = 46) -> str:
    """The line under the caption: a version's type, a run's job type and trial, a sweep's method, and `deleted`."""
    kind = clean(node.type)
    if node.kind != "version":
        trial = clean(f"trial {node.detail['trial']}") if node.kind == "run" and "trial" in node.detail else ""
        kind = " · ".join(filter(None, [node.kind, kind, trial]))
    text = shorten(kind or "version", length)
    return f"{text} · deleted" if node.deleted else text


def badges(node: Node, most: int = 5) -> tuple[str, ...]:
    """The aliases to show on the node, and `+3` for the three that would be too many."""
    shown = tuple(shorten(clean(alias), 24) for alias in node.aliases[:most])
    rest = len(node.aliases) - len(shown)
    return (*shown, f"+{rest}") if rest else shown


def clean(text: str) -> str:
    """`text` on one line, fit to print: a space for line breaks, `�` for control and direction characters."""
    return _UNFIT.sub("\ufffd", _BREAK.sub(" ", text)).strip()


def shorten(text: str, length: int) -> str:
    """`text`, or its start and its end around an ellipsis when it is longer than `length` characters."""
    if len(text) <= length:
        return text
    tail = min(12, length // 3)
    return f"{text[: length - tail - 1]}…{text[-tail:]}"


def facts(node: Node) -> list[tuple[str, str]]:
    """The node's details as pairs of label and text, in the order in which they were recorded."""
    pairs = [(_label(key), _text(key, value)) for key, value in node.detail.items()]
    return [(label, text) for label, text in pairs if text]


def _label(key: str) -> str:
    return clean(str(key)).removesuffix("_bytes").replace("_", " ")


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, int) and str(key).endswith(("size", "_bytes")):
        return size(value)
    if isinstance(value, list | tuple):
        return ", ".join(_text("", part) for part in value)
    if isinstance(value, Mapping):
        return clean(json.dumps(value, ensure_ascii=False, default=str))
    return "" if value is None else clean(str(value))
