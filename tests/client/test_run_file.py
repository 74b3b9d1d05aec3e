from pathlib import Path

import lineal
from lineal import Api


def test_a_file_is_downloaded_verified_and_kept_on_request() -> None:
    Path("notes.txt").write_text("one")
    with lineal.init(id="r1") as run:
        run.save("notes.txt")
    (file,) = Api().run("r1").files()
    assert (file.name, file.path, file.size) == ("notes.txt", "notes.txt", 3)
    assert file.digest.startswith("sha256:")
    assert repr(file) == "<File notes.txt (3 bytes)>"
    there = Path(file.download("below/here"))
    assert there == Path("below/here/notes.txt").absolute()
    there.write_text("mine")
    assert file.download("below/here", replace=False) == str(there)
    assert there.read_text() == "mine"
    file.download("below/here")
    assert there.read_text() == "one"
