"""The engine process as a bench sees it: its status, its memory, whether it batches, its end."""

import os
import signal
import time
from pathlib import Path

import psycopg

MODEL = os.environ.get("MODEL", "multilingual-e5-small")
PATIENCE = 30


def connect(engine: str = "server", **settings) -> psycopg.Connection:
    """A session that embeds each text anew by this engine."""
    connection = psycopg.connect(
        os.environ["ITEMBANK_TEST_URL"], autocommit=True, options=options(engine, **settings)
    )
    return connection


def options(engine: str, **settings) -> str:
    """The same for any client of libpq, as PGOPTIONS or `options`."""
    every = {"engine": engine, "cache_size": 0, **settings}
    return " ".join(f"-c itembank_embed.{name}={value}" for name, value in every.items())


def status(connection: psycopg.Connection) -> dict:
    """`engine_status()`."""
    cursor = connection.execute("SELECT * FROM engine_status()")
    return dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))


def models(connection: psycopg.Connection) -> dict[str, dict]:
    """`engine_models()` by name."""
    cursor = connection.execute("SELECT * FROM engine_models()")
    names = [column.name for column in cursor.description]
    found = [dict(zip(names, one, strict=True)) for one in cursor.fetchall()]
    return {one["name"]: one for one in found}


def set_batching(connection: psycopg.Connection, on: bool) -> None:
    """Switches batching for all sessions, and waits until the engine runs rows that way."""
    alter(connection, "batching", "on" if on else "off")
    deadline = time.monotonic() + PATIENCE
    rows = 8
    query = "SELECT count(e) FROM unnest(embed(%s, array_fill('a'::text, ARRAY[%s]))) AS e"
    while True:
        connection.execute("SELECT engine_reset_statistics()")
        connection.execute(query, (MODEL, rows))
        if (status(connection)["batches"] < rows) == on:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the engine does not take over batching = {on}")
        time.sleep(0.05)


def alter(connection: psycopg.Connection, name: str, value: str) -> None:
    """A setting of the whole server."""
    connection.execute(f"ALTER SYSTEM SET itembank_embed.{name} = '{value}'")
    connection.execute("SELECT pg_reload_conf()")


def kill(connection: psycopg.Connection) -> None:
    """Ends the engine as a crash would, and waits until its process is no more."""
    pid = status(connection)["pid"]
    os.kill(pid, signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.0002)


def is_running(pid: int) -> bool:
    """Whether anything of a process is left: its sockets close with its last thread."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return len(threads) > 1 or state not in "ZX"
