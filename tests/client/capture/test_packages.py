import importlib
import importlib.metadata
import json
import re
import sys
import time

import pytest

from lineal.client.capture.packages import conda_packages, packages


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes a package that is found first: its metadata, and where it came from."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    def make(name: str, version: str = "1.0", origin: object = None, metadata: str | None = None) -> None:
        place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(
            metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText"
        )
        if origin is not None:
            (place / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))
        importlib.invalidate_caches()

    return make


def line_of(name: str) -> list[str]:
    return [line for line in packages() if re.split("==| @ ", line)[0] == name]


def test_every_package_has_the_version_that_importlib_tells():
    lines = packages()
    names = [re.split("==| @ ", line)[0] for line in lines]
    assert names == sorted(names, key=lambda name: re.sub(r"[-_.]+", "-", name).lower())
    assert f"pytest=={pytest.__version__}" in lines
    told = {re.sub(r"[-_.]+", "-", found.name).lower() for found in importlib.metadata.distributions()}
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in names} == told


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        ({"url": "file:///srv/a", "dir_info": {"editable": True}}, "made-up @ file:///srv/a"),
        (
            {"url": "https://ada:s3cret@example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}},
            "made-up @ git+https://example.org/a.git@c0ffee",
        ),
        (
            {"url": "https://token@example.org/a.whl?sig=s3cret", "archive_info": {}},
            "made-up @ https://example.org/a.whl",
        ),
        ({"url": 3}, "made-up==1.0"),
        ([], "made-up==1.0"),
        ("{broken", "made-up==1.0"),
        ({"url": "https://["}, "made-up==1.0"),
    ],
)
def test_where_a_package_came_from_is_told_without_who_logged_in(installed, origin, line):
    installed("made-up", origin=origin)
    assert line_of("made-up") == [line]


def test_of_two_the_first_on_the_path_counts(installed):
    installed("PyTest", "0.0.1")
    assert line_of("PyTest") == ["PyTest==0.0.1"]
    assert line_of("pytest") == []


def test_metadata_that_names_nothing_is_passed_over(installed):
    installed("odd", metadata="Metadata-Version: 2.1\n\nName: odd\nVersion: 1\n")
    assert line_of("odd") == []


def test_hundreds_of_packages_are_listed_fast(installed):
    for number in range(300):
        installed(f"package-{number}", metadata=f"Name: package-{number}\nVersion: 1\n\n" + "long text\n" * 1000)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        assert len(packages()) > 300
        times.append(time.perf_counter() - began)
    assert min(times) < 0.5  # 0.01 on an idle machine


def test_conda_packages_are_read_off_their_names(tmp_path, monkeypatch):
    (tmp_path / "conda-meta").mkdir()
    for name in ("numpy-2.4.6-py312_0.json", "ca-certificates-2026.1-h1_0.json", "history", "odd.json"):
        (tmp_path / "conda-meta" / name).write_text("")
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path))
    assert conda_packages() == ["ca-certificates=2026.1=h1_0", "numpy=2.4.6=py312_0"]


def test_without_a_conda_environment_there_are_none(tmp_path, monkeypatch):
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    assert conda_packages() == []
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "gone"))
    assert conda_packages() == []
