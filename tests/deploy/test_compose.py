"""compose.yaml: valid, without passwords of its own, and in agreement with the image, nginx and Lineal."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
from typing import Any

import compose_spec
import pytest

from lineal.core import settings
from lineal.core.clock import parse_duration
from tests.deploy.files import DEPLOY, NAME, PORT, S3_NAME, check_command, compose, known_variables, program

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
SERVERS = ("server-1", "server-2")


@pytest.mark.parametrize("folder", ["compose", "kubernetes"])
def test_the_linter_of_yaml_finds_nothing(folder: str) -> None:
    rules = str(DEPLOY.parent / ".yamllint")
    command = [program("yamllint", "yamllint"), "--strict", "-c", rules, str(DEPLOY / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_what_the_specification_allows_and_all_that_it_refers_to_is_there() -> None:
    compose_spec.PyCompose.from_json(json.dumps(compose())).validate()
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= SERVICES.keys()
        assert set(service.get("secrets", ())) <= compose()["secrets"].keys()
        assert set(service["networks"]) <= compose()["networks"].keys()
        for mounted in service.get("volumes", ()):
            source = mounted.split(":")[0]
            if source.startswith("."):
                assert re.match(r"\./(tls|backups)", source) or (DEPLOY / "compose" / source).exists(), source
            else:
                assert source in compose()["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_no_variable_holds_a_secret(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|TOKEN|CREDENTIALS|SERVICEFILE|KEY", variable):
            assert value.startswith("/run/secrets/"), variable
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]
    assert not re.search(r"password=|:[^/@\s]+@", str(SERVICES[name].get("environment", "")))


def test_secrets_stay_out_of_the_repository() -> None:
    ignored = (DEPLOY / "compose/.gitignore").read_text().split()
    assert {"secrets/", "tls/", "backups/"} <= set(ignored)
    assert all(secret["file"].startswith("./secrets/") for secret in compose()["secrets"].values())


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if s["image"].startswith(("lineal:", "nginxinc/"))])
def test_what_can_do_without_them_has_no_rights_and_no_disk(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in service["security_opt"]


def test_only_nginx_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]
    assert compose()["networks"]["back"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "front" in service["networks"]} == {"nginx"}


@pytest.mark.parametrize("name", [*SERVERS, "nginx", "postgres", "s3"])
def test_what_runs_on_has_limits_time_to_stop_and_a_log_that_ends(name: str) -> None:
    service = SERVICES[name]
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["restart"] == "unless-stopped"
    assert "max-size" in service["logging"]["options"]
    assert "stop_grace_period" in service
    assert "healthcheck" in service or service["image"].startswith("lineal:")  # its image has one


def test_every_variable_is_lineals_and_every_command_is_there() -> None:
    for service in SERVICES.values():
        given = service.get("environment", {})
        assert {name for name in given if name.startswith("LINEAL_")} <= known_variables()
        if service["image"].startswith("lineal:") and "entrypoint" not in service:
            check_command(service.get("command", ["server"]))


@pytest.mark.parametrize("name", SERVERS)
def test_a_servers_settings_are_taken_and_agree_with_the_rest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, value)
    found = settings.load_server()
    assert found.names == (NAME,)
    assert str(found.port) == PORT
    assert not found.local
    nginx = SERVICES["nginx"]["networks"]["back"]["ipv4_address"]
    assert found.trusted_proxies == (f"{nginx}/32",)
    assert parse_duration(service["stop_grace_period"]).total_seconds() >= found.stop_within_s + 5
    assert f"{name}:{PORT}" in (DEPLOY / "nginx/lineal.conf").read_text()


def test_addresses_are_those_of_the_network_and_nginx_knows_them() -> None:
    (network,) = (ipaddress.ip_network(one["subnet"]) for one in compose()["networks"]["back"]["ipam"]["config"])
    known = dict(entry.split(":") for entry in SERVICES["nginx"]["extra_hosts"])
    for name in (*SERVERS, "s3"):
        address = SERVICES[name]["networks"]["back"]["ipv4_address"]
        assert ipaddress.ip_address(address) in network
        assert known[name] == address
    assert SERVICES["nginx"]["networks"]["back"]["aliases"] == [S3_NAME]
    assert SERVICES["server-1"]["environment"]["AWS_ENDPOINT_URL_S3"] == f"https://{S3_NAME}"


def test_the_bucket_is_the_one_of_the_store_and_of_its_keys() -> None:
    bucket = SERVICES["bucket"]["entrypoint"][-1]
    assert SERVICES["server-1"]["environment"]["LINEAL_STORE"].startswith(f"s3://{bucket}/")
    assert f'"Read:{bucket}", "Write:{bucket}", "List:{bucket}"' in (DEPLOY / "compose/make-secrets.sh").read_text()


def test_connections_of_all_workers_fit_into_postgresql() -> None:
    most = int(next(word for word in SERVICES["postgres"]["command"] if "max_connections" in word).split("=")[1])
    workers = sum(int(SERVICES[name]["environment"]["LINEAL_SERVER_WORKERS"]) for name in SERVERS)
    assert workers * 32 + 20 <= most
