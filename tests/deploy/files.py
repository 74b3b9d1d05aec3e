"""The files of `deploy/` as data, and what in them has to be there in Lineal."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lineal.cli.main import cli
from lineal.core import settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
NAME, S3_NAME, PORT = "lineal.example.org", "s3.lineal.example.org", "8230"


def compose() -> dict[str, Any]:
    """compose.yaml, what it merges put in."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    return found


def manifests() -> list[dict[str, Any]]:
    """All resources for Kubernetes, those of one file after those of another."""
    names = yaml.safe_load((DEPLOY / "kubernetes/kustomization.yaml").read_text())["resources"]
    return [
        one
        for name in [*names, "tools.yaml"]
        for one in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
    ]


def known_variables() -> set[str]:
    return set(re.findall(r"LINEAL_[A-Z_]+\b", Path(settings.__file__).read_text()))


def check_command(words: list[str]) -> None:
    """Fails unless `lineal` and these words are a command with options that it has."""
    name, command, parent = "lineal", cli, None
    rest = words
    while True:
        context = command.make_context(name, list(rest), parent=parent)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not isinstance(command, click.Group) or not rest:
            return
        found, below, rest = command.resolve_command(context, rest)
        assert found is not None
        assert below is not None
        name, command, parent = found, below, context


def program(name: str, how: str) -> str:
    """The path of a program that a package of the dev extra brings. Fails the test where it is missing."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: pip install {how}", pytrace=False)
    return found
