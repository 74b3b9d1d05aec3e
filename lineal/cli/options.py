"""Options and parameters that commands share, and the connection they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from lineal.core.clock import parse_time
from lineal.core.errors import Error, InvalidArgument, RunNotFound

if TYPE_CHECKING:
    from lineal.client.run_view import RunView
    from lineal.core.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON for programs.")
why_option = click.option("--why", default="", help="Why, for the record.")


def here(**more: Any) -> Any:
    """The connection of this command: the group's --url, --entity and --project, and `more`, over the settings."""
    from lineal.client.connection import connection

    given = click.get_current_context().find_root().params
    return connection(**{key: given.get(key) for key in ("url", "entity", "project")}, **more)


def store_options(command: F) -> F:
    """Adds --url and --store, for commands on a store itself that may name another one than the settings do."""
    url = click.option("--url", help="The store: a folder, or postgresql://user@host/database.")
    return url(click.option("--store", help="Where the bytes are, if the url is a database.")(command))


def store_settings(url: str | None, store: str | None) -> Settings:
    """The settings of this command: its own --url and --store over those of the group and of the environment."""
    from lineal.core.settings import load

    return load(url=url or click.get_current_context().find_root().params.get("url"), store=store)


def moment(text: str | None) -> Any:
    """The moment that an option names, if it is given."""
    return parse_time(text) if text else None


def pairs(texts: tuple[str, ...], what: str) -> dict[str, str]:
    """`key=value` texts as a mapping. Raises invalid.argument."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidArgument(f"{text!r} is no {what}; write key=value")
        found[key] = value
    return found


class RefType(click.ParamType):  # type: ignore[type-arg]  # older clicks have no type argument
    """A ref; completes to the collections, versions and aliases that are there."""

    name = "ref"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            return [CompletionItem(ref) for ref in _refs(ctx, incomplete)]
        except Error:
            return []


class SubjectType(RefType):
    """What lineage can be asked of: a ref, `run:<id>` or `sweep:<id>`; completes to the newest ones."""

    name = "subject"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        kind, colon, _ = incomplete.partition(":")
        if not colon or kind not in ("run", "sweep"):
            kinds = [CompletionItem(f"{kind}:") for kind in ("run", "sweep") if f"{kind}:".startswith(incomplete)]
            return super().shell_complete(ctx, param, incomplete) + (kinds if incomplete else [])
        try:
            return [
                CompletionItem(word) for id_ in _ids(ctx, kind) if (word := f"{kind}:{id_}").startswith(incomplete)
            ]
        except Error:
            return []


class RunType(click.ParamType):  # type: ignore[type-arg]  # older clicks have no type argument
    """A run: its id, its path, or its name where only one has it; completes to the newest ones."""

    name = "run"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from lineal.client.connection import connection

        given = {key: ctx.find_root().params.get(key) for key in ("url", "entity", "project")}
        try:
            conn = connection(**given)
            newest = conn.backend.runs.list(project=conn.settings.project, limit=1000).runs
        except Error:
            return []
        words = [word for run in newest for word in (run.id, run.name)]
        return [CompletionItem(word) for word in dict.fromkeys(words) if word.startswith(incomplete)]


def run_named(conn: Any, text: str) -> RunView:
    """The run that the text names by id, path or name. Raises not_found.run, invalid.argument."""
    from lineal.client.query import Api
    from lineal.client.run_view import RunView

    try:
        return Api(_connection=conn).run(text)
    except RunNotFound:
        found = conn.backend.runs.list(project=conn.settings.project, filters={"display_name": text}, limit=5).runs
        if len(found) > 1:
            ids = ", ".join(run.id for run in found)
            raise InvalidArgument(f"several runs are named {text[:80]!r}; say which by its id: {ids}") from None
        if not found:
            raise
        return RunView(found[0], conn)


def _ids(ctx: click.Context, kind: str) -> list[str]:
    from lineal.client.connection import connection

    conn = connection(**{key: ctx.find_root().params.get(key) for key in ("url", "entity", "project")})
    if kind == "run":
        return [run.id for run in conn.backend.runs.list(project=conn.settings.project, limit=1000).runs]
    return [sweep.id for sweep in conn.backend.sweeps.list(project=conn.settings.project, limit=1000)]


def _refs(ctx: click.Context, incomplete: str) -> list[str]:
    from lineal.client.connection import connection

    store = connection(url=ctx.find_root().params.get("url")).backend.artifacts
    name, colon, _ = incomplete.partition(":")
    if not colon:
        every = store.list_collections()
        return [c.name for c in every if c.name.startswith(name)] + [
            f"{c.project}/{c.name}" for c in every if f"{c.project}/{c.name}".startswith(name)
        ]
    tags = [tag for v in store.list_versions(name) for tag in (v.version, *v.aliases)]
    return [f"{name}:{tag}" for tag in ("latest", *tags) if f"{name}:{tag}".startswith(incomplete)]


REF = RefType()
RUN = RunType()
SUBJECT = SubjectType()
