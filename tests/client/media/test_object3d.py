"""Point clouds, scenes and models' files."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from lineal.client.media.object3d import MAX_POINTS, Object3D
from lineal.core.errors import InvalidArgument, InvalidSource


@pytest.mark.parametrize("width", [3, 4, 6])
def test_points_are_kept_as_json(tmp_path, width):
    value = Object3D(np.ones((5, width)), caption="c").bind(tmp_path, "k", 0)
    assert (value["_type"], value["format"], value["caption"]) == ("object3D-file", "pts.json", "c")
    kept = json.loads((tmp_path / value["path"]).read_text())
    assert kept == {"type": "lidar/beta", "points": [[1.0] * width] * 5}
    assert Object3D(tmp_path / value["path"]).bind(tmp_path, "k", 0)["sha256"] == value["sha256"]


def test_a_scene_has_points_boxes_and_vectors(tmp_path):
    box = {"corners": np.zeros((8, 3)), "label": "car", "color": [1, 2, 3]}
    vector = {"start": [0, 0, 0], "end": [1, 1, 1]}
    value = Object3D.from_point_cloud(np.zeros((2, 3)), [box], [vector]).bind(tmp_path, "k", 0)
    kept = json.loads((tmp_path / value["path"]).read_text())
    assert kept["boxes"][0]["corners"] == [[0, 0, 0]] * 8
    assert kept["vectors"] == [vector]
    assert Object3D({"boxes": [box]}).bind(tmp_path, "k", 0)["size"] > 0
    assert Object3D.from_numpy(np.zeros((2, 3))).bind(tmp_path, "k", 0)["format"] == "pts.json"


def test_a_model_is_kept_as_it_is(tmp_path):
    for name, content in (
        ("a.glb", b"glTF\2\0"),
        ("a.GLTF", b' {"asset": 1}'),
        ("a.obj", b"v 0 0 0"),
        ("a.stl", b"solid"),
    ):
        (tmp_path / name).write_bytes(content)
        value = Object3D.from_file(tmp_path / name).bind(tmp_path, "k", 0)
        assert value["format"] == name.lower().partition(".")[2]
        assert (tmp_path / value["path"]).read_bytes() == content
        again = Object3D(io.BytesIO(content), file_type=value["format"])
        assert again.bind(tmp_path, "k", 0)["sha256"] == value["sha256"]
    assert Object3D.from_file(io.StringIO("v 0 0 0"), "obj").bind(tmp_path, "k", 0)["format"] == "obj"


@pytest.mark.parametrize(
    ("name", "content"), [("a.glb", b"{}"), ("a.gltf", b"glTF"), ("a.obj", b"glTF"), ("a.exe", b"MZ")]
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidArgument, match="name"):
        Object3D(tmp_path / name)
    with pytest.raises(InvalidSource):
        Object3D(tmp_path / "gone.glb")


@pytest.mark.parametrize(
    "data",
    [
        5,
        None,
        [],
        [[1, 2]],
        [[1, 2, 3], [1]],
        [[1, 2, float("nan")]],
        [["a", "b", "c"]],
        {},
        {"boxes": [5]},
        {"boxes": [{"corners": []}]},
        {"points": [[1, 2, 3]], "vectors": [{"start": {1}}]},
        io.StringIO("v"),
        np.broadcast_to(np.float32(0), (MAX_POINTS + 1, 3)),
    ],
)
def test_what_has_no_three_dimensions_is_refused(data):
    with pytest.raises(InvalidArgument):
        Object3D(data)
