"""The manifests: valid by Kubernetes' own schemas, and in agreement with one another, the image and Lineal."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lineal.core import settings
from tests.deploy.files import DEPLOY, NAME, PORT, check_command, compose, known_variables, manifests
from tests.deploy.test_container import pods

ALL = manifests()
PODS = [(one, pod) for one in ALL for pod in pods(one)]
SETTINGS: dict[str, str] = next(one["data"] for one in ALL if one["kind"] == "ConfigMap")


def title(value: Any) -> str:
    return f"{value['kind']}/{value['metadata']['name']}" if isinstance(value, dict) and "kind" in value else ""


def named(kind: str, name: str = "lineal") -> dict[str, Any]:
    return next(one for one in ALL if (one["kind"], one["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("one", ALL, ids=title)
def test_it_is_what_kubernetes_takes(one: dict[str, Any]) -> None:
    kubernetes_validate.validate(one, "1.31", strict=True)
    assert one["metadata"].get("namespace") == ("lineal" if one["kind"] != "Namespace" else None)


def test_every_file_is_part_of_it() -> None:
    listed = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())
    assert {*listed["resources"], "kustomization.yaml", "tools.yaml"} == {
        p.name for p in (DEPLOY / "kubernetes").iterdir()
    }
    assert listed["images"] == [{"name": "lineal", "newTag": compose()["x-lineal"]["image"].split(":")[1]}]


def test_no_secret_is_kept_here() -> None:
    assert not [one for one in ALL if one["kind"] == "Secret"]
    assert "password" not in str(SETTINGS).lower()
    assert {SETTINGS["PGSERVICEFILE"], SETTINGS["AWS_SHARED_CREDENTIALS_FILE"]} == {
        "/run/secrets/lineal/pg_service.conf",
        "/run/secrets/lineal/aws_credentials",
    }


@pytest.mark.parametrize(("one", "pod"), PODS, ids=title)
def test_a_pod_keeps_to_the_restricted_standard(one: dict[str, Any], pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    # The tag of all others is kustomization.yaml's.
    assert container["image"] == ("lineal" if one["kind"] != "Pod" else compose()["x-lineal"]["image"])
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= container["resources"].keys()
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert volumes["secrets"]["secret"]["secretName"] == "lineal"
    if "args" in container:
        check_command(container["args"])
    elif one["kind"] != "Pod":
        script = container["command"][-1]
        check_command(re.sub(r"\$\(.*?\)", "now", script.removeprefix("exec lineal ")).replace('"', "").split())


def test_settings_are_lineals_and_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {name for name in SETTINGS if name.startswith("LINEAL_")} <= known_variables()
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    found = settings.load_server(host="10.244.0.7")
    assert (found.names, str(found.port)) == ((NAME,), PORT)
    assert "10.244.0.7" in found.answers_to
    assert settings.load().store == SETTINGS["LINEAL_STORE"]


def test_a_server_is_asked_where_it_listens_and_has_time_to_stop() -> None:
    ((_, pod),) = [found for found in PODS if found[0]["kind"] == "Deployment"]
    (container,) = pod["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": int(PORT)}]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/health",
        "liveness": "/health",  # a database that is away is no reason to kill servers
        "readiness": "/ready",
    }
    within = float(SETTINGS["LINEAL_SERVER_STOP_WITHIN"].removesuffix("s"))
    assert pod["terminationGracePeriodSeconds"] >= 5 + within + 10
    assert container["env"][0]["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}


def test_parts_find_one_another() -> None:
    labels = named("Deployment")["spec"]["template"]["metadata"]["labels"]
    for chosen in (
        named("Deployment")["spec"]["selector"]["matchLabels"],
        named("Service")["spec"]["selector"],
        named("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        named("NetworkPolicy", "lineal-server")["spec"]["podSelector"]["matchLabels"],
    ):
        assert chosen.items() <= labels.items()
    for one, _ in PODS:
        if one["kind"] != "Deployment":  # what is no server must get no requests
            assert not named("Service")["spec"]["selector"].items() <= labels_of(one).items()
    assert named("NetworkPolicy", "lineal-server")["spec"]["ingress"][0]["ports"][0]["port"] == int(PORT)
    (rule,) = named("Ingress")["spec"]["rules"]
    assert rule["host"] == NAME
    assert named("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "lineal"
    claim = named("PersistentVolumeClaim", "lineal-backups")
    assert f"'claimName': '{claim['metadata']['name']}'" in str(named("CronJob", "lineal-backup"))


def labels_of(one: dict[str, Any]) -> dict[str, str]:
    spec = one["spec"].get("jobTemplate", one)["spec"]
    labels: dict[str, str] = spec.get("template", one)["metadata"]["labels"]
    return labels


def test_the_server_outlives_the_loss_of_one_pod() -> None:
    assert named("Deployment")["spec"]["replicas"] >= 2
    assert named("PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert named("Deployment")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
