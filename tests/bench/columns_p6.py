"""P6 for embedding columns: back-fill by CALL backfill and by the worker, against Python.

Rows/s of a table that gets its embedding column, over those of an application in Python that embeds
the rows and updates them (see libraries.py and p6.py). Must reach 1.5 against sentence-transformers
and 1.2 against fastembed. Ours write two columns more, commit as they go, and keep a work list; the
application does nothing of that.

All sides in turn, ROUNDS times, on a fresh table of ROWS different texts each: questions and whole
items of the sample item bank. Without an index on the vectors, which all would have to fill alike.

Variables: ROUNDS (5), ROWS (1000).
"""

import os
import time
from collections.abc import Callable
from functools import partial

import psycopg
from engine_process import MODEL, connect
from inputs import questions, whole_items
from library_client import FASTEMBED, ONNXRUNTIME, SENTENCE_TRANSFORMERS, LibraryClient
from measure import heading, in_turn, load, row, seconds

ROUNDS = int(os.environ.get("ROUNDS", "5"))
ROWS = int(os.environ.get("ROWS", "1000"))
PATIENCE = 600
ADD = """
    SELECT add_embedding('bench_items', 'embedding', %s, inputs => 'text', mode => %s,
                         index => false, backfill => %s)"""


def texts() -> list[str]:
    """ROWS different ones."""
    found = list(dict.fromkeys([*questions(), *whole_items().values()]))
    return [found[n] if n < len(found) else f"{found[n % len(found)]} ({n})" for n in range(ROWS)]


def make_table(sql: psycopg.Connection, vectors: bool) -> None:
    """The rows, not embedded; `vectors` for who needs the column to be there."""
    sql.execute("DROP TABLE IF EXISTS bench_items CASCADE")
    sql.execute("CREATE TABLE bench_items (id int PRIMARY KEY, text text NOT NULL)")
    if vectors:
        sql.execute("ALTER TABLE bench_items ADD COLUMN embedding vector")
    with sql.cursor() as cursor, cursor.copy("COPY bench_items (id, text) FROM STDIN") as rows:
        for number, text in enumerate(texts()):
            rows.write_row((number, text))
    sql.execute("VACUUM ANALYZE bench_items")


def by_library(sql: psycopg.Connection, client: LibraryClient, library: str) -> float:
    """What an application does without us."""
    make_table(sql, vectors=True)
    return rate(sql, lambda: client.backfill(library))


def by_call(sql: psycopg.Connection) -> float:
    """In the session that calls it."""
    make_table(sql, vectors=False)
    sql.execute(ADD, (MODEL, "manual", False))
    return rate(sql, lambda: sql.execute("CALL backfill('bench_items')"))


def by_worker(sql: psycopg.Connection) -> float:
    """From add_embedding, which lists the rows, until the list is empty."""

    def work() -> None:
        sql.execute(ADD, (MODEL, "queue", None))
        query = "SELECT queue::text FROM embedding_columns WHERE tbl = 'bench_items'::regclass"
        queue = sql.execute(query).fetchone()[0]
        deadline = time.monotonic() + PATIENCE
        while sql.execute(f"SELECT EXISTS (SELECT FROM {queue})").fetchone()[0]:
            if time.monotonic() > deadline:
                raise TimeoutError("the worker does not end")
            time.sleep(0.01)

    make_table(sql, vectors=False)
    return rate(sql, work)


def rate(sql: psycopg.Connection, work: Callable[[], object]) -> float:
    """Rows/s."""
    took = seconds(work)
    filled = sql.execute("SELECT count(embedding) FROM bench_items").fetchone()[0]
    if filled != ROWS:
        raise AssertionError(f"{filled} vectors for {ROWS} rows")
    return ROWS / took


def main() -> None:
    client = LibraryClient()
    with connect() as sql:
        sql.execute("SET client_min_messages = warning")
        client.check(sql, MODEL, texts()[:32])
        works = {"call": lambda: by_call(sql), "worker": lambda: by_worker(sql)}
        for name in (SENTENCE_TRANSFORMERS, FASTEMBED, ONNXRUNTIME):
            works[name] = partial(by_library, sql, client, name)
        found = in_turn(works, ROUNDS)
    print(f"{MODEL}, {ROWS} questions and whole items, {ROUNDS} rounds, {load()}")
    heading()
    row("    rows/s, CALL backfill", found["call"])
    row("    rows/s, the background worker", found["worker"])
    client.report(found, {"CALL backfill": "call", "worker": "worker"})


if __name__ == "__main__":
    main()
