"""Embedding columns beside triggers of the table's own, which write as they like."""

import pytest
from columns_server import database
from columns_table import Kept, schema


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_triggers") as made:
        yield made


@pytest.fixture(params=["statement", "queue"])
def kept(place, request):
    """A table without rows."""
    with schema(place, "triggers") as sql:
        yield Kept(sql, request.param).make()


def function(body: str, name: str = "own") -> str:
    """A trigger's."""
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;"


def test_a_trigger_that_changes_the_content(kept):
    """UPDATE OF another column: the content is changed nevertheless."""
    kept.sql.execute(
        function("NEW.question := upper(coalesce(NEW.question, 'none')) || NEW.other; RETURN NEW;")
        + "CREATE TRIGGER own BEFORE INSERT OR UPDATE OF other ON items"
        " FOR EACH ROW EXECUTE FUNCTION own()"
    )
    kept.sql.execute("INSERT INTO items VALUES (1, 'a', 1), (2, NULL, 2)")
    kept.fresh(2)
    kept.sql.execute("UPDATE items SET other = 5")
    kept.fresh(2)
    assert kept.sql.execute("SELECT question FROM items WHERE id = 1").fetchone() == ("A15",)


@pytest.mark.parametrize("when", ["INSERT", "UPDATE"])
def test_a_trigger_that_changes_other_rows(kept, when):
    """A row's change is carried on to the next by a statement within the statement."""
    kept.sql.execute(
        function("""
            UPDATE triggers.items SET question = NEW.question || ' next'
            WHERE id = NEW.id + 1 AND question NOT LIKE '%next'; RETURN NULL;""")
        + f"CREATE TRIGGER own AFTER {when} ON items FOR EACH ROW EXECUTE FUNCTION own()"
    )
    kept.sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    kept.fresh(3)
    kept.sql.execute("UPDATE items SET question = 'd' WHERE id = 1")
    kept.fresh(3)


def test_a_trigger_that_writes_when_a_vector_is_written(kept):
    """Ours is an UPDATE as others are; what a trigger of it changes is embedded, too."""
    kept.sql.execute(
        function("""
            UPDATE triggers.items SET question = 'follows ' || NEW.id
            WHERE id = NEW.id + 100 AND question IS DISTINCT FROM 'follows ' || NEW.id;
            RETURN NULL;""")
        + "CREATE TRIGGER own AFTER UPDATE OF embedding ON items"
        " FOR EACH ROW EXECUTE FUNCTION own()"
    )
    kept.sql.execute("INSERT INTO items VALUES (101, 'x'), (102, 'y')")
    kept.fresh(2)
    kept.sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
    kept.fresh(4)
    found = kept.sql.execute("SELECT question FROM items WHERE id > 100 ORDER BY id").fetchall()
    assert found == [("follows 1",), ("follows 2",)]


def test_a_trigger_that_normalises_before_each_update(kept):
    """It sees the content again when the vector is written, and changes it once more."""
    kept.sql.execute(
        function("NEW.question := NEW.question || '.'; RETURN NEW;")
        + "CREATE TRIGGER own BEFORE UPDATE ON items FOR EACH ROW"
        " WHEN (length(OLD.question) < 5) EXECUTE FUNCTION own()"
    )
    kept.sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'long enough')")
    kept.settle()
    stale = kept.sql.execute("SELECT key FROM stale_embeddings('items')").fetchall()
    # Such a column cannot be fresh at once. It may not claim to be.
    rows = kept.sql.execute("SELECT question FROM items WHERE id = 1").fetchone()
    print(kept.mode, rows, stale)
    kept.sql.execute("CALL backfill('items')")
    kept.sql.execute("CALL backfill('items')")
    kept.sql.execute("CALL backfill('items')")
    kept.sql.execute("CALL backfill('items')")
    kept.fresh(2)


def test_triggers_that_reject_and_redirect(kept):
    kept.sql.execute(
        "CREATE TABLE rejected (LIKE items);"
        + function("""
            IF NEW.other = 0 THEN
                INSERT INTO triggers.rejected SELECT NEW.*; RETURN NULL;
            END IF; RETURN NEW;""")
        + "CREATE TRIGGER own BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION own()"
    )
    kept.sql.execute("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 0), (3, 'c', 1)")
    kept.fresh(2)
    kept.sql.execute("UPDATE items SET question = 'd', other = id - 1")
    kept.fresh(2)


def test_a_trigger_that_deletes_what_was_inserted(kept):
    kept.sql.execute(
        function("DELETE FROM triggers.items WHERE other = 0; RETURN NULL;")
        + "CREATE TRIGGER a_first AFTER INSERT ON items EXECUTE FUNCTION own();"
        "CREATE TRIGGER z_last AFTER UPDATE ON items EXECUTE FUNCTION own()"
    )
    kept.sql.execute("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 0)")
    kept.fresh(1)
    kept.sql.execute("INSERT INTO items VALUES (3, 'c', 1)")
    kept.sql.execute("UPDATE items SET other = 0, question = 'd' WHERE id = 3")
    kept.fresh(1)


def test_disabled_triggers_and_a_rule(kept):
    """Who switches the triggers off needs a back-fill; stale_embeddings says so."""
    sql = kept.sql
    sql.execute("ALTER TABLE items DISABLE TRIGGER USER")
    sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
    sql.execute("ALTER TABLE items ENABLE TRIGGER USER")
    assert sql.execute("SELECT count(*) FROM stale_embeddings('items')").fetchone() == (2,)
    sql.execute("CALL backfill('items')")
    kept.fresh(2)
    sql.execute("CREATE VIEW seen AS SELECT id, question FROM items")
    sql.execute("INSERT INTO seen VALUES (3, 'through a view')")
    sql.execute("UPDATE seen SET question = 'changed through a view' WHERE id = 1")
    kept.fresh(3)


def test_generated_columns_as_inputs(kept):
    sql = kept.sql
    sql.execute("SELECT drop_embedding('items', 'embedding')")
    sql.execute("""ALTER TABLE items ADD COLUMN whole text
        GENERATED ALWAYS AS (coalesce(question, '') || ' / ' || coalesce(other, 0)) STORED""")
    kept.add("whole")
    sql.execute("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)")
    kept.fresh(2)
    sql.execute("UPDATE items SET other = 9")
    kept.fresh(2)
