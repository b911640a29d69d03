"""Logical replication of queues, and of the tables of the extension itself."""

import bank
import pytest
from private_cluster import cluster, wait_until
from test_logical_replication import ADD, ROWS, TABLE, arrive, fresh, subscribe

pytestmark = pytest.mark.server

INSERT = "INSERT INTO shop.items SELECT n, '문항 ' || n FROM generate_series({}, {}) AS n"
QUEUED = "SELECT count(*) FROM shop.items_embedding_queue"


@pytest.fixture
def publisher():
    """Its workers are on."""
    with cluster("everything-publisher", wal_level="logical") as server:
        server.create("shop")
        yield server


@pytest.fixture
def subscriber():
    """So are its."""
    with cluster("everything-subscriber") as server:
        server.create("shop")
        yield server


@pytest.fixture
def both(publisher, subscriber):
    """Sessions at each; the publisher has a table with a queue and 20 rows."""
    with publisher.connect("shop") as here, subscriber.connect("shop") as there:
        here.execute("CREATE EXTENSION itembank_embed CASCADE; CREATE SCHEMA shop")
        here.execute(TABLE.format("shop.items"))
        here.execute(ADD.format("shop.items", "queue"))
        here.execute(INSERT.format(1, 20))
        yield here, there
        there.execute("DROP SUBSCRIPTION IF EXISTS shop")


def settled(connection) -> bool:
    """All is embedded, and nothing is left to do."""
    return fresh(connection, "shop.items") and connection.execute(QUEUED).fetchone() == (0,)


def assert_both_settle(here, there, rows):
    for connection in (here, there):
        wait_until(lambda at=connection: settled(at), 60, "all is embedded")
    arrive(here, there)
    same = there.execute(ROWS.format("shop.items")).fetchall()
    assert same == here.execute(ROWS.format("shop.items")).fetchall()
    assert len(same) == rows


def test_a_schema_with_its_queues(publisher, both):
    """The subscriber's worker takes its copies of entries for its own; all ends well, and twice."""
    here, there = both
    there.execute("CREATE EXTENSION itembank_embed CASCADE; CREATE SCHEMA shop")
    there.execute(TABLE.format("shop.items"))
    there.execute(ADD.format("shop.items", "queue"))
    subscribe(publisher, here, there, "TABLES IN SCHEMA shop")
    here.execute(INSERT.format(21, 60))
    here.execute("UPDATE shop.items SET question = question || ' 고르시오.' WHERE id % 2 = 0")
    assert_both_settle(here, there, 60)


def test_all_tables_with_the_registry(publisher, subscriber, both):
    """The subscriber has the definitions of a dump, and gets what is registered as rows."""
    here, there = both
    dump = publisher.client("pg_dump", "--schema-only", "-d", publisher.conninfo("shop"))
    subscriber.psql("shop", dump)
    assert there.execute("SELECT count(*) FROM embedding_columns").fetchone() == (0,)
    subscribe(publisher, here, there, "ALL TABLES")
    registered = "SELECT c::text FROM embedding_columns AS c"
    assert there.execute(registered).fetchall() == here.execute(registered).fetchall() != []
    here.execute(INSERT.format(21, 60))
    here.execute("UPDATE shop.items SET question = question || ' 고르시오.' WHERE id % 2 = 0")
    assert_both_settle(here, there, 60)
    assert bank.extension_schema(there) == "public"
