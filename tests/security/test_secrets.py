"""A whole session with everything turned on that tells more: no secret is in what it leaves behind (B10)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg

from tests.journeys.farm import Farm
from tests.journeys.serving import until
from tests.postgres import own_server
from tests.seaweed import Endpoint

DATABASE, PASSWORD, CLIENT = "c0rrect-h0rse-db", "four words for ada only", "0idc-s3cret-of-the-client"
SESSION = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
import lineal
with lineal.init(project="p", config={"lr": 0.1}) as run:
    run.log({"loss": 1.0})
    artifact = lineal.Artifact("m", "model")
    artifact.add("x" * 100, "small.txt")
    artifact.add_file("large.bin")
    run.log_artifact(artifact, aliases=["best"])
lineal.Api().artifact("p/m:best").download("out")
"""


def test_b10_no_secret_is_in_any_log_row_or_file_of_a_whole_session(
    tmp_path: Path, s3: Endpoint, s3_url: str
) -> None:
    (tmp_path / "work" / "large.bin").write_bytes(os.urandom(3 << 20))
    told: list[str] = []
    with own_server() as postgres:
        with psycopg.connect(postgres.url, autocommit=True) as rows:
            rows.execute(f"CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '{DATABASE}'")
        url = postgres.url.replace("lineal@", f"guarded:{DATABASE}@")
        oidc = {"LINEAL_OIDC_ISSUER": "https://issuer.test", "LINEAL_OIDC_CLIENT_ID": "lineal"}
        more = {
            "LINEAL_DEBUG": "1",
            "LINEAL_OIDC_CLIENT_SECRET": CLIENT,
            "PYTHONDEVMODE": "",
            "OTEL_LOG_LEVEL": "debug",
        }
        farm = Farm(tmp_path, url, s3_url, **oidc, **more)
        try:
            farm.start(1)
            server = farm.servers[0]
            token = server.told.split("once:")[1].split()[0]
            set_up = httpx.post(
                f"{server.url}/api/v1/setup", json={"token": token, "name": "ada", "password": PASSWORD}
            )
            assert set_up.status_code == 200, set_up.text
            cookie = set_up.cookies["lineal"]
            csrf = {"X-Lineal-CSRF": set_up.json()["csrf"], "Origin": server.url, "Cookie": f"lineal={cookie}"}
            made = httpx.post(f"{server.url}/api/v1/access/keys", json={"name": "laptop"}, headers=csrf)
            assert made.status_code == 200, made.text
            key = made.json()["secret"]

            def run(*command: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
                done = subprocess.run(
                    command,
                    env={**os.environ, "LINEAL_URL": server.url, "LINEAL_DEBUG": "1", **variables},
                    input=given,
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )
                told.extend((done.stdout, done.stderr))
                return done

            lineal = (sys.executable, "-m", "lineal")
            assert run(sys.executable, "-c", SESSION, LINEAL_API_KEY=key).returncode == 0, told[-1]
            assert run(*lineal, "login", "--key-stdin", given=key).returncode == 0, told[-1]
            for words in (("whoami",), ("show", "p/m:best"), ("admin", "key", "list"), ("audit", "p/m:best")):
                assert run(*lineal, *words).returncode == 0, told[-1]
            run(*lineal, "show", "p/none:best")
            run(*lineal, "runs", LINEAL_API_KEY=f"{key}x")
            run(*lineal, "--url", url.replace(DATABASE, f"{DATABASE}x"), "runs", LINEAL_STORE=s3_url)
            login = {"name": "ada", "password": PASSWORD}
            assert httpx.post(f"{server.url}/api/v1/session", json=login).status_code == 200
            wrong = {"name": "ada", "password": f"{PASSWORD}!"}
            assert httpx.post(f"{server.url}/api/v1/session", json=wrong).status_code == 401
            assert httpx.get(f"{server.url}/api/v1/oidc/login", timeout=60).status_code >= 400  # no such provider
            postgres.stop("fast")
            assert httpx.get(f"{server.url}/ready", timeout=60).status_code == 503
            postgres.start()
            until(lambda: httpx.get(f"{server.url}/ready", timeout=60).status_code == 200)
            assert server.stop() == 0
            told += [server.log.read_text(), server.told.replace(token, "")]
            told.append((postgres.folder / "log").read_text())
            with psycopg.connect(postgres.url) as rows:
                for (name,) in rows.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
                    told.append(f"{name}: {rows.execute(f'SELECT * FROM {name}').fetchall()}")
        finally:
            farm.kill()
    credentials = {path for path in (tmp_path / "home").rglob("*") if path.is_file() and "credential" in path.name}
    for path in tmp_path.rglob("*"):
        if path.is_file() and path not in credentials:
            told.append(f"{path}: {path.read_bytes().decode('latin-1')}")
    assert any("/blobs/grants" in text for text in told), "bytes went by URLs that are secrets"
    for secret in (
        key,
        key.rpartition("_")[2],
        PASSWORD,
        DATABASE,
        CLIENT,
        token,
        cookie,
        s3.secret_key,
        "X-Amz-Signature",
    ):
        assert not [text[:200] for text in told if secret in text], secret[:8]
