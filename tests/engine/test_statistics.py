"""Counts of the engine are those of what was sent."""

import json
import time

import psycopg
import pytest
from callers import Caller, Callers
from conftest import ROOT
from process import wait_until
from running_engine import (
    LONG,
    MANY,
    ONE,
    QUERY_CANCELED,
    REAL,
    TINY,
    models,
    running,
    session,
    state,
)

pytestmark = pytest.mark.server

NONE = "SELECT count(*) FROM unnest(embed(%s, ARRAY['a', NULL, 'b', NULL]))"


@pytest.fixture
def calling(url):
    """A session, all counts zero."""
    with session(url) as connection:
        running(connection)
        connection.execute(ONE, (TINY, "a"))
        connection.execute("SELECT engine_reset_statistics()")
        yield connection


def test_what_was_answered(calling):
    for n in range(3):
        calling.execute(ONE, (TINY, f"text {n}"))
    calling.execute(MANY, (TINY, "many", 100))
    calling.execute(NONE, (TINY,))
    found, all_ = models(calling)[TINY], state(calling)
    assert (found["requests"], found["items"]) == (5, 3 + 100 + 2)
    for name in ("requests", "items", "batches", "failures", "canceled"):
        assert all_[name] == found[name], name
    assert 5 <= found["batches"] < 105 and found["largest_batch"] > 1
    assert found["mean_batch"] == pytest.approx(found["items"] / found["batches"])
    counted = {text: tokens(calling, text) for text in ("text 0", "many", "a", "b")}
    total = 3 * counted["text 0"] + 100 * counted["many"] + counted["a"] + counted["b"]
    assert found["tokens"] == total and found["padding_share"] == pytest.approx(0, abs=0.05)
    for kind in ("queue", "run"):
        p50, p95, p99 = (found[f"{kind}_{quantile}_ms"] for quantile in ("p50", "p95", "p99"))
        assert 0 <= p50 <= p95 <= p99 < 10_000
    assert found["queued"] == 0 and found["idle_seconds"] < 10


def tokens(connection, text):
    """As the model counts, without that being counted: in a session with models of its own."""
    connection.execute("SET itembank_embed.engine = 'backend'")
    row = connection.execute("SELECT used FROM count_tokens(%s, %s)", (TINY, text)).fetchone()
    connection.execute("SET itembank_embed.engine = 'auto'")
    return row[0]


FAILURES = {
    "22P03": ("SELECT embed('tiny-siglip', NULL, '\\x00'::bytea)", "tiny-siglip"),
    "22023": (f"SELECT embed('{TINY}', 'a', dimensions => 7)", TINY),
    "42704": ("SELECT embed('no-such-model', 'a')", "(other)"),
    "54000": (f"SELECT embed('{TINY}', repeat('a', 1000000))", TINY),
}


def test_what_failed(calling):
    for code, (query, _) in FAILURES.items():
        error = pytest.raises(psycopg.Error, calling.execute, query).value
        assert error.sqlstate == code, error
    found = models(calling)
    for code, (_, model) in FAILURES.items():
        assert as_json(found[model]["failures_by_code"]).get(code) == 1, (code, found[model])
    assert state(calling)["failures"] == len(FAILURES) and state(calling)["requests"] == 0


def as_json(value):
    """psycopg's form of jsonb, whatever it is told to load it as."""
    return json.loads(value) if isinstance(value, str) else value


def test_what_was_cancelled(calling, url):
    """Once its rows are in the queue."""
    calling.execute(ONE, (REAL, "a"))
    calling.execute("SELECT engine_reset_statistics()")
    for _ in range(3):
        with Callers([Caller(url, MANY, (REAL, LONG, 300))]) as caller:
            wait_until(lambda: state(calling)["queued"] > 0, 20, "rows wait")
            caller[0].stopping.set()
            caller[0].connection.cancel()
        assert [error.sqlstate for error in caller.errors()] == [QUERY_CANCELED]
        wait_until(lambda: state(calling)["queued"] == 0, what="nothing waits any more")
    # Rows that a run had taken are counted when it ends.
    wait_until(lambda: models(calling)[REAL]["canceled"] == 3, 20, "the last is counted")
    found = models(calling)[REAL]
    assert (found["requests"], found["canceled"], found["failures"]) == (0, 3, 0)


def test_reset_and_restart_begin_anew(calling, url):
    calling.execute(ONE, (TINY, "a"))
    assert state(calling)["requests"] == 1
    calling.execute("SELECT engine_reset_statistics()")
    after = models(calling)[TINY]
    assert (after["requests"], after["items"], after["run_p50_ms"]) == (0, 0, None)
    assert after["loaded"] and after["load_seconds"] > 0
    assert state(calling)["statistics_since"].total_seconds() < 5


def test_queue_and_run_are_told_apart(calling):
    """An array waits for itself: its last row's time in the queue is that of all runs before it."""
    calling.execute(ONE, (REAL, "a"))
    calling.execute("SELECT engine_reset_statistics()")
    began = time.monotonic()
    calling.execute(MANY, (REAL, "a text of some ten tokens or so", 300))
    took = (time.monotonic() - began) * 1000
    found = models(calling)[REAL]
    print({name: found[name] for name in found if name.endswith("_ms")}, f"{took:.0f} ms in all")
    assert found["run_p95_ms"] < found["queue_p95_ms"] <= took * 1.2
    assert found["run_p50_ms"] * found["batches"] < took * 2


def test_connections_are_counted(calling, url):
    before = state(calling)["connections"]
    with session(url) as one, session(url) as other:
        for connection in (one, other):
            connection.execute(ONE, (TINY, "a"))
        assert state(calling)["connections"] == before + 2
    wait_until(lambda: state(calling)["connections"] == before, what="they are gone")


def test_pictures_and_scores_are_rows_too(calling):
    picture = (ROOT / "tests/fixtures/images/png-rgb8.png").read_bytes()
    calling.execute("SELECT embed('tiny-siglip', NULL, %s::bytea)", (picture,))
    calling.execute(
        "SELECT * FROM rerank('q', ARRAY['a', 'b', 'a', NULL], model => 'tiny-cross-bert')"
    )
    found = models(calling)
    assert (found["tiny-siglip"]["requests"], found["tiny-siglip"]["items"]) == (1, 1)
    # A candidate that is there twice is asked for once.
    assert (found["tiny-cross-bert"]["requests"], found["tiny-cross-bert"]["items"]) == (1, 2)
