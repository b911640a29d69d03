"""What embedding columns do not do: infer twice, write twice, be in the way."""

import pytest
from columns_server import database
from columns_table import Kept, schema

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_cost") as made:
        yield made


@pytest.fixture(params=["statement", "queue"])
def kept(place, request):
    """A table with three rows, two of one content."""
    with schema(place, "cost") as sql:
        made = Kept(sql, request.param).make()
        sql.execute("INSERT INTO items VALUES (1, 'one', 1), (2, 'two', 2), (3, 'two', 3)")
        made.fresh(3)
        yield made


def test_identical_content_is_one_inference(kept):
    assert kept.inferences("INSERT INTO items SELECT n, 'x' FROM generate_series(10, 60) n") == 1
    assert kept.inferences("INSERT INTO items VALUES (100, 'x'), (101, 'one'), (102, 'y')") == 1
    assert kept.inferences("UPDATE items SET question = 'two' WHERE id = 1") == 0
    assert kept.inferences("UPDATE items SET question = 'new' WHERE id < 50") == 1
    kept.fresh()


def test_the_same_content_again_is_none(kept):
    assert kept.inferences("UPDATE items SET question = question") == 0
    assert kept.inferences("UPDATE items SET question = 'other'") == 1
    assert kept.inferences("UPDATE items SET question = 'other'") == 0
    upsert = """INSERT INTO items VALUES (1, 'other', 9) ON CONFLICT (id) DO UPDATE
        SET question = excluded.question, other = excluded.other"""
    assert kept.inferences(upsert) == 0
    kept.fresh(3)


def test_unrelated_updates_write_and_infer_nothing(kept):
    assert kept.versions("UPDATE items SET other = other + 1") == 3
    assert kept.versions("UPDATE items SET question = question, other = 5") == 3
    assert kept.inferences("UPDATE items SET other = 7", "UPDATE items SET id = id + 10") == 0
    assert kept.entries() == []
    kept.fresh(3)


def test_nor_do_they_where_other_triggers_are(kept):
    """Not even one that writes the row anew before each UPDATE, which costs a generated column."""
    kept.sql.execute("""
        ALTER TABLE items ADD COLUMN changed_at timestamptz;
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.changed_at := clock_timestamp(); RETURN NEW; END $$;
        CREATE TRIGGER touch BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER nothing AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION nothing();
        CREATE TRIGGER nothing_either AFTER UPDATE ON items EXECUTE FUNCTION nothing()""")
    assert kept.versions("UPDATE items SET other = other + 1") == 3
    assert kept.inferences("UPDATE items SET other = 7", "UPDATE items SET id = id + 10") == 0
    assert kept.entries() == []
    kept.fresh(3)


def test_a_changed_row_is_written_once_more(kept):
    ours = {"statement": 1, "queue": 0}[kept.mode]
    assert kept.versions("UPDATE items SET question = 'changed' WHERE id = 1") == 1 + ours
    assert kept.versions("INSERT INTO items VALUES (4, 'four'), (5, 'five')") == 2 + 2 * ours
    assert kept.versions("INSERT INTO items VALUES (6, NULL)") == 1
    kept.fresh(6)


def test_carried_vectors_are_not_made_again(kept):
    carried = "embedding, embedding_hash, embedding_fingerprint"
    copy = f"INSERT INTO items SELECT id + 100, question, other, {carried} FROM items"
    assert kept.versions(copy) == 3
    assert kept.inferences(copy.replace("100", "200")) == 0
    make = "CREATE TABLE copies AS TABLE items; ALTER TABLE copies ADD PRIMARY KEY (id)"
    add = "SELECT add_embedding('copies', 'embedding', 'tiny-bert', 'question', mode => '{}')"
    assert kept.inferences(make, add.format(kept.mode), "CALL backfill('copies')") == 0
    kept.fresh()


def test_a_back_fill_of_fresh_rows_infers_and_writes_nothing(kept):
    before = kept.sql.execute("SELECT array_agg(ctid::text) FROM items").fetchone()
    assert kept.inferences("CALL backfill('items')") == 0
    assert kept.sql.execute("SELECT array_agg(ctid::text) FROM items").fetchone() == before


def test_a_foreign_vector_is_made_again(kept):
    """What somebody has written over, with the hash of it removed."""
    kept.sql.execute("UPDATE items SET embedding_hash = NULL, embedding = NULL WHERE id = 1")
    assert kept.inferences("CALL backfill('items')") == 1
    kept.sql.execute("UPDATE items SET embedding_fingerprint = 'another model'")
    stale = kept.sql.execute("SELECT DISTINCT reason FROM stale_embeddings('items')").fetchall()
    assert stale == [("other model",)]
    assert kept.inferences("CALL backfill('items')") == 2
    kept.fresh(3)
