import io
import json
import sys
from datetime import UTC, datetime

import pytest

from lineal.cli import output
from lineal.registry.model import Link

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_line_has_no_control_characters_and_one_line_break(capsys):
    output.line("evil \x1b[31m\x9b2J\u202e\nnext")
    assert capsys.readouterr().out.count("\n") == 1
    output.line("evil \x1b[31m", err=True)
    assert "\x1b" not in capsys.readouterr().err


def test_lines_keep_their_leading_blanks(capsys):
    output.lines(["a", "  b\x1b"])
    assert capsys.readouterr().out.splitlines()[1].startswith("  b")


def test_a_table_shows_markup_as_text_and_one_row_a_line(capsys):
    output.table(("NAME", "WHEN", "WHAT"), [("[red]x[/red]", NOON, None), ("a\nb", "\x1b[31m", 3)], empty="none")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["NAME", "WHEN", "WHAT"]
    assert lines[1].split() == ["[red]x[/red]", "2026-05-01", "12:00:00", "UTC", "-"]
    assert "\x1b" not in lines[2]


def test_a_long_cell_is_never_cut_or_wrapped_where_programs_read(capsys):
    output.table(("NAME", "B"), [("x" * 1000, "y")], empty="none")
    assert capsys.readouterr().out.splitlines()[1].split() == ["x" * 1000, "y"]


def test_an_empty_table_is_its_sentence(capsys):
    output.table(("NAME",), [], empty="There is nothing.")
    assert capsys.readouterr().out == "There is nothing.\n"


def test_json_holds_records_with_their_names(capsys):
    output.as_json([Link("local/registry/a:v0", ("x",), NOON, "ada [red]\x1b")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert json.loads(out) == [
        {
            "ref": "local/registry/a:v0",
            "aliases": ["x"],
            "linked_at": "2026-05-01T12:00:00Z",
            "linked_by": "ada [red]\x1b",
        }
    ]


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "→"), ("ascii", "\\u2192"), ("cp1252", "\\u2192")])
def test_json_is_ascii_where_the_terminal_may_not_speak_unicode(monkeypatch, encoding, shown):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    output.as_json({"a": "→"})
    assert shown in raw.getvalue().decode(encoding)


def test_a_report_is_100_columns_wide_where_there_is_no_terminal(capsys):
    from rich.panel import Panel

    output.report(Panel("x"))
    assert {len(line) for line in capsys.readouterr().out.splitlines()} == {100}
