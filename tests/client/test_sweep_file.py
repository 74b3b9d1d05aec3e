import pytest

from lineal.client import sweep_file
from lineal.core.errors import InvalidSweep


def test_a_config_is_what_the_file_holds(tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text("\ufeffmethod: grid\nparameters:\n  lr: {values: [0.1, 1]}\n", encoding="utf-8")
    assert sweep_file.read(file) == {"method": "grid", "parameters": {"lr": {"values": [0.1, 1]}}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: grid\n  parameters: [\n", r"sweep.yaml, line 2, column 13: mapping values are not allowed here"),
        ("a: [1, 2\n", r"sweep.yaml, line 2"),
        ("- grid\n", "holds no mapping"),
        ("", "holds no mapping"),
        ("a: !!python/object/apply:os.system ['id']\n", r"line 1.*could not determine a constructor"),
        ("a: \x00\n", "is no YAML"),
        (f"a: {'[' * 5000}\n", "sweep.yaml"),
        (b"\xff\xfe\x00", "no text in UTF-8"),
        ("a: " + "x" * (1 << 20), "larger than a sweep's config may be"),
    ],
)
def test_a_file_that_is_no_config_is_told_with_its_name_and_line(tmp_path, text, message):
    file = tmp_path / "sweep.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidSweep, match=message):
        sweep_file.read(file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InvalidSweep, match=r"none\.yaml can't be read: No such file"):
        sweep_file.read(tmp_path / "none.yaml")
    with pytest.raises(InvalidSweep, match="can't be read"):
        sweep_file.read(tmp_path)


def test_a_file_that_grows_without_end_is_refused(tmp_path):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(rows))
    with pytest.raises(InvalidSweep, match="too much to read"):
        sweep_file.read(tmp_path / "bomb.yaml")
    (tmp_path / "self.yaml").write_text("a: &a [*a]\n")
    with pytest.raises(InvalidSweep):
        sweep_file.read(tmp_path / "self.yaml")
