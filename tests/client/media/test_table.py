"""Tables as Parquet: any cells, grown by rows or columns, logged again or in parts."""

from __future__ import annotations

import math

import numpy as np
import pyarrow.parquet as pq
import pytest

from lineal.client.media import table as tables
from lineal.client.media.html import Html
from lineal.client.media.image import Image
from lineal.client.media.table import Table
from lineal.client.media.values import files_of, from_value
from lineal.core.errors import InvalidArgument


def back(folder, value) -> Table:
    found = from_value(value, lambda path: folder / path)
    assert isinstance(found, Table)
    return found


def test_a_table_is_a_parquet_file_that_any_tool_reads(tmp_path):
    table = Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]])
    table.add_data(3, "z")
    value = table.bind(tmp_path, "val/preds", 5)
    assert (value["_type"], value["nrows"], value["ncols"], value["log_mode"]) == ("table-file", 3, 2, "IMMUTABLE")
    assert value["path"].startswith("media/table/val_preds_5_")
    assert pq.read_table(tmp_path / value["path"]).to_pydict() == {"a": [1, 2, 3], "b": ["x", "y", "z"]}
    assert pq.ParquetFile(tmp_path / value["path"]).metadata.row_group(0).column(0).compression == "ZSTD"
    assert back(tmp_path, value).data == [[1, "x"], [2, "y"], [3, "z"]]


def test_cells_may_be_mixed_and_come_back(tmp_path):
    rows = [[1, None], ["a", [1, {"b": None}]], [2.5, {"c": [True]}], [None, "text"]]
    assert back(tmp_path, Table(columns=["m", "n"], data=rows).bind(tmp_path, "k", 0)).data == rows


def test_media_in_cells_are_stored_beside_the_table(tmp_path):
    pytest.importorskip("PIL")
    table = Table(columns=["id", "picture", "page", "many"])
    table.add_data(0, Image(np.eye(3), caption="c"), Html("<b>"), [Image(np.eye(2)), 5])
    table.add_data(1, None, Html("<b>"), None)
    value = table.bind(tmp_path, "k", 0)
    files = list(files_of(value, tmp_path))
    assert len(files) == len({file.path for file in files}) == 4
    assert all((tmp_path / file.path).stat().st_size == file.size for file in files)
    seen = back(tmp_path, value)
    (image, page, many), second = seen.data[0][1:], seen.data[1]
    assert image.caption == "c" and image.image.size == (3, 3)
    assert page.html == "<b>"
    assert many[0]["_type"] == "image-file" and many[1] == 5
    assert second[1] is None and second[3] is None
    assert seen.bind(tmp_path / "again", "k", 0)["nrows"] == 2


def test_arrays_and_pictures_in_cells_become_lists_and_images(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    table = Table(columns=["a", "p"], data=[[np.arange(3), pillow.new("L", (2, 2))]])
    assert table.data[0][0] == [0, 1, 2]
    assert isinstance(table.data[0][1], Image)


def test_columns_are_added_and_got(tmp_path):
    table = Table(columns=["a"], data=[[1], [2]])
    table.add_column("b", np.array([0.5, 1.5]))
    table.add_column("c", ["x", None])
    assert table.columns == ["a", "b", "c"]
    assert table.get_column("b") == [0.5, 1.5]
    assert table.get_column("b", convert_to="numpy").tolist() == [0.5, 1.5]
    assert list(table.iterrows()) == [(0, [1, 0.5, "x"]), (1, [2, 1.5, None])]
    assert len(table) == 2
    with pytest.raises(InvalidArgument, match=r"no column 'd'.*'a'"):
        table.get_column("d")
    with pytest.raises(InvalidArgument, match="numpy"):
        table.get_column("a", convert_to="torch")  # type: ignore[arg-type]


def test_a_table_without_columns_gets_its_first_from_a_column():
    table = Table(columns=[])
    table.add_column("a", [1, 2])
    assert table.data == [[1], [2]]


def test_the_columns_are_those_that_scripts_expect():
    assert Table().columns == ["Input", "Output", "Expected"]
    assert Table(columns=[1, "x"], data=[[5, 6]], allow_mixed_types=True, dtype=float, optional=False).columns == [
        "1",
        "x",
    ]
    assert Table(columns=["a"], rows=[[1]]).data == [[1]]
    assert Table(log_mode=None).log_mode == "IMMUTABLE"


def test_arrays_and_frames_become_tables(tmp_path):
    assert Table(data=np.array([[1, 2], [3, 4]]), columns=["a", "b"]).data == [[1, 2], [3, 4]]
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None], "f": [0.5, math.nan]})
    for table in (Table(dataframe=frame), Table(data=frame, log_mode="MUTABLE")):
        seen = back(tmp_path, table.bind(tmp_path, "k", 0)).get_dataframe()
        pandas.testing.assert_frame_equal(seen, frame)
    table.add_data(3, "z", 1.0)
    assert table.get_column("a") == [1, 2, 3]


def test_a_frame_or_an_array_may_change_afterwards():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "t": pandas.to_datetime(["2026-01-01", "2026-01-02"])})
    array = np.ones((2, 2))
    tables_ = Table(dataframe=frame), Table(data=array, columns=["a", "b"])
    frame.iloc[0, 0] = 9
    frame.iloc[0, 1] = pandas.Timestamp("2000-01-01")
    array[:] = 9
    assert tables_[0].get_column("a") == [1, 2]
    assert tables_[0].get_column("t")[0].year == 2026
    assert tables_[1].get_column("a") == [1, 1]


@pytest.mark.parametrize(
    ("columns", "data", "says"),
    [
        (["a", "a"], None, "unique"),
        (["a", 1, "1"], None, "unique"),
        ([""], None, "name"),
        ([None], None, "name"),
        (["x\ny"], None, "name"),
        (["a"], [[1, 2]], "row of 2 cells does not fit"),
        (["a", "b"], [[1, 2], [1]], "row of 1 cells does not fit"),
        (["a"], 5, "list of rows"),
        (["a"], "text", "list of rows"),
        (["a"], ["text"], "row must be"),
        (["a"], [5], "row must be"),
        (["a"], np.zeros(3), "two-dimensional"),
        (["a"], [[{1, 2}]], "'a' is of set"),
        ([str(n) for n in range(10_001)], None, "10,000"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(columns, data, says):
    with pytest.raises(InvalidArgument, match=says):
        Table(columns=columns, data=data)


def test_a_row_or_column_that_does_not_fit_changes_nothing():
    table = Table(columns=["a", "b"], data=[[1, 2]])
    with pytest.raises(InvalidArgument, match="row of 1 cells"):
        table.add_data(1)
    with pytest.raises(InvalidArgument, match="'b' is of bytes"):
        table.add_data(1, b"x")
    with pytest.raises(InvalidArgument, match="column of 2 cells"):
        table.add_column("c", [1, 2])
    with pytest.raises(InvalidArgument, match="already"):
        table.add_column("a", [1])
    assert table.data == [[1, 2]]


def test_a_table_without_columns_is_not_logged(tmp_path):
    with pytest.raises(InvalidArgument, match=r"'k'.*no columns"):
        Table(columns=[]).bind(tmp_path, "k", 0)
    assert back(tmp_path, Table(columns=["a"]).bind(tmp_path, "k", 0)).columns == ["a"]


def test_an_immutable_table_is_stored_once_and_says_what_it_leaves_out(tmp_path, caplog):
    table = Table(columns=["a"], data=[[1]])
    first = table.bind(tmp_path, "k", 0)
    assert table.bind(tmp_path, "k", 1) == first
    table.add_data(2)
    table.add_data(3)
    assert len(caplog.messages) == 1 and "log_mode='MUTABLE'" in caplog.text
    assert table.bind(tmp_path, "k", 2) == first
    assert table.bind(tmp_path / "other run", "k", 0)["nrows"] == 3


def test_a_mutable_table_is_stored_again(tmp_path):
    table = Table(columns=["a"], data=[[1]], log_mode="MUTABLE")
    first = table.bind(tmp_path, "k", 0)
    table.add_data(2)
    second = table.bind(tmp_path, "k", 1)
    assert (first["nrows"], second["nrows"]) == (1, 2)
    assert back(tmp_path, second).data == [[1], [2]]


def test_an_incremental_table_is_stored_in_parts_that_are_read_as_one(tmp_path):
    table = Table(columns=["a"], log_mode="INCREMENTAL")
    values = []
    for number, cell in enumerate([1, "mixed", 2.5]):
        table.add_data(cell)
        values.append(table.bind(tmp_path, "k", number))
    assert [value["nrows"] for value in values] == [1, 1, 1]
    assert [value["part"] for value in values] == [0, 1, 2]
    assert [value["total_rows"] for value in values] == [1, 2, 3]
    assert back(tmp_path, values[1]).data == [[1], ["mixed"]]
    assert back(tmp_path, values[2]).data == [[1], ["mixed"], [2.5]]
    assert len(list(files_of(values[2], tmp_path))) == 3
    assert table.bind(tmp_path, "k", 9) == values[2]
    with pytest.raises(InvalidArgument, match="rows only"):
        table.add_column("b", [1, 2, 3])
    assert table.bind(tmp_path / "other run", "k", 0)["nrows"] == 3


def test_after_many_parts_all_rows_are_stored_anew(tmp_path):
    table = Table(columns=["a"], log_mode="INCREMENTAL")
    for number in range(tables.MAX_PARTS + 3):
        table.add_data(number)
        value = table.bind(tmp_path, "k", number)
    assert len(value["parts"]) == 2
    assert value["part"] == tables.MAX_PARTS + 2
    assert back(tmp_path, value).get_column("a") == list(range(tables.MAX_PARTS + 3))


def test_an_unknown_log_mode_is_refused():
    with pytest.raises(InvalidArgument, match="IMMUTABLE"):
        Table(log_mode="SOMETIMES")  # type: ignore[arg-type]


def test_a_table_over_the_limit_names_the_key(tmp_path, monkeypatch):
    monkeypatch.setattr("lineal.client.media.base.MAX_FILE_BYTES", 100)
    with pytest.raises(InvalidArgument, match=r"'k'.*log_artifact"):
        Table(columns=["a"], data=[[n] for n in range(1000)]).bind(tmp_path, "k", 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidArgument, match="no table"):
        back(tmp_path, {"_type": "table-file", "path": "t.parquet"})


def test_a_parquet_file_of_others_is_read_too(tmp_path):
    import pyarrow as pa

    pq.write_table(pa.table({"a": [1], "b": ["{"]}), tmp_path / "t.parquet")
    assert back(tmp_path, {"_type": "table-file", "path": "t.parquet"}).data == [[1, "{"]]
