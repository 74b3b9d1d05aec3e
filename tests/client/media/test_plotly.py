"""Plotly figures are kept as JSON."""

from __future__ import annotations

import json

import pytest

from lineal.client.media.plotly import Plotly
from lineal.core.errors import InvalidArgument, InvalidSource


def test_a_figure_is_kept_as_its_json(tmp_path):
    objects = pytest.importorskip("plotly.graph_objects")
    value = Plotly(objects.Figure(data=objects.Bar(y=[1, 2]))).bind(tmp_path, "k", 0)
    assert value["_type"] == "plotly-file"
    assert value["path"].endswith(".plotly.json")
    assert json.loads((tmp_path / value["path"]).read_text())["data"][0]["y"] == [1, 2]


def test_a_figure_may_be_a_mapping_or_a_file(tmp_path):
    figure = {"data": [{"y": [1]}], "layout": {}}
    first = Plotly(figure).bind(tmp_path, "k", 0)
    assert Plotly(str(tmp_path / first["path"])).bind(tmp_path, "k", 0) == first


@pytest.mark.parametrize("figure", [5, None, {}, {"data": 5}, {"data": [{1, 2}]}, [1]])
def test_what_is_no_figure_is_refused(figure):
    with pytest.raises(InvalidArgument):
        Plotly(figure)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000, "{}"])
def test_a_file_without_a_figure_is_refused(tmp_path, content):
    (tmp_path / "f.json").write_text(content)
    with pytest.raises(InvalidArgument):
        Plotly(tmp_path / "f.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidSource):
        Plotly(str(tmp_path / "gone.json"))
