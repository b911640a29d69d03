"""What a session knows of a table's embedding columns, while others change them."""

from contextlib import contextmanager

import psycopg
import pytest
from columns_server import TINY, database, queue_of
from columns_table import Kept, schema

OTHER = "tiny-cls"


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_sessions") as made:
        yield made


@pytest.fixture(params=["statement", "queue"])
def kept(place, request):
    """A table, and a session that has written to it and knows its column."""
    with schema(place, "sessions") as sql:
        made = Kept(sql, request.param).make()
        sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
        sql.execute("UPDATE items SET other = 1")
        made.fresh(2)
        yield made


@contextmanager
def another(kept: Kept):
    """A session beside it."""
    with psycopg.connect(kept.sql.info.dsn, autocommit=True) as sql:
        sql.execute("SET client_min_messages = warning; SET search_path = sessions, public")
        yield sql


def write(kept: Kept, number: int) -> None:
    """A new row and a changed one, by the session that knows the column as it was."""
    kept.sql.execute("INSERT INTO items VALUES (%s, 'row ' || %s)", (number, number))
    kept.sql.execute("UPDATE items SET question = 'now ' || %s WHERE id = 1", (number,))


def test_a_column_is_added_and_dropped(kept):
    with another(kept) as other:
        second = Kept(other, kept.mode)
        second.column = kept.column
        second.add("upper(question)", reads="question", content=str.upper, target="second")
        write(kept, 3)
        kept.fresh(3)
        second.fresh(3)
        other.execute("SELECT drop_embedding('items', 'second')")
        write(kept, 4)
        kept.fresh(4)
        other.execute("SELECT drop_embedding('items', 'embedding')")
        write(kept, 5)
        kept.add("lower(question)", reads="question", content=str.lower)
        write(kept, 6)
        kept.fresh(6)


def test_the_mode_is_changed(kept):
    change = "UPDATE embedding_columns SET mode = %s WHERE tbl = 'items'::regclass"
    with another(kept) as other:
        other.execute(change, ("manual",))
        write(kept, 3)
        assert kept.entries() == []
        stale = "SELECT count(*) FROM stale_embeddings('items')"
        assert kept.sql.execute(stale).fetchone() == (2,)
        other.execute(change, ("statement",))
        write(kept, 4)
        # Row 1 and the new one, without a back-fill.
        assert kept.sql.execute(stale).fetchone() == (1,)
        other.execute("CALL backfill('items')")
        kept.fresh(4)


def test_the_model_is_changed(kept):
    """By hand, to one of the same size; what there is needs a back-fill, what comes does not."""
    kept.sql.execute("SELECT drop_embedding('items', 'embedding')")
    kept.add(model=OTHER)
    write(kept, 3)
    kept.fresh(3)
    with another(kept) as other:
        other.execute("UPDATE embedding_columns SET model = 'tiny-last'")
        write(kept, 4)
        other.execute("CALL backfill('items')")
        kept.at("items", model="tiny-last").fresh(4)


def test_columns_are_swapped_by_a_migration(kept):
    """To another model and back; the session writes in between, and all are kept fresh."""
    with another(kept) as other:
        other.execute("CALL migrate_embedding('items', 'embedding', %s)", (OTHER,))
        write(kept, 3)
        kept.at("items", model=OTHER).fresh(3)
        names = "SELECT hash_column, fingerprint_column FROM embedding_columns WHERE target = %s"
        previous = other.execute(names, ("embedding_previous",)).fetchone()
        assert previous, "the way back is kept"
        old = Kept(kept.sql, kept.mode)
        old.column = kept.column
        old.at("items", model=TINY, target="embedding_previous", hash=previous[0])
        old.at("items", fingerprint=previous[1]).fresh(3)
        other.execute("SELECT rollback_embedding('items', 'embedding')")
        write(kept, 4)
        kept.at("items", model=TINY).fresh(4)


def test_the_table_and_its_list_move(kept):
    with another(kept) as other:
        other.execute("CREATE SCHEMA elsewhere")
        try:
            other.execute("ALTER TABLE items SET SCHEMA elsewhere")
            kept.sql.execute("SET search_path = elsewhere, sessions, public")
            write(kept, 3)
            kept.at("elsewhere.items").fresh(3)
            queue = queue_of(kept.sql, "items")
            other.execute(f"ALTER TABLE elsewhere.{queue.split('.')[-1]} RENAME TO a_list")
            write(kept, 4)
            kept.fresh(4)
            other.execute("ALTER TABLE elsewhere.items RENAME TO things")
            other.execute("CREATE TABLE elsewhere.items (id int, question text)")
            kept.sql.execute("UPDATE elsewhere.things SET question = 'renamed' WHERE id < 3")
            kept.at("elsewhere.things").fresh(4)
        finally:
            other.execute("DROP SCHEMA elsewhere CASCADE")


def test_columns_of_the_table_come_and_go(kept):
    with another(kept) as other:
        other.execute("ALTER TABLE items DROP COLUMN other, ADD COLUMN more text DEFAULT 'x'")
        write(kept, 3)
        kept.fresh(3)
        other.execute("ALTER TABLE items ALTER COLUMN id TYPE bigint")
        write(kept, 4)
        kept.fresh(4)
        other.execute("ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id)")
        other.execute("CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                      " NEW.question := NEW.more; RETURN NEW; END $$;"
                      "CREATE TRIGGER own BEFORE UPDATE OF more ON items"
                      " FOR EACH ROW EXECUTE FUNCTION own()")  # fmt: skip
        kept.sql.execute("UPDATE items SET more = 'y' || id")
        kept.fresh(4)


@pytest.mark.parametrize("end", ["ROLLBACK", "ROLLBACK TO one", "COMMIT"])
def test_a_column_of_a_transaction_that_ends(kept, end):
    """What was made in it is gone with it, also from the session's memory."""
    sql = kept.sql
    sql.execute("BEGIN; SAVEPOINT one")
    second = Kept(sql, kept.mode)
    second.column = kept.column
    second.add("upper(question)", reads="question", content=str.upper, target="second")
    write(kept, 3)
    sql.execute(end)
    sql.execute("COMMIT" if end.startswith("ROLLBACK TO") else "SELECT 1")
    write(kept, 4)
    kept.fresh(4 if end == "COMMIT" else 3)
    if end == "COMMIT":
        second.fresh(4)


@pytest.mark.parametrize("end", ["ROLLBACK", "ROLLBACK TO one", "COMMIT"])
def test_a_column_that_is_dropped_in_a_transaction_that_ends(kept, end):
    sql = kept.sql
    sql.execute("BEGIN; SAVEPOINT one; SELECT drop_embedding('items', 'embedding')")
    write(kept, 3)
    sql.execute(end)
    sql.execute("COMMIT" if end.startswith("ROLLBACK TO") else "SELECT 1")
    write(kept, 4)
    if end != "COMMIT":
        kept.fresh(3)


def test_partitions_come_and_go(place):
    with schema(place, "sessions") as sql:
        sql.execute(
            "CREATE TABLE items (id int PRIMARY KEY, question text) PARTITION BY RANGE (id)"
        )
        sql.execute("CREATE TABLE low PARTITION OF items FOR VALUES FROM (0) TO (100)")
        kept = Kept(sql, "statement").make("")
        sql.execute("INSERT INTO low VALUES (1, 'a'); INSERT INTO items VALUES (2, 'b')")
        kept.fresh(2)
        with another(kept) as other:
            other.execute("ALTER TABLE items DETACH PARTITION low")
            sql.execute("INSERT INTO low (id, question) VALUES (3, 'nobody embeds this')")
            assert kept.fresh().rows == 0
            other.execute("DELETE FROM low WHERE id = 3")
            other.execute("ALTER TABLE items ATTACH PARTITION low FOR VALUES FROM (0) TO (100)")
            sql.execute("INSERT INTO low (id, question) VALUES (4, 'but this')")
            sql.execute("UPDATE low SET question = 'and this' WHERE id = 1")
            kept.fresh(3)


def test_the_extensions_schemas(place):
    """pgvector may be moved; what is known of its types is still right."""
    with schema(place, "sessions") as sql, schema(place, "moved") as other:
        kept = Kept(sql, "statement").make()
        sql.execute("INSERT INTO items VALUES (1, 'a')")
        try:
            other.execute("ALTER EXTENSION vector SET SCHEMA moved")
            sql.execute("INSERT INTO items VALUES (2, 'b')")
            sql.execute("UPDATE items SET question = 'c' WHERE id = 1")
            sql.execute("CALL backfill('items')")
            sql.execute("SELECT * FROM stale_embeddings('items')")
            kept.fresh(2)
        finally:
            other.execute("ALTER EXTENSION vector SET SCHEMA public")
