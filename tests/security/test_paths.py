"""Names and paths that lead elsewhere: families A and H4 of the known issues."""

from __future__ import annotations

import http.client
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from lineal.api.app import create_app
from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from tests import server
from tests.api.conftest import Ask
from tests.api.test_gate import flat
from tests.security.asking import API, asked, texts

ELSEWHERE = [
    "../canary.txt",
    "..\\..\\canary.txt",
    "a/../../canary.txt",
    "a;/../../canary.txt",
    "/etc/passwd",
    "//host/share/x",
    "C:\\x",
    "\\\\?\\C:\\x",
    "file:///etc/passwd",
    "x\0y",
    "x" * 300,
    "．．/canary.txt",
    "$(id)`id`;id\nid",
]
NO_NAMES = ["../x", "..", ".", ".git", "a/b", "a\\b", "%2e%2e", "рrod", "prоd", "x\0", "x\n", " x", "x ", "x" * 300]


def outside(folder: Path) -> dict[str, bytes]:
    """Everything beside the store."""
    found = (
        path for path in folder.rglob("*") if path.is_file() and "store" not in path.relative_to(folder).parts[:2]
    )
    return {str(path): path.read_bytes() for path in found if "served" not in str(path) and "cache" not in str(path)}


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a1_a2_a3_a5_no_text_in_any_parameter_leads_out_of_the_store(
    ask: Ask, tmp_path: Path, canary: Path, text: str
) -> None:
    before = outside(tmp_path)
    for declared, name in texts():
        value = [text] if "Sequence" in str(declared.hints[name]) else text
        answer = asked(ask, declared, **{name: value})
        where = (declared.noun, declared.name, name, answer.text[:300])
        assert answer.status_code < 500, where
        assert "the bird sings" not in answer.text and "root:" not in answer.text, where
        assert "text/html" not in answer.headers["content-type"], where
    assert outside(tmp_path) == before


def test_a4_a9_paths_are_decoded_once_and_lead_nowhere(tmp_path: Path, canary: Path) -> None:
    url = server.start(tmp_path / "served")
    before = outside(tmp_path)
    places = sorted(place for place in flat(create_app(server.served()).routes) if "{" in place[1])
    assert len(places) > 10
    line = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=60)
    try:
        for text in (
            "../../canary.txt",
            "..\\..\\canary.txt",
            "/etc/passwd",
            "..;/../canary.txt",
            "packs/../../canary.txt",
        ):
            forms = [text, quote(text, safe=""), quote(quote(text, safe=""), safe=""), text.replace("/", "%2f")]
            for form in forms:
                for method, path in places:
                    if method == "HEAD":
                        continue
                    asked_for = "/".join(form if "{" in part else part for part in path.split("/"))
                    line.request(method, asked_for.replace(" ", "%20"), headers={"Content-Type": "application/json"})
                    answer = line.getresponse()
                    said = answer.read()
                    assert answer.status < 500, (method, asked_for, said)
                    assert b"the bird sings" not in said and b"root:" not in said
        for path in ("/static/../../canary.txt", "/static//etc/passwd", "/api/v1/../../canary.txt", "//etc/passwd"):
            line.request("GET", path)
            answer = line.getresponse()
            answer.read()
            assert answer.status == 404
    finally:
        line.close()
        server.stop()
    assert outside(tmp_path) == before


@pytest.mark.parametrize("name", NO_NAMES)
def test_a7_h4_what_is_more_than_a_name_is_the_name_of_nothing(
    ask: Ask, backend: LocalBackend, tmp_path: Path, name: str
) -> None:
    with closing(Cache(tmp_path / "cache")) as cache, Push(backend.blobs, cache) as push:
        digest = digests.format(push.manifest(Manifest([push.data("a", b"x")])))
    made = [
        ("POST", "/runs", {"run_id": name}),
        ("POST", "/runs", {"run_id": "r", "project": name}),
        ("POST", "/artifacts/log", {"collection": name, "type": "t", "digest": digest}),
        ("POST", "/artifacts/log", {"collection": "c", "type": name, "digest": digest}),
        ("PUT", "/artifacts/alias", {"ref": "c:v0", "alias": name}),
        ("POST", "/access/users", {"name": name, "admin": True}),
        ("POST", "/access/teams", {"name": name}),
        ("PUT", "/access/projects/visibility", {"place": f"ada/{name}", "visibility": "public"}),
    ]
    for method, path, body in made:
        answer = ask(method, API + path, json=body)
        assert answer.status_code in (404, 422), (path, body, answer.text)
        assert answer.json()["error"]["code"].startswith(("invalid.", "not_found.")), answer.text
    assert backend.runs.list().runs == ()
    assert backend.access.list_users() == []


@pytest.mark.parametrize("name", ["CON", "nul", "aux", "com1"])
def test_a7_names_that_some_systems_keep_for_devices_are_rows_and_no_files(
    ask: Ask, tmp_path: Path, name: str
) -> None:
    assert ask("POST", f"{API}/runs", json={"run_id": name, "project": name}).status_code in (200, 422)
    found = (path for path in (tmp_path / "store").rglob("*"))
    assert not [path for path in found if path.name.split(".")[0].lower() == name.lower()]


def test_a8_a_link_in_the_store_is_not_followed_by_a_request(
    ask: Ask, backend: LocalBackend, tmp_path: Path, canary: Path
) -> None:
    """Whoever may put links there may read all of it anyway; no request may make use of them without the index."""
    digest = "ab" + "0" * 62
    where = tmp_path / "store" / "objects" / "ab"
    where.mkdir(parents=True, exist_ok=True)
    (where / f"{digest}-abcdefghjkmn").symlink_to(canary)
    answer = ask("GET", f"{API}/objects/objects/ab/{digest}-abcdefghjkmn")
    assert "the bird sings" not in answer.text
    assert backend.store.fsck().problems == ()
