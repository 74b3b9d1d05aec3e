"""What is drawn over an image: boxes and masks, checked when they are given, and the names of their classes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from lineal.client.media.arrays import to_numpy
from lineal.client.media.base import is_path, need, read, regular
from lineal.client.media.formats import HEAD_BYTES, image_format
from lineal.core.errors import InvalidArgument

MAX_BOXES = 10_000
_CORNERS = ("minX", "maxX", "minY", "maxY")


def check_classes(classes: Any) -> dict[str, str]:
    """Names by class id (as a text), from `[{"id": 0, "name": "cat"}, …]`."""
    if classes is None:
        return {}
    try:
        return _labels({one["id"]: one["name"] for one in classes}, "classes")
    except (TypeError, KeyError):
        raise InvalidArgument('classes must be a list like [{"id": 0, "name": "cat"}]') from None


def check_boxes(boxes: Any) -> dict[str, Any]:
    """The boxes by the name of their group, as JSON.

    A group is `{"box_data": [box, …], "class_labels": {0: "cat"}}`; a box has a `position` (`minX maxX minY maxY`,
    or `middle`, `width`, `height`; fractions of the image unless `domain` is "pixel"), and may have `class_id`,
    `box_caption` and `scores`.
    """
    checked = {}
    for name, group in _groups(boxes, "boxes"):
        data = group.get("box_data")
        if not isinstance(data, list | tuple):
            raise InvalidArgument(f"boxes[{name!r}] needs a list 'box_data'")
        if len(data) > MAX_BOXES:
            raise InvalidArgument(f"boxes[{name!r}] has {len(data):,} boxes; {MAX_BOXES:,} are possible")
        checked[name] = {
            "box_data": [_box(box, f"boxes[{name!r}] number {number}") for number, box in enumerate(data)],
            "class_labels": _labels(group.get("class_labels") or {}, f"boxes[{name!r}]"),
        }
    return checked


def check_masks(masks: Any) -> dict[str, tuple[bytes, dict[str, str]]]:
    """Each mask's PNG (one byte of class id a pixel) and the names of its classes, by the mask's name.

    A mask is `{"mask_data": array of class ids}` or `{"path": png file}`, with `class_labels` if you like.
    """
    checked = {}
    for name, group in _groups(masks, "masks"):
        what = f"masks[{name!r}]"
        if group.get("mask_data") is not None:
            png = _mask_png(group["mask_data"], what)
        elif is_path(group.get("path")):
            png = read(regular(group["path"]))
            if image_format(png[:HEAD_BYTES]) != "png":
                raise InvalidArgument(f"{what}: {group['path']} is no PNG file")
        else:
            raise InvalidArgument(f"{what} needs 'mask_data', an array of class ids, or 'path', a PNG file")
        checked[name] = (png, _labels(group.get("class_labels") or {}, what))
    return checked


def _mask_png(data: Any, what: str) -> bytes:
    import numpy as np

    array = to_numpy(data)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biu":
        raise InvalidArgument(f"{what} must be whole numbers in rows and columns, not {array.dtype} of {array.shape}")
    if array.min() < 0 or array.max() > 255:
        raise InvalidArgument(f"{what} has class ids outside 0–255; number the classes anew")
    pillow = need("PIL.Image", "pillow", "a mask")
    out = io.BytesIO()
    pillow.fromarray(np.ascontiguousarray(array.astype(np.uint8))).save(out, format="png")
    return out.getvalue()


def _groups(groups: Any, what: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if groups is None:
        return []
    if not isinstance(groups, Mapping) or not all(
        isinstance(name, str) and isinstance(group, Mapping) for name, group in groups.items()
    ):
        raise InvalidArgument(f'{what} must be like {{"predictions": {{…}}}}: names and what belongs to each')
    return groups.items()


def _box(box: Any, what: str) -> dict[str, Any]:
    if not isinstance(box, Mapping) or not isinstance(box.get("position"), Mapping):
        raise InvalidArgument(
            f"{what} needs a 'position' like {{'minX': 0.1, 'maxX': 0.3, 'minY': 0.2, 'maxY': 0.4}}"
        )
    checked: dict[str, Any] = {"position": _position(box["position"], what)}
    if (domain := box.get("domain")) is not None:
        if domain not in ("pixel", "fraction"):
            raise InvalidArgument(f"{what} has the domain {domain!r}; 'pixel' and 'fraction' are possible")
        checked["domain"] = domain
    if box.get("class_id") is not None:
        checked["class_id"] = int(_number(box["class_id"], what))
    if box.get("box_caption") is not None:
        checked["box_caption"] = str(box["box_caption"])[:1000]
    if scores := box.get("scores"):
        if not isinstance(scores, Mapping):
            raise InvalidArgument(f"{what}: scores must be like {{'confidence': 0.9}}")
        checked["scores"] = {str(name): _number(score, what) for name, score in scores.items()}
    return checked


def _position(position: Mapping[str, Any], what: str) -> dict[str, Any]:
    if all(corner in position for corner in _CORNERS):
        corners = {corner: _number(position[corner], what) for corner in _CORNERS}
        if corners["minX"] > corners["maxX"] or corners["minY"] > corners["maxY"]:
            raise InvalidArgument(f"{what}: a minimum is greater than its maximum")
        return corners
    middle = position.get("middle")
    if isinstance(middle, list | tuple) and len(middle) == 2 and "width" in position and "height" in position:
        sides = {side: _number(position[side], what) for side in ("width", "height")}
        return {"middle": [_number(axis, what) for axis in middle], **sides}
    raise InvalidArgument(f"{what}: a position has minX, maxX, minY, maxY, or middle, width, height")


def _number(value: Any, what: str) -> float | int:
    try:
        number = value if type(value) in (int, float) else getattr(value, "item", lambda: float(value))()
        if math.isfinite(number):
            return int(number) if isinstance(number, int) else float(number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidArgument(f"{what}: {ascii(value)[:50]} is no finite number")


def _labels(labels: Any, what: str) -> dict[str, str]:
    if not isinstance(labels, Mapping):
        raise InvalidArgument(f"{what}: class_labels must be like {{0: 'cat'}}")
    try:
        checked = {str(int(number)): str(label) for number, label in labels.items()}
        json.dumps(checked).encode()
    except (TypeError, ValueError):
        raise InvalidArgument(f"{what}: class ids must be whole numbers, as in {{0: 'cat'}}") from None
    return checked
