"""API keys kept on this machine."""

from __future__ import annotations

import os
import stat

import pytest

from lineal.core import credentials
from lineal.core.errors import InvalidSettings
from lineal.core.settings import api_key

URL = "https://lineal.example.org"


def test_a_key_is_kept_for_its_server_alone_and_forgotten() -> None:
    assert credentials.find(URL) is None
    credentials.keep(URL, "lnl_a_1")
    credentials.keep("http://localhost:8080/", "lnl_b_2")
    credentials.keep(URL, "lnl_c_3")
    assert credentials.find("HTTPS://Lineal.Example.org/") == "lnl_c_3"
    assert credentials.find("http://localhost:8080") == "lnl_b_2"
    for other in ("http://lineal.example.org", URL + ":8443", "https://example.org", URL + "/team"):
        assert credentials.find(other) is None
    assert credentials.forget(URL)
    assert not credentials.forget(URL)
    assert credentials.find("http://localhost:8080") == "lnl_b_2"


def test_only_the_user_can_read_the_file() -> None:
    file = credentials.keep(URL, "lnl_a_1")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [other.name for other in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_file_that_others_can_read_is_refused(mode: int) -> None:
    file = credentials.keep(URL, "lnl_a_1")
    file.chmod(mode)
    for act in (lambda: credentials.find(URL), lambda: credentials.keep(URL, "x"), lambda: credentials.forget(URL)):
        with pytest.raises(InvalidSettings, match="chmod 600") as caught:
            act()
        assert "lnl_a_1" not in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"[]", b'{"a": 1}', b"\xff", b"{"])
def test_a_file_that_is_not_ours_is_refused_without_showing_it(text: bytes) -> None:
    file = credentials.file()
    file.parent.mkdir(parents=True)
    file.touch(mode=0o600)
    file.write_bytes(text)
    with pytest.raises(InvalidSettings, match=r"credentials\.json"):
        credentials.find(URL)


@pytest.mark.parametrize(
    "url",
    ["", "~/.lineal", "ftp://host", "https://", "https://user:pw@host", "http://[::1", "https://h:99999", "host:80"],
)
def test_what_is_no_server_has_no_key(url: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        credentials.find(url)
    assert "pw" not in str(caught.value)


def test_a_key_of_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.keep(URL, "lnl_kept_1")
    assert api_key(URL) == "lnl_kept_1"
    monkeypatch.setenv("LINEAL_API_KEY", " lnl_given_2\n")
    assert api_key(URL) == "lnl_given_2"
    monkeypatch.setenv("LINEAL_API_KEY", "")
    assert api_key(URL) == "lnl_kept_1"


def test_a_folder_that_can_not_be_written_is_told(tmp_path) -> None:
    if os.geteuid() == 0:
        blocked = credentials.file().parent
        blocked.parent.mkdir(parents=True, exist_ok=True)
        blocked.write_text("a file where the folder should be")
    else:
        credentials.file().parent.mkdir(parents=True, mode=0o500)
    with pytest.raises(InvalidSettings, match=r"credentials\.json"):
        credentials.keep(URL, "lnl_a_1")


@pytest.mark.parametrize(
    "url", ["http://lineal.test", "http://10.0.0.7:8230", "http://localhost.x", "http://[fd00::1]"]
)
def test_plain_http_to_another_machine_is_in_clear(url: str) -> None:
    assert credentials.in_clear(url)


@pytest.mark.parametrize("url", ["https://lineal.test", "http://localhost:1", "http://127.0.0.2", "http://[::1]:9"])
def test_tls_and_ones_own_machine_are_not(url: str) -> None:
    assert not credentials.in_clear(url)
