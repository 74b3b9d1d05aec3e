"""Writes docs/cli.md from the commands themselves: python docs/make_cli.py"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from lineal.cli.main import cli

_HEAD = """# Command line

Made from the commands' own help by `docs/make_cli.py`; a test keeps it so. `lineal COMMAND --help` says the same.

Before the command: `--url STORE`, `--entity NAME` and `--project NAME` win over the [settings](settings.md). `--json`
prints JSON for programs. Exit codes are in [errors](errors.md): 0 done, 2 misuse, 3 not found, 4 conflict, 5 not
allowed, 6 corrupt, 7 unavailable. `eval "$(lineal completion bash)"` completes commands and refs.
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(f"\n{text}" for text in _sections(cli, "lineal"))


def _sections(group: click.Group, above: str) -> Iterator[str]:
    context = click.Context(group, info_name=above)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield _section(command, f"{above} {name}")
            yield from _sections(command, f"{above} {name}")
        else:
            yield _section(command, f"{above} {name}")


def _section(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or "")
    switches = [p for p in command.params if isinstance(p, click.Option)]
    options = [record for p in switches if (record := p.get_help_record(context))]
    rows = [f"- `{left}`: {right}" for left, right in options if "--json" not in left]
    return f"## {name}\n\n    {usage}\n\n{text}\n" + ("\n" + "\n".join(rows) + "\n" if rows else "")


if __name__ == "__main__":
    Path(__file__).with_name("cli.md").write_text(page(), encoding="utf-8")
