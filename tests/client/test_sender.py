import pytest

from lineal.client.connection import connection
from lineal.client.journal import Journal
from lineal.client.sender import Letter, Sender
from lineal.tracking.model import Batch, RunFile
from lineal.tracking.rows import encode
from tests.client import told


@pytest.fixture
def sender(tmp_path):
    runs = connection().backend.runs
    runs.start("run")
    journal = Journal(tmp_path / "journal")
    done = []
    made = Sender("run", "w", journal, connection().backend, chores=done.append, hear=lambda heard: None)
    made.done = done
    yield made
    journal.close()


def batch(value, **more):
    return Batch({"history": encode([(value, 1.0, {"a": value})])}, value, **more)


def test_letters_arrive_in_order_once_and_then_the_end(sender):
    for seq in range(1, 50):
        sender.post(Letter(seq, batch(seq)))
    sender.post(Letter(49, batch(1000)))
    sender.start()
    assert sender.close("failed", 3, "why", patience_s=60)
    assert [row["a"] for row in told.rows("run")] == list(range(1, 50))
    record = told.record("run")
    assert (record.state, record.exit_code, record.message) == ("failed", 3, "why")
    assert (sender.idle, sender.waiting_bytes, sender.refused) == (True, 0, 0)


def test_chores_are_done_for_the_last_time_once(sender):
    sender.start()
    sender.finish_chores(30)
    sender.close(None, None, "", patience_s=60)
    assert sender.done[-1] is True
    assert sender.done.count(True) == 1
    assert told.record("run").state == "running"


def test_what_the_store_refuses_of_a_letter_does_not_cost_its_rows(sender, caplog):
    lost = RunFile("a.txt", "sha256:" + "0" * 64, 1)
    sender.post(Letter(1, batch(1, files=[lost])))
    sender.post(Letter(2, batch(2, summary={"a": object()})))
    sender.post(Letter(3, Batch({"history": b"no rows"})))
    sender.post(Letter(4, batch(4)))
    sender.start()
    assert not sender.close("finished", 0, "", patience_s=60)  # so that the files stay on this machine
    assert [row["a"] for row in told.rows("run")] == [1, 2, 4]
    assert (told.record("run").state, sender.refused) == ("finished", 3)
    assert "invalid.rows" in caplog.text


def test_a_letter_that_only_the_journal_has_is_read_back(sender, caplog):
    from lineal.backend.wire import batch_to_json

    journal = sender._journal
    for seq in (1, 2, 3):
        letter = Letter(seq, batch(seq))
        letter.start = journal.size
        journal.append("batch", {"seq": seq, **batch_to_json(letter.batch)}, letter.batch.rows)
        letter.batch = None
        if seq == 2:
            letter.start = 5
        sender.post(letter)
    sender.start()
    assert sender.close("finished", 0, "", patience_s=60)
    assert [row["a"] for row in told.rows("run")] == [1, 3]
    assert "deleted or damaged; some rows are lost" in caplog.text


def test_without_a_backend_it_only_does_chores(tmp_path):
    done = []
    sender = Sender("run", "w", Journal(tmp_path / "j"), None, chores=done.append, hear=lambda heard: None)
    sender.start()
    sender.finish_chores(30)
    assert sender.close("finished", 0, "", patience_s=60)
    assert done[-1] is True
    sender._journal.close()
