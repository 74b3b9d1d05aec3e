import os
import subprocess
from pathlib import Path

import click
import pytest

from lineal import __version__
from lineal.cli import main


def test_version_and_help_name_every_command(cli):
    assert cli("--version").out == f"lineal, version {__version__}\n"
    said = cli("--help")
    assert said.code == 0
    for name in main.cli.list_commands(click.Context(main.cli)):
        assert name in said.out


def test_an_unknown_command_gets_a_hint(cli):
    said = cli("promotee", "x")
    assert said.code == 2
    assert "Did you mean 'promote'?" in said.err
    assert "`lineal --help` lists all" in cli("zzz").err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("ls",), 0),
        (("show",), 2),
        (("show", "--nope"), 2),
        (("show", "digits:v1:v2"), 2),
        (("show", "nothing"), 3),
        (("promote", "digits:v0", "best", "--expect", "v7"), 4),
        (("ls", "--url"), 2),
    ],
)
def test_exit_codes_follow_the_families_of_errors(cli, log, words, code):
    log("digits", {"a": "1"})
    said = cli(*words)
    assert said.code == code
    assert "Traceback" not in said.err
    assert "fault in Lineal" not in said.err


def test_a_fault_is_told_in_one_line_and_shown_whole_when_asked(cli, log, monkeypatch):
    log("digits", {"a": "1"})

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of the test's own making")

    @click.command()
    def fault() -> None:
        broken()

    monkeypatch.setitem(main._COMMANDS, "fault", "project")
    from lineal.cli import project

    monkeypatch.setattr(project, "fault", fault, raising=False)
    said = cli("fault")
    assert said.code == 1
    assert said.err.splitlines()[0] == "Error: ZeroDivisionError: of the test's own making"
    assert "LINEAL_DEBUG=1" in said.err
    monkeypatch.setenv("LINEAL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli("fault")


# ---- as a process of its own ---------------------------------------------------------------------------------


def test_a_shell_sees_the_codes_and_no_traceback(shell, write):
    write({"a": "1"})
    done = shell(
        """
        lineal add data digits -t dataset >/dev/null; echo $?
        lineal show nothing; echo $?
        lineal show 'a b'; echo $?
        lineal promote digits:v0 best --expect v9; echo $?
        lineal --url ftp://example.org ls; echo $?
        LINEAL_CACHE_SIZE=much lineal ls; echo $?
        lineal get digits -r data/a; echo $?
        """
    )
    assert done.stdout.split() == ["0", "3", "2", "4", "2", "2", "2"]
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 6
    assert all(line.endswith("]") for line in errors)


def test_a_reader_that_leaves_early_is_no_error(shell, log):
    log("digits", {f"{n:05}.csv": str(n) for n in range(5000)})
    done = shell("lineal ls digits | head -1; echo ${PIPESTATUS[0]}; lineal ls digits --json | head -1")
    assert done.stdout.splitlines()[0].split() == ["PATH", "SIZE", "DIGEST"]
    assert done.stdout.splitlines()[1] in ("0", "1", "141")
    assert done.stderr == ""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_any_encoding_of_the_terminal_will_do(shell, log, encoding):
    log("digits", {"grüße 日本.csv": "1"}, description="→ ✓ 日本", aliases=["best"])
    log("digits", {"grüße 日本.csv": "2"})
    for command in (
        "ls", "ls digits", "show digits:v0", "show digits:v0 --json", "history digits", "diff digits:v0 digits:v1",
        "lineage digits", "audit digits", "impact digits:v0", "show 日本",
    ):  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", f"lineal {command}"],
            env=os.environ | {"PYTHONIOENCODING": encoding, "PATH": f"{_bin(shell)}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr, (command, done.stderr)
        assert b"fault in Lineal" not in done.stderr, (command, done.stderr)
        assert done.returncode == (2 if command.startswith("show 日") else 0)
        done.stdout.decode("utf-8" if encoding == "ascii" else encoding)  # click takes ASCII for a mistake


def _bin(shell: object) -> str:
    return shell("dirname $(command -v lineal)").stdout.strip()  # type: ignore[operator]


def test_bytes_that_are_no_text_in_arguments_do_no_harm(shell):
    done = shell(r"lineal show $'\xff\xfe'; echo $?; lineal add $'\xff' x -t y; echo $?; lineal $'\xff'; echo $?")
    assert done.stdout.split() == ["2", "2", "2"]
    assert "Traceback" not in done.stderr


def test_an_interrupt_ends_it_with_130(shell):
    Path("stop.py").write_text(
        "import signal, os, sys\n"
        "from lineal.cli import main, store\n"
        "store.parse_duration = lambda text: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(main.exit_code(['gc']))\n"
    )
    done = shell("python stop.py")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_what_is_only_looked_up_is_not_written_outside_the_store(shell, place):
    shell("lineal ls; lineal show nothing; lineal search x")
    assert list(place.home.iterdir()) == []
    assert list(place.work.iterdir()) == []


def test_python_dash_m_is_the_same_command(shell):
    assert shell("python -m lineal --version").stdout == f"lineal, version {__version__}\n"
