import io
import struct
from pathlib import Path

import pytest

from lineal import Api
from lineal.client.contents import content_changes
from lineal.core import errors
from lineal.storage.headers import describe


def inside(before: str, after: str) -> dict[str, list[str]]:
    conn = Api()._connection
    found = content_changes(conn, conn.backend.artifacts.diff(before, after))
    return {change.path: list(describe(change.change)) for change in found}


def tensors(**shapes: list[int]) -> bytes:
    entries, at = [], 0
    for name, shape in shapes.items():
        size = 4
        for number in shape:
            size *= number
        entries.append(f'"{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{at},{at + size}]}}')
        at += size
    header = ("{" + ",".join(entries) + "}").encode()
    return struct.pack("<Q", len(header)) + header + bytes(at)


def test_new_columns_and_rows_of_a_table_are_told(log):
    log("digits", {"a.csv": "x,y\n1,2\n", "b.txt": "1"})
    log("digits", {"a.csv": "x,z\n1,2\n3,4\n", "b.txt": "2"})
    (lines,) = inside("digits:v0", "digits:v1").values()
    assert any("z" in line for line in lines)
    assert any("y" in line for line in lines)


@pytest.mark.parametrize("rows", [4, 100_000])
def test_shapes_of_tensors_are_told_of_small_and_large_files(log, rows):
    log("model", {"m.safetensors": tensors(w=[rows, 2])})
    log("model", {"m.safetensors": tensors(w=[rows, 3], b=[3])})
    (lines,) = inside("model:v0", "model:v1").values()
    text = "\n".join(lines)
    assert "b" in text
    assert str(rows) in text.replace(",", "")


def test_arrays_of_numpy_files_are_told(log):
    numpy = pytest.importorskip("numpy")

    def arrays(**values: object) -> bytes:
        numpy.savez(out := io.BytesIO(), **values)
        return out.getvalue()

    log("data", {"a.npz": arrays(x=numpy.zeros((2, 3)))})
    log("data", {"a.npz": arrays(x=numpy.zeros((2, 4)), y=numpy.ones(1))})
    text = "\n".join(inside("data:v0", "data:v1")["a.npz"])
    assert "y" in text
    assert "4" in text


def test_files_of_unknown_kinds_added_and_removed_ones_are_left_alone(log):
    log("data", {"a.bin": "1", "gone.csv": "x\n1\n"})
    log("data", {"a.bin": "2", "new.csv": "x\n1\n"})
    assert inside("data:v0", "data:v1") == {}


def test_a_file_that_only_claims_to_be_of_its_kind_does_no_harm(log):
    log("data", {"a.safetensors": b"\xff" * 20, "b.npz": "PK nonsense", "c.parquet": "PAR1"})
    log("data", {"a.safetensors": b"\xfe" * 20, "b.npz": "PK other nonsense", "c.parquet": "PAR1PAR1"})
    inside("data:v0", "data:v1")


def test_references_are_not_fetched_to_look_inside(write):
    import lineal

    for content in ("x\n1\n", "x,y\n1,2\n"):
        file = write({"a.csv": content}) / "a.csv"
        draft = lineal.Artifact("raw", "dataset")
        draft.add_reference(file.as_uri())
        with lineal.init() as run:
            run.log_artifact(draft)
    Path(file).unlink()
    assert inside("raw:v0", "raw:v1") == {}


def test_lost_bytes_are_told_by_name(log, place):
    log("data", {"a.csv": "x\n" + "1\n" * 200_000})
    log("data", {"a.csv": "x,y\n" + "1,2\n" * 200_000})
    for object_ in place.store.rglob("objects/*/*"):
        object_.unlink()
    Api()._connection.backend.store.fsck(repair=True)
    with pytest.raises(errors.BlobNotFound, match=r"a\.csv"):
        inside("data:v0", "data:v1")
