"""P6: back-fill of an embedding column, in SQL against a client in Python that embeds and updates.

Rows/s of `UPDATE … unnest(ids, embed(model, texts))` in chunks of 1000 (README, many rows at once)
over those of an application in Python that uses sentence-transformers or fastembed, with the same
weights, batches of 32 and psycopg's executemany (see libraries.py; their imports and loads are not
counted). Must reach 1.5 against sentence-transformers and 1.2 against fastembed. Beside it,
INSERT … SELECT from the same array form, and what sentence-transformers does over onnxruntime.

Rows: ROWS questions and whole items of the sample item bank. All sides in turn, ROUNDS times,
medians of the rounds and of their ratios; both write the same column, which is NULL before. First
all embed some of the texts: cosines below 0.9999 end the bench.

Variables: ROUNDS (5), ROWS (1000).
"""

import os
from collections.abc import Callable
from functools import partial

import psycopg
from engine_process import MODEL, connect
from inputs import questions, whole_items
from library_client import FASTEMBED, ONNXRUNTIME, SENTENCE_TRANSFORMERS, LibraryClient
from measure import heading, in_turn, load, row, seconds

ROUNDS = int(os.environ.get("ROUNDS", "5"))
ROWS = int(os.environ.get("ROWS", "1000"))
CHUNK = 1000

UPDATE = """
UPDATE bench_items SET embedding = batch.vector
FROM (SELECT array_agg(id ORDER BY id) AS ids, array_agg(text ORDER BY id) AS texts
      FROM bench_items WHERE id > %(after)s AND id <= %(after)s + %(chunk)s) AS chunk,
     unnest(ids, embed(%(model)s, texts)) AS batch(id, vector)
WHERE bench_items.id = batch.id"""
INSERT = """
INSERT INTO bench_copies (id, embedding)
SELECT batch.* FROM (SELECT array_agg(id ORDER BY id) AS ids, array_agg(text ORDER BY id) AS texts
      FROM bench_items WHERE id > %(after)s AND id <= %(after)s + %(chunk)s) AS chunk,
     unnest(ids, embed(%(model)s, texts)) AS batch(id, vector)"""


def by_sql(sql: psycopg.Connection, statement: str) -> None:
    """In chunks, in one transaction."""
    with sql.transaction():
        for after in range(0, ROWS, CHUNK):
            sql.execute(statement, {"after": after, "chunk": CHUNK, "model": MODEL})


def make_table(sql: psycopg.Connection) -> None:
    rows = [*questions(), *whole_items().values()]
    sql.execute("DROP TABLE IF EXISTS bench_items, bench_copies")
    sql.execute(
        "CREATE TABLE bench_items (id int PRIMARY KEY, text text NOT NULL, embedding vector)"
    )
    sql.execute("CREATE TABLE bench_copies (id int PRIMARY KEY, embedding vector)")
    with sql.cursor() as cursor:
        values = [(n + 1, rows[n % len(rows)]) for n in range(ROWS)]
        cursor.executemany("INSERT INTO bench_items VALUES (%s, %s)", values)


def timed(sql: psycopg.Connection, work: Callable[[], None], table: str) -> Callable[[], float]:
    """Rows/s; the column is empty before, and full afterwards."""

    def rate() -> float:
        sql.execute("TRUNCATE bench_copies")
        sql.execute("UPDATE bench_items SET embedding = NULL")
        sql.execute("VACUUM bench_items")
        took = seconds(work)
        filled = sql.execute(f"SELECT count(embedding) FROM {table}").fetchone()[0]
        if filled != ROWS:
            raise AssertionError(f"{filled} vectors for {ROWS} rows")
        return ROWS / took

    return rate


def main() -> None:
    client = LibraryClient()
    with connect() as sql:
        make_table(sql)
        client.check(sql, MODEL, questions()[:32])
        works = {
            "update": timed(sql, lambda: by_sql(sql, UPDATE), "bench_items"),
            "insert": timed(sql, lambda: by_sql(sql, INSERT), "bench_copies"),
        }
        for name in (SENTENCE_TRANSFORMERS, FASTEMBED, ONNXRUNTIME):
            works[name] = timed(sql, partial(client.backfill, name), "bench_items")
        found = in_turn(works, ROUNDS)
    print(f"{MODEL}, {ROWS} questions and whole items, {ROUNDS} rounds, {load()}")
    heading()
    row("    rows/s, UPDATE by the array form", found["update"])
    row("    rows/s, INSERT … SELECT by the array form", found["insert"])
    client.report(found, {"UPDATE": "update", "INSERT … SELECT": "insert"})


if __name__ == "__main__":
    main()
