"""Commands for collections and versions."""

from __future__ import annotations

import json
from typing import Any

import click

from lineal.backend.port import Difference, EntryChange
from lineal.cli.options import REF, here, json_option, pairs
from lineal.cli.output import as_json, console, line, table
from lineal.core.display import count, moment, short, size
from lineal.core.errors import InvalidArgument
from lineal.registry.model import Version


@click.command()
@click.argument("path")
@click.argument("name")
@click.option("--type", "-t", "type_", required=True, help="The collection's type, such as dataset or model.")
@click.option("--alias", "-a", "aliases", multiple=True, help="An alias to move to it; may be given again.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be given again.")
@click.option("--description", "-d", default="", help="What it is.")
@click.option("--meta", "meta", multiple=True, metavar="KEY=VALUE", help="Metadata; VALUE is JSON or a text.")
@click.option("--ttl", help="How long gc must keep it at least, such as 30d (default: for ever).")
@click.option("--ignore", multiple=True, help="A pattern of files to leave out, such as '*.tmp' or '.git/'.")
@click.option("--reference", is_flag=True, help="PATH is a URI to refer to; no bytes are copied.")
@json_option
def add(
    path: str,
    name: str,
    type_: str,
    aliases: tuple[str, ...],
    tags: tuple[str, ...],
    description: str,
    meta: tuple[str, ...],
    ttl: str | None,
    ignore: tuple[str, ...],
    reference: bool,
    json_: bool,
) -> None:
    """Log the file or folder PATH as a version of the collection NAME ([project/]collection)."""
    import os

    from lineal.client.artifact import Artifact
    from lineal.core.names import parse_ref

    ref = parse_ref(name)
    if ref.alias or ref.pinned or ref.entity:
        raise InvalidArgument(f"{name!r} names a version; give [project/]collection, and aliases with --alias")
    metadata = {key: _value(text) for key, text in pairs(meta, "metadata").items()}
    artifact = Artifact(ref.collection, type_, description, metadata, ttl)
    conn = here()
    if reference:
        artifact._connection = conn
        artifact.add_reference(path)
    elif os.path.isdir(path):
        artifact.add_dir(path, ignore=ignore)
    else:
        artifact.add_file(path)
    logged = artifact._log(conn, project=ref.project, aliases=aliases, tags=tags)
    if json_:
        as_json(logged)
        return
    version = logged.version
    said = "Logged" if logged.made else "No change: the content is already"
    facts = f"{count(version.file_count, 'file')}, {size(version.size_bytes)}, {short(version.digest)}"
    line(f"{said} {version.project}/{version.name} ({facts})")


@click.command()
@click.argument("ref", type=REF)
@click.option("--root", "-r", help="The folder to fill (default: ./artifacts/<name>:vN).")
@click.option("--path", "-p", help="Only this file or folder of it.")
@click.option(
    "--mode", type=click.Choice(["copy", "link"]), default="copy", help="link: read-only links, for serving."
)
@json_option
def get(ref: str, root: str | None, path: str | None, mode: Any, json_: bool) -> None:
    """Download the files of REF, each verified."""
    from lineal.client.artifact import Artifact

    conn = here()
    version = conn.backend.artifacts.resolve(ref)
    where = Artifact._logged_as(version, conn).download(root, path_prefix=path, mode=mode)
    if json_:
        as_json({"path": where, "version": version})
    else:
        held = f"{count(version.file_count, 'file')}, {size(version.size_bytes)}"
        line(f"{version.project}/{version.name} is in {where}: {path or held}, verified")


@click.command()
@click.argument("ref", required=False, type=REF)
@click.option("--type", "-t", "type_", help="Only collections of this type.")
@click.option("--deleted", is_flag=True, help="Deleted collections too.")
@json_option
def ls(ref: str | None, type_: str | None, deleted: bool, json_: bool) -> None:
    """List the collections, or the files of REF."""
    conn = here()
    if ref is not None:
        version = conn.backend.artifacts.resolve(ref)
        entries = conn.backend.artifacts.manifest(version.digest).entries
        if json_:
            as_json([_entry_json(entry) for entry in entries])
            return
        rows = [(e.path, size(e.size), e.reference.uri if e.reference else short(_digest(e))) for e in entries]
        table(("PATH", "SIZE", "DIGEST"), rows, empty=f"{version.name} has no files.")
        return
    project = conn.settings.project
    found = conn.backend.artifacts.list_collections(project=project, type=type_, deleted=deleted)
    if json_:
        as_json(found)
        return
    table(
        ("COLLECTION", "TYPE", "VERSIONS", "LATEST", "ALIASES"),
        [
            (
                f"{c.project}/{c.name}" + (" (deleted)" if c.deleted_at else ""),
                c.type,
                c.version_count,
                None if c.latest is None else f"v{c.latest}",
                ", ".join(f"{alias}→v{number}" for alias, number in c.aliases.items()),
            )
            for c in found
        ],
        empty=_nothing(conn),
    )


@click.command()
@click.argument("ref", type=REF)
@click.option("--at", help="As REF stood at this moment, such as 2026-05-01T12:00Z.")
@json_option
def show(ref: str, at: str | None, json_: bool) -> None:
    """Show what is known of the version REF."""
    from lineal.cli.options import moment as parsed

    conn = here()
    version = conn.backend.artifacts.resolve(ref, at=parsed(at))
    links = conn.backend.artifacts.list_links(version.ref) if version.deleted_at is None else []
    if json_:
        as_json({"version": version, "links": links})
        return
    users = conn.backend.lineage.used_by(version.ref) if version.deleted_at is None else []
    facts = [
        ("version", version.ref),
        ("source", version.source if version.linked else ""),
        ("type", version.type),
        ("digest", version.digest),
        ("size", f"{size(version.size_bytes)} in {count(version.file_count, 'file')}"),
        ("aliases", ", ".join(version.aliases)),
        ("tags", ", ".join(version.tags)),
        ("description", version.description),
        ("logged", f"{moment(version.created_at)} by {version.created_by}"),
        ("made by", f"run {version.run_id}" if version.run_id else "no run"),
        ("used by", ", ".join(run.name for run in users[:10]) + (" …" if len(users) > 10 else "")),
        ("linked as", ", ".join(link.ref for link in links)),
        ("ttl", f"{version.ttl_s} s" if version.ttl_s is not None else ""),
        ("hold", version.hold or ""),
        ("deleted", moment(version.deleted_at) if version.deleted_at else ""),
        ("metadata", json.dumps(dict(version.metadata), ensure_ascii=False) if version.metadata else ""),
    ]
    for key, value in facts:
        if value:
            line(f"{key:<12} {value}")


@click.command()
@click.argument("collection", type=REF)
@click.option("--deleted", is_flag=True, help="Deleted versions too.")
@json_option
def versions(collection: str, deleted: bool, json_: bool) -> None:
    """List the versions of COLLECTION, newest first."""
    _print_versions(
        here().backend.artifacts.list_versions(collection, deleted=deleted), json_, f"{collection} has no versions."
    )


@click.command()
@click.argument("before", type=REF)
@click.argument("after", type=REF)
@json_option
def diff(before: str, after: str, json_: bool) -> None:
    """Show how the version AFTER differs from BEFORE: files, metadata, and what is inside data files."""
    from lineal.client.contents import content_changes

    conn = here()
    found = conn.backend.artifacts.diff(before, after)
    inside = content_changes(conn, found)
    if json_:
        as_json({**_difference_json(found), "inside": {c.path: c.change for c in inside}})
        return
    _print_difference(found, {c.path: c.change for c in inside})


@click.command()
@click.argument("text", default="")
@click.option("--type", "-t", "type_", help="Only this type.")
@click.option("--tag", help="Only versions with this tag.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Only versions whose metadata say so (a.b=c).")
@click.option("--digest", help="Only versions with this digest, or with a file that has it.")
@json_option
def search(
    text: str, type_: str | None, tag: str | None, meta: tuple[str, ...], digest: str | None, json_: bool
) -> None:
    """Find versions by TEXT in name or description (or a pattern with *), type, tag, metadata or file digest."""
    conn = here()
    found = conn.backend.artifacts.search(
        text, type=type_, tag=tag, metadata=pairs(meta, "condition"), digest=digest, project=conn.settings.project
    )
    _print_versions(found, json_, "Nothing matches.")


@click.command()
@click.argument("ref", type=REF)
@click.option("--force", is_flag=True, help="Also when it has aliases or links; they go too.")
@click.option("--collection", "whole", is_flag=True, help="REF is a collection: delete it with all its versions.")
@json_option
def rm(ref: str, force: bool, whole: bool, json_: bool) -> None:
    """Delete the version REF.

    Lineage and history stay. The bytes go with the next gc; until then `lineal restore` brings it back.
    """
    from lineal.core.names import parse_ref

    store = here().backend.artifacts
    parsed = parse_ref(ref)
    if whole:
        gone = store.delete_collection(ref, force=force)
    elif parsed.pinned or parsed.alias or ":" in ref:
        gone = [store.delete(ref, force=force)]
    else:
        raise InvalidArgument(f"name a version, such as {ref}:v3, or delete the whole collection with --collection")
    if json_:
        as_json(gone)
        return
    for version in gone:
        name = f"{version.project}/{version.name}"
        line(f"Deleted {name}; until gc, `lineal restore {name}` brings it back.")


@click.command()
@click.argument("ref", type=REF)
@json_option
def restore(ref: str, json_: bool) -> None:
    """Bring back the deleted version REF (name:vN)."""
    version = here().backend.artifacts.restore(ref)
    as_json(version) if json_ else line(f"Restored {version.project}/{version.name}.")


@click.command()
@click.argument("ref", type=REF)
@click.option("--why", default="held", help="Why it must be kept.")
@click.option("--release", is_flag=True, help="End the hold.")
@json_option
def hold(ref: str, why: str, release: bool, json_: bool) -> None:
    """Keep the version REF from garbage collection, whatever its ttl."""
    why = why or "held"
    version = here().backend.artifacts.change(ref, hold="" if release else why)
    if json_:
        as_json(version)
    else:
        line(f"{version.project}/{version.name} is {'no longer held' if release else f'held: {why}'}.")


def _nothing(conn: Any) -> str:
    project = conn.settings.project
    elsewhere = sorted({c.project for c in conn.backend.artifacts.list_collections()})
    if project and elsewhere:
        return f"Nothing is logged in the project {project!r} yet; there are {', '.join(elsewhere[:10])} (--project)."
    return "Nothing is logged here yet; `lineal add PATH NAME --type dataset` logs a file or folder."


def _print_versions(found: list[Version], json_: bool, empty: str) -> None:
    if json_:
        as_json(found)
        return
    table(
        ("VERSION", "ALIASES", "SIZE", "FILES", "LOGGED", "BY", "DIGEST"),
        [
            (
                f"{v.project}/{v.name}" + (" (gone)" if v.purged_at else " (deleted)" if v.deleted_at else ""),
                ", ".join(v.aliases),
                size(v.size_bytes),
                v.file_count,
                v.created_at,
                f"run {v.run_id}" if v.run_id else v.created_by,
                short(v.digest),
            )
            for v in found
        ],
        empty=empty,
    )


def _print_difference(found: Difference, inside: dict[str, Any]) -> None:
    from lineal.storage.headers import describe

    line(f"{found.before.name} → {found.after.name}")
    if found.before.digest == found.after.digest:
        line("The files are the same.")
    marks = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
    out = console()
    for entry in found.entries:
        mark, colour = marks[entry.kind]
        out.print(f"{mark} {_described(entry)}", style=colour, markup=False)
        for text in describe(inside[entry.path]) if entry.path in inside else ():
            out.print(f"    {text}", markup=False)
    kinds = [entry.kind for entry in found.entries]
    counts = [f"{kinds.count(kind)} {kind}" for kind in marks if kind in kinds]
    line(", ".join([*counts, f"{found.unchanged_count} unchanged"]))
    for key, (old, new) in found.metadata.items():
        out.print(f"~ metadata {key}: {_brief(old)} → {_brief(new)}", style="yellow", markup=False)


def _described(entry: EntryChange) -> str:
    from lineal.lineage.look import clean

    if entry.kind == "changed":
        return f"{clean(entry.path)} ({size(entry.size_before)} → {size(entry.size_after)})"
    return f"{clean(entry.path)} ({size(entry.size_after if entry.kind == 'added' else entry.size_before)})"


def _difference_json(found: Difference) -> dict[str, Any]:
    from lineal.backend.wire import to_json

    body: dict[str, Any] = to_json(found)
    return body


def _entry_json(entry: Any) -> dict[str, Any]:
    body = {"path": entry.path, "size": entry.size, "digest": _digest(entry) or None}
    if entry.reference:
        body["reference"] = {k: v for k, v in entry.reference._asdict().items() if v is not None}
    return body


def _digest(entry: Any) -> str:
    from lineal.storage import digest as digests

    return digests.format(entry.digest) if entry.digest is not None else ""


def _brief(value: Any) -> str:
    from lineal.lineage.look import clean, shorten

    return "-" if value is None else shorten(clean(json.dumps(value, ensure_ascii=False)), 60)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
