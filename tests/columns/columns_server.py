"""Servers and sessions for the tests of embedding columns; the engine's tests lend theirs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql as quoting
from psycopg.rows import dict_row

# What they have for everybody lies beside them.
sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))

from cluster import Cluster
from process import identity, postmaster, stat, wait_until
from running_engine import (
    REAL,
    TINY,
    model_path,
    models,
    running,
    session,
    state,
    stopped,
)

__all__ = [
    "REAL",
    "TINY",
    "Cluster",
    "batches",
    "database",
    "drain",
    "identity",
    "inferences",
    "models",
    "postmaster",
    "progress",
    "queue_of",
    "queued",
    "running",
    "server_of",
    "session",
    "settled",
    "stat",
    "state",
    "stopped",
    "wait_until",
    "workers",
]

WORKERS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type LIKE 'itembank%%'"""


@contextmanager
def server_of(name: str, **settings: object) -> Iterator[Cluster]:
    """A private server that runs, and is gone afterwards; settings are those of ALTER SYSTEM."""
    made = Cluster(name)
    try:
        made.start()
        with made.connect() as admin:
            for key, value in settings.items():
                change = quoting.SQL("ALTER SYSTEM SET {} = {}")
                named = quoting.Identifier(*key.split("__"))
                admin.execute(change.format(named, quoting.Literal(str(value))))
            admin.execute("SELECT pg_reload_conf()")
        yield made
    finally:
        made.destroy()


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """A fresh database of the server with the extension: its URL. Dropped with all its sessions.

    The models' path is the database's, so that its worker finds the tiny ones, too.
    """
    identifier = quoting.Identifier(name)
    drop = quoting.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(drop)
        admin.execute(quoting.SQL("CREATE DATABASE {}").format(identifier))
        change = quoting.SQL("ALTER DATABASE {} SET itembank_embed.model_path = {}")
        admin.execute(change.format(identifier, quoting.Literal(model_path())))
        try:
            place = psycopg.conninfo.make_conninfo(url, dbname=name)
            with psycopg.connect(place, autocommit=True) as first:
                first.execute("SET client_min_messages = error")
                first.execute("CREATE EXTENSION itembank_embed CASCADE")
            yield place
        finally:
            admin.execute(drop)


def queue_of(sql: psycopg.Connection, table: str, target: str = "embedding") -> str | None:
    """The column's work list as SQL names it; None where it is no embedding column."""
    query = "SELECT queue::text FROM embedding_columns WHERE tbl = %s::regclass AND target = %s"
    found = sql.execute(query, (table, target)).fetchone()
    return found and found[0]


def queued(sql: psycopg.Connection, table: str, target: str = "embedding") -> int:
    """How many entries it has, failed ones included."""
    return sql.execute(f"SELECT count(*) FROM {queue_of(sql, table, target)}").fetchone()[0]


def drain(sql: psycopg.Connection, table: str, target: str = "embedding", batch: int = 100):
    """Works on the list as a worker would, until it holds nothing that is due."""
    counts = dict.fromkeys(("taken", "embedded", "shared", "unchanged", "failed", "busy"), 0)
    with sql.cursor(row_factory=dict_row) as cursor:
        while True:
            query = "SELECT * FROM embedding_drain(%s::regclass, %s, %s)"
            found = cursor.execute(query, (table, target, batch)).fetchone()
            if not found["taken"]:
                return counts
            for name, number in found.items():
                counts[name] += number


def settled(sql: psycopg.Connection, table: str, target: str = "embedding", timeout=60) -> None:
    """Works beside the worker, where there is one, until the list holds recorded failures alone."""
    query = f"SELECT count(*) FROM {queue_of(sql, table, target)} WHERE attempts = 0"

    def done() -> bool:
        drain(sql, table, target)
        return sql.execute(query).fetchone() == (0,)

    wait_until(done, timeout, "the list is empty")


def inferences(sql: psycopg.Connection, model: str = TINY) -> int:
    """Rows that the engine has run of a model."""
    return models(sql).get(model, {}).get("items", 0)


def batches(sql: psycopg.Connection, model: str = TINY) -> int:
    """Runs of it."""
    return models(sql).get(model, {}).get("batches", 0)


def progress(sql: psycopg.Connection, table: str, target: str = "embedding") -> dict | None:
    """The column's row of `itembank_progress`."""
    with sql.cursor(row_factory=dict_row) as cursor:
        query = "SELECT * FROM itembank_progress WHERE tbl = %s::regclass AND target = %s"
        return cursor.execute(query, (table, target)).fetchone()


def workers(sql: psycopg.Connection) -> list[int]:
    """Processes of this database's background workers."""
    return [pid for (pid,) in sql.execute(WORKERS).fetchall()]


def quiet(seconds: float) -> None:
    """Time in which something could happen that must not."""
    time.sleep(seconds)
