"""Rows that cannot be embedded: kept with the reason, tried again later, in nobody's way."""

import json
from itertools import pairwise

import psycopg
import pytest
from columns_checker import Column
from columns_server import database, drain, progress, queue_of, queued, wait_until
from columns_table import Kept, schema
from conftest import ROOT

DIVIDED = "question || 10 / other"
PICTURES = ROOT / "tests" / "fixtures" / "images"


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_failures") as made:
        yield made


@pytest.fixture
def sql(place):
    """A session in an empty schema."""
    with schema(place, "failures") as made:
        yield made


def divided(sql, mode: str) -> Kept:
    """The third part of its rows raise an error."""
    sql.execute("CREATE TABLE items (id int PRIMARY KEY, question text, other int)")
    sql.execute("INSERT INTO items SELECT n, 'row ' || n, n % 3 FROM generate_series(1, 30) n")
    return Kept(sql, mode).make(
        "",
        inputs=DIVIDED,
        reads="question, other",
        content=lambda question, other: f"{question}{10 // other}",
        backfill=False,
    )


def failures(sql) -> list[tuple]:
    """Entries of the list that have failed."""
    query = f"""
        SELECT key_1, attempts, code, error, retry_at - now() > '1 s'
        FROM {queue_of(sql, "items")} WHERE attempts > 0 ORDER BY key_1"""
    return sql.execute(query).fetchall()


def test_they_are_recorded_and_block_nobody(sql):
    kept = divided(sql, "manual")
    sql.execute("CALL backfill('items')")
    found = failures(sql)
    assert [row[0] for row in found] == list(range(3, 31, 3))
    assert {row[1:3] for row in found} == {(1, "22012")}
    assert all("division by zero" in row[3] and row[4] for row in found)
    assert sql.execute("SELECT count(embedding) FROM items").fetchone() == (20,)
    seen = progress(sql, "items")
    assert (seen["done"], seen["total"], seen["failures"], seen["percent"]) == (30, 30, 10, 100)
    # Repaired, they are embedded by the next one.
    sql.execute("UPDATE items SET other = 5 WHERE other = 0 AND id > 3")
    sql.execute("CALL backfill('items')")
    assert [row[:3] for row in failures(sql)] == [(3, 2, "22012")]
    sql.execute("UPDATE items SET other = 1 WHERE id = 3")
    sql.execute("CALL backfill('items')")
    assert progress(sql, "items")["failures"] == 0
    kept.fresh(30)


def test_each_is_stale_once(sql):
    """Also those that were read before the first that fails."""
    divided(sql, "manual")
    found = sql.execute("SELECT key, reason FROM stale_embeddings('items')").fetchall()
    reasons = {str(n): "no vector" if n % 3 else "inputs fail" for n in range(1, 31)}
    assert sorted(found) == sorted(reasons.items())


def test_they_are_tried_again_later_and_later(sql):
    divided(sql, "manual")
    sql.execute("CALL backfill('items')")
    queue = queue_of(sql, "items")
    waits = f"SELECT avg(extract(epoch FROM retry_at - clock_timestamp())) FROM {queue}"
    seen = []
    for _ in range(4):
        seen.append(float(sql.execute(waits).fetchone()[0]))
        assert drain(sql, "items")["taken"] == 0, "it is not their time"
        sql.execute(f"UPDATE {queue} SET retry_at = now()")
        assert drain(sql, "items")["failed"] == 10
    print("waits, s:", seen)
    assert 8 < seen[0] <= 10 and all(1.7 < b / a < 2.3 for a, b in pairwise(seen))
    sql.execute(f"UPDATE {queue} SET attempts = 1000, retry_at = now()")
    drain(sql, "items")
    assert float(sql.execute(waits).fetchone()[0]) <= 3600
    assert {row[1] for row in failures(sql)} == {1001}


def test_a_row_that_fails_where_another_was_listed(sql):
    """More than a batch of them, and good ones behind."""
    kept = divided(sql, "manual")
    sql.execute(
        "UPDATE items SET other = 0 WHERE id < 25; UPDATE items SET other = 1 WHERE id > 24"
    )
    sql.execute("CALL backfill('items', batch => 4)")
    assert len(failures(sql)) == 24
    assert sql.execute("SELECT count(embedding) FROM items").fetchone() == (6,)
    sql.execute("DELETE FROM items WHERE other = 0")
    sql.execute("CALL backfill('items')")
    kept.fresh(6)


@pytest.mark.server
def test_the_worker_goes_on(sql):
    """It embeds the others at once, and the repaired ones when their time has come."""
    kept = divided(sql, "queue")
    sql.execute("UPDATE items SET question = question || '.'")
    wait_until(lambda: queued(sql, "items") == 10, 20, "only failures are left")
    assert len(failures(sql)) == 10
    assert sql.execute("SELECT count(embedding) FROM items").fetchone() == (20,)
    sql.execute("INSERT INTO items VALUES (100, 'behind them', 1)")
    wait_until(lambda: queued(sql, "items") == 10, 10, "a new row does not wait for them")
    sql.execute("UPDATE items SET other = 1 WHERE other = 0")
    wait_until(lambda: queued(sql, "items") == 0, 30, "they are tried again")
    kept.fresh(31)


@pytest.mark.server
def test_broken_images(sql):
    sql.execute("CREATE TABLE items (id int PRIMARY KEY, picture bytea)")
    good = [(PICTURES / name).read_bytes() for name in ("png-rgb8.png", "bmp-24.bmp")]
    rows = [(1, good[0]), (2, b"no picture"), (3, good[1]), (4, good[0][:100]), (5, None), (6, b"")]
    with sql.cursor() as cursor:
        cursor.executemany("INSERT INTO items VALUES (%s, %s)", rows)
    sql.execute(
        "SELECT add_embedding('items', 'embedding', 'tiny-siglip', image => 'picture',"
        " mode => 'queue', index => false)"
    )
    kept = Kept(sql, "queue")
    kept.column = Column("items", "picture", lambda picture: (None, picture), "tiny-siglip")
    wait_until(lambda: queued(sql, "items") == len(failures(sql)) > 0, 20)
    assert [row[0] for row in failures(sql)] == [2, 4, 6]
    print(failures(sql))
    sql.execute("UPDATE items SET picture = %s WHERE id IN (2, 4, 6)", (good[1],))
    sql.execute("CALL backfill('items')")
    kept.fresh(6)


@pytest.mark.server
def test_a_table_that_has_caught_up_is_notified(place, sql):
    kept = Kept(sql, "queue").make()
    with schema(place, "listener") as listener:
        listener.execute("LISTEN itembank_embed")
        for round_ in range(2):
            sql.execute(
                "INSERT INTO items SELECT n + %s, 'row ' || n + %s FROM generate_series(1, 50) n",
                (round_ * 100, round_ * 100),
            )
            [note] = list(listener.notifies(timeout=20, stop_after=1))
            said = json.loads(note.payload)
            print(said)
            assert said["target"] == "embedding" and said["table"].endswith("items")
            assert queued(sql, "items") == 0
    kept.fresh(100)


def test_a_model_that_is_not_installed(sql):
    """No row's fault: nothing is recorded for any of them, and all is well once it is there."""
    kept = Kept(sql, "manual").make()
    sql.execute("INSERT INTO items SELECT n, 'row ' || n FROM generate_series(1, 10) n")
    sql.execute(
        "UPDATE embedding_columns SET model = 'no-such-model' WHERE tbl = 'items'::regclass"
    )
    with pytest.raises(psycopg.errors.UndefinedObject, match="no-such-model"):
        sql.execute("CALL backfill('items')")
    assert failures(sql) == []
    sql.execute("UPDATE embedding_columns SET model = 'tiny-bert' WHERE tbl = 'items'::regclass")
    sql.execute("CALL backfill('items')")
    kept.fresh(10)
