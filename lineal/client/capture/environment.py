"""Where a run ran: its command line, folder, host, user, system, Python, hardware and container."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineal.client.capture.git import git_root, program
from lineal.client.capture.gpu import gpu_names
from lineal.client.capture.redaction import is_secret, without_secrets, without_tokens
from lineal.core.settings import environment, environment_like

VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"),
    *("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR"),
    *("MASTER_PORT", "OMPI_COMM_WORLD_*", "PMI_RANK", "PMI_SIZE", "NCCL_DEBUG", "NCCL_SOCKET_IFNAME"),
    *("SLURM_*", "PBS_JOBID", "PBS_JOBNAME", "PBS_QUEUE", "LSB_JOBID", "LSB_JOBNAME", "LSB_QUEUE", "JOB_ID"),
    *("CUBLAS_WORKSPACE_CONFIG", "PYTHONHASHSEED", "PYTORCH_CUDA_ALLOC_CONF", "TF_DETERMINISTIC_OPS"),
    *("XLA_FLAGS", "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "LANG", "TZ"),
)
"""The environment variables that are recorded, by name or pattern; never one whose name says secret."""

_IMAGE_VARIABLES = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "CONTAINER_IMAGE", "DOCKER_IMAGE", "IMAGE_NAME")
_WORDS = 1000
_WORD_CHARS = 4096


def environment_facts(variables: Sequence[str] = VARIABLES) -> dict[str, Any]:
    """What is known of the process and its machine; what can't be found out is left out.

    Asking for GPUs may take a second, once per process: call it beside the training, not before it.
    """
    root = git_root(Path())
    facts = {
        "command": command(sys.orig_argv),
        "program": program(root),
        "folder": _folder(),
        "checkout": str(root) if root else None,
        "host": socket.gethostname(),
        "user": _user(),
        "os": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "executable": sys.executable,
        "cpu_count": os.cpu_count(),
        "memory_total_bytes": _memory_bytes(),
        "gpus": gpu_names(),
        "container": container_facts(),
        "variables": allowed_variables(variables),
    }
    return {key: value for key, value in facts.items() if value not in (None, "", [], {})}


def command(words: Sequence[str]) -> list[str]:
    """The command line with secrets hidden, and cut where it is endless."""
    short = [word if len(word) <= _WORD_CHARS else f"{word[:_WORD_CHARS]}…" for word in words[:_WORDS]]
    return without_secrets(short) + ["…"] * (len(words) > _WORDS)


def allowed_variables(variables: Sequence[str] = VARIABLES) -> dict[str, str]:
    """The environment variables that match, but none whose name says that it is secret."""
    found = environment_like(variables)
    return {name: without_tokens(value)[:_WORD_CHARS] for name, value in found.items() if not is_secret(name)}


def container_facts(root: Path = Path("/")) -> dict[str, str]:
    """The kind of container the process runs in, and its image where that is known; empty outside."""
    podman = _text(root / "run/.containerenv")
    cgroup = _text(root / "proc/1/cgroup") or ""
    image = next((value for name in _IMAGE_VARIABLES if (value := environment(name))), "")
    if environment("KUBERNETES_SERVICE_HOST"):
        kind = "kubernetes"
    elif environment("APPTAINER_CONTAINER") or environment("SINGULARITY_CONTAINER"):
        kind = "apptainer"
    elif podman is not None:
        kind = "podman"
        named = [line[len("image=") :].strip('"') for line in podman.splitlines() if line.startswith("image=")]
        image = image or "".join(named[:1])
    elif (root / ".dockerenv").exists():
        kind = "docker"
    else:
        kind = next((kind for word, kind in _CGROUPS.items() if word in cgroup), "")
    return {"kind": kind, **({"image": without_tokens(image)} if image else {})} if kind else {}


_CGROUPS = {"kubepods": "kubernetes", "/docker": "docker", "libpod": "podman", "/lxc": "lxc"}


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # deleted
        return None


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        import psutil

        return int(psutil.virtual_memory().total)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
