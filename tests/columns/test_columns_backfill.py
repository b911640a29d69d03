"""A back-fill beside writers, broken off in every way; what it says of its progress is true."""

import os
import signal
import time

import psycopg
import pytest
from columns_backfill import HARMLESS, Call, Watch, locks
from columns_bank import item
from columns_server import (
    database,
    inferences,
    progress,
    queued,
    running,
    server_of,
    stopped,
    wait_until,
)
from columns_table import Kept, schema
from conftest import fails, setting

pytestmark = pytest.mark.server

BATCH = 50
ROWS = 3000
CALL = f"CALL backfill('items', 'embedding', batch => {BATCH})"


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_backfill") as made:
        yield made


@pytest.fixture
def sql(place):
    """A session in an empty schema."""
    with schema(place, "backfill") as made:
        yield made


# A model's time without a model's load, which tests beside this one would feel: 0.1 ms a letter.
SLOW = """
    CREATE FUNCTION slow(given text) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(length(given) / 1e4); RETURN given; END $$"""


def table(sql, rows: int = ROWS, mode: str = "manual", inputs: str = "question") -> Kept:
    """So many rows of as many contents, none of them embedded."""
    sql.execute("CREATE TABLE items (id int PRIMARY KEY, question text, other int DEFAULT 0)")
    with sql.cursor() as cursor, cursor.copy("COPY items (id, question) FROM STDIN") as stream:
        for number in range(rows):
            stream.write_row((number, f"{item(number * 6).question_text} {number}"))
    sql.execute("VACUUM ANALYZE items")
    return Kept(sql, mode).make("", inputs=inputs, reads="question", backfill=False)


def embedded(sql) -> int:
    """Rows that have a vector."""
    return sql.execute("SELECT count(embedding) FROM items").fetchone()[0]


def updates(sql) -> int:
    """Row versions written, those of what was broken off included."""
    sql.execute("SELECT pg_stat_clear_snapshot()")
    query = "SELECT n_tup_upd FROM pg_stat_all_tables WHERE relid = 'items'::regclass"
    return sql.execute(query).fetchone()[0]


def test_canceled_at_half(place, sql):
    kept = table(sql)
    before = inferences(sql)
    with Watch(place, "items", "backfill") as watch:
        first = Call(place, CALL, "backfill")
        first.start()
        watch.reaches(50)
        sql.execute("SELECT pg_cancel_backend(%s)", (first.pid,))
        assert first.done().sqlstate == "57014"
        half = progress(sql, "items")
        assert embedded(sql) == half["done"] < ROWS and half["total"] == ROWS
        second = Call(place, CALL, "backfill")
        second.start()
        assert second.done() is None
        time.sleep(0.1)
    watch.assert_never_back()
    watch.assert_of_one_size()
    done = inferences(sql) - before
    wait_until(lambda: updates(sql) >= ROWS, 10, "statistics have arrived")
    print(f"canceled at {half['done']}: {done} inferences, {updates(sql)} updates of {ROWS} rows")
    assert done <= ROWS + BATCH and updates(sql) <= ROWS + BATCH
    end = progress(sql, "items")
    assert (end["done"], end["total"], end["percent"], end["eta"]) == (ROWS, ROWS, 100, None)
    assert end["state"] == "finished" and queued(sql, "items") == 0
    kept.fresh(ROWS)
    assert any("100 %" in line for line in second.notices), second.notices


@pytest.mark.parametrize("how", ["kill", "immediate"])
def test_crashed_at_half(how):
    setting("ITEMBANK_TEST_URL")
    with server_of("columns-crash") as server:
        with server.connect() as sql:
            kept = table(sql)
        with Watch(server.url, "items") as watch:
            call = Call(server.url, CALL)
            call.start()
            watch.reaches(50)
            if how == "kill":
                os.kill(call.pid, signal.SIGKILL)
                time.sleep(0.1)
                wait_until(server.is_ready, 60, "the server has recovered")
            else:
                server.pg_ctl("immediate")
                server.start()
        assert call.done() is not None
        seen = watch.seen[-1].row["done"]
        with server.connect() as sql:
            kept.sql = sql
            running(sql)
            before = inferences(sql)
            half = progress(sql, "items")
            assert seen <= half["done"] < ROWS and embedded(sql) == half["done"]
            with Watch(server.url, "items") as again:
                sql.execute(CALL)
                time.sleep(0.1)
            again.assert_never_back()
            again.assert_of_one_size()
            assert again.seen[0].row["done"] >= half["done"]
            done = inferences(sql) - before
            print(f"{how} at {half['done']}: {done} inferences to go on, of {ROWS - half['done']}")
            assert done == ROWS - half["done"]
            kept.fresh(ROWS)


def test_terminated_and_left_off_for_a_while(place, sql):
    kept = table(sql, 1000)
    with Watch(place, "items", "backfill") as watch:
        first = Call(place, CALL, "backfill")
        first.start()
        watch.reaches(30)
        sql.execute("SELECT pg_terminate_backend(%s)", (first.pid,))
        assert first.done().sqlstate == "57P01"
        wait_until(lambda: progress(sql, "items")["state"] == "interrupted", 10)
        # What comes meanwhile belongs to it, too: the whole is more then.
        sql.execute("INSERT INTO items SELECT n, 'new ' || n FROM generate_series(5001, 5100) n")
        sql.execute("DELETE FROM items WHERE id IN (SELECT id FROM items ORDER BY id LIMIT 400)")
        sql.execute(CALL)
    watch.assert_never_back()
    assert progress(sql, "items")["percent"] == 100
    kept.fresh(700)


def test_two_at_once_share_the_work(place, sql):
    kept = table(sql)
    before = inferences(sql)
    calls = [Call(place, CALL, "backfill") for _ in range(2)]
    with Watch(place, "items", "backfill") as watch:
        for call in calls:
            call.start()
        assert [call.done() for call in calls] == [None, None]
    watch.assert_never_back()
    assert inferences(sql) - before == ROWS
    kept.fresh(ROWS)


@pytest.mark.parametrize("mode", ["manual", "queue"])
def test_no_row_is_locked_while_a_model_runs(place, sql, mode):
    """The engine stands still, and every row can be changed."""
    kept = table(sql, 300, mode)
    call = Call(place, CALL, "backfill")
    # So that its session need not ask the engine before it reads.
    call.connection.execute("SELECT model_fingerprint('tiny-bert')")
    with stopped(running(sql)):
        call.start()
        wait_until(lambda: locks(sql, call.pid), 5, "it has read rows")
        time.sleep(0.3)
        held = locks(sql, call.pid)
        assert {mode for _, mode in held} <= HARMLESS, held
        assert not [kind for kind, _ in held if kind != "relation"], held
        sql.execute("SET lock_timeout = '500ms'")
        sql.execute("UPDATE items SET other = other + 1")
        sql.execute("UPDATE items SET question = question || '!' WHERE id % 2 = 0")
        sql.execute("DELETE FROM items WHERE id % 10 = 5")
        sql.execute("UPDATE items SET id = id + 1000 WHERE id % 10 = 3")
        assert call.is_alive()
    assert call.done() is None
    if mode == "manual":
        sql.execute(CALL)
    kept.fresh(270)


def test_writers_beside_it(place, sql):
    """Within a bounded time of what they take alone: it takes processors, but no locks."""
    rows = 300
    sql.execute(SLOW)
    table(sql, rows, inputs="backfill.slow(question)")
    sql.execute("SET lock_timeout = '2s'")

    def latencies(seconds: float) -> list[float]:
        found, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            sql.execute("UPDATE items SET other = other + 1 WHERE id = %s", (len(found) % rows,))
            found.append(time.monotonic() - began)
            time.sleep(0.005)
        return sorted(found)

    idle = latencies(1)
    call = Call(place, "CALL backfill('items')", "backfill")
    call.start()
    busy = []
    while call.is_alive():
        busy += latencies(0.3)
    busy.sort()
    assert call.error is None and len(busy) > 50
    p95, most = idle[len(idle) * 95 // 100], busy[len(busy) * 95 // 100]
    print(f"UPDATE of a row: p95 {p95 * 1e3:.2f} ms alone, {most * 1e3:.2f} ms beside a back-fill,")
    print(f"at most {busy[-1] * 1e3:.1f} ms, {len(busy)} of them")
    assert most <= 10 * p95 + 0.05 and busy[-1] < 1


def test_estimates_are_within_a_factor_of_two(place, sql):
    """From a fifth of the rows on, in the order of the bank, whose subjects differ in length."""
    sql.execute(SLOW)
    table(sql, 400, inputs="backfill.slow(question)")
    with Watch(place, "items", "backfill", pause=0.05) as watch:
        call = Call(place, "CALL backfill('items')", "backfill")
        call.start()
        assert call.done() is None
    watch.assert_never_back()
    found = watch.estimates(call.ended)
    # The last batch may be over before its end is seen.
    wrong = [one for one in found if not (one[2] / 2 - 0.3 <= one[1] <= one[2] * 2 + 0.3)]
    print(f"{len(found)} estimates, the first {found[:1]}, wrong: {len(wrong)}, as {wrong[:3]}")
    assert len(found) > 20 and not wrong


def test_what_cannot_be_called(sql):
    table(sql, 3)
    sql.execute("BEGIN")
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        sql.execute("CALL backfill('items')")
    sql.execute("ROLLBACK")
    fails(sql, "42704", "CALL backfill('items', 'other')")
    fails(sql, "42704", "CALL backfill('pg_class')")
    fails(sql, "22023", "CALL backfill(NULL)")
    fails(sql, "22023", "CALL backfill('items', 'embedding', 0)")
    fails(sql, "22023", "CALL backfill('items', 'embedding', -1)")
