"""The `lineal` command: the group of all commands, and what becomes of errors."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from lineal import __version__
from lineal.core.errors import Error
from lineal.core.settings import environment

_COMMANDS = {
    "init": "project",
    "completion": "project",
    "add": "artifacts",
    "get": "artifacts",
    "ls": "artifacts",
    "show": "artifacts",
    "versions": "artifacts",
    "diff": "artifacts",
    "search": "artifacts",
    "rm": "artifacts",
    "restore": "artifacts",
    "hold": "artifacts",
    "promote": "aliases",
    "demote": "aliases",
    "rollback": "aliases",
    "aliases": "aliases",
    "history": "aliases",
    "who-was": "aliases",
    "link": "aliases",
    "unlink": "aliases",
    "runs": "runs",
    "run": "run",
    "sweep": "sweeps",
    "agent": "sweeps",
    "reproduce": "reproduce",
    "sync": "sync",
    "lock": "lock",
    "lineage": "lineage",
    "audit": "lineage",
    "impact": "lineage",
    "gc": "store",
    "fsck": "store",
    "cache": "store",
    "server": "server",
    "login": "login",
    "logout": "login",
    "whoami": "login",
    "admin": "admin",
    "audit-log": "admin_roles",
}


class Commands(click.Group):
    """Commands that are imported when they are asked for, listed in the order of a newcomer's day."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = import_module(f"lineal.cli.{_COMMANDS[name]}")
        command: click.Command = getattr(module, name.replace("-", "_"))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else " `lineal --help` lists all."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--url", help="The store: a folder (default: LINEAL_URL, lineal.toml, ~/.lineal).")
@click.option("--entity", help="The entity that refs without one mean.")
@click.option("--project", help="The project that refs without one mean (default: LINEAL_PROJECT, lineal.toml).")
@click.version_option(__version__, prog_name="lineal")
def cli(**_: Any) -> None:
    """Versions, aliases and lineage for data and models.

    A REF is [entity/][project/]collection[:vN | :alias | @sha256:...]; without a version it means the latest.
    """


def run(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with the code that `core.errors` gives each family of errors; 0: done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(exit_code(arguments))


def exit_code(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the command line, after errors are told on standard error."""
    try:
        result = cli.main(args=arguments, prog_name="lineal", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except Error as problem:
        _tell(f"Error: {problem.message} [{problem.code}]")
        return problem.exit_code
    except BrokenPipeError:
        _silence()
        return 0
    except Exception as problem:
        if environment("LINEAL_DEBUG"):
            raise
        _tell(f"Error: {type(problem).__name__}: {problem}")
        _tell("This is a fault in Lineal. LINEAL_DEBUG=1 shows where; please report it.")
        return 1
    return result if isinstance(result, int) else 0


def _tell(text: str) -> None:
    from lineal.cli.output import line

    line(text, err=True)


def _silence() -> None:
    """Keeps Python from complaining once more about a reader that has gone."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
