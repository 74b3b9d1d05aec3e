import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import lineal
from lineal.client.connection import connection
from lineal.client.journal import Journal, read
from lineal.client.sync import Synced, sync
from lineal.core import clock, errors
from lineal.tracking.model import Alert, Batch

from .leavings import DIE, QUIET, Line, everything, left, move, offline, python, runs_dir


def send(**how: bool) -> list[Synced]:
    return sync([runs_dir()], connection(), **how)


def whole_run(run_id: str, log) -> None:
    """A run offline that has something of everything."""
    log("digits", {"a.csv": "1,2"}, project="vision")
    lineal.download("vision/digits")
    with offline(id=run_id, project="vision", name="first", config={"lr": 0.1, "bad": float("nan")}) as run:
        run.use_artifact("digits:latest", use_as="training")
        run.define_metric("acc", summary="max")
        for step in range(5):
            run.log({"acc": step % 3, "loss": 1.0 / (step + 1)})
        run._outbox.flush()
        run.name, run.tags, run.notes = "second", ["a", "b"], "offline"
        run.config["late"] = 7
        model = lineal.Artifact("model", "model", metadata={"acc": 2})
        model.add("weights", "w.bin")
        run.log_artifact(model, aliases=["best"], tags=["t"])
        second = lineal.Artifact("model", "model")
        second.add("other weights", "w.bin")
        run.log_artifact(second, aliases=["best", "candidate"])
        run._outbox.alert(Alert("a1", "title", "text", "warn", clock.now()))
        Path("notes.txt").write_text("one")
        run.save("notes.txt", policy="now")
        run._outbox.flush()
        Path("notes.txt").write_text("two")
        run.save("notes.txt", policy="now")
        Path(run.dir, "own.txt").write_text("own")


def test_a_run_that_was_offline_is_sent_whole(log):
    whole_run("r1", log)
    before = clock.now()
    (done,) = send()
    assert (done.run_id, done.project, done.state, done.rows, done.notes) == ("r1", "vision", "sent", 5, ())
    assert not list(runs_dir().iterdir())
    backend = connection().backend
    run = backend.runs.get("r1")
    assert (run.state, run.name, run.tags, run.notes, run.last_step) == (
        "finished",
        "second",
        ("a", "b"),
        "offline",
        4,
    )
    assert run.config["late"] == 7
    assert run.config["bad"] != run.config["bad"]
    assert run.created_at < run.finished_at < before
    assert run.summary["acc"] == {"max": 2}
    assert [row["acc"] for row in backend.runs.rows("r1")] == [0, 1, 2, 0, 1]
    assert [alert.title for alert in backend.runs.list_alerts("r1")] == ["title"]
    assert [file.path for file in backend.runs.list_files("r1")] == ["notes.txt", "own.txt"]
    assert [v.ref for v in backend.lineage.artifacts_of("r1", output=False)] == ["local/vision/digits:v0"]
    assert [v.ref for v in backend.lineage.artifacts_of("r1", output=True)] == [
        "local/vision/model:v0",
        "local/vision/model:v1",
    ]
    first, second = (backend.artifacts.resolve(f"vision/model:v{number}") for number in (0, 1))
    assert (first.aliases, first.tags, first.metadata) == ((), ("t",), {"acc": 2})
    assert second.aliases == ("best", "candidate")
    assert Path(lineal.download("vision/model:v1"), "w.bin").read_text() == "other weights"


def test_the_file_that_was_saved_last_is_the_run_s(log):
    whole_run("r1", log)
    send()
    from lineal.storage import digest as digests

    (file,) = [file for file in connection().backend.runs.list_files("r1") if file.path == "notes.txt"]
    assert file.digest == digests.format(digests.of_bytes(b"two"))


def test_sending_again_and_again_leaves_one_copy(log):
    whole_run("r1", log)
    send(keep=True)
    whole = everything(connection())
    for _ in range(3):
        (again,) = send(keep=True)
        assert (again.state, again.rows, again.notes) == ("sent", 0, ())
        assert everything(connection()) == whole
    send()
    assert everything(connection()) == whole
    assert send() == []


def test_what_was_changed_in_the_store_meanwhile_stays_changed(log):
    whole_run("r1", log)
    send(keep=True)
    store = connection().backend
    store.runs.change("r1", name="third", config={"new": 1})
    store.artifacts.move_alias("vision/model:v0", "candidate")
    whole = everything(connection())
    send(keep=True)
    assert everything(connection()) == whole


def test_a_line_that_breaks_anywhere_costs_nothing_but_another_sending(log, tmp_path, monkeypatch):
    whole_run("r1", log)
    kept = tmp_path / "kept"
    shutil.copytree(runs_dir(), kept)
    monkeypatch.setenv("LINEAL_URL", "memory:whole")
    log("digits", {"a.csv": "1,2"}, project="vision")
    counted = Line(connection(), 10**9, heard=True)
    sync([kept], counted.conn, keep=True)
    whole = told(everything(connection()))
    assert counted.calls > 20
    for heard in (False, True):
        for place in range(1, counted.calls + 1):
            monkeypatch.setenv("LINEAL_URL", f"memory:{heard}{place}")
            log("digits", {"a.csv": "1,2"}, project="vision")
            (broken,) = sync([kept], Line(connection(), place, heard=heard).conn)
            assert (broken.state, type(broken.problem)) == ("kept", errors.StoreUnavailable)
            sync([kept], Line(connection(), place + 7, heard=heard).conn, keep=True)
            (done,) = sync([kept], connection(), keep=True)
            assert (done.state, done.notes, done.problem) == ("sent", (), None)
            assert told(everything(connection())) == whole, place


def told(everything: dict) -> dict:
    """What the store holds without the run that logged the data set, whose name and moment differ."""
    found = {key: value for key, value in everything.items() if key == "r1"}
    found["model"] = everything["vision/model"]
    return found


def test_a_run_that_died_is_sent_as_crashed_with_all_that_it_said():
    code = """
run = offline(id="dead", project="p")
for step in range(100):
    run.log({"loss": step})
os.makedirs(run.dir)  if not os.path.isdir(run.dir) else None
open(os.path.join(run.dir, "half.txt"), "w").write("not finished")
"""
    assert python(code + DIE).returncode == -9
    (folder,) = left()
    died = datetime.fromtimestamp((folder / "run.journal").stat().st_mtime).astimezone()
    (done,) = send()
    assert (done.state, done.rows) == ("sent", 100)
    run = connection().backend.runs.get("dead")
    assert (run.state, run.finished_at) == ("crashed", died)
    assert [file.path for file in connection().backend.runs.list_files("dead")] == ["half.txt"]
    assert left() == []


def test_a_crashed_end_is_told_once_and_never_to_a_run_that_goes_on():
    assert python('run = offline(id="dead")\nrun.log({"a": 1})' + DIE).returncode == -9
    send(keep=True)
    assert connection().backend.runs.get("dead").state == "crashed"
    connection().backend.runs.start("dead", resume="must")
    send()
    assert connection().backend.runs.get("dead").state == "running"


def test_an_online_run_that_died_is_ended_unless_somebody_goes_on_with_it():
    code = 'run = lineal.init(id="{}", settings=QUIET)\nrun.log({{"a": 1}})\n'
    for name in ("alone", "resumed"):
        assert python(code.format(name) + DIE).returncode == -9
    alone, resumed = left()
    backend = connection().backend
    move(resumed, timedelta(hours=-1))
    backend.runs.append("resumed", "other", 1, Batch())
    assert [done.state for done in sync([alone, resumed], connection())] == ["sent", "sent"]
    assert backend.runs.get("resumed").state == "running"
    assert backend.runs.get("alone").state == "crashed"
    assert [row["a"] for row in backend.runs.rows("alone")] == [1]


def test_a_run_that_is_under_way_is_left_alone():
    run = offline(id="r1")
    run.log({"a": 1})
    run._outbox.flush()
    (done,) = send()
    assert (done.run_id, done.state) == ("r1", "in use")
    with pytest.raises(errors.RunNotFound):
        connection().backend.runs.get("r1")
    run.log({"a": 2})
    run.finish()
    (done,) = send()
    assert (done.state, done.rows) == ("sent", 2)


def test_a_journal_that_was_just_made_is_left_alone_and_an_old_one_without_a_word_goes():
    folder = runs_dir() / "r1-w1"
    Journal(folder).close()
    assert send() == []
    assert folder.exists()
    os.utime(folder / "run.journal", times=(0, 0))
    assert send() == []
    assert not folder.exists()


def test_another_run_with_that_id_is_not_written_into(log):
    whole_run("r1", log)
    connection().backend.runs.start("r1", name="another")
    (done,) = send()
    assert (done.state, type(done.problem)) == ("kept", errors.RunExists)
    assert connection().backend.runs.get("r1").name == "another"
    assert len(left()) == 1


def test_resuming_rewinding_and_forking_are_carried_out_once(log):
    with offline(id="r1") as run:
        for step in range(10):
            run.log({"a": step})
    with offline(id="fork", fork_from="r1?_step=3") as run:
        run.log({"a": 100})
    with offline(resume_from="r1?_step=5", config={"second": True}) as run:
        assert run.step == 6
        run.log({"a": 200})
    with offline(id="r1", resume="allow", tags=["third"]) as run:
        run.log({"a": 300}, step=7)
    for _ in range(3):
        assert {done.state for done in send(keep=True)} == {"sent"}
        runs = connection().backend.runs
        assert [row["a"] for row in runs.rows("r1")] == [0, 1, 2, 3, 4, 5, 200, 300]
        assert [row["a"] for row in runs.rows("fork")] == [0, 1, 2, 3, 100]
        assert (runs.get("fork").parent, runs.get("fork").parent_step) == ("r1", 3)
        again = runs.get("r1")
        assert (again.config, again.tags, again.state) == ({"second": True}, ("third",), "finished")
    assert len(send()) == 4


def test_a_rewind_over_a_line_that_breaks_rewinds_once(tmp_path, monkeypatch):
    with offline(id="r1") as run:
        for step in range(10):
            run.log({"a": step})
    with offline(resume_from="r1?_step=5") as run:
        run.log({"a": 200})
    kept = tmp_path / "kept"
    shutil.copytree(runs_dir(), kept)
    monkeypatch.setenv("LINEAL_URL", "memory:rewound")
    counted = Line(connection(), 10**9, heard=True)
    sync([kept], counted.conn, keep=True)
    for place in range(1, counted.calls + 1):
        monkeypatch.setenv("LINEAL_URL", f"memory:rewound{place}")
        sync([kept], Line(connection(), place, heard=True).conn, keep=True)
        sync([kept], connection(), keep=True)
        run = connection().backend.runs.get("r1")
        assert [row["a"] for row in connection().backend.runs.rows("r1")] == [0, 1, 2, 3, 4, 5, 200]
        assert (run.state, run.last_step, run.summary) == ("finished", 6, {"a": 200})


def test_processes_that_wrote_into_one_run_end_it_as_its_first_did(tmp_path):
    shared = {"console": False, "system": False, "packages": False, "git": False, "mode": "shared"}
    first = offline(id="r1", settings=shared, dir=tmp_path / "a")
    second = offline(id="r1", settings={**shared, "primary": False}, dir=tmp_path / "b", reinit="create_new")
    first.log({"a": 1})
    second.log({"b": 2})
    second.log_artifact(artifact("model"))
    first.finish(exit_code=3)
    second.finish()
    done = sync([tmp_path / "b", tmp_path / "a"], connection())
    assert [one.state for one in done] == ["sent", "sent"]
    run = connection().backend.runs.get("r1")
    assert (run.state, run.exit_code) == ("failed", 3)
    assert sum(map(len, connection().backend.runs.columns("r1", ["a", "b"]).values())) == 4
    assert len(connection().backend.lineage.artifacts_of("r1", output=True)) == 1


def artifact(name: str, type: str = "model") -> lineal.Artifact:
    made = lineal.Artifact(name, type)
    made.add(name, "file.txt")
    return made


def test_each_run_is_recorded_as_who_ran_it_and_where(monkeypatch):
    monkeypatch.setenv("LINEAL_USER", "grace")
    monkeypatch.setenv("LINEAL_ENTITY", "navy")
    with offline(id="r1") as run:
        run.log({"a": 1})
    monkeypatch.setenv("LINEAL_USER", "ada")
    monkeypatch.delenv("LINEAL_ENTITY")
    assert [done.state for done in send()] == ["sent"]
    run = connection().backend.runs.get("r1")
    assert (run.user, run.entity) == ("grace", "navy")


def test_what_the_store_refuses_for_good_costs_nothing_else_and_stays(log):
    log("taken", {"a": "1"}, type="dataset", project="p")
    with offline(id="r1", project="p") as run:
        run.log({"a": 1})
        run.log_artifact(artifact("taken", type="model"))
        run.log({"a": 2})
        run.log_artifact(artifact("free"))
    (done,) = send()
    assert (done.state, done.problem, done.rows) == ("kept", None, 2)
    assert "conflict.type" in done.notes[0]
    backend = connection().backend
    assert [v.name for v in backend.lineage.artifacts_of("r1", output=True)] == ["free:v0"]
    assert backend.runs.get("r1").state == "finished"
    (again,) = send()
    assert (again.state, len(left())) == ("kept", 1)
    assert "refused.txt" in again.notes[0]


def test_an_edge_to_a_version_that_the_store_does_not_have_is_left_out_and_told(log, monkeypatch):
    log("digits", {"a": "1"}, project="p")
    log("digits", {"a": "2"}, project="p")
    lineal.download("p/digits")
    with offline(id="r1", project="p") as run:
        assert run.use_artifact("digits").version == "v1"
        run.log({"a": 1})
    connection().backend.artifacts.delete("p/digits:v1", force=True)
    (done,) = send(keep=True)
    assert done.state == "sent"
    assert "p/digits:v1" in done.notes[0]
    monkeypatch.setenv("LINEAL_URL", "memory:other")
    log("digits", {"a": "3"}, project="p")
    log("digits", {"a": "4"}, project="p")
    (done,) = send()
    assert "was used" in done.notes[0]
    assert connection().backend.lineage.artifacts_of("r1", output=False) == []
    assert [row["a"] for row in connection().backend.runs.rows("r1")] == [1]


def test_the_edge_is_to_the_version_that_was_used_though_the_alias_has_moved_on(log):
    log("digits", {"a": "1"}, project="p")
    lineal.download("p/digits")
    with offline(id="r1", project="p") as run:
        run.use_artifact("digits:latest")
    log("digits", {"a": "2"}, project="p")
    send()
    assert [v.version for v in connection().backend.lineage.artifacts_of("r1", output=False)] == ["v0"]


def test_a_damaged_journal_gives_what_it_holds_and_stays():
    with offline(id="r1") as run:
        run.log({"a": 1})
        run._outbox.flush()
        run.log({"a": 2})
    (folder,) = left()
    ends = [frame.end for frame in read(folder)]
    data = bytearray((folder / "run.journal").read_bytes())
    data[ends[-2] - 2] ^= 1
    (folder / "run.journal").write_bytes(data)
    (done,) = send()
    assert (done.state, type(done.problem)) == ("kept", errors.CorruptRows)
    assert connection().backend.runs.get("r1").state == "crashed"
    assert folder.exists()


def test_a_journal_that_does_not_say_what_run_it_is_of_stays():
    journal = Journal(runs_dir() / "r1-w1")
    journal.append("batch", {"seq": 1})
    journal.close()
    other = Journal(runs_dir() / "r2-w1")
    other.append("start", {"run_id": "r2"})
    other.close()
    assert [(done.state, type(done.problem)) for done in send()] == [("kept", errors.InvalidSource)] * 2


def test_a_path_that_holds_no_runs_is_refused(tmp_path):
    with pytest.raises(errors.InvalidSource, match="no folder of a run"):
        sync([tmp_path / "nothing"], connection())
    assert sync([tmp_path], connection()) == []


def test_a_run_whose_clock_is_days_ahead_stays_and_says_so():
    with offline(id="r1") as run:
        run.log({"a": 1})
    (folder,) = left()
    move(folder, timedelta(days=30))
    (done,) = send()
    assert (done.state, type(done.problem)) == ("kept", errors.InvalidArgument)


# ---- leftovers at the next init ------------------------------------------------------------------------------


def test_resuming_a_run_that_died_sends_what_it_left_first():
    assert python('run = offline(id="r1", project="p")\nrun.log({"a": 0})\nrun.log({"a": 1})' + DIE).returncode == -9
    with lineal.init(project="p", id="r1", resume="must", settings=QUIET) as run:
        assert run.step == 2
        run.log({"a": 2})
    assert left() == []
    assert [row["a"] for row in connection().backend.runs.rows("r1")] == [0, 1, 2]
    assert connection().backend.runs.get("r1").state == "finished"


def test_resume_auto_takes_up_the_newest_run_that_died_and_none_that_lives():
    code = 'run = offline(id="{}", project="p")\nrun.log({{"a": 0}})'
    assert python(code.format("older") + DIE).returncode == -9
    assert python(code.format("newer") + DIE).returncode == -9
    alive = offline(id="alive", project="p")
    alive.log({"a": 0})
    alive._outbox.flush()
    run = lineal.init(project="p", resume="auto", reinit="create_new", settings=QUIET)
    assert (run.id, run.step) == ("newer", 1)
    run.finish()
    alive.finish()
    assert {folder.name.partition("-")[0] for folder in left()} == {"older", "alive"}


def test_an_id_that_an_unsent_run_has_is_taken():
    with offline(id="r1") as run:
        run.log({"a": 1})
    with pytest.raises(errors.RunExists):
        lineal.init(id="r1", settings=QUIET)
    assert connection().backend.runs.get("r1").last_step == 0


def test_a_fork_of_the_process_does_not_keep_the_journal_from_being_sent():
    code = """
import time
run = offline(id="r1")
run.log({"a": 1})
run._outbox.flush()
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, b"x")
    os.close(1); os.close(2)
    time.sleep(20)
    os._exit(0)
os.read(reading, 1)
os.kill(os.getpid(), 9)
"""
    assert python(code).returncode == -9
    assert [done.state for done in send()] == ["sent"]


def test_what_cannot_be_sent_does_not_keep_a_run_from_going_on(caplog):
    with offline(id="r1") as run:
        run.log({"a": 1})
    (folder,) = left()
    data = (folder / "run.journal").read_bytes()
    (folder / "run.journal").write_bytes(data[:-2] + b"xx")
    with lineal.init(id="r1", resume="must", settings=QUIET) as run:
        run.log({"a": 2})
    assert "damaged" in caplog.text
    assert [row["a"] for row in connection().backend.runs.rows("r1")] == [1, 2]
    assert left() == [folder]


def test_resuming_a_run_leaves_others_with_longer_ids_alone():
    with offline(id="r1-longer"):
        pass
    with lineal.init(id="r1", resume="allow", settings=QUIET):
        pass
    assert len(left()) == 1


def test_a_link_that_leads_out_of_the_folder_is_left_out(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    code = f"""
run = offline(id="r1")
run.log({{"a": 1}})
os.symlink({str(tmp_path / "secret.txt")!r}, os.path.join(run.dir, "link.txt"))
open(os.path.join(run.dir, "own.txt"), "w").write("own")
os.symlink("own.txt", os.path.join(run.dir, "inside.txt"))
"""
    assert python(code + DIE).returncode == -9
    (done,) = send()
    assert done.state == "sent"
    assert "link.txt" in done.notes[0]
    assert [file.path for file in connection().backend.runs.list_files("r1")] == ["inside.txt", "own.txt"]
