import json
import shutil

import lineal
from lineal.client.connection import connection
from tests.client.leavings import DIE, left, offline, python, runs_dir


def two_runs() -> None:
    with offline(id="r1", project="p") as run:
        for step in range(3):
            run.log({"a": step})
    assert python('run = offline(id="r2", project="q")\nrun.log({"a": 1})' + DIE).returncode == -9


def test_without_a_path_it_says_what_waits_and_what_to_type(cli):
    said = cli("sync")
    assert (said.code, said.out) == (0, f"Nothing waits in {runs_dir()}.\n")
    two_runs()
    said = cli("sync")
    assert said.code == 0
    titles, first, second = (line.split() for line in said.out.splitlines()[:3])
    assert titles == ["RUN", "PROJECT", "STARTED", "ROWS", "SIZE", "STATE"]
    assert (first[:2], first[-1], second[:2], second[-1]) == (["r1", "p"], "ended", ["r2", "q"], "crashed")
    assert "lineal sync --all" in said.out
    assert f"lineal sync {left()[0]}" in said.out
    assert len(left()) == 2


def test_all_that_waits_is_sent_and_then_nothing_does(cli):
    two_runs()
    said = cli("sync", "--all")
    assert (said.code, said.out, said.err) == (0, "Sent r1 to p: 3 new rows.\nSent r2 to q: 1 new row.\n", "")
    assert left() == []
    assert cli("sync", "--all").out == "Nothing waits.\n"
    assert connection().backend.runs.get("r2").state == "crashed"


def test_one_folder_is_sent_and_the_other_stays(cli):
    two_runs()
    first, second = left()
    assert cli("sync", first).out == "Sent r1 to p: 3 new rows.\n"
    assert left() == [second]


def test_folders_can_be_kept_and_sent_again(cli):
    two_runs()
    assert cli("sync", "--all", "--keep").code == 0
    assert len(left()) == 2
    assert cli("sync", "--all").out == "Sent r1 to p: 0 new rows.\nSent r2 to q: 0 new rows.\n"
    assert left() == []


def test_a_dry_run_sends_nothing(cli):
    two_runs()
    said = cli("sync", "--dry-run", left()[0])
    assert "r1" in said.out
    assert "r2" not in said.out
    assert cli("sync", "--all", "--dry-run").code == 0
    assert len(left()) == 2
    assert connection().backend.runs.list().runs == ()


def test_a_run_that_is_under_way_is_named_and_left(cli):
    run = offline(id="r1")
    run.log({"a": 1})
    run._outbox.flush()
    said = cli("sync")
    assert "under way" in said.out
    assert "--all" not in said.out
    said = cli("sync", "--all")
    assert (said.code, said.out) == (0, "r1 is under way in another process; it is left alone.\n")


def test_what_cannot_be_sent_says_why_and_gives_its_exit_code(cli):
    two_runs()
    connection().backend.runs.start("r1")
    said = cli("sync", "--all")
    assert said.code == 4
    assert said.out == "Sent r2 to q: 1 new row.\n"
    assert "r1 stays in" in said.err
    assert "conflict.run_exists" in said.err
    assert [folder.name[:2] for folder in left()] == ["r1"]


def test_a_store_that_cannot_be_opened_leaves_everything(cli, place):
    two_runs()
    shutil.rmtree(place.store, ignore_errors=True)
    place.store.write_text("a file")
    said = cli("sync", "--all")
    assert (said.code, said.out) == (2, "")
    assert len(left()) == 2


def test_a_path_of_no_run_is_misuse(cli, tmp_path):
    assert cli("sync", tmp_path / "nothing").code == 2
    assert cli("sync", "--dry-run", tmp_path / "nothing").code == 2


def test_it_sends_though_the_settings_say_offline(cli, monkeypatch):
    monkeypatch.setenv("LINEAL_MODE", "offline")
    with lineal.init(id="r1"):
        lineal.log({"a": 1})
    assert cli("sync", "--all").code == 0
    assert connection(mode="online").backend.runs.get("r1").state == "finished"


def test_json_is_for_programs(cli):
    two_runs()
    assert [(x["run_id"], x["rows"], x["state"]) for x in json.loads(cli("sync", "--json").out)] == [
        ("r1", 3, "ended"),
        ("r2", 1, "crashed"),
    ]
    sent = json.loads(cli("sync", "--all", "--json").out)
    assert [(x["run_id"], x["state"], x["problem"]) for x in sent] == [("r1", "sent", None), ("r2", "sent", None)]


def test_a_problem_is_told_in_json_too(cli):
    two_runs()
    connection().backend.runs.start("r1")
    said = cli("sync", "--all", "--json")
    (first, _) = json.loads(said.out)
    assert (said.code, first["problem"]["code"]) == (4, "conflict.run_exists")
