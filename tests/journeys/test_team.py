"""A team at work: two servers over one PostgreSQL and one bucket, people and machines each with what they may do."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.serving import Serving, serving

TRAIN = """
import lineal
run = lineal.init(project="digits", name="first", config={"lr": 0.1})
for step in range(50):
    run.log({"loss": 1 / (step + 1)})
data = run.use_artifact("digits-raw:latest")
artifact = lineal.Artifact("classifier", type="model", metadata={"accuracy": 0.97})
artifact.add_file("weights.bin")
run.log_artifact(artifact)
run.finish()
print(run.id)
"""

SERVE = """
import hashlib, lineal
folder = lineal.Api().artifact("vision/digits/classifier:production").download("model")
print(hashlib.sha256(open(f"{folder}/weights.bin", "rb").read()).hexdigest())
"""


class Machine:
    """Somebody's machine: a home of its own, a server that it knows, a key that it keeps."""

    def __init__(self, home: Path, url: str, **more: str) -> None:
        home.mkdir()
        self.home = home
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LINEAL_", "AWS_", "XDG_"))}
        self.env = {**kept, "HOME": str(home), "LINEAL_URL": url, "LINEAL_ENTITY": "vision", **more}

    def lineal(self, *words: str, said: str | None = None, code: int = 0) -> str:
        """What the command prints."""
        return self.run([sys.executable, "-m", "lineal", *words], said=said, code=code)

    def python(self, program: str) -> str:
        return self.run([sys.executable, "-c", textwrap.dedent(program)])

    def run(self, command: list[str], *, said: str | None = None, code: int = 0) -> str:
        done = subprocess.run(
            command, cwd=self.home, env=self.env, input=said, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command[2:]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str, s3_url: str) -> Iterator[tuple[Serving, Serving]]:
    """Two servers over the same rows and bytes; the set-up token that the later one prints counts."""
    place = ("--db", postgres_url, "--store", s3_url)
    with serving(tmp_path / "one", *place) as one, serving(tmp_path / "two", *place) as two:
        yield one, two


def test_a_team_trains_promotes_serves_and_audits(pair: tuple[Serving, Serving], tmp_path: Path) -> None:
    one, two = pair

    # The admin sets the server up in the browser, with the token that it printed, and makes a key for the terminal.
    told = two.told.splitlines()
    token = told[1 + next(number for number, line in enumerate(told) if "Set-up token" in line)]
    with httpx.Client(base_url=one.url, headers={"Origin": one.url}) as browser:
        made = browser.post(
            "/api/v1/setup", json={"token": token, "name": "ida", "password": "a rather long password"}
        )
        assert made.status_code == 200, made.text
        csrf = browser.get("/api/v1/session").json()["csrf"]
        shown = {"X-Lineal-CSRF": csrf}
        key = browser.post("/api/v1/access/keys", json={"name": "terminal"}, headers=shown).json()["secret"]
        eve = {"token": token, "name": "eve", "password": "a rather long password"}
        assert browser.post("/api/v1/setup", json=eve, headers=shown).status_code == 409

    admin = Machine(tmp_path / "admin", one.url)
    assert "ida" in admin.lineal("login", one.url, "--key-stdin", said=key)
    admin.lineal("admin", "team", "add", "vision")
    keys = {}
    for name, role in (("tom", "writer"), ("mia", "maintainer"), ("aud", "reader")):
        admin.lineal("admin", "user", "add", name)
        admin.lineal("admin", "team", "add-member", "vision", name, "--role", role)
        keys[name] = key_in(admin.lineal("admin", "key", "add", "work", "--user", name))
    admin.lineal("admin", "user", "add", "eve")
    keys["eve"] = key_in(admin.lineal("admin", "key", "add", "work", "--user", "eve"))
    admin.lineal("admin", "user", "add", "serving", "--service")
    admin.lineal("admin", "role", "grant", "vision/digits", "reader", "--user", "serving")
    keys["serving"] = key_in(admin.lineal("admin", "key", "add", "pod", "--user", "serving", "--scope", "read"))

    # A trainer on machine A logs through one server.
    trainer = Machine(tmp_path / "a", one.url, LINEAL_PROJECT="digits")
    trainer.lineal("login", one.url, "--key-stdin", said=keys["tom"])
    (trainer.home / "weights.bin").write_bytes(os.urandom(300_000))
    (trainer.home / "raw").mkdir()
    for number in range(20):
        (trainer.home / "raw" / f"{number}.txt").write_text(str(number))
    trainer.lineal("add", "raw", "digits-raw", "--type", "dataset")
    run_id = trainer.python(TRAIN).split()[-1]
    assert "finished" in trainer.lineal("run", "show", run_id)

    # Who may not promote can't: the trainer sees the model but is no maintainer, to an outsider it isn't there.
    assert "forbidden.alias" in trainer.lineal("promote", "classifier:v0", "production", code=5)
    outsider = Machine(tmp_path / "eve", two.url, LINEAL_API_KEY=keys["eve"])
    assert "not_found" in outsider.lineal("promote", "vision/digits/classifier:v0", "production", code=3)
    assert "digits" not in outsider.lineal("ls")
    nobody = Machine(tmp_path / "nobody", two.url)
    assert "lineal login" in nobody.lineal("ls", code=5)

    # A maintainer promotes from the command line.
    maintainer = Machine(tmp_path / "mia", one.url, LINEAL_API_KEY=keys["mia"], LINEAL_PROJECT="digits")
    maintainer.lineal("promote", "classifier:v0", "production", "--why", "0.97 on the test set")

    # A serving process with a read-only key on machine B downloads it through the other server.
    server = Machine(tmp_path / "b", two.url, LINEAL_API_KEY=keys["serving"])
    wanted = hashlib.sha256((trainer.home / "weights.bin").read_bytes()).hexdigest()
    assert wanted in server.python(SERVE)
    assert "forbidden.scope" in server.lineal("promote", "vision/digits/classifier:v0", "best", code=5)

    # An auditor with read rights gets the page, and the admin the record.
    auditor = Machine(tmp_path / "aud", two.url, LINEAL_API_KEY=keys["aud"])
    auditor.lineal("audit", "vision/digits/classifier:production", "--format", "html", "-o", "page.html")
    page = (auditor.home / "page.html").read_text()
    for fact in ("classifier", "digits-raw", "tom", "mia", "0.97 on the test set"):
        assert fact in page
    record = admin.lineal("audit-log", "--operation", "artifacts.move_alias", "--subject", "vision/digits")
    assert "takes the role maintainer; tom is writer" in record
    assert "mia" in record
    assert "tom" in admin.lineal("audit-log", "--refused")
    assert "all is well" in admin.lineal("fsck")
    for server_ in pair:
        assert server_.stop() == 0
        said = server_.log.read_text()
        assert not [name for name, secret in keys.items() if secret in said or secret.rpartition("_")[2] in said]


def key_in(printed: str) -> str:
    (key,) = [word for word in printed.split() if word.startswith("lnl_")]
    return key
