"""The command that starts a server, and the group of those for whoever runs one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineal.cli.output import line
from lineal.cli.server_backup import backup, restore
from lineal.cli.server_migrate import migrate
from lineal.core.errors import InvalidSettings, MissingDependency

if TYPE_CHECKING:
    from lineal.core.settings import ServerSettings, Settings


@click.group(invoke_without_command=True)
@click.option("--host", help="The address to listen at (default 127.0.0.1: this machine only).")
@click.option("--port", help="The port (default 8230; 0: any that is free).")
@click.option("--workers", help="How many processes answer (default 1).")
@click.option("--name", "names", multiple=True, help="A host name that others reach it by; repeat for more.")
@click.option("--db", help="The store: a folder, or postgresql://user@host/database (default: LINEAL_URL).")
@click.option("--store", help="Where the bytes are, if --db is a database (default: LINEAL_STORE).")
@click.option(
    "--trusted-proxy", "trusted_proxies", multiple=True, help="An address or network whose X-Forwarded-* count."
)
@click.option("--metrics-from", multiple=True, help="An address or network that may read /metrics without a key.")
@click.option("--stop-within", "stop_within_s", help="How long requests may take to end at a stop (default 30s).")
@click.option("--stall-after", "stall_after_s", help="How long a request may keep it waiting (default 60s).")
@click.option("--max-upload", "max_upload_bytes", help="The largest object that may be sent (default 1TiB).")
@click.option("--telemetry", is_flag=True, default=None, help="Send OpenTelemetry spans, as OTEL_* variables say.")
def server(db: str | None, store: str | None, **given: object) -> int:
    """Serve a store to a team; or look after one: upgrades, backups.

    Without a command it starts, and runs until it is told to stop (Ctrl-C, SIGTERM): requests under way end, a second
    signal stops it at once. Access and errors go to standard error, a JSON object a line.
    """
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is not None:
        return 0
    from lineal.core.settings import load, load_server

    url = db or ctx.find_root().params.get("url")
    named = {key: ctx.find_root().params.get(key) for key in ("entity", "project")}
    return _start(load(url=url, store=store, **named), load_server(**given))


for command in (migrate, backup, restore):
    server.add_command(command)


def _start(store: Settings, settings: ServerSettings) -> int:
    try:
        from lineal.api.serve import listen, serve
    except ImportError as problem:
        raise MissingDependency(
            f"a server needs more packages ({problem.name}): pip install 'lineal[server]'"
        ) from None
    from lineal.api.plan import Plan
    from lineal.core.settings import shown

    token = _token(store, settings)
    listening = listen(settings.host, settings.port)
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def ready() -> None:
        line(f"Lineal serves {shown(store.url)}" + (f" and {shown(store.store)}" if store.store else ""))
        line(f"at {url}; on this machine: export LINEAL_URL={url}" if settings.local else f"at {url}")
        if token is not None:
            line("No users yet: everyone on this machine may do everything. Set-up token for the first admin, once:")
            line(token)
        line("Stop it with Ctrl-C.")

    with listening:
        return serve(Plan(store, settings), listening, ready=ready)


def _token(store: Settings, settings: ServerSettings) -> str | None:
    """The set-up token of a store that has no users. Raises invalid.settings where others could reach that."""
    from lineal.backend.connect import HTTP, connect
    from lineal.backend.local.backend import LocalBackend

    if store.url.startswith(HTTP):
        raise InvalidSettings(
            "a server serves a store, not another server: set --db or LINEAL_URL to a folder or database"
        )
    if store.url.startswith("memory:") and settings.workers > 1:
        raise InvalidSettings("a store in memory is one process's: leave --workers at 1, or set --db to a folder")
    backend = connect(store)
    assert isinstance(backend, LocalBackend)
    try:
        if backend.signing_in.anybody():
            return None
        if not settings.local or settings.names or settings.trusted_proxies:
            raise InvalidSettings(
                "the store has no users yet: whoever reached this server could do everything. Make the first admin "
                "on this machine (`lineal admin user add NAME --admin`), or start on 127.0.0.1 without --name and "
                "--trusted-proxy, and use the set-up token that it prints"
            )
        return backend.signing_in.set_up_token()
    finally:
        backend.close()
