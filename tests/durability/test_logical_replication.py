"""Vectors arrive at a subscriber as any column does; and what becomes of rows without them."""

import pytest
from checks import assert_no_inference, engine
from private_cluster import cluster, require_extension, wait_until

pytestmark = pytest.mark.server

MODES = ["statement", "queue", "manual"]
TABLE = "CREATE TABLE {} (id int PRIMARY KEY, question text, note text)"
ADD = "SELECT add_embedding('{}', 'embedding', 'tiny-bert', inputs => 'question', mode => '{}')"
ROWS = "SELECT t::text FROM {} AS t ORDER BY id"
# An entry for each row that comes: in the apply worker no statement triggers fire, and no search
# path is set.
ROW_TRIGGER = """
    CREATE FUNCTION {0}_queue() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
    BEGIN
        INSERT INTO {0}_embedding_queue (key_1) VALUES (NEW.id);
        PERFORM embedding_wake();
        RETURN NULL;
    END $$;
    CREATE TRIGGER arrived AFTER INSERT OR UPDATE OF question ON {0}
        FOR EACH ROW EXECUTE FUNCTION {0}_queue();
    ALTER TABLE {0} ENABLE REPLICA TRIGGER arrived;
"""


@pytest.fixture(scope="module", params=[16, 18])
def publisher(request):
    """A server of 16 or 18, whose workers are on."""
    require_extension(request.param)
    with cluster(f"publisher-{request.param}", request.param, wal_level="logical") as server:
        yield server


@pytest.fixture(scope="module")
def subscriber():
    """A server of 18."""
    require_extension(18)
    with cluster("subscriber", 18) as server:
        yield server


@pytest.fixture
def both(publisher, subscriber):
    """Sessions of an empty database at each, with the extension, without any subscription."""
    for server in (publisher, subscriber):
        server.create("shop")
    with publisher.connect("shop") as here, subscriber.connect("shop") as there:
        for connection in (here, there):
            connection.execute("CREATE EXTENSION itembank_embed CASCADE")
        yield here, there
        for (name,) in there.execute("SELECT subname FROM pg_subscription").fetchall():
            there.execute(f"DROP SUBSCRIPTION {name}")


def subscribe(publisher, here, there, what, options=""):
    """Publishes and subscribes to it; the first copy is complete."""
    here.execute(f"CREATE PUBLICATION shop FOR {what}")
    where = publisher.conninfo("shop")
    there.execute(f"CREATE SUBSCRIPTION shop CONNECTION '{where}' PUBLICATION shop {options}")
    left = "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'"
    wait_until(lambda: there.execute(left).fetchone() == (0,), 30, "the first copy is complete")


def arrive(here, there):
    """Waits until the subscriber has applied all that the publisher has committed."""
    (position,) = here.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    behind = """SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn) FROM pg_replication_slots
                WHERE database = 'shop'"""
    wait_until(lambda: here.execute(behind, (position,)).fetchone()[0], 30, "all has arrived")


def fresh(connection, table):
    """Whether nothing is stale."""
    return not connection.execute("SELECT * FROM stale_embeddings(%s)", (table,)).fetchall()


def fill(connection, table, first, last):
    """New rows, and all that belongs to them."""
    insert = (
        f"INSERT INTO {table} SELECT n, '문항 ' || n FROM generate_series({first}, {last}) AS n"
    )
    connection.execute(insert)
    settle(connection, table)


def settle(connection, table):
    """Whatever the mode, vectors are there."""
    (mode,) = connection.execute(
        "SELECT mode FROM embedding_columns WHERE tbl = %s::regclass", (table,)
    ).fetchone()
    if mode == "manual":
        connection.execute(f"CALL backfill('{table}')")
    wait_until(lambda: fresh(connection, table), 60, f"{table} is fresh")


@pytest.mark.parametrize("mode", MODES)
def test_vectors_arrive_with_the_rows(mode, publisher, subscriber, both):
    here, there = both
    for connection in both:
        connection.execute(TABLE.format("items"))
        connection.execute(ADD.format("items", mode))
    fill(here, "items", 1, 20)
    with assert_no_inference(subscriber):
        subscribe(publisher, here, there, "TABLE items")
        fill(here, "items", 21, 30)
        here.execute("UPDATE items SET question = question || ' 고르시오.' WHERE id % 5 = 0")
        here.execute("UPDATE items SET note = 'n', question = NULL WHERE id = 3")
        here.execute("DELETE FROM items WHERE id = 4")
        settle(here, "items")
        arrive(here, there)
        same = there.execute(ROWS.format("items")).fetchall()
        assert same == here.execute(ROWS.format("items")).fetchall()
        assert len(same) == 29
        assert fresh(there, "items")
        assert there.execute("SELECT count(*) FROM items_embedding_queue").fetchone() == (0,)
    # Written by itself, it does what its own mode says.
    there.execute("DROP SUBSCRIPTION shop")
    fill(there, "items", 100, 104)
    assert there.execute("SELECT count(embedding) FROM items WHERE id >= 100").fetchone() == (5,)


@pytest.mark.parametrize("mode", ["statement", "queue"])
def test_a_table_without_vectors_takes_them_too(mode, publisher, subscriber, both):
    """Plain columns suffice at the subscriber."""
    here, there = both
    here.execute(TABLE.format("items"))
    here.execute(ADD.format("items", mode))
    plain = "embedding vector(32), embedding_hash bytea, embedding_fingerprint text"
    there.execute(f"CREATE TABLE items (id int PRIMARY KEY, question text, note text, {plain})")
    fill(here, "items", 1, 10)
    with assert_no_inference(subscriber):
        subscribe(publisher, here, there, "TABLE items")
        fill(here, "items", 11, 15)
        arrive(here, there)
    assert (
        there.execute(ROWS.format("items")).fetchall()
        == here.execute(ROWS.format("items")).fetchall()
    )


@pytest.mark.parametrize("mode", MODES)
def test_without_vectors_the_subscriber_finds_what_is_stale(mode, publisher, both):
    """Triggers fire neither in the first copy nor in the apply worker, whatever the mode."""
    here, there = both
    here.execute(TABLE.format("items"))
    here.execute("INSERT INTO items SELECT n, '문항 ' || n FROM generate_series(1, 10) AS n")
    there.execute(TABLE.format("items"))
    there.execute(ADD.format("items", mode))
    subscribe(publisher, here, there, "TABLE items")
    assert count(there, "items") == (10, 0)
    there.execute("CALL backfill('items')")
    assert count(there, "items") == (10, 10)
    here.execute("INSERT INTO items VALUES (11, '새 문항')")
    here.execute("UPDATE items SET question = '다른 문항' WHERE id < 4")
    arrive(here, there)
    reasons = "SELECT reason, count(*) FROM stale_embeddings('items') GROUP BY 1 ORDER BY 1"
    assert there.execute(reasons).fetchall() == [("no vector", 1), ("other content", 3)]
    there.execute("CALL backfill('items')")
    assert fresh(there, "items")
    assert count(there, "items") == (11, 11)


def test_always_triggers_embed_the_first_copy_alone(publisher, both):
    here, there = both
    here.execute(TABLE.format("items"))
    here.execute("INSERT INTO items SELECT n, '문항 ' || n FROM generate_series(1, 10) AS n")
    there.execute(TABLE.format("items"))
    there.execute(ADD.format("items", "statement"))
    for event in ("insert", "update"):
        there.execute(f"ALTER TABLE items ENABLE ALWAYS TRIGGER itembank_embed_{event}")
    subscribe(publisher, here, there, "TABLE items")
    assert count(there, "items") == (10, 10)
    here.execute("INSERT INTO items VALUES (11, '새 문항')")
    here.execute("UPDATE items SET question = '다른 문항' WHERE id < 4")
    arrive(here, there)
    assert count(there, "items") == (11, 10)
    reasons = "SELECT reason, count(*) FROM stale_embeddings('items') GROUP BY 1 ORDER BY 1"
    assert there.execute(reasons).fetchall() == [("no vector", 1), ("other content", 3)]


def test_a_row_trigger_of_ones_own_fills_the_queue(publisher, both):
    """The way for a subscriber that is to embed by itself at once."""
    here, there = both
    here.execute(TABLE.format("items"))
    here.execute("INSERT INTO items SELECT n, '문항 ' || n FROM generate_series(1, 10) AS n")
    there.execute(TABLE.format("items"))
    there.execute(ADD.format("items", "queue"))
    there.execute(ROW_TRIGGER.format("items"))
    subscribe(publisher, here, there, "TABLE items")
    wait_until(lambda: count(there, "items") == (10, 10), 60, "the first copy is embedded")
    here.execute("INSERT INTO items VALUES (11, '새 문항')")
    here.execute("UPDATE items SET question = '다른 문항' WHERE id < 4")
    arrive(here, there)
    wait_until(lambda: fresh(there, "items"), 60, "what has arrived is embedded")
    assert count(there, "items") == (11, 11)
    assert engine(there)["failures"] == 0


def test_a_column_list_leaves_the_vectors_out(publisher, subscriber, both):
    """Both have the column; each embeds by a model of its own."""
    here, there = both
    for connection, model in ((here, "tiny-bert"), (there, "tiny-cls")):
        connection.execute(TABLE.format("items"))
        connection.execute(ADD.format("items", "queue").replace("tiny-bert", model))
    fill(here, "items", 1, 10)
    subscribe(publisher, here, there, "TABLE items (id, question, note)")
    assert count(there, "items") == (10, 0)
    there.execute("CALL backfill('items')")
    assert there.execute("SELECT min(vector_dims(embedding)) FROM items").fetchone() == (16,)
    assert fresh(there, "items")


def count(connection, table):
    """Rows, and how many have a vector."""
    return connection.execute(f"SELECT count(*), count(embedding) FROM {table}").fetchone()
