"""The pages for users say what the program does."""

from __future__ import annotations

from pathlib import Path

import click

from lineal.cli.main import cli

DOCS = Path(__file__).parent.parent / "docs"


def commands(group: click.Group, above: str) -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            found += commands(command, f"{above} {name}")
        else:
            found.append((f"{above} {name}", command))
    return found


def test_every_command_and_option_is_on_the_command_line_page() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name, command in commands(cli, "lineal"):
        _, found, section = page.partition(f"## {name}\n")
        assert found, f"{name} is missing; run docs/make_cli.py"
        section = section.partition("\n## ")[0]
        for option in command.params:
            if isinstance(option, click.Option) and option.name != "json_":
                assert option.opts[0] in section, f"{name} {option.opts[0]} is missing; run docs/make_cli.py"


def test_every_link_between_pages_leads_somewhere() -> None:
    import re

    for page in [DOCS.parent / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
