"""Memory of Rust's, outside of PostgreSQL's contexts, is bounded.

A failed allocation there would end all sessions. The caps are reached by few rows that are wide.
"""

import threading
import time

import psycopg
import pytest

MEGABYTES = "repeat('x', 10000000)"
# 2.2 GB, one row a query and document.
WIDE = f"SELECT {{query}}, g || {MEGABYTES}, 1 FROM generate_series(1, 220) AS g"
TOO_LARGE = {
    "a run": ("evaluate", WIDE.format(query="1"), "SELECT 1, 1, 1"),
    "two runs together": (
        "compare_runs",
        WIDE.format(query="1").replace("220", "120"),
        WIDE.format(query="1").replace("220", "120"),
        "SELECT 1, 1, 1",
    ),
    "rows with ranks": ("evaluation_run", WIDE.format(query="1")),
    "rows as they are": ("evaluation_rows", WIDE.format(query="NULL")),
}


@pytest.fixture
def session(url):
    with psycopg.connect(url, autocommit=True) as made:
        yield made


def resident(session: psycopg.Connection) -> int:
    """Bytes that its process has of the kernel."""
    query = "SELECT pg_read_file('/proc/' || pg_backend_pid() || '/statm')"
    return int(session.execute(query).fetchone()[0].split()[1]) * 4096


@pytest.mark.parametrize("what", TOO_LARGE)
def test_an_evaluation_is_bounded(session, what):
    function, *queries = TOO_LARGE[what]
    session.execute("LOAD 'itembank_embed'")
    before = resident(session)
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="evaluation is too large") as got:
        session.execute(
            f"SELECT count(*) FROM {function}({', '.join(['%s'] * len(queries))})", queries
        )
    assert got.value.diag.message_detail and got.value.diag.message_hint
    assert resident(session) < before + 100_000_000, "it is given back"
    # Nothing of it counts any more.
    query = "SELECT count(*) FROM evaluate('SELECT 1, 1, 1', 'SELECT 1, 1, 1')"
    assert session.execute(query).fetchone()[0] > 0


def test_values_of_many_queries_are_bounded(session):
    """They are known before anything is computed."""
    metrics = [f"recall@{k}" for k in range(1, 1001)]
    judgements = "SELECT g, 1, 1 FROM generate_series(1, 300000) AS g"
    query = "SELECT count(*) FROM evaluate('SELECT 1, 1, 1', %s, %s)"
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="evaluation is too large"):
        session.execute(query, (judgements, metrics))


@pytest.mark.parametrize("group", ["1", "mod(g, 40)"])
def test_states_of_aggregates_are_bounded(session, group):
    """Those of all groups together; and nothing is lost by the error."""
    session.execute("SET hash_mem_multiplier = 1000; SET work_mem = '1GB'")
    query = f"""
        SELECT {group}, recall_at_k(g || {MEGABYTES}, 1, 1, 10)
        FROM generate_series(1, %s) AS g GROUP BY 1"""
    after = []
    for _ in range(3):
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="evaluation is too large"):
            session.execute(query, (220,))
        after.append(resident(session))
    print(after)
    # The allocator keeps some of what was freed, and uses it again.
    assert after[0] < 1 << 30 and after[2] < after[0] + 50_000_000, "it is given back"
    assert session.execute(query, (80,)).fetchone()[1] == 1


def test_ten_million_rows_of_a_run_are_fine(session):
    """10,000 queries with a thousand documents each; here a third, for the time it takes."""
    run = "SELECT g / 1000, lpad(g::text, 36, '0'), -g FROM generate_series(0, 2999999) AS g"
    judgements = "SELECT g, lpad((g * 1000)::text, 36, '0'), 1 FROM generate_series(0, 2999) AS g"
    query = "SELECT value FROM evaluate(%s, %s, '{mrr}') WHERE query_id IS NULL"
    assert session.execute(query, (run, judgements)).fetchone() == (1,)


@pytest.mark.parametrize("how", ["cancel", "statement_timeout"])
def test_fetching_is_broken_off(session, how):
    endless = "SELECT 1, 1, NULL::int FROM generate_series(1, 2000000000) AS g"
    query = "SELECT count(*) FROM evaluate('SELECT 1, 1, 1', %s)"
    if how == "cancel":
        timer = threading.Timer(1, session.cancel_safe)
        timer.start()
    else:
        session.execute("SET statement_timeout = '1s'")
    began = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(query, (endless,))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("asked", ["wide, 'a'", "'q', 'a', instruction => wide", "'q', wide"])
def test_a_window_of_many_large_values_is_bounded(session, asked):
    """Each query is another, and held until all candidates are scored, as these are."""
    session.execute(
        "CREATE TEMP TABLE asked AS"
        " SELECT g || repeat('x', 100000000) AS wide FROM generate_series(1, 12) AS g"
    )
    with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="rows of one window") as caught:
        session.execute(f"SELECT rerank_batch({asked}) OVER () FROM asked")
    assert "The first 11 of 12" in caught.value.diag.message_detail
