"""Things in three dimensions: point clouds, and models in files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lineal.client.media.arrays import check_finite, is_array, to_numpy
from lineal.client.media.base import Kept, Media, is_path, read, regular, text
from lineal.core.errors import InvalidArgument

MAX_POINTS = 1_000_000
POINTS = "pts.json"
_HEAD_BYTES = 64
_FORMATS = ("glb", "gltf", "obj", "stl", "babylon", POINTS)


class Object3D(Media):
    """Points (N × 3: x y z; N × 4: and a category from 1 to 14; N × 6: and red green blue) or a model's file.

    Files: glb, gltf, obj, stl, babylon, pts.json. A mapping is a scene: `points`, `boxes` and `vectors`.
    """

    kind: ClassVar[str] = "object3D"
    type: ClassVar[str] = "object3D-file"

    def __init__(self, data_or_path: Any, caption: str | None = None, *, file_type: str | None = None) -> None:
        """`file_type` says what an open file holds; a path's name says it itself. Raises invalid.*."""
        self.caption = text(caption, "an object's caption")
        self._extension = POINTS
        if is_path(data_or_path):
            self._source = regular(data_or_path)
            self._extension = _format(self._source.name, read(self._source, _HEAD_BYTES))
        elif hasattr(data_or_path, "read"):
            content = data_or_path.read()
            self._source = content.encode() if isinstance(content, str) else bytes(content)
            self._extension = _format(f"file.{file_type or ''}", self._source[:_HEAD_BYTES])
        elif isinstance(data_or_path, Mapping):
            self._source = _json(_scene(data_or_path))
        else:
            self._source = _json({"type": "lidar/beta", "points": _points(data_or_path)})

    @classmethod
    def from_file(cls, data_or_path: Any, file_type: str | None = None) -> Object3D:
        """The model in the file."""
        return cls(data_or_path, file_type=file_type)

    @classmethod
    def from_numpy(cls, data: Any) -> Object3D:
        """The point cloud in the array."""
        return cls(data)

    @classmethod
    def from_point_cloud(
        cls, points: Any, boxes: Any = (), vectors: Any = (), point_cloud_type: str = "lidar/beta"
    ) -> Object3D:
        """The scene of points, boxes (each with 8 `corners`) and vectors (each with `start` and `end`)."""
        return cls({"type": point_cloud_type, "points": points, "boxes": list(boxes), "vectors": list(vectors)})

    def _facts(self, folder: Path, kept: Kept, key: str, step: int) -> dict[str, Any]:
        return {"format": self._extension, "caption": self.caption}


def _format(name: str, head: bytes) -> str:
    form = next((form for form in _FORMATS if name.lower().endswith(f".{form}")), None)
    if form is None:
        raise InvalidArgument(f"{name} is no 3D file; its name or file_type must be one of {', '.join(_FORMATS)}")
    if (form == "glb") != head.startswith(b"glTF") or (
        form in ("gltf", "babylon", POINTS) and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"[")
    ):
        raise InvalidArgument(f"{name} is not what its name says")
    return form


def _points(data: Any) -> list[list[float]]:
    import numpy as np

    try:
        array = to_numpy(data) if is_array(data) else np.asarray(data)
    except ValueError:
        raise InvalidArgument("the points of a cloud must be rows of equal length") from None
    if array.ndim != 2 or array.shape[1] not in (3, 4, 6):
        raise InvalidArgument(f"a point cloud is N × 3, N × 4 or N × 6, not of shape {array.shape}")
    if len(array) > MAX_POINTS:
        raise InvalidArgument(f"a cloud of {len(array):,} points is over the {MAX_POINTS:,} possible; thin it out")
    check_finite(array, "a point cloud")
    points: list[list[float]] = array.tolist()
    return points


def _scene(scene: Mapping[str, Any]) -> dict[str, Any]:
    if "points" not in scene and not scene.get("boxes") and not scene.get("vectors"):
        raise InvalidArgument("a scene is a mapping with 'points', 'boxes' or 'vectors'")
    boxes, vectors = (_plain(scene.get(part)) for part in ("boxes", "vectors"))
    if any(len(box.get("corners", ())) != 8 for box in boxes):
        raise InvalidArgument("a box of a scene has 8 'corners'")
    points = scene.get("points")
    whole = {"type": str(scene.get("type", "lidar/beta")), "boxes": boxes, "vectors": vectors}
    return whole | {"points": _points(points) if points is not None and len(points) else []}


def _plain(parts: Any) -> list[Any]:
    parts = [] if parts is None else list(parts)
    if not all(isinstance(part, Mapping) for part in parts):
        raise InvalidArgument("boxes and vectors of a scene are lists of mappings")
    return [{name: to_numpy(v).tolist() if is_array(v) else v for name, v in part.items()} for part in parts]


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as problem:
        raise InvalidArgument(f"the scene is not JSON: {problem}") from None
