"""Commands for a project folder and the shell."""

from __future__ import annotations

from pathlib import Path

import click

from lineal.cli.output import line
from lineal.core.errors import InvalidSettings
from lineal.core.names import check_name
from lineal.core.settings import PROJECT_FILE

_TEXT = """# Defaults of this project for Lineal; an argument or a LINEAL_* variable wins over them.
project = "{project}"
# url = "~/.lineal"        # where the store is
# entity = "local"         # whose it is
"""


@click.command()
@click.argument("name", required=False)
@click.option("--force", is_flag=True, help="Replace a lineal.toml that is there.")
def init(name: str | None, force: bool) -> None:
    """Write lineal.toml here, with the project NAME (default: the folder's name)."""
    file = Path(PROJECT_FILE)
    project = check_name(name or _name_of(Path.cwd()), "project")
    if file.exists() and not force:
        raise InvalidSettings(f"{file.absolute()} is there already; edit it, or replace it with --force")
    try:
        file.write_text(_TEXT.format(project=project), encoding="utf-8")
    except OSError as problem:
        raise InvalidSettings(f"{file.absolute()} can't be written: {problem.strerror}") from None
    line(f"Wrote {file.absolute()}: what you log and look up below this folder is in the project {project!r}.")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL: eval "$(lineal completion bash)"."""
    from click.shell_completion import get_completion_class

    from lineal.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    if shell == "bash":  # a colon is part of a ref, not the end of a word
        click.echo("COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}")
    click.echo(kind(cli, {}, "lineal", "_LINEAL_COMPLETE").source())


def _name_of(folder: Path) -> str:
    kept = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in folder.name
    )
    return kept.strip("-._") or "default"
