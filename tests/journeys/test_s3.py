"""A store of rows in PostgreSQL and bytes in S3: logged, used, downloaded, collected, checked; a writer is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import lineal
from lineal.client.connection import connection
from lineal.storage.blobs import is_temporary
from lineal.storage.s3 import PART_BYTES, S3Store

LOG = """
import os, sys
import lineal
from lineal.storage import s3
from lineal.storage.s3_bucket import Bucket
s3._AT_ONCE = 1
put, sent = Bucket.put_part, []
def killed(*given):
    if len(sent) == 2:
        os.kill(os.getpid(), 9)
    sent.append(put(*given))
    return sent[-1]
Bucket.put_part = killed
with lineal.init(project="digits") as run:
    run.log_artifact("model", name="classifier", type="model")
"""


@pytest.fixture
def store(s3_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """The S3 half of the store that everything in the test uses."""
    monkeypatch.setenv("LINEAL_URL", postgres_url)
    monkeypatch.setenv("LINEAL_STORE", s3_url)
    return S3Store(s3_url)


@pytest.fixture
def model() -> dict[str, bytes]:
    """A folder `model` with files that share a pack, one that is an object, one that is sent in parts."""
    files = {f"part-{n}.txt": f"{n}".encode() * 100 for n in range(300)}
    files |= {"medium.bin": os.urandom(1 << 20), "large.bin": os.urandom(4 * PART_BYTES + 5)}
    Path("model").mkdir()
    for name, data in files.items():
        Path("model", name).write_bytes(data)
    return files


def contents(folder: str | Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_versions_are_logged_used_downloaded_collected_and_checked(store: S3Store, model, cli) -> None:
    with lineal.init(project="digits") as run:
        logged = run.log_artifact("model", name="classifier", type="model", aliases=["best"])
        run.log({"loss": 0.5})
    assert len([found for found in store.list() if found.key.startswith("packs/")]) == 1
    with lineal.init(project="digits") as run:
        assert contents(run.use_artifact("classifier:best").download("out")) == model
    before = {found.key for found in store.list()}
    with lineal.init(project="digits") as run:  # the same bytes again are no new objects
        assert run.log_artifact("model", name="copy", type="model").digest == logged.digest
    assert len({found.key for found in store.list() if found.key.startswith("objects/")} - before) == 0
    assert cli("fsck").code == 0
    Path("model/large.bin").write_bytes(b"small now")
    with lineal.init(project="digits") as run:
        run.log_artifact("model", name="classifier", type="model")
    for ref in ("classifier:v0", "copy:v0"):
        assert cli("rm", ref, "--force").code == 0
    said = cli("gc", "--grace", "0s")
    assert said.code == 0, said
    assert sum(found.size for found in store.list()) < 4 * PART_BYTES
    assert cli("fsck").code == 0
    said = cli("--project", "digits", "get", "classifier:v1", "--root", "out2")
    assert said.code == 0, said
    assert contents("out2") == model | {"large.bin": b"small now"}


def test_an_upload_that_is_killed_leaves_only_garbage_that_gc_names(store: S3Store, model, cli, monkeypatch) -> None:
    died = subprocess.run([sys.executable, "-c", LOG], check=False, env=os.environ | {"PYTHONPATH": str(root())})
    assert died.returncode == -signal.SIGKILL
    (half,) = [found for found in store.list() if is_temporary(found.key)]
    assert half.size >= 2 * PART_BYTES
    assert half.key in connection().backend.store.fsck().garbage
    assert connection().backend.store.plan_gc(grace_s=0).stray_count == 0  # an hour may pass before its writer ends
    with lineal.init(project="digits") as run:
        run.log_artifact("model", name="classifier", type="model")
    monkeypatch.setattr("lineal.backend.local.upkeep._WRITING", timedelta(0))
    assert connection().backend.store.plan_gc(grace_s=0).stray_count == 1
    assert cli("gc", "--grace", "0s").code == 0
    assert not [found for found in store.list() if is_temporary(found.key)]
    assert cli("fsck").code == 0
    assert contents(lineal.Api().artifact("digits/classifier:latest").download("out")) == model


def root() -> Path:
    return Path(__file__).resolve().parent.parent.parent
