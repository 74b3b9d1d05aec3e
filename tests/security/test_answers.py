"""What a browser makes of answers: files that others logged, errors that repeat what was asked (D1, D3, D7)."""

from __future__ import annotations

import pytest

from lineal.api.app import create_app
from lineal.backend.local.backend import LocalBackend
from lineal.storage import digest as digests
from lineal.storage.blobs import object_key
from tests.api.conftest import Ask
from tests.api.test_gate import flat
from tests.security.asking import API

ACTIVE = {
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "mhtml": b"MIME-Version: 1.0\nContent-Type: multipart/related\n",
}
SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize("kind", ACTIVE)
@pytest.mark.parametrize("part", [{}, {"Range": "bytes=0-20"}])
def test_d3_a_file_that_others_logged_is_never_a_page_of_this_server(
    ask: Ask, kind: str, part: dict[str, str]
) -> None:
    data = ACTIVE[kind]
    where = f"{API}/objects/{object_key(digests.of_bytes(data))}"
    assert ask("PUT", where, content=data, headers={"Content-Type": "text/html"}).status_code in (204, 403)
    assert ask("PUT", where, content=data).status_code == 204
    answer = ask("GET", where, headers={"Accept": "text/html", **part})
    assert answer.is_success
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = [word.strip() for word in answer.headers["Content-Security-Policy"].split(";")]
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'none'"} <= set(policy)


def test_d1_d7_no_answer_repeats_what_was_asked_as_a_page_or_may_be_framed(ask: Ask, backend: LocalBackend) -> None:
    for method, path in sorted(flat(create_app(backend).routes)):
        if method == "HEAD":
            continue
        asked_for = "/".join(SCRIPT.replace("/", "%2f") if "{" in part else part for part in path.split("/"))
        answer = ask(
            method,
            asked_for,
            params={"ref": SCRIPT, SCRIPT: SCRIPT},
            headers={"X-Request-Id": SCRIPT, "Accept": SCRIPT},
        )
        kind = answer.headers.get("Content-Type", "")
        assert answer.headers["X-Content-Type-Options"] == "nosniff", (method, path)
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert SCRIPT not in str(answer.headers)
        if "html" in kind:
            assert SCRIPT not in answer.text
        else:
            assert kind.split(";")[0] in ("application/json", "application/octet-stream", "text/event-stream", ""), (
                method,
                path,
                kind,
            )
