import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lineal.client.capture.environment import (
    VARIABLES,
    allowed_variables,
    command,
    container_facts,
    environment_facts,
)

CONTAINER_VARIABLES = ["KUBERNETES_SERVICE_HOST", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER"]
CONTAINER_VARIABLES += ["CONTAINER_IMAGE", "DOCKER_IMAGE", "IMAGE_NAME"]


@pytest.fixture
def bare(monkeypatch):
    """No variable that tells of a container."""
    for name in CONTAINER_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_process_and_machine_are_told():
    facts = environment_facts()
    assert facts["folder"] == str(Path.cwd())
    assert facts["host"] == socket.gethostname()
    assert facts["user"] == getpass.getuser()
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["executable"] == sys.executable
    assert facts["cpu_count"] == os.cpu_count()
    assert facts["memory_total_bytes"] > 1 << 20
    assert facts["command"][-1] == sys.orig_argv[-1]


def test_facts_are_json_and_none_is_empty():
    facts = environment_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert not [key for key, value in facts.items() if value in (None, "", [], {})]


def test_a_script_is_told_by_its_place_in_the_checkout_and_its_secrets_are_not(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    script = tmp_path / "src" / "train.py"
    script.parent.mkdir()
    script.write_text(
        "import json; from lineal.client.capture.environment import environment_facts as f; print(json.dumps(f()))"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, str(script), "--token", "s3cret", "--lr=0.1"],
        cwd=script.parent,
        env=os.environ | {"PYTHONPATH": str(root), "HF_TOKEN": "s3cret", "SLURM_JOB_ID": "7", "SLURM_JWT": "s3cret"},
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    assert facts["program"] == "src/train.py"
    assert facts["command"][1:] == [str(script), "--token", "***", "--lr=0.1"]
    assert facts["variables"]["SLURM_JOB_ID"] == "7"
    assert "s3cret" not in done.stdout


def test_only_variables_of_the_list_are_recorded(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("MY_CLUSTER", "north")
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    assert allowed_variables()["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert "MY_CLUSTER" not in allowed_variables()
    assert allowed_variables([*VARIABLES, "MY_CLUSTER"])["MY_CLUSTER"] == "north"


def test_a_variable_named_like_a_secret_is_not_recorded_even_when_asked_for(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    monkeypatch.setenv("MY_PROXY", "http://ada:s3cret@proxy:8080")
    assert allowed_variables(["MY_*"]) == {"MY_PROXY": "http://proxy:8080"}


def test_endless_command_lines_are_cut():
    shown = command(["a" * 10_000] + ["b"] * 5000)
    assert len(shown) == 1001
    assert shown[0] == "a" * 4096 + "…"
    assert shown[-1] == "…"


def test_in_a_deleted_folder_the_rest_is_told(tmp_path):
    os.chdir(tmp_path / "work")
    (tmp_path / "work").rmdir()
    facts = environment_facts()
    assert "folder" not in facts
    assert facts["host"]
    os.chdir(tmp_path)


def test_no_container_is_seen_outside(bare, tmp_path):
    assert container_facts(tmp_path) == {}


@pytest.mark.parametrize(
    ("path", "text", "facts"),
    [
        (".dockerenv", "", {"kind": "docker"}),
        (
            "run/.containerenv",
            'engine="podman"\nimage="a/b:1"\n',
            {"kind": "podman", "image": "a/b:1"},
        ),
        ("run/.containerenv", "", {"kind": "podman"}),
        ("proc/1/cgroup", "1:name=systemd:/kubepods/besteffort/pod1\n", {"kind": "kubernetes"}),
        ("proc/1/cgroup", "1:cpu:/docker/0123\n", {"kind": "docker"}),
        ("proc/1/cgroup", "0::/\n", {}),
    ],
)
def test_containers_are_known_by_their_marks(bare, tmp_path, path, text, facts):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    assert container_facts(tmp_path) == facts


def test_the_image_is_taken_from_variables_that_name_it(bare, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTAINER_IMAGE", "registry/a:1")
    assert container_facts(tmp_path) == {}
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert container_facts(tmp_path) == {"kind": "kubernetes", "image": "registry/a:1"}
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    monkeypatch.setenv("APPTAINER_CONTAINER", "/images/a.sif")
    assert container_facts(tmp_path) == {"kind": "apptainer", "image": "/images/a.sif"}
