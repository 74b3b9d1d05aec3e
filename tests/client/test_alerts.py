import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

import lineal
from lineal.client import alerts as alerts_module
from lineal.client.alerts import Alerts, send_waiting
from lineal.client.channels import channels
from lineal.client.connection import connection
from lineal.client.sync import sync
from lineal.core import errors
from tests.client.webhooks import webhook


def recorded(run):
    return list(connection().backend.runs.list_alerts(run.id))


def settle(run):
    """Has the store take all that the run has said."""
    run._outbox.flush()
    until = time.monotonic() + 30
    while not run._outbox._sender.idle:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def sent_to(monkeypatch):
    """Sends alerts to these channels."""
    pytest.importorskip("apprise")

    def send_to(*urls):
        monkeypatch.setenv("LINEAL_ALERTS", " ".join(urls))

    return send_to


@pytest.fixture
def soon(monkeypatch):
    """Attempts follow one another without much of a pause."""
    monkeypatch.setattr(Alerts.__init__, "__kwdefaults__", {"offline": False, "pauses_s": (0.01, 0.01), "pid": None})


# ---- what is recorded ----------------------------------------------------------------------------------------


def test_an_alert_is_recorded_on_the_run():
    with lineal.init() as run:
        run.alert("Accuracy fell", "0.93 -> 0.81", level=lineal.AlertLevel.WARN)
        lineal.alert("Done")
    first, second = recorded(run)
    assert (first.title, first.text, first.level) == ("Accuracy fell", "0.93 -> 0.81", "warn")
    assert (second.title, second.text, second.level, second.repeats) == ("Done", "", "info", 0)
    assert first.channels == second.channels == {}
    assert run.created_at <= first.at <= second.at


def test_an_alert_can_be_read_while_the_run_goes_on():
    run = lineal.init()
    run.alert("Loss is NaN", level="ERROR")
    settle(run)
    assert [alert.title for alert in recorded(run)] == ["Loss is NaN"]


def test_the_same_title_is_counted_until_its_time_is_over():
    with lineal.init() as run:
        for step in range(5):
            run.alert("Loss is NaN", f"at step {step}", wait_duration=timedelta(hours=1))
        run.alert("Loss is NaN", "again", wait_duration=0)
        run.alert("Another")
    assert [(a.title, a.text, a.repeats) for a in recorded(run)] == [
        ("Loss is NaN", "at step 0", 4),
        ("Loss is NaN", "again", 0),
        ("Another", "", 0),
    ]


def test_an_alert_repeated_after_it_was_stored_is_counted_in_the_store_too():
    with lineal.init() as run:
        run.alert("Loss is NaN")
        settle(run)
        run.alert("Loss is NaN")
        settle(run)
        assert [alert.repeats for alert in recorded(run)] == [1]


@pytest.mark.parametrize("title", ["", "  ", None, 7])
def test_an_alert_needs_a_title(title):
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="title"):
        run.alert(title)


@pytest.mark.parametrize("level", ["LOUD", "", None, 3])
def test_an_unknown_level_is_refused(level):
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="INFO, WARN or ERROR"):
        run.alert("x", level=level)


@pytest.mark.parametrize("duration", [-1, float("nan"), "1h", True, timedelta(seconds=-1)])
def test_a_wait_that_is_no_duration_is_refused(duration):
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="wait_duration"):
        run.alert("x", wait_duration=duration)


def test_a_text_that_is_none_is_refused():
    with lineal.init() as run, pytest.raises(errors.InvalidArgument, match="text"):
        run.alert("x", 7)


def test_texts_that_are_endless_or_no_unicode_are_recorded_as_far_as_they_can_be():
    with lineal.init() as run:
        run.alert("t" * 100_000, "x" * 100_000)
        run.alert("nul \0 and half \ud800", "\ud800")
    long, odd = recorded(run)
    assert (len(long.title), len(long.text)) == (200, 16_000)
    assert long.title.endswith("…")
    assert odd.title == "nul \ufffd and half ?"


def test_an_ended_run_takes_no_alert():
    run = lineal.init()
    run.finish()
    with pytest.raises(errors.RunFinished):
        run.alert("x")


def test_without_a_run_there_is_nothing_to_alert():
    with pytest.raises(errors.RunNotFound):
        lineal.alert("x")


def test_a_disabled_run_takes_alerts_and_does_nothing(sent_to):
    with webhook() as hook:
        sent_to(hook.url())
        with lineal.init(mode="disabled") as run:
            run.alert("x", level="ERROR")
    assert hook.taken == []


def test_many_threads_may_alert():
    with lineal.init() as run:
        threads = [threading.Thread(target=run.alert, args=(f"from {n % 3}",)) for n in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted((a.title, a.repeats) for a in recorded(run)) == [("from 0", 9), ("from 1", 9), ("from 2", 9)]


FORKING = """
import os, lineal
with lineal.init() as run:
    if (child := os.fork()) == 0:
        run.alert("from the child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.alert("from the parent")
print(run.id)
"""


def test_a_forked_process_leaves_the_alerts_to_its_parent():
    variables = os.environ | {"PYTHONPATH": str(Path(lineal.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", FORKING], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    alerts = connection().backend.runs.list_alerts(done.stdout.split()[-1])
    assert [alert.title for alert in alerts] == ["from the parent"]


# ---- what is sent --------------------------------------------------------------------------------------------


def test_an_alert_is_sent_to_every_channel_and_shown_as_sent(sent_to):
    with webhook() as one, webhook() as other:
        sent_to(one.url("a"), other.url("b"))
        with lineal.init() as run:
            run.alert("Done", "accuracy 0.97")
    assert recorded(run)[0].channels == {"json://127.0.0.1": "sent", "json://127.0.0.1 #2": "sent"}
    assert [body["title"] for body in one.taken + other.taken] == ["Done", "Done"]
    assert f"Run {run.name} ({run.path})" in one.taken[0]["message"]


def test_a_repeated_alert_is_sent_once(sent_to):
    with webhook() as hook:
        sent_to(hook.url())
        with lineal.init() as run:
            for _ in range(20):
                run.alert("Loss is NaN")
    assert len(hook.taken) == 1
    assert recorded(run)[0].repeats == 19


def test_a_channel_that_fails_is_tried_again(sent_to, soon):
    with webhook(500, 503) as hook:
        sent_to(hook.url())
        with lineal.init() as run:
            run.alert("Done")
    assert len(hook.taken) == 3
    assert recorded(run)[0].channels == {"json://127.0.0.1": "sent"}


def test_a_channel_that_goes_on_failing_is_shown_as_failed_and_said_once(sent_to, soon, caplog):
    with webhook(*[500] * 6) as hook:
        sent_to(hook.url())
        with lineal.init() as run:
            run.alert("Done")
            run.alert("Done again")
            run.log({"loss": 1})
    assert len(hook.taken) == 6
    assert [a.channels for a in recorded(run)] == [{"json://127.0.0.1": "failed: it answered 500"}] * 2
    assert [r.getMessage() for r in caplog.records if "was not sent" in r.getMessage()] == [
        "the alert 'Done' was not sent to json://127.0.0.1; it failed: it answered 500"
    ]
    assert lineal.Api().run(run.id).state == "finished"


def test_a_channel_that_says_no_is_not_asked_again(sent_to, soon):
    with webhook(404) as hook:
        sent_to(hook.url())
        with lineal.init() as run:
            run.alert("Done")
    assert len(hook.taken) == 1
    assert recorded(run)[0].channels == {"json://127.0.0.1": "failed: it answered 404"}


def test_a_channel_where_nobody_listens_fails_beside_one_that_takes_it(sent_to, soon):
    with socket.socket() as closed, webhook() as hook:
        closed.bind(("127.0.0.1", 0))
        sent_to(f"json://127.0.0.1:{closed.getsockname()[1]}/x", hook.url())
        with lineal.init() as run:
            run.alert("Done")
    assert recorded(run)[0].channels == {
        "json://127.0.0.1": "failed: it can't be reached",
        "json://127.0.0.1 #2": "sent",
    }


def test_rows_are_stored_while_a_channel_does_not_answer(sent_to):
    with webhook(0) as hook:
        sent_to(hook.url(query="?rto=20"))
        run = lineal.init(settings=lineal.Settings(patience_s=0.1))
        run.alert("Done")
        assert hook.came.acquire(timeout=20)
        run.log({"loss": 0.5})
        run.log({"loss": 0.25})
        settle(run)
        assert recorded(run)[0].channels == {"json://127.0.0.1": "waiting"}
        assert [row["loss"] for row in connection().backend.runs.rows(run.id)] == [0.5, 0.25]
        run.finish()
    assert recorded(run)[0].channels == {"json://127.0.0.1": "failed: the run ended before it was sent"}
    assert lineal.Api().run(run.id).state == "finished"


def test_more_alerts_than_can_be_sent_are_recorded_and_shown_as_failed(sent_to):
    with webhook(0) as hook:
        sent_to(hook.url(query="?rto=20"))
        run = lineal.init(settings=lineal.Settings(patience_s=0.1))
        run.alert("first")
        assert hook.came.acquire(timeout=20)
        for number in range(alerts_module._MOST_WAITING + 5):
            run.alert(f"number {number}")
        run.finish()
    states = [alert.channels["json://127.0.0.1"] for alert in recorded(run)]
    assert states.count("failed: too many alerts at once") == 5
    assert len(states) == alerts_module._MOST_WAITING + 6


def test_secrets_of_channels_reach_neither_rows_nor_journal_nor_log(sent_to, soon, place, caplog):
    caplog.set_level(logging.DEBUG)
    with webhook(500, 500, 500) as hook:
        sent_to(f"json://ada:s3cret@127.0.0.1:{hook.port}/s3cret?+key=s3cret", "slack://s3cret/s3cret/s3cret")
        run = lineal.init(settings=lineal.Settings(patience_s=2))
        run.alert("Done")
        settle(run)
        journal = (run._outbox.journal.folder / "run.journal").read_bytes()
        run.finish()
    assert b"Done" in journal
    assert b"s3cret" not in journal
    assert "s3cret" not in caplog.text
    assert "s3cret" not in json.dumps([dict(alert.channels) for alert in recorded(run)])
    stored = [file for file in place.store.rglob("*") if file.is_file()]
    assert stored
    assert not [file for file in stored if b"s3cret" in file.read_bytes()]


def test_channels_in_a_file_that_cant_be_read_leave_alerts_recorded(place, caplog):
    folder = place.home / ".config" / "lineal"
    folder.mkdir(parents=True)
    (folder / "alerts.txt").write_bytes(b"\xff\xfe")
    with lineal.init() as run:
        run.alert("Done")
    assert [alert.title for alert in recorded(run)] == ["Done"]
    assert "not sent" in caplog.text


# ---- offline -------------------------------------------------------------------------------------------------


def test_an_offline_alert_waits_and_is_sent_once_when_it_is_synced(sent_to):
    with webhook() as hook:
        sent_to(hook.url())
        with lineal.init(mode="offline") as run:
            run.alert("Done")
        assert hook.taken == []
        for _ in range(2):
            sync([run._outbox.journal.folder], connection(), keep=True)
    assert [body["title"] for body in hook.taken] == ["Done"]
    assert ", at 20" in hook.taken[0]["message"]
    assert recorded(run)[0].channels == {"json://127.0.0.1": "sent"}
    assert lineal.Api().run(run.id).state == "finished"


def test_an_alert_that_waits_for_a_channel_unknown_here_is_told_as_failed(monkeypatch):
    monkeypatch.setenv("LINEAL_ALERTS", "slack://a/b/c")
    with lineal.init(mode="offline") as run:
        run.alert("Done")
    monkeypatch.setenv("LINEAL_ALERTS", "")
    sync([run._outbox.journal.folder], connection())
    assert recorded(run)[0].channels == {"slack": "failed: no such channel where it was synced"}


def test_alerts_of_other_writers_are_left_to_them():
    run = lineal.init()
    alerts = Alerts(run._outbox, channels(["slack://a/b/c"]), "Run", offline=True)
    alerts.add("Done")
    settle(run)
    assert send_waiting(connection().backend, run.id, {"another"}) == 0
    assert recorded(run)[0].channels == {"slack": "waiting"}


# ---- what it costs -------------------------------------------------------------------------------------------


def test_neither_the_module_nor_an_alert_without_channels_loads_apprise():
    root = Path(lineal.__file__).parent.parent
    code = "import sys, lineal; lineal.AlertLevel; run = lineal.init(); run.alert('x'); run.finish(); "
    code += "print([m for m in ('apprise', 'requests') if m in sys.modules])"
    variables = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, check=False)
    assert done.stdout.decode().split("\n")[0] == "[]", done.stderr.decode()
