"""One user's columns do not keep the worker from others': not by slow code, nor by number."""

import time

import psycopg
import pytest
from columns_server import (
    database,
    queue_of,
    queued,
    running,
    server_of,
    stopped,
    wait_until,
    workers,
)

pytestmark = pytest.mark.server

# Slow in the worker alone: who inserts evaluates the expression, too.
SLOW = """
    CREATE TABLE gate ();
    CREATE FUNCTION slow(body text) RETURNS text IMMUTABLE LANGUAGE plpgsql
    AS $$ BEGIN {how}; RETURN body; END $$"""
# What catches a cancel, and goes on.
STUBBORN = """
    WHILE body LIKE 'slow%' AND EXISTS (SELECT FROM public.gate) LOOP
        BEGIN PERFORM pg_sleep(1e6); EXCEPTION WHEN query_canceled THEN NULL; END;
    END LOOP"""
SLEEPS = """
    IF body LIKE 'slow%' AND EXISTS (SELECT FROM public.gate) THEN PERFORM pg_sleep(1e6); END IF"""
STATEMENT = "SELECT add_embedding('{}', 'e', 'tiny-bert', '{}', mode => 'queue', index => false)"


@pytest.fixture(scope="module")
def server():
    """One with little patience."""
    with server_of("fairness", itembank_embed__worker_timeout="1s") as made:
        yield made


@pytest.fixture
def sql(server):
    with (
        database(server.url, "columns_fairness") as place,
        psycopg.connect(place, autocommit=True) as made,
    ):
        made.execute("SET client_min_messages = warning")
        yield made


def table(sql, name: str, expression: str = "body") -> None:
    sql.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, body text)")
    sql.execute(STATEMENT.format(name, expression))


def insert(sql, rows: str) -> None:
    """Into m; slow from the commit on."""
    with sql.transaction():
        sql.execute(f"INSERT INTO m {rows}")
        sql.execute("INSERT INTO gate DEFAULT VALUES")


def is_filled(sql, name: str) -> bool:
    return sql.execute(f"SELECT bool_and(e IS NOT NULL) FROM {name}").fetchone()[0]


@pytest.mark.parametrize("how", [SLEEPS, STUBBORN], ids=["sleeps", "stubborn"])
def test_slow_code_does_not_keep_others_waiting(sql, how):
    sql.execute(SLOW.format(how=how))
    table(sql, "m", "slow(body)")
    insert(sql, "SELECT n, 'slow ' || n FROM generate_series(1, 40) AS n")
    time.sleep(0.5)  # it has begun
    for name in ("a", "b"):
        table(sql, name)
        sql.execute(f"INSERT INTO {name} VALUES (1, 'row')")
    for name in ("a", "b"):
        wait_until(lambda name=name: is_filled(sql, name), 40, "others get their turn")


def test_a_slow_row_steps_aside_and_says_why(sql):
    sql.execute(SLOW.format(how=SLEEPS))
    table(sql, "m", "slow(body)")
    insert(
        sql,
        "SELECT n, CASE n WHEN 3 THEN 'slow' ELSE 'row' END || n FROM generate_series(1, 20) AS n",
    )
    wait_until(lambda: queued(sql, "m", "e") == 1, 60, "the other rows are embedded")
    found = sql.execute(f"SELECT key_1, attempts, code, error FROM {queue_of(sql, 'm', 'e')}")
    ((key, attempts, code, error),) = found.fetchall()
    assert (key, attempts, code) == (3, 1, "57014")
    assert "too long" in error and "1 s" in error
    (failed,) = sql.execute("SELECT failures FROM itembank_progress").fetchone()
    assert failed == 1
    # Mended, it is embedded when its time has come.
    sql.execute("UPDATE m SET body = 'row' WHERE id = 3")
    sql.execute(f"UPDATE {queue_of(sql, 'm', 'e')} SET retry_at = now()")
    wait_until(lambda: queued(sql, "m", "e") == 0, 60, "it is tried again")


def test_the_time_of_a_model_does_not_count(server, sql):
    with server.connect() as caller:
        engine = running(caller)
    said = len(server.log.read_text())
    table(sql, "m")
    with stopped(engine):
        sql.execute("INSERT INTO m VALUES (1, 'row')")
        time.sleep(4)
    wait_until(lambda: is_filled(sql, "m"), 5, "the batch went on")
    assert "took too long" not in server.log.read_text()[said:]


def test_many_rows_of_the_registry_are_read_part_by_part(sql):
    """More than a worker reads at once, and a column before and one behind them."""
    for name in ("first", "last"):
        table(sql, name)
        if name == "first":
            sql.execute("CREATE TABLE many (id int PRIMARY KEY, body text)")
    # Rows about columns that are not there are refused, but may be older than that.
    sql.execute("SET session_replication_role = replica")
    sql.execute(
        "INSERT INTO embedding_columns SELECT (jsonb_populate_record(c,"
        " jsonb_build_object('target', 'no_' || n, 'tbl', 'many'))).*"
        " FROM embedding_columns AS c, generate_series(1, 50000) AS n"
        " WHERE tbl = 'first'::regclass"
    )
    sql.execute("RESET session_replication_role")
    for round_ in range(3):
        for name in ("first", "last"):
            sql.execute(f"INSERT INTO {name} VALUES (%s, 'row')", (round_,))
        for name in ("first", "last"):
            wait_until(lambda name=name: is_filled(sql, name), 20, "it gets its turn")
    (worker,) = workers(sql)
    size = sql.execute("SELECT pg_read_file('/proc/' || %s || '/status')", (worker,)).fetchone()[0]
    print(next(line for line in size.splitlines() if line.startswith("VmHWM")))
