"""Boxes and masks are checked when they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest

from lineal.client.media.overlays import MAX_BOXES, check_boxes, check_classes, check_masks
from lineal.core.errors import InvalidArgument, InvalidSource

CORNERS = {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4}


def test_boxes_become_json():
    boxes = {
        "predictions": {
            "box_data": [
                {
                    "position": CORNERS,
                    "class_id": np.int64(1),
                    "box_caption": "a cat",
                    "scores": {"p": np.float32(0.5)},
                },
                {"position": {"middle": (5, 6), "width": 3, "height": 4}, "domain": "pixel"},
            ],
            "class_labels": {0: "dog", 1: "cat"},
        }
    }
    assert check_boxes(boxes) == {
        "predictions": {
            "box_data": [
                {"position": CORNERS, "class_id": 1, "box_caption": "a cat", "scores": {"p": 0.5}},
                {"position": {"middle": [5, 6], "width": 3, "height": 4}, "domain": "pixel"},
            ],
            "class_labels": {"0": "dog", "1": "cat"},
        }
    }
    assert check_boxes(None) == {}


@pytest.mark.parametrize(
    "boxes",
    [
        [],
        {"p": []},
        {1: {}},
        {"p": {}},
        {"p": {"box_data": "x"}},
        {"p": {"box_data": [{}]}},
        {"p": {"box_data": [{"position": {"minX": 1}}]}},
        {"p": {"box_data": [{"position": {**CORNERS, "minX": float("nan")}}]}},
        {"p": {"box_data": [{"position": {**CORNERS, "minX": "a"}}]}},
        {"p": {"box_data": [{"position": {**CORNERS, "minX": 0.9}}]}},
        {"p": {"box_data": [{"position": CORNERS, "domain": "miles"}]}},
        {"p": {"box_data": [{"position": CORNERS, "scores": 5}]}},
        {"p": {"box_data": [{"position": CORNERS}] * (MAX_BOXES + 1)}},
        {"p": {"box_data": [], "class_labels": {"x": "cat"}}},
        {"p": {"box_data": [], "class_labels": ["cat"]}},
    ],
)
def test_boxes_that_can_not_be_drawn_are_refused(boxes):
    with pytest.raises(InvalidArgument):
        check_boxes(boxes)


def test_a_mask_is_a_png_of_class_ids(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    ids = np.array([[0, 1, 2], [2, 255, 0]])
    png, labels = check_masks({"truth": {"mask_data": ids, "class_labels": {1: "road"}}})["truth"]
    assert np.array_equal(np.asarray(pillow.open(io.BytesIO(png))), ids)
    assert labels == {"1": "road"}
    (tmp_path / "mask.png").write_bytes(png)
    assert check_masks({"truth": {"path": tmp_path / "mask.png"}}) == {"truth": (png, {})}


@pytest.mark.parametrize(
    "mask",
    [
        {},
        {"mask_data": np.zeros(5, int)},
        {"mask_data": np.zeros((2, 2))},
        {"mask_data": np.full((2, 2), 256)},
        {"mask_data": np.full((2, 2), -1)},
        {"mask_data": [["a"]]},
        {"mask_data": np.zeros((0, 0), int)},
    ],
)
def test_masks_that_are_none_are_refused(mask):
    with pytest.raises(InvalidArgument, match="masks"):
        check_masks({"m": mask})


def test_the_file_of_a_mask_must_be_a_png(tmp_path):
    (tmp_path / "mask.png").write_text("no")
    with pytest.raises(InvalidArgument, match="no PNG"):
        check_masks({"m": {"path": str(tmp_path / "mask.png")}})
    with pytest.raises(InvalidSource):
        check_masks({"m": {"path": str(tmp_path / "gone.png")}})


def test_classes_are_named_by_their_ids():
    assert check_classes([{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]) == {"0": "cat", "1": "dog"}
    assert check_classes(None) == {}
    for wrong in (5, ["cat"], [{"id": 0}], [{"id": "x", "name": "y"}]):
        with pytest.raises(InvalidArgument):
            check_classes(wrong)
