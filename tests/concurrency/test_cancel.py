"""Cancel, timeouts and termination while models load and run."""

import random
import threading
import time
from pathlib import Path

import psycopg
import pytest
from conftest import ROOT, setting

MODEL = "multilingual-e5-small"
LONG = "이차방정식의 두 근의 합과 곱을 구하시오. " * 400
BATCH = f"SELECT count(*) FROM unnest(embed('{MODEL}', array_fill(%s::text, ARRAY[1000]))) AS e"
QUERY_CANCELED = "57014"
ADMIN_SHUTDOWN = "57P01"


def warm(connection):
    connection.execute(f"SELECT embed('{MODEL}', 'a')")


def until_free(connection, query, parameters, sqlstate):
    """Seconds until the statement ended with `sqlstate`."""
    start = time.monotonic()
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(query, parameters)
    assert caught.value.sqlstate == sqlstate, str(caught.value)
    return time.monotonic() - start


def test_a_timeout_ends_a_running_batch_soon(sql):
    warm(sql)
    overruns = []
    for timeout in (50, 200, 500, 900, 1300):
        sql.execute(f"SET statement_timeout = {timeout}")
        overruns.append(until_free(sql, BATCH, (LONG,), QUERY_CANCELED) - timeout / 1000)
        sql.execute("SET statement_timeout = 0")
    print("overrun, s:", [round(o, 4) for o in overruns])
    # Half a second for the worst of five: another program may have both cores for a moment.
    assert sorted(overruns)[len(overruns) // 2] < 0.1 and max(overruns) < 0.5
    assert sql.execute(f"SELECT vector_dims(embed('{MODEL}', 'still there'))").fetchone() == (384,)


@pytest.mark.parametrize("model", ["tiny-siglip", "tiny-qwen3-vl"])
def test_a_timeout_ends_a_batch_of_images(sql, model):
    picture = (ROOT / "tests/fixtures/images/png-rgb8.png").read_bytes()
    models = setting("ITEMBANK_FIXTURES")
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (models,))
    one = f"SELECT embed('{model}', NULL, %s::bytea)::text"
    before = sql.execute(one, (picture,)).fetchone()
    many = f"SELECT embed('{model}', NULL::text[], array_fill(%s::bytea, ARRAY[20000]))"
    sql.execute("SET statement_timeout = 200")
    assert until_free(sql, many, (picture,), QUERY_CANCELED) < 0.2 + 0.5
    sql.execute("SET statement_timeout = 0")
    assert sql.execute(one, (picture,)).fetchone() == before


RERANKINGS = {
    "array": "SELECT count(*) FROM rerank(%s, (SELECT array_agg({0}) FROM {1}))",
    "window": "SELECT count(s) FROM (SELECT rerank_batch(%s, {0}) OVER () AS s FROM {1}) AS t",
    "rows": "SELECT count(rerank_score(%s, {0})) FROM {1}",
}


@pytest.mark.parametrize("form", RERANKINGS)
def test_a_timeout_ends_a_reranking(sql, form):
    rows = f"'{LONG}' || n", "generate_series(1, 1000) AS n"
    ask = "SELECT rerank_score('두 근의 합은?', '두 근의 합과 곱')"
    before = sql.execute(ask).fetchone()
    overruns = []
    for timeout in (100, 300, 700):
        sql.execute(f"SET statement_timeout = {timeout}")
        query = RERANKINGS[form].format(*rows)
        overruns.append(until_free(sql, query, ("두 근의 합은?",), QUERY_CANCELED) - timeout / 1000)
        sql.execute("SET statement_timeout = 0")
    print("overrun, s:", [round(o, 4) for o in overruns])
    assert sorted(overruns)[1] < 0.1 and max(overruns) < 0.5
    assert sql.execute(ask).fetchone() == before


def test_a_timeout_ends_a_reranking_of_images(sql):
    picture = (ROOT / "tests/fixtures/images/png-rgb8.png").read_bytes()
    models = setting("ITEMBANK_FIXTURES")
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (models,))
    sql.execute("SET itembank_embed.rerank_model = 'tiny-qwen3-vl-reranker'")
    one = "SELECT rerank_score('a', 'b', %s::bytea)"
    before = sql.execute(one, (picture,)).fetchone()
    # No two are the same: bytes behind a picture's end are no part of it.
    rows = (
        "SELECT array_agg(%s::bytea || int4send(n)) AS images FROM generate_series(1, 20000) AS n"
    )
    sql.execute(f"CREATE TEMP TABLE pictures AS {rows}", (picture,))
    many = "SELECT count(*) FROM pictures, rerank('a', NULL, NULL, images)"
    sql.execute("SET statement_timeout = 700")
    assert until_free(sql, many, (), QUERY_CANCELED) < 0.7 + 0.5
    sql.execute("SET statement_timeout = 0")
    assert sql.execute(one, (picture,)).fetchone() == before


def test_a_cancel_ends_a_running_batch_soon(sql, url):
    warm(sql)
    pid = sql.info.backend_pid
    waits = []
    for _ in range(5):
        asked = []

        def cancel(asked=asked):
            time.sleep(random.uniform(0.2, 0.8))
            with psycopg.connect(url, autocommit=True) as other:
                asked.append(time.monotonic())
                other.execute("SELECT pg_cancel_backend(%s)", (pid,))

        thread = threading.Thread(target=cancel)
        thread.start()
        until_free(sql, BATCH, (LONG,), QUERY_CANCELED)
        waits.append(time.monotonic() - asked[0] if asked else 0)
        thread.join()
    print("cancel to free, s:", [round(w, 4) for w in waits])
    assert sorted(waits)[len(waits) // 2] < 0.1 and max(waits) < 0.5


@pytest.mark.backend
@pytest.mark.parametrize("timeout", [10, 60, 150, 250])
def test_a_timeout_ends_a_load_soon(url, timeout):
    """A load takes about a second, so each of these falls into it; the next call loads anew."""
    with psycopg.connect(url, autocommit=True) as fresh:
        fresh.execute("LOAD 'itembank_embed'")
        fresh.execute(f"SET statement_timeout = {timeout}")
        seconds = until_free(fresh, f"SELECT embed('{MODEL}', 'a')", (), QUERY_CANCELED)
        overrun = seconds - timeout / 1000
        print("overrun, s:", round(overrun, 4))
        assert overrun < 0.3
        fresh.execute("SET statement_timeout = 0")
        warm(fresh)


def test_a_cancelled_statement_stores_nothing_and_a_savepoint_survives(sql):
    sql.execute(f"""CREATE TEMP TABLE t (x text,
        e vector(384) GENERATED ALWAYS AS (embed('{MODEL}', x)) STORED)""")
    warm(sql)
    with sql.transaction():
        sql.execute("INSERT INTO t VALUES ('first')")
        with pytest.raises(psycopg.errors.QueryCanceled), sql.transaction():
            sql.execute("SET LOCAL statement_timeout = 100")
            sql.execute("INSERT INTO t SELECT %s || n FROM generate_series(1, 1000) n", (LONG,))
        sql.execute("INSERT INTO t VALUES ('last')")
    assert sql.execute("SELECT count(*), count(e) FROM t").fetchone() == (2, 2)


def threads_of(pid):
    tasks = Path(f"/proc/{pid}/task")
    return [(t / "status").read_text() for t in tasks.iterdir()] if tasks.exists() else []


@pytest.mark.backend
def test_postgres_signals_reach_the_main_thread_alone(sql):
    """SIGUSR1, SIGALRM, SIGINT, SIGTERM, SIGHUP are blocked in every thread but the main one."""
    warm(sql)
    pid = sql.info.backend_pid
    others = [s for s in threads_of(pid) if f"Pid:\t{pid}\n" not in s]
    assert len(others) >= 2, "the helper and ONNX Runtime's own"
    for status in others:
        blocked = int(next(x for x in status.splitlines() if x.startswith("SigBlk")).split()[1], 16)
        for signal in (1, 2, 10, 14, 15):
            assert blocked >> (signal - 1) & 1, status


@pytest.mark.backend
def test_stopped_loads_do_not_pile_up(url):
    """Each leaves its load behind; there is never more than one, and the last is made use of."""
    with psycopg.connect(url, autocommit=True) as fresh:
        fresh.execute("LOAD 'itembank_embed'")
        fresh.execute("SET statement_timeout = 15")
        for _ in range(25):
            until_free(fresh, f"SELECT count_tokens('{MODEL}', 'a')", (), QUERY_CANCELED)
            assert len(threads_of(fresh.info.backend_pid)) <= 3
        fresh.execute("SET statement_timeout = 0")
        warm(fresh)


def backends(connection):
    """Process ids of the client backends other than this one."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return [row[0] for row in rows]


def until_alone(connection):
    """Sessions of tests before this one may still be ending."""
    deadline = time.monotonic() + 30
    while (left := backends(connection)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def work_until_terminated(url, rounds, seen):
    with psycopg.connect(url, autocommit=True) as victim:
        try:
            while True:
                rounds.append(victim.info.backend_pid)
                victim.execute(BATCH, (LONG,))
        except psycopg.Error as error:
            seen.append(error.sqlstate)


def test_fifty_terminations_at_random_moments(url):
    """During load, during runs, between: no crash, no orphan, nothing odd in the server's log."""
    log = Path(setting("ITEMBANK_TEST_LOG"))
    size = log.stat().st_size
    generator = random.Random(7)
    with psycopg.connect(url, autocommit=True) as admin:
        started = admin.execute("SELECT pg_postmaster_start_time()").fetchone()
        until_alone(admin)
        for _ in range(50):
            rounds, seen = [], []
            thread = threading.Thread(target=work_until_terminated, args=(url, rounds, seen))
            thread.start()
            while not rounds:
                time.sleep(0.001)
            time.sleep(generator.choice([0, 0.01, 0.05, 0.1, 0.3, 0.8, 1.2]) * generator.random())
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (rounds[0],))
            thread.join(10)
            assert not thread.is_alive() and seen == [ADMIN_SHUTDOWN]
            assert not Path(f"/proc/{rounds[0]}").exists()
        assert admin.execute("SELECT pg_postmaster_start_time()").fetchone() == started
        assert backends(admin) == []
    with log.open() as lines:
        lines.seek(size)
        written = lines.read()
    for sign in ("terminated by signal", "PANIC", "panicked", "crash", "onnxruntime", "WARNING"):
        assert sign not in written, sign
