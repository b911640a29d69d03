"""Commands that rewrite, reorder, empty or move a table while the worker drains its queue."""

import pytest
from private_cluster import cluster, owned, wait_until

pytestmark = pytest.mark.server

ROWS = 600
COMMANDS = [
    "VACUUM FULL items",
    "CLUSTER items USING items_pkey",
    "REINDEX TABLE items",
    "REINDEX TABLE CONCURRENTLY items",
    "REINDEX TABLE items_embedding_queue",
    "VACUUM FULL items_embedding_queue",
    "VACUUM ANALYZE items",
    "ANALYZE items_embedding_queue",
    "ALTER TABLE items SET TABLESPACE elsewhere",
    "ALTER TABLE items_embedding_queue SET TABLESPACE elsewhere",
    "ALTER TABLE items SET (fillfactor = 70)",
    "ALTER TABLE items SET UNLOGGED",
    "ALTER TABLE items SET LOGGED",
    "ALTER TABLE items ADD COLUMN more int DEFAULT 1",
    "ALTER TABLE items ALTER COLUMN note TYPE varchar(100)",
]


@pytest.fixture(scope="module")
def server():
    """Two workers, a tablespace."""
    with cluster("maintained", **{"itembank_embed.workers": 2}) as made:
        space = owned(made.folder / "tablespace")
        with made.connect("postgres") as admin:
            admin.execute(f"CREATE TABLESPACE elsewhere LOCATION '{space}'")
        made.create("kept")
        with made.connect("kept") as connection:
            connection.execute("CREATE EXTENSION itembank_embed CASCADE")
            connection.execute("CREATE TABLE items (id int PRIMARY KEY, question text, note text)")
            connection.execute(
                "SELECT add_embedding('items', 'embedding', 'tiny-bert', "
                "inputs => 'question', mode => 'queue')"
            )
        yield made
        with made.connect("postgres") as admin:
            admin.execute("DROP DATABASE kept WITH (FORCE)")
            admin.execute("DROP TABLESPACE elsewhere")


def test_no_row_is_lost_or_stale(server):
    before = len(server.logged())
    with server.connect("kept") as connection:
        for number, command in enumerate(COMMANDS):
            change(connection, number)
            connection.execute(command)
        wait_until(lambda: drained(connection), 120, "the queue is empty")
        assert_fresh(connection, ROWS)
    said = server.logged()[before:]
    for trouble in ("ERROR", "WARNING", "deadlock", "PANIC"):
        assert trouble not in said, said[-3000:]


def test_what_is_truncated_is_forgotten(server):
    with server.connect("kept") as connection:
        connection.execute("UPDATE items SET question = question || ' 또'")
        connection.execute("TRUNCATE items")
        wait_until(lambda: drained(connection), 60, "the queue is empty")
        connection.execute("INSERT INTO items (id, question) VALUES (1, '처음부터')")
        wait_until(lambda: drained(connection), 60, "the queue is empty")
        assert_fresh(connection, 1)


def change(connection, number):
    """A third of the rows is new or has another content."""
    connection.execute(
        """INSERT INTO items (id, question)
           SELECT n, '문항 ' || n FROM generate_series(1, %(rows)s) AS n WHERE n %% 3 = %(third)s
           ON CONFLICT (id) DO UPDATE SET question = excluded.question || ' ' || %(number)s""",
        {"rows": ROWS, "third": number % 3, "number": number},
    )


def drained(connection) -> bool:
    return connection.execute("SELECT count(*) FROM items_embedding_queue").fetchone() == (0,)


def assert_fresh(connection, rows):
    """By its hash, and by its vector."""
    assert not connection.execute("SELECT * FROM stale_embeddings('items')").fetchall()
    count = "SELECT count(*), count(DISTINCT id), count(embedding) FROM items"
    assert connection.execute(count).fetchone() == (rows, rows, rows)
    wrong = """SELECT count(*) FROM items WHERE embedding_hash <> embedding_hash(question)
                                           OR embedding <-> embed('tiny-bert', question) > 1e-4"""
    assert connection.execute(wrong).fetchone() == (0,)
