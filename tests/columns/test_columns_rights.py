"""Whose rights the work on a table has: its owner's, whoever asks for it, and no more."""

import psycopg
import pytest
from columns_server import database, queue_of, settled
from columns_table import Kept, schema

# Writes down who runs it, and takes more rights where he has them.
SPY = """
    CREATE TABLE rights.spied (who text, what text);
    GRANT INSERT ON rights.spied TO PUBLIC;
    CREATE FUNCTION rights.spy(what text, given text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO rights.spied VALUES (current_user, what);
        RETURN given;
    END $$;
    CREATE FUNCTION rights.spy_row() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO rights.spied VALUES (current_user, 'trigger');
        RETURN NEW;
    END $$"""
ROLES = ("rights_owner", "rights_writer", "rights_reader", "rights_admin")


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_rights") as made:
        yield made


@pytest.fixture
def sql(place):
    """A superuser's session, and roles of their own."""
    with schema(place, "rights") as made:
        for role in ROLES:
            made.execute(f"DROP ROLE IF EXISTS {role}")
            made.execute(f"CREATE ROLE {role}")
        made.execute("GRANT rights_owner TO rights_admin")
        made.execute("GRANT USAGE ON SCHEMA rights TO PUBLIC")
        made.execute("GRANT CREATE ON SCHEMA rights TO rights_owner")
        try:
            yield made
        finally:
            made.execute("RESET ROLE")
            for role in ROLES:
                made.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def spied(sql) -> set[tuple]:
    """Who has run what since the last time."""
    found = set(sql.execute("SELECT DISTINCT who, what FROM rights.spied").fetchall())
    sql.execute("TRUNCATE rights.spied")
    return found


def spying(sql, mode: str) -> Kept:
    """The owner's table, whose inputs and triggers look who runs them."""
    sql.execute("SET ROLE rights_owner")
    sql.execute(SPY)
    sql.execute("CREATE TABLE items (id int PRIMARY KEY, question text, other int)")
    sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
    sql.execute("GRANT INSERT, UPDATE, SELECT ON items TO rights_writer")
    sql.execute("GRANT SELECT ON items TO rights_reader")
    kept = Kept(sql, mode).make("", inputs="rights.spy('input', question)", reads="question")
    kept.settle()
    sql.execute("RESET ROLE")
    spied(sql)
    return kept


@pytest.mark.parametrize("mode", ["statement", "queue"])
@pytest.mark.parametrize("who", ["rights_writer", "postgres"])
def test_inputs_are_the_owners(sql, mode, who):
    """Also where a superuser writes, or works on the list."""
    kept = spying(sql, mode)
    sql.execute(f"SET ROLE {who}")
    sql.execute("INSERT INTO items VALUES (3, 'c'); UPDATE items SET question = 'd' WHERE id = 1")
    sql.execute("RESET ROLE")
    settled(sql, "items")
    assert spied(sql) == {("rights_owner", "input")}
    kept.fresh(3)


def test_nobody_lends_his_rights(sql):
    """A superuser who looks after all tables runs nothing of an owner's with his own rights."""
    spying(sql, "manual")
    for statement in (
        "CALL backfill('items')",
        "SELECT * FROM stale_embeddings()",
        "SELECT * FROM stale_embeddings('items')",
        "SELECT * FROM verify_embeddings('items', 5)",
        "SELECT * FROM embeddings()",
        "SELECT * FROM itembank_progress",
        "SELECT * FROM near_duplicates('items', 0.1)",
        "SELECT embed_query('items', 'embedding', 'x')",
        "SELECT * FROM embedding_drain('items', 'embedding', 10)",
        "ALTER TABLE items ADD COLUMN another int",
        "CALL migrate_embedding('items', 'embedding', 'tiny-cls')",
        "SELECT rollback_embedding('items', 'embedding')",
        "SELECT drop_embedding('items', 'embedding_next')",
    ):
        sql.execute("UPDATE items SET question = question || '.'")
        try:
            sql.execute(statement)
        except psycopg.Error as error:
            print(f"{statement}: {error}")
        others = spied(sql) - {("rights_owner", "input"), ("rights_owner", "trigger")}
        assert not others, (statement, others)


def test_triggers_that_our_write_fires_are_the_owners(sql):
    """The row is written as he would write it."""
    kept = spying(sql, "queue")
    sql.execute("""CREATE TRIGGER spy BEFORE UPDATE ON items
        FOR EACH ROW EXECUTE FUNCTION rights.spy_row()""")
    sql.execute("SET ROLE rights_writer; INSERT INTO items VALUES (3, 'c'); RESET ROLE")
    kept.fresh(3)
    assert {who for who, _ in spied(sql)} == {"rights_owner"}


def test_who_may_do_what(sql):
    kept = spying(sql, "queue")
    kept.settle()
    ours = [
        "SELECT drop_embedding('items', 'embedding')",
        "CALL backfill('items')",
        "SELECT * FROM embedding_drain('items', 'embedding', 10)",
        "SELECT * FROM verify_embeddings('items')",
        "SELECT add_embedding('items', 'second', 'tiny-bert', 'question')",
        "CALL migrate_embedding('items', 'embedding', 'tiny-cls')",
    ]
    for role in ("rights_writer", "rights_reader"):
        for statement in ours:
            sql.execute(f"SET ROLE {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                sql.execute(statement)
            sql.execute("RESET ROLE")
            assert caught.value.diag.message_hint, statement
    sql.execute("SET ROLE rights_reader")
    listed = sql.execute("SELECT rows, embedded, pending FROM embeddings()").fetchall()
    assert listed == [(None, None, None)]
    sql.execute("SELECT embed_query('items', 'embedding', 'x')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        sql.execute(f"SELECT * FROM {queue_of(sql, 'items')}")
    sql.execute("RESET ROLE; REVOKE ALL ON items FROM rights_reader; SET ROLE rights_reader")
    assert sql.execute("SELECT rows, embedded FROM embeddings()").fetchall() == [(None, None)]
    # A member of the owner's role may do all that he may.
    sql.execute("SET ROLE rights_admin")
    sql.execute("CALL backfill('items')")
    sql.execute("SELECT * FROM verify_embeddings('items')")
    sql.execute("SELECT drop_embedding('items', 'embedding')")
    sql.execute("RESET ROLE")


def test_the_queue_is_the_owners(sql):
    kept = spying(sql, "queue")
    owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = %s::regclass"
    queue = queue_of(sql, "items")
    assert sql.execute(owner, (queue,)).fetchone() == ("rights_owner",)
    sql.execute("GRANT CREATE ON SCHEMA rights TO rights_writer")
    sql.execute("ALTER TABLE items OWNER TO rights_writer")
    assert sql.execute(owner, (queue_of(sql, "items"),)).fetchone() == ("rights_writer",)
    sql.execute("INSERT INTO items VALUES (3, 'c')")
    kept.fresh(3)
    assert spied(sql) == {("rights_writer", "input")}


def test_an_owner_without_any_other_right(sql):
    """He has a table and the functions that everybody may call: that is enough."""
    sql.execute("SET ROLE rights_owner")
    kept = Kept(sql, "statement").make()
    sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
    kept.fresh(2)
    sql.execute("CALL backfill('items')")
    sql.execute("SELECT * FROM stale_embeddings()")
    sql.execute("SELECT * FROM verify_embeddings('items')")
    sql.execute("SELECT * FROM near_duplicates('items')")
    sql.execute("SELECT drop_embedding('items', 'embedding')")
    sql.execute("RESET ROLE")
