"""Commands for aliases and links."""

from __future__ import annotations

import click

from lineal.cli.options import REF, here, json_option, moment, why_option
from lineal.cli.output import as_json, line, table
from lineal.core.display import moment as shown
from lineal.core.errors import AliasNotFound
from lineal.core.names import format_number, parse_ref
from lineal.registry.model import AliasEvent


@click.command()
@click.argument("ref", type=REF)
@click.argument("alias")
@click.option("--expect", help="Only if the alias stands there now: vN, or none for nowhere.")
@why_option
@json_option
def promote(ref: str, alias: str, expect: str | None, why: str, json_: bool) -> None:
    """Move ALIAS to the version REF."""
    store = here().backend.artifacts
    version = store.move_alias(ref, alias, expected=expect, why=why)
    if json_:
        as_json(version)
        return
    line(f"{version.project}/{version.collection}:{alias} is now {version.version}.")


@click.command()
@click.argument("ref", type=REF)
@why_option
@json_option
def demote(ref: str, why: str, json_: bool) -> None:
    """Take the alias of REF (name:alias) away; the version stays."""
    version = here().backend.artifacts.remove_alias(ref, why=why)
    as_json(version) if json_ else line(f"{ref} stands nowhere now; it stood at {version.version}.")


@click.command()
@click.argument("ref", type=REF)
@why_option
@json_option
def rollback(ref: str, why: str, json_: bool) -> None:
    """Move the alias of REF (name:alias) back to what stood there before."""
    version = here().backend.artifacts.rollback(ref, why=why)
    as_json(version) if json_ else line(f"{ref} is {version.version} again.")


@click.command()
@click.argument("collection", required=False, type=REF)
@json_option
def aliases(collection: str | None, json_: bool) -> None:
    """List where the aliases stand, of COLLECTION or of all."""
    conn = here()
    found = conn.backend.artifacts.list_collections(project=conn.settings.project)
    if collection is not None:
        conn.backend.artifacts.list_versions(collection)
        ref = parse_ref(collection)
        found = [c for c in found if c.name == ref.collection and ref.project in (None, c.project)]
    standing = [
        {"collection": f"{c.project}/{c.name}", "alias": alias, "version": format_number(number)}
        for c in found
        for alias, number in (*(() if c.latest is None else (("latest", c.latest),)), *c.aliases.items())
    ]
    if json_:
        as_json(standing)
        return
    rows = [(s["collection"], s["alias"], s["version"]) for s in standing]
    table(("COLLECTION", "ALIAS", "VERSION"), rows, empty="There are no aliases yet.")


@click.command()
@click.argument("ref", type=REF)
@json_option
def history(ref: str, json_: bool) -> None:
    """List every move of the aliases of a collection, or of the one alias of REF (name:alias), oldest first."""
    found = here().backend.artifacts.list_alias_events(ref)
    if json_:
        as_json(found)
        return
    table(
        ("WHEN", "ALIAS", "MOVE", "BY", "WHY"),
        [(e.at, e.alias, _move(e), f"{e.user}@{e.host}", e.why) for e in found],
        empty=f"No alias of {ref} has ever moved.",
    )


@click.command("who-was")
@click.argument("ref", type=REF)
@click.option("--at", help="At this moment, such as 2026-05-01T12:00Z (default: all its stretches of time).")
@json_option
def who_was(ref: str, at: str | None, json_: bool) -> None:
    """Show which version stood at the alias of REF (name:alias), and when."""
    stretches = here().backend.artifacts.list_alias_intervals(ref)
    then = moment(at)
    if then is not None:
        stretches = [s for s in stretches if s.since <= then and (s.until is None or then < s.until)]
        if not stretches:
            raise AliasNotFound(f"nothing stood at {ref} on {shown(then)}")
    if json_:
        as_json(stretches)
        return
    table(
        ("VERSION", "SINCE", "UNTIL", "BY", "WHY"),
        [(format_number(s.number), s.since, s.until or "now", s.user, s.why) for s in stretches],
        empty=f"Nothing ever stood at {ref}.",
    )


@click.command()
@click.argument("ref", type=REF)
@click.argument("target")
@click.option("--alias", "-a", "aliases_", multiple=True, help="An alias to move to it there; may be given again.")
@json_option
def link(ref: str, target: str, aliases_: tuple[str, ...], json_: bool) -> None:
    """Link the version REF into the registry collection TARGET (registry/<collection>); no bytes are copied."""
    version = here().backend.artifacts.link(ref, target, aliases=list(aliases_))
    as_json(version) if json_ else line(f"{version.source} is linked as {version.project}/{version.name}.")


@click.command()
@click.argument("ref", type=REF)
@json_option
def unlink(ref: str, json_: bool) -> None:
    """Take the link REF (registry/<collection>:version) out of its registry collection; the version stays."""
    version = here().backend.artifacts.unlink(ref)
    as_json(version) if json_ else line(
        f"{version.project}/{version.name} is no longer linked; {version.source} stays."
    )


def _move(event: AliasEvent) -> str:
    before = "nowhere" if event.from_number is None else format_number(event.from_number)
    after = "nowhere" if event.to_number is None else format_number(event.to_number)
    return f"{before} → {after}" + (" (rollback)" if event.kind == "rollback" else "")
