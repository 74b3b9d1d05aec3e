from pathlib import Path

import pytest

from lineal.client.folder import check_own, differences, prune
from lineal.core.errors import InvalidTarget


def test_differences_are_what_is_missing_changed_or_too_much(log):
    wanted = log("digits", {"a": "1", "b/c": "2", "d": "3"}).manifest.by_path
    for name, text in {"a": "1", "d": "4", "e": "5"}.items():
        Path(name).write_text(text)
    assert differences(".", wanted) == ["b/c", "d", "e"]


def test_pruning_deletes_only_what_is_not_wanted_and_folders_left_empty(log, write):
    wanted = log("digits", {"a": "1", "b/c": "2"}).manifest.by_path
    folder = write({"a": "1", "b/c": "2", "b/d": "x", "e/f/g": "x"})
    prune(str(folder), wanted)
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == ["a", "b", "b/c"]


def test_folders_that_hold_your_work_are_not_your_own_to_prune(place):
    for folder in (place.home, place.work, place.work.parent, Path("/")):
        with pytest.raises(InvalidTarget):
            check_own(str(folder))
    check_own(str(place.work / "out"))
    check_own(f"{place.work}2")
