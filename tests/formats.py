"""Stores as released formats left them: dumps in tests/db/formats, made and brought back.

`python -m tests.formats` writes the dumps of today's format; it is run once, when a format is released, and needs
pg_dump. An object's bytes are in a comment `-- object KEY HEX`.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from lineal.backend.connect import connect
from lineal.backend.port import Backend
from lineal.core import settings
from lineal.core.clock import now
from lineal.db.schema import FORMAT
from lineal.storage import digest as digests
from lineal.storage.cache import Cache
from lineal.storage.manifest import Manifest
from lineal.storage.transfer import Push
from lineal.tracking.model import Alert, Batch, RunFile
from lineal.tracking.rows import encode

FOLDER = Path(__file__).parent / "db/formats"
RELEASED = (1, 2, 3)
ON_POSTGRES = tuple(number for number in RELEASED if number > 1)  # format 1 was of folders only


def text_of(format_: int, engine: str = "sqlite") -> str:
    return (FOLDER / f"format_{format_}.{engine}.sql").read_text(encoding="utf-8")


def bring_folder(format_: int, folder: Path) -> None:
    """Makes the folder of a store of that format."""
    text = text_of(format_)
    bring_objects(text, folder)
    connection = sqlite3.connect(folder / "lineal.db")
    connection.executescript(text)
    connection.close()


def bring_database(format_: int, url: str, store: Path) -> None:
    """Fills an empty PostgreSQL database, and the folder beside it, with a store of that format."""
    import psycopg

    text = text_of(format_, "postgres")
    bring_objects(text, store)
    with psycopg.connect(url) as session:
        session.execute(text)


def bring_objects(text: str, folder: Path) -> None:
    for key, data in re.findall(r"^-- object (\S+) ([0-9a-f]+)$", text, re.M):
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(bytes.fromhex(data))


def fill(backend: Backend, cache: Cache) -> None:
    """A store with something in every table: runs that ended, run and were forked, versions, links, a deletion."""
    runs, artifacts = backend.runs, backend.artifacts
    with Push(backend.blobs, cache) as push:
        manifests = [
            digests.format(push.manifest(Manifest([push.data("a.txt", text), push.data("b/c", b"x")])))
            for text in (b"from the former format", b"another")
        ]
        note = push.data("note", b"a run's file").digest
    assert note is not None
    runs.start("r1", name="first", job_type="train", config={"lr": 0.5, "deep": {"x": "y"}}, code={"commit": "abc"})
    rows = {"history": encode([(0, 1.0, {"a": 1}), (1, 2.0, {"a": 2})])}
    files = [RunFile("note.txt", digests.format(note), 12)]
    alerts = [Alert("a1", "loss is NaN", "at step 1", "warn", now())]
    runs.append("r1", "w1", 1, Batch(rows, 1, summary={"a": 2, "inf": float("inf")}, files=files, alerts=alerts))
    artifacts.log("digits", "dataset", manifests[0], run_id="r1", aliases=["best"], metadata={"n": 1, "é": None})
    artifacts.log("digits", "dataset", manifests[1], tags=["t"])
    artifacts.link("digits:v0", "registry/digits", aliases=["production"])
    artifacts.delete("digits:v1")
    runs.finish("r1")
    runs.start("r2", name="open", tags=["t"])
    artifacts.use("digits:best", "r2")
    runs.append("r2", "w1", 1, Batch({"history": encode([(0, 1.0, {"b": float("nan")})])}, 0))
    runs.start("r3")
    runs.fork("r3", "r1", 0)


def write(format_: int, work: Path) -> None:
    cache = Cache(work / "cache")
    backend = connect(settings.load(work, url=str(work / "store"), user="ada", project="vision"))
    fill(backend, cache)
    backend.close()
    connection = sqlite3.connect(work / "store/lineal.db")
    save(f"format_{format_}.sqlite.sql", "\n".join(connection.iterdump()).replace(",Inf,", ",9e999,"), work / "store")
    connection.close()
    from tests.postgres import own_server

    with own_server() as server:
        given = {"url": server.url, "store": str(work / "bytes"), "user": "ada", "project": "vision"}
        backend = connect(settings.load(work, **given))
        fill(backend, cache)
        backend.close()
        command = ["pg_dump", "--inserts", "--no-owner", "--no-acl", "--no-comments", "--schema=public", server.url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = re.sub(r"^(--|SET|SELECT pg_catalog.set_config|\\|CREATE SCHEMA).*\n", "", said, flags=re.M)
    save(f"format_{format_}.postgres.sql", re.sub(r"\n{2,}", "\n", said), work / "bytes")
    cache.close()


def save(name: str, text: str, store: Path) -> None:
    kept = [file for room in ("objects", "packs") for file in sorted((store / room).rglob("*")) if file.is_file()]
    objects = [f"-- object {file.relative_to(store)} {file.read_bytes().hex()}\n" for file in kept]
    (FOLDER / name).write_text("".join(objects) + text + "\n", encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(int(sys.argv[1]) if len(sys.argv) > 1 else FORMAT, Path(folder))
