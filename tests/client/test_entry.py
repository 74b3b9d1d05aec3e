from pathlib import Path

import pytest

import lineal
from lineal.core import errors


def test_an_entry_knows_its_path_size_digest_and_where_its_bytes_are(log, write):
    entry = log("digits", {"a/b.csv": "1\n"}).get_entry("a/b.csv")
    assert (entry.path, entry.size, entry.ref) == ("a/b.csv", 2, None)
    assert entry.digest == "sha256:4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"
    draft = lineal.Artifact("raw", "dataset")
    file = write({"far": "away"}) / "far"
    assert draft.add_reference(file.as_uri())[0].ref == file.as_uri()


def test_an_entry_of_a_draft_has_no_digest_and_cannot_be_downloaded(write):
    entry = lineal.Artifact("digits", "dataset").add_file(write({"a": "1"}) / "a")
    assert entry.digest is None
    with pytest.raises(errors.InvalidArgument, match="log it first"):
        entry.download()
    with pytest.raises(errors.InvalidArgument, match="log it first"):
        entry.download("out")
    assert not Path("out").exists()


def test_an_entry_downloads_as_a_read_only_link(log):
    path = Path(log("digits", {"a": b"x" * 300_000}).get_entry("a").download("out", mode="link"))
    assert path.stat().st_mode & 0o222 == 0
    assert path.read_bytes() == b"x" * 300_000
