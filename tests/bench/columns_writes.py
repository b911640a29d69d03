"""What an embedding column costs who writes: UPDATEs of other columns, INSERTs that it queues.

Three tables of the same rows and columns in turn, ROUNDS times: one without an embedding column,
one in mode statement and one in mode queue. Workers are switched off, so that what is measured is
the writer's own. The vectors are there already: an UPDATE moves them in all three.

Variables: ROUNDS (5), ROWS (5000).
"""

import os
from collections.abc import Callable
from contextlib import contextmanager

import psycopg
from engine_process import connect
from inputs import questions
from measure import heading, in_turn, load, ratios, row, seconds

ROUNDS = int(os.environ.get("ROUNDS", "5"))
ROWS = int(os.environ.get("ROWS", "5000"))
MODEL = "tiny-bert"
SINGLE = 500
MODES = {"plain": None, "statement": "statement", "queue": "queue"}


def make_tables(sql: psycopg.Connection) -> None:
    """Alike to the last vector."""
    for name, mode in MODES.items():
        sql.execute(f"DROP TABLE IF EXISTS bench_{name} CASCADE")
        sql.execute(f"CREATE TABLE bench_{name} (id int PRIMARY KEY, text text, other int)")
        with sql.cursor() as cursor, cursor.copy(f"COPY bench_{name} FROM STDIN") as rows:
            for number in range(ROWS):
                rows.write_row((number, text(number), 0))
        sql.execute(
            "SELECT add_embedding(%s, 'embedding', %s, 'text', mode => %s, index => false,"
            " backfill => true)",
            (f"bench_{name}", MODEL, mode or "statement"),
        )
        if mode is None:
            sql.execute(f"SELECT drop_embedding('bench_{name}', 'embedding', keep_column => true)")
            sql.execute(
                f"ALTER TABLE bench_{name} ADD embedding_hash bytea, ADD embedding_fingerprint text"
            )
            sql.execute(
                f"UPDATE bench_{name} SET embedding_hash = sha256(convert_to(text, 'UTF8')),"
                " embedding_fingerprint = repeat('f', 64)"
            )
            sql.execute(f"CREATE INDEX ON bench_{name} (embedding_hash)")
            sql.execute(f"VACUUM FULL bench_{name}")
        sql.execute(f"VACUUM ANALYZE bench_{name}")


def text(number: int) -> str:
    """Another for each number."""
    return f"{questions()[number % len(questions())]} {number}"


def update_single(sql: psycopg.Connection, name: str) -> Callable[[], float]:
    """Statements/s, each of one row, all in one transaction."""

    def work() -> None:
        with sql.transaction():
            for number in range(SINGLE):
                sql.execute(
                    f"UPDATE bench_{name} SET other = other + 1 WHERE id = %s",
                    (number * 7 % ROWS,),
                    prepare=True,
                )

    return lambda: SINGLE / tidied(sql, name, work)


def update_all(sql: psycopg.Connection, name: str) -> Callable[[], float]:
    """Rows/s of one statement."""
    query = f"UPDATE bench_{name} SET other = other + 1"
    return lambda: ROWS / tidied(sql, name, lambda: sql.execute(query))


def insert_single(sql: psycopg.Connection, name: str) -> Callable[[], float]:
    """Statements/s."""

    def work() -> None:
        with sql.transaction():
            for number in range(SINGLE):
                sql.execute(
                    f"INSERT INTO bench_{name} VALUES (%s, %s, 0)",
                    (ROWS + number, text(number)),
                    prepare=True,
                )

    return lambda: SINGLE / tidied(sql, name, work)


def copy(sql: psycopg.Connection, name: str) -> Callable[[], float]:
    """Rows/s of one COPY."""

    def work() -> None:
        into = f"COPY bench_{name} (id, text, other) FROM STDIN"
        with sql.cursor() as cursor, cursor.copy(into) as rows:
            for number in range(ROWS):
                rows.write_row((ROWS + number, text(number), 0))

    return lambda: ROWS / tidied(sql, name, work)


def tidied(sql: psycopg.Connection, name: str, work: Callable[[], object]) -> float:
    """Seconds of the work; the table is before as it was at first."""
    sql.execute(f"DELETE FROM bench_{name} WHERE id >= {ROWS}")
    found = sql.execute("SELECT queue::text FROM embedding_columns WHERE tbl = %s::regclass",
                        (f"bench_{name}",)).fetchone()  # fmt: skip
    if found:
        sql.execute(f"TRUNCATE {found[0]}")
    sql.execute(f"VACUUM bench_{name}")
    return seconds(work)


@contextmanager
def without_workers(sql: psycopg.Connection):
    sql.execute("ALTER SYSTEM SET itembank_embed.workers = 0")
    sql.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        sql.execute("ALTER SYSTEM RESET itembank_embed.workers")
        sql.execute("SELECT pg_reload_conf()")


def main() -> None:
    path = f"{os.environ['ITEMBANK_FIXTURES']}:{os.environ['ITEMBANK_MODELS']}"
    with connect(model_path=path) as sql, without_workers(sql):
        sql.execute("SET client_min_messages = warning")
        make_tables(sql)
        kinds = {
            "UPDATE of another column, one row": (update_single, ("plain", "statement", "queue")),
            "UPDATE of another column, all rows": (update_all, ("plain", "statement", "queue")),
            "INSERT of one row": (insert_single, ("plain", "queue")),
            "COPY of as many rows": (copy, ("plain", "queue")),
        }
        print(f"{ROWS} rows, {ROUNDS} rounds, {load()}")
        heading()
        for title, (kind, names) in kinds.items():
            found = in_turn({name: kind(sql, name) for name in names}, ROUNDS)
            for name in names:
                row(f"    {title}, per second: {name}", found[name])
            for name in names[1:]:
                row(f"    {title}: {name} / plain", ratios(found[name], found["plain"]))


if __name__ == "__main__":
    main()
