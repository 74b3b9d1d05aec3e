import csv
import io
import json
import math
from pathlib import Path

import pytest

import lineal
from lineal import Api
from lineal.cli.run_export import write
from lineal.core.errors import InvalidArgument


@pytest.fixture
def view():
    with lineal.init(id="r") as run:
        for step in range(5):
            run.log({"loss": step / 2} | ({"acc": math.nan, "ok": True} if step == 3 else {}))
    return Api().run("r")


def test_csv_has_a_column_for_each_key(view):
    assert write(view, None, "out.csv", keys=None, stream="history") == (5, str(Path("out.csv").absolute()))
    rows = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert [row["loss"] for row in rows] == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert (rows[3]["acc"], rows[3]["ok"], rows[0]["acc"]) == ("nan", "true", "")


def test_json_lines_are_json_whatever_the_number(view):
    write(view, "jsonl", "out", keys=None, stream="history")
    rows = [json.loads(line, parse_constant=pytest.fail) for line in Path("out").read_text().splitlines()]
    assert rows[3]["acc"] == "nan"


def test_keys_choose_rows_and_columns(view):
    write(view, "csv", "out", keys=["acc"], stream="history")
    assert Path("out").read_text().splitlines() == ["_step,acc", "3,nan"]


def test_parquet_is_read_by_any_tool(view):
    from pyarrow import parquet

    write(view, None, "out.parquet", keys=None, stream="history")
    table = parquet.read_table("out.parquet")
    assert table.column("loss").to_pylist() == [0, 0.5, 1, 1.5, 2]
    assert table.column("ok").to_pylist() == [None, None, None, True, None]


def test_a_file_that_can_not_be_written_is_refused(view):
    with pytest.raises(InvalidArgument, match="can't be written"):
        write(view, "csv", "no/such/folder.csv", keys=None, stream="history")
