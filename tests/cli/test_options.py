import json
from pathlib import Path

import click
import pytest

from lineal import Api
from lineal.cli.options import SUBJECT, moment, pairs
from lineal.core.errors import InvalidArgument


def test_pairs_are_split_at_the_first_equals_sign():
    assert pairs(("a=1", "b.c=x=y", "d="), "metadata") == {"a": "1", "b.c": "x=y", "d": ""}
    assert pairs((), "metadata") == {}


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(InvalidArgument, match="key=value"):
        pairs((text,), "metadata")


def test_a_moment_may_be_left_out():
    assert moment(None) is None
    assert moment("2026-05-01T12:00Z").isoformat() == "2026-05-01T12:00:00+00:00"


def test_url_and_project_of_the_group_win_over_the_settings(cli, log, place):
    log("digits", {"a": "1"}, project="vision")
    log("letters", {"a": "2"}, project="text")
    assert [c["name"] for c in json.loads(cli("--project", "vision", "ls", "--json").out)] == ["digits"]
    assert [c["name"] for c in json.loads(cli("ls", "--json").out)] == ["letters", "digits"]
    assert json.loads(cli("--url", place.work / "other", "ls", "--json").out) == []
    assert json.loads(cli("--entity", "us", "ls", "--json").out) == []
    assert cli("--project", "text", "show", "digits").code == 3


@pytest.mark.parametrize(
    ("url", "text"),
    [("ftp://example.org", "set LINEAL_URL to a folder"), ("s3://bucket", "set LINEAL_URL to a folder")],
)
def test_a_store_that_cannot_be_is_refused(cli, url, text):
    said = cli("--url", url, "ls")
    assert (said.code, text in said.err) == (2, True)


def test_a_file_is_no_store(cli):
    Path("file").write_text("x")
    assert cli("--url", "file", "ls").code == 2
    assert cli("--url", "file/deeper", "ls").code == 2
    assert Path("file").read_text() == "x"


def test_a_newer_store_is_left_alone(cli, log, place):
    import sqlite3

    log("digits", {"a": "1"})
    with sqlite3.connect(place.store / "lineal.db") as rows:
        rows.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    rows.close()
    from lineal.client.connection import close_all

    close_all()
    said = cli("ls")
    assert (said.code, "[unavailable.newer_format]" in said.err) == (7, True)


def test_every_command_and_option_explains_itself(cli):
    from lineal.cli.main import cli as group

    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.name}"
        assert cli(name, "--help").code == 0


def test_subjects_of_lineage_complete_to_runs_and_sweeps_too(log):
    log("rusty", {"a": "1"})
    backend = Api()._connection.backend
    backend.sweeps.create("s1", {"method": "grid", "parameters": {"lr": {"values": [1]}}})
    (run,) = backend.runs.list().runs

    def completed(start: str) -> list[str]:
        context = click.Context(click.Command("lineage"))
        return [item.value for item in SUBJECT.shell_complete(context, click.Argument(["subject"]), start)]

    assert completed("ru") == ["rusty", "run:"]
    assert completed("rusty:") == ["rusty:latest", "rusty:v0"]
    assert completed("sw") == completed("sweep") == ["sweep:"]
    assert completed("sweep:") == completed("sweep:s") == ["sweep:s1"]
    assert completed("sweep:t") == []
    assert completed("run:") == [f"run:{run.id}"]
