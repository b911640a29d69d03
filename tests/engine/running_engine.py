"""The engine process of the throw-away server as SQL shows it, and settings changed for a test."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from conftest import setting
from process import Process, as_server, stat, wait_until
from psycopg import sql as quoting
from psycopg.rows import dict_row

CONNECTION_FAILURE = "08006"
INSUFFICIENT_PRIVILEGE = "42501"
INSUFFICIENT_RESOURCES = "53000"
NOT_IN_PREREQUISITE_STATE = "55000"
QUERY_CANCELED = "57014"

TINY = "tiny-bert"
REAL = "multilingual-e5-small"
ONE = "SELECT embed(%s, %s)::text"
MANY = "SELECT count(e) FROM unnest(embed(%s, array_fill(%s::text, ARRAY[%s]))) AS e"
RESET = quoting.SQL("ALTER SYSTEM RESET {}")
LONG = "이차방정식의 두 근의 합과 곱을 구하시오. " * 400


def data() -> Path:
    """The server's data directory."""
    return Path(setting("ITEMBANK_TEST_DATA"))


def folder() -> Path:
    """Where the engine's socket is."""
    return data() / "itembank_embed" / "engine"


def model_path() -> str:
    """The tiny models and the real one."""
    return f"{setting('ITEMBANK_FIXTURES')}:{setting('ITEMBANK_MODELS')}"


def session(url: str, **settings: object) -> psycopg.Connection:
    """A session that finds the tiny models and the real one, and remembers no vector."""
    connection = psycopg.connect(url, autocommit=True)
    for name, value in {"model_path": model_path(), "cache_size": "0", **settings}.items():
        query = "SELECT set_config(%s, %s, false)"
        connection.execute(query, (f"itembank_embed.{name}", str(value)))
    return connection


def state(connection: psycopg.Connection) -> dict:
    """The one row of `engine_status()`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM engine_status()").fetchone()


def models(connection: psycopg.Connection) -> dict[str, dict]:
    """The rows of the view `itembank_engine`, by model."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM itembank_engine").fetchall()
    return {row["name"]: row for row in rows}


def is_loaded(connection: psycopg.Connection, model: str) -> bool:
    """Whether the engine holds it."""
    return models(connection).get(model, {}).get("loaded", False)


def found(connection: psycopg.Connection) -> Process | None:
    """The engine, if it answers; what is no engine cannot be asked."""
    with suppress(psycopg.Error):
        now = state(connection)
        # It may have ended since it answered.
        if now["state"] == "running" and stat(now["pid"]):
            return Process.of(now["pid"])
    return None


def running(connection: psycopg.Connection, timeout: float = 20) -> Process:
    """The engine, once it runs."""
    answers: list[Process] = []

    def look() -> bool:
        answers.extend(filter(None, [found(connection)]))
        return bool(answers)

    wait_until(look, timeout, "the engine runs")
    return answers[0]


def another(connection: psycopg.Connection, than: Process, timeout: float = 20) -> Process:
    """The engine that has come after this one."""
    wait_until(lambda: not than.is_alive(), timeout, "the engine has ended")
    return running(connection, timeout)


def kill(process: Process, number: int = signal.SIGKILL) -> None:
    """Sends it a signal."""
    os.kill(process.pid, number)


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """As if it hung."""
    kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        if process.is_alive():
            kill(process, signal.SIGCONT)


@contextmanager
def limited(process: Process, resource: str, most: int) -> Iterator[None]:
    """A limit of the system's on it for a while, named as `prlimit` names it."""
    about = ("prlimit", "--pid", process.pid)
    before = as_server(*about, f"--{resource}", "--noheadings", "--output", "SOFT").strip()
    as_server(*about, f"--{resource}={most}:")
    try:
        yield
    finally:
        # It may be about to end of that very limit.
        try:
            as_server(*about, f"--{resource}={before}:")
        except AssertionError:
            if process.is_alive():
                raise


def alter(connection: psycopg.Connection, **settings: object) -> None:
    """Changes the server's settings, None for the default; they hold some milliseconds later."""
    for name, value in settings.items():
        change = quoting.SQL("ALTER SYSTEM SET {} = {}") if value is not None else RESET
        named = quoting.Identifier("itembank_embed", name)
        connection.execute(change.format(named, quoting.Literal(value)))
    connection.execute("SELECT pg_reload_conf()")


@contextmanager
def altered(connection: psycopg.Connection, **settings: object) -> Iterator[None]:
    """Other settings of the server for a while; afterwards its engine runs as before."""
    alter(connection, **settings)
    try:
        yield
    finally:
        alter(connection, **dict.fromkeys(settings))
        # Nothing shows when an engine that runs has heard of them.
        connection.execute("SELECT pg_sleep(0.2)")
        running(connection, 40)


@contextmanager
def other_engine(connection: psycopg.Connection, **settings: object) -> Iterator[Process]:
    """Settings that an engine heeds at its start alone; another one starts afterwards too."""
    with altered(connection, **settings):
        before = running(connection)
        kill(before)
        yield another(connection, before)
    before = running(connection)
    kill(before)
    another(connection, before)
