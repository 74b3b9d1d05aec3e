"""A cluster without a network: four processes run offline, one dies; later everything is sent, whatever stops that.

`LINEAL_CRASH_SEED` repeats a failure; the seed is part of every assertion's message.
"""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

import lineal
from lineal.client import connection as connections
from lineal.client.connection import connection
from tests.client.leavings import everything
from tests.installation import Installation

SEED = int(os.environ.get("LINEAL_CRASH_SEED") or random.SystemRandom().randrange(1 << 30))
KILLS = 15
PATIENCE_S = 120

RANK = """
import lineal, sys
rank = int(sys.argv[1])
with lineal.init(project="digits", group="job-7", job_type="train", id=f"rank-{rank}", config={"rank": rank}) as run:
    for step in range(200):
        run.log({"loss": rank + 1 / (step + 1)})
        run._outbox.flush()
"""

KILLED = """
import lineal, os
run = lineal.init(project="digits", id="killed", tags=["doomed"])
open(os.path.join(run.dir, "checkpoint.bin"), "wb").write(os.urandom(3_000_000))
for step in range(500):
    run.log({"loss": 1.0 / (step + 1)})
    if step % 5 == 0:
        run._outbox.flush()
run._outbox.flush()
os.kill(os.getpid(), 9)
"""

TRAIN = """
import lineal, os
with lineal.init(project="digits", id="train", name="first") as run:
    folder = run.use_artifact("digits:latest", use_as="training").download()
    lines = open(os.path.join(folder, "digits.csv")).read().splitlines()
    os.makedirs("model")
    for part in range(300):
        open(f"model/part-{part}.txt", "w").write(f"{part} {len(lines)}")
    for step in range(3):
        open("model/weights.bin", "wb").write(bytes([step]) * 5_000_000)
        run.log({"lines": len(lines)})
        run.log_artifact("model", name="classifier", type="model", aliases=["best"])
    run.name = "second"
"""


@pytest.fixture
def cluster(place, installation: Installation, log) -> Path:
    """The folder of what four processes have left, none of which could reach the store."""
    log("digits", {"digits.csv": "1\n2\n3\n"}, project="digits")
    variables = installation.environment() | {"LINEAL_DIR": str(place.work / "left"), "LINEAL_PROJECT": "digits"}
    subprocess.run(
        [installation.bin / "lineal", "lock", "digits:latest"], env=variables, check=True, timeout=PATIENCE_S
    )
    log("digits", {"digits.csv": "newer"}, project="digits")
    away = place.store.with_name("away")
    connections.close_all()
    place.store.rename(away)
    jobs = [(RANK, "0"), (RANK, "1"), (KILLED,), (TRAIN,)]
    started = []
    for number, (code, *arguments) in enumerate(jobs):
        (place.work / f"node-{number}").mkdir()
        started.append(
            subprocess.Popen(
                [installation.python, "-W", "error", "-c", code, *arguments],
                env=variables | {"LINEAL_MODE": "offline"},
                cwd=place.work / f"node-{number}",
            )
        )
    assert [process.wait(PATIENCE_S) for process in started] == [0, 0, -9, 0]
    assert not place.store.exists()
    away.rename(place.store)
    return place.work / "left"


def sync(installation: Installation, left: Path, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [installation.bin / "lineal", "sync", "--all"],
        env=installation.environment() | {"LINEAL_DIR": str(left)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(left: Path) -> None:
    """Everything is in the store, once."""
    backend = connection().backend
    runs = {run.id: run for run in backend.runs.list(project="digits").runs}
    assert {run_id: run.state for run_id, run in runs.items() if run.job_type != "make"} == {
        "rank-0": "finished",
        "rank-1": "finished",
        "killed": "crashed",
        "train": "finished",
    }
    for rank in (0, 1):
        assert runs[f"rank-{rank}"].group == "job-7"
        found = backend.runs.columns(f"rank-{rank}", ["loss"])["loss"]
        assert found == (list(range(200)), [rank + 1 / (step + 1) for step in range(200)])
    assert [row["_step"] for row in backend.runs.rows("killed")] == list(range(500))
    assert [(file.path, file.size) for file in backend.runs.list_files("killed")] == [("checkpoint.bin", 3_000_000)]
    assert runs["train"].name == "second"
    assert [row["lines"] for row in backend.runs.rows("train")] == [3, 3, 3]
    used, made = (backend.lineage.artifacts_of("train", output=output) for output in (False, True))
    assert [version.ref for version in used] == ["local/digits/digits:v0"]
    assert [version.name for version in made] == ["classifier:v0", "classifier:v1", "classifier:v2"]
    moves = [e for e in backend.artifacts.list_alias_events("digits/classifier") if e.alias == "best"]
    assert [move.to_number for move in moves] == [0, 1, 2]
    weights = Path(lineal.download("digits/classifier:v1"), "weights.bin").read_bytes()
    assert weights == bytes([1]) * 5_000_000
    assert backend.store.fsck().problems == ()
    for run in runs.values():
        assert run.finished_at is None or run.created_at <= run.finished_at
    assert not list(left.iterdir())


def test_what_a_cluster_left_is_sent_twice_and_is_there_once(cluster, installation):
    kept = cluster.with_name("kept")
    shutil.copytree(cluster, kept)
    first = sync(installation, cluster)
    assert (first.communicate(timeout=PATIENCE_S)[1], first.returncode) == ("", 0)
    check(cluster)
    whole = everything(connection())
    again = sync(installation, kept)
    out, err = again.communicate(timeout=PATIENCE_S)
    assert (err, again.returncode) == ("", 0)
    assert out.count(": 0 new rows.") == 4
    assert everything(connection()) == whole
    check(kept)


def test_sending_that_is_killed_again_and_again_ends_as_one_that_was_not(cluster, installation, place):
    chance = random.Random(SEED)
    kept, whole = cluster.with_name("kept"), place.store.with_name("whole")
    shutil.copytree(cluster, kept)
    shutil.copytree(place.store, whole)
    undisturbed = sync(installation, kept, LINEAL_URL=str(whole))
    assert (undisturbed.communicate(timeout=PATIENCE_S)[1], undisturbed.returncode) == ("", 0)
    killed = 0
    while killed < KILLS:
        sending = sync(installation, cluster)
        try:
            sending.communicate(timeout=0.25 + chance.random() * (0.1 + 0.05 * killed))
            break
        except subprocess.TimeoutExpired:
            sending.kill()
            sending.communicate(timeout=PATIENCE_S)
            killed += 1
    last = sync(installation, cluster)
    assert (last.communicate(timeout=PATIENCE_S)[1], last.returncode) == ("", 0), SEED
    assert killed > 3, SEED
    check(cluster)
    assert everything(connection()) == everything(connection(url=str(whole))), SEED


def test_two_sendings_at_once_send_everything_once(cluster, installation):
    both = [sync(installation, cluster) for _ in range(2)]
    for sending in both:
        assert (sending.communicate(timeout=PATIENCE_S)[1], sending.returncode) == ("", 0)
    last = sync(installation, cluster)
    assert (last.communicate(timeout=PATIENCE_S)[1], last.returncode) == ("", 0)
    check(cluster)
