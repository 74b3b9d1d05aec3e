"""Settings: argument > variable > project file > default; what can't be read is refused, with the reason."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest

from lineal.core import settings
from lineal.core.errors import Error, InvalidName, InvalidSettings
from lineal.core.settings import alert_urls

KEYS = ("URL", "STORE", "ENTITY", "PROJECT", "USER", "CACHE_DIR", "CACHE_SIZE", "PACK_LIMIT")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.setenv(f"LINEAL_{key}", "")


def project_file(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "lineal.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    found = settings.load(tmp_path)
    assert (found.url, found.entity, found.project) == ("~/.lineal", "local", None)
    assert (found.user, found.cache_size_bytes, found.pack_limit_bytes) == (getpass.getuser(), None, 131072)
    assert found.project_file is None
    assert found.cache_dir.name == "lineal"


def test_the_file_beats_the_default(tmp_path: Path) -> None:
    file = project_file(tmp_path, 'entity = "team"\nproject = "vision"\npack_limit = 1024\n')
    found = settings.load(tmp_path)
    assert (found.entity, found.project, found.pack_limit_bytes) == ("team", "vision", 1024)
    assert found.project_file == file


def test_the_variable_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_file(tmp_path, 'project = "vision"\npack_limit = "1KiB"\n')
    monkeypatch.setenv("LINEAL_PROJECT", "speech")
    monkeypatch.setenv("LINEAL_PACK_LIMIT", "2KiB")
    found = settings.load(tmp_path)
    assert (found.project, found.pack_limit_bytes) == ("speech", 2048)


def test_the_argument_beats_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_file(tmp_path, 'project = "vision"\n')
    monkeypatch.setenv("LINEAL_PROJECT", "speech")
    assert settings.load(tmp_path, project="text").project == "text"
    assert settings.load(tmp_path, project=None).project == "speech"


def test_every_setting_has_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "URL": "/srv/store",
        "ENTITY": "team",
        "PROJECT": "vision",
        "USER": "ada",
        "CACHE_DIR": str(tmp_path / "cache"),
        "CACHE_SIZE": "5GB",
        "PACK_LIMIT": "64KiB",
    }
    for key, value in values.items():
        monkeypatch.setenv(f"LINEAL_{key}", value)
    found = settings.load(tmp_path)
    assert (found.url, found.entity, found.project, found.user) == ("/srv/store", "team", "vision", "ada")
    assert (found.cache_dir, found.cache_size_bytes) == (tmp_path / "cache", 5_000_000_000)
    assert found.pack_limit_bytes == 65536


def test_an_empty_variable_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_file(tmp_path, 'project = "vision"\n')
    monkeypatch.setenv("LINEAL_PROJECT", "")
    assert settings.load(tmp_path).project == "vision"


def test_the_working_folder_is_asked_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project_file(tmp_path, 'project = "here"\n')
    monkeypatch.chdir(tmp_path)
    assert settings.load().project == "here"


def test_the_nearest_project_file_above_counts(tmp_path: Path) -> None:
    project_file(tmp_path, 'project = "outer"\n')
    near = project_file(tmp_path / "a", 'project = "inner"\n')
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert settings.load(tmp_path / "a" / "b" / "c").project == "inner"
    assert settings.find_project_file(tmp_path / "a" / "b") == near


def test_a_relative_url_of_the_file_starts_at_the_file(tmp_path: Path) -> None:
    project_file(tmp_path, 'url = "store"\n')
    (tmp_path / "deep").mkdir()
    assert settings.load(tmp_path / "deep").url == str(tmp_path / "store")


@pytest.mark.parametrize("url", ["~/stores/x", "memory:", "memory:tests", "file:///srv/store", "/srv/store"])
def test_a_url_that_stands_by_itself_is_left_alone(tmp_path: Path, url: str) -> None:
    project_file(tmp_path, f'url = "{url}"\n')
    assert settings.load(tmp_path).url == url


@pytest.mark.parametrize(
    "text",
    [
        "project = ",
        'projekt = "x"',
        "project = 1.5",
        "project = ['a']",
        "[project]\nname = 'x'",
        "url = 5",
        "url = true",
        'url = ""',
        "project = 7",
        "pack_limit = true",
        "pack_limit = -1",
        'pack_limit = "lots"',
        'pack_limit = "9MiB"',
    ],
)
def test_a_project_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str) -> None:
    project_file(tmp_path, text)
    with pytest.raises(InvalidSettings):
        settings.load(tmp_path)


def test_a_project_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lineal.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidSettings, match=r"lineal\.toml"):
        settings.load(tmp_path)


def test_an_unreadable_project_file_is_refused(open_path: Path, run_child: Any) -> None:
    project_file(open_path, 'project = "x"\n').chmod(0)
    code = """
from pathlib import Path
from lineal.core import errors, settings
import socket, getpass
drop()
try:
    settings.load(Path(sys.argv[1]))
except errors.InvalidSettings as problem:
    print(problem.code)
"""
    assert run_child(code, open_path) == "invalid.settings"


@pytest.mark.parametrize("name", ["../x", "a/b", "\u0440rod", "CON"])
@pytest.mark.parametrize("key", ["entity", "project"])
def test_a_name_in_the_settings_is_checked(tmp_path: Path, key: str, name: str) -> None:
    with pytest.raises(InvalidName):
        settings.load(tmp_path, **{key: name})


def test_an_empty_url_is_refused_rather_than_taken_for_the_working_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings):
        settings.load(tmp_path, url="")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        (1000, 1000),
        ("20GB", 20_000_000_000),
        ("20 gb", 20_000_000_000),
        ("512MiB", 512 << 20),
        ("1k", 1000),
        ("1Ki", 1024),
        ("2TiB", 2 << 40),
        (" 7B ", 7),
    ],
)
def test_a_size_is_read(text: str | int, size: int) -> None:
    assert settings.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1.5GB", "1PB", "1 G i B", "ten", "9" * 5000])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings):
        settings.parse_size(text)


def test_the_pack_limit_has_a_bound(tmp_path: Path) -> None:
    assert settings.load(tmp_path, pack_limit="8MiB").pack_limit_bytes == settings.MAX_PACK_LIMIT_BYTES
    with pytest.raises(InvalidSettings):
        settings.load(tmp_path, pack_limit=settings.MAX_PACK_LIMIT_BYTES + 1)


def test_settings_do_not_change(tmp_path: Path) -> None:
    found = settings.load(tmp_path)
    with pytest.raises(AttributeError):
        found.url = "elsewhere"  # type: ignore[misc]


def test_a_variable_of_the_process_is_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_FACT", "yes")
    assert settings.environment("SOME_FACT") == "yes"
    assert settings.environment("SOME_FACT_THAT_NOBODY_SET") is None


def test_variables_are_found_by_pattern(monkeypatch):
    monkeypatch.setenv("FACT_B", "2")
    monkeypatch.setenv("FACT_A", "1")
    monkeypatch.setenv("NOT_FACT_C", "3")
    assert settings.environment_like(["FACT_*"]) == {"FACT_A": "1", "FACT_B": "2"}
    assert settings.environment_like(["FACT_A", "FACT_?"]) == {"FACT_A": "1", "FACT_B": "2"}
    assert settings.environment_like([]) == {}


def test_every_refusal_is_one_of_ours(tmp_path: Path) -> None:
    for text in ("\x00", "pack_limit = 1e999", "a.b.c = 1", 'url = "\\uD800"'):
        project_file(tmp_path, text)
        with pytest.raises(Error):
            settings.load(tmp_path)


# ---- channels of alerts --------------------------------------------------------------------------------------


def test_channels_of_alerts_come_from_the_variable_apart_by_blanks_or_commas(monkeypatch):
    monkeypatch.setenv("LINEAL_ALERTS", " slack://a/b/c, mailto://me:pw@host?to=x@y.org,z@y.org\njson://h/p,,")
    assert alert_urls() == ("slack://a/b/c", "mailto://me:pw@host?to=x@y.org,z@y.org", "json://h/p")


def test_channels_of_alerts_come_from_the_users_file_unless_the_variable_is_set(place, monkeypatch):
    assert alert_urls() == ()
    file = place.home / ".config" / "lineal" / "alerts.txt"
    file.parent.mkdir(parents=True)
    file.write_text("# of my own\nslack://a/b/c\n\n  # off: json://h\nmailto://me\n")
    assert alert_urls() == ("slack://a/b/c", "mailto://me")
    monkeypatch.setenv("LINEAL_ALERTS", "")
    assert alert_urls() == ()


def test_a_file_of_channels_that_cant_be_read_is_refused(place):
    file = place.home / ".config" / "lineal" / "alerts.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xff")
    with pytest.raises(InvalidSettings, match=r"alerts\.txt"):
        alert_urls()


def test_a_variable_has_a_default_inside_the_block_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACT_C", raising=False)
    with pytest.raises(RuntimeError), settings.with_default("FACT_C", "ours"):
        assert settings.environment("FACT_C") == "ours"
        raise RuntimeError
    assert settings.environment("FACT_C") is None
    monkeypatch.setenv("FACT_C", "theirs")
    with settings.with_default("FACT_C", "ours"):
        assert settings.environment("FACT_C") == "theirs"
    assert settings.environment("FACT_C") == "theirs"


# ---- databases -----------------------------------------------------------------------------------------------


def test_the_place_for_bytes_is_told_like_the_store_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load(tmp_path).store is None
    project_file(tmp_path, 'url = "postgresql://h/d"\nstore = "bytes"\n')
    assert settings.load(tmp_path).store == str(tmp_path / "bytes")
    monkeypatch.setenv("LINEAL_STORE", "s3://bucket/path")
    assert settings.load(tmp_path).store == "s3://bucket/path"
    assert settings.load(tmp_path, store="/elsewhere").store == "/elsewhere"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:s3cret@h:5/d", "postgresql://ada:***@h:5/d"),
        ("postgresql://ada:s3:c@ret@h/d", "postgresql://ada:***@h/d"),
        ("postgresql://h/d?user=ada&password=s3cret&x=1", "postgresql://h/d?user=ada&password=***&x=1"),
        ("postgresql://h/d?sslPassword=s3cret", "postgresql://h/d?sslPassword=***"),
        ("postgresql://ada@h/d", "postgresql://ada@h/d"),
        ("/a/b:c@d", "/a/b:c@d"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert settings.shown(url) == shown
    assert "s3cret" not in repr(settings.load(Path("/"), url=url, store=url))


# ---- a server's ----------------------------------------------------------------------------------------------


@pytest.fixture
def no_server_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in settings._SERVER_VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


def test_a_server_listens_to_this_machine_unless_told_otherwise(no_server_variables: None) -> None:
    found = settings.load_server()
    assert (found.host, found.port, found.workers, found.local) == ("127.0.0.1", 8230, 1, True)
    assert found.answers_to == ("localhost", "127.0.0.1", "[::1]")


def test_a_servers_arguments_beat_its_variables(no_server_variables: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PORT": "99",
        "WORKERS": "3",
        "NAMES": "a.b, C.d",
        "STALL_AFTER": "2m",
        "TELEMETRY": "1",
    }.items():
        monkeypatch.setenv(f"LINEAL_SERVER_{name}", value)
    found = settings.load_server(port="100", workers=None, names=())
    assert (found.port, found.workers, found.names) == (100, 3, ("a.b", "c.d"))
    assert (found.stall_after_s, found.telemetry) == (120, True)
    assert settings.load_server(names=("x",)).names == ("x",)


@pytest.mark.parametrize(
    ("host", "local", "name"),
    [
        ("localhost", True, "localhost"),
        ("127.1.2.3", True, "127.1.2.3"),
        ("::1", True, "[::1]"),
        ("[::1]", True, "[::1]"),
        ("10.0.0.7", False, "10.0.0.7"),
        ("fd00::1", False, "[fd00::1]"),
        ("127.0.0.1.evil.test", False, "127.0.0.1.evil.test"),
    ],
)
def test_a_server_answers_to_the_host_that_it_listens_on(
    no_server_variables, host: str, local: bool, name: str
) -> None:
    found = settings.load_server(host=host)
    assert found.local is local
    assert name in found.answers_to


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_every_address_is_no_name(no_server_variables: None, host: str) -> None:
    found = settings.load_server(host=host)
    assert not found.local
    assert found.answers_to == ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", "x"),
        ("port", "-1"),
        ("workers", "1000"),
        ("names", "a b"),
        ("names", "a:80"),
        ("trusted_proxies", "*"),
    ],
)
def test_a_servers_setting_that_can_not_be_read_is_refused_by_its_name(
    no_server_variables, key: str, value: str
) -> None:
    with pytest.raises(InvalidSettings, match="LINEAL_SERVER_"):
        settings.load_server(**{key: value})
