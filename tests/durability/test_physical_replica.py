"""A hot standby answers searches, refuses writes as Postgres does, and goes on when promoted."""

import time

import bank
import psycopg
import pytest
from checks import assert_alive, drained, engine, found_nearest
from private_cluster import cluster, copy, wait_until

pytestmark = pytest.mark.server

READ_ONLY = "25006"
SEARCHES = {
    "embed": "SELECT id FROM bank.items ORDER BY embedding <=> embed('tiny-bert', %s) LIMIT 1",
    "embed_query": """SELECT id FROM bank.items
                      ORDER BY embedding <=> embed_query('bank.items', 'embedding', %s) LIMIT 1""",
}
WRITES = [
    "INSERT INTO bank.items (id, question) VALUES (3000, 'a')",
    "UPDATE bank.items SET question = 'b' WHERE id = 1",
    "SELECT add_embedding('bank.items', 'more', 'tiny-bert', inputs => 'question')",
    "SELECT drop_embedding('bank.items', 'embedding')",
    "CALL backfill('bank.items')",
    f"SELECT embedding_drain($q${bank.QUOTED}$q$, $q${bank.TARGET}$q$, 8)",
    "SELECT embedding_drain('bank.items', 'embedding', 8)",
    "CALL migrate_embedding('bank.items', 'embedding', 'tiny-cls')",
]


@pytest.fixture(scope="module")
def primary():
    """A server with the database `bank`, whose workers are off."""
    with cluster("primary", **{"itembank_embed.workers": 0}) as server:
        server.create("bank")
        with server.connect("bank") as connection:
            bank.build(connection)
        yield server


@pytest.fixture(scope="module")
def standby(primary):
    """A hot standby of it whose workers would be on."""
    with copy("standby", primary, "-R") as server:
        server.settings["primary_conninfo"] = primary.conninfo("postgres")
        yield server.start(itembank_embed__workers=2)


def replayed(primary, standby):
    """Waits until the standby has all that the primary has."""
    with primary.connect("postgres") as here, standby.connect("postgres") as there:
        (position,) = here.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
        behind = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        wait_until(lambda: there.execute(behind, (position,)).fetchone()[0], 30, "it is replayed")


def test_it_has_all(primary, standby):
    replayed(primary, standby)
    with primary.connect("bank") as here, standby.connect("bank") as there:
        assert bank.rows(there) == bank.rows(here)
        assert bank.definitions(there) == bank.definitions(here)


def test_it_is_searched_with_stored_and_new_vectors(standby):
    with standby.connect("bank") as connection:
        assert found_nearest(connection) == 7
        (question,) = connection.execute("SELECT question FROM bank.items WHERE id = 8").fetchone()
        before = engine(connection)["items"]
        assert connection.execute(SEARCHES["embed"], (question,)).fetchone() in [(8,), (41,)]
        assert connection.execute(SEARCHES["embed_query"], (question,)).fetchone()
        # By an engine of its own.
        assert engine(connection)["state"] == "running"
        assert engine(connection)["items"] >= before + 2


def test_it_tells_what_there_is(primary, standby):
    for report in ("embeddings()", "stale_embeddings()", "itembank_progress"):
        with primary.connect("bank") as here, standby.connect("bank") as there:
            query = f"SELECT r::text FROM {report} AS r ORDER BY 1"
            assert there.execute(query).fetchall() == here.execute(query).fetchall() != [], report
    with standby.connect("bank") as there:
        found = there.execute("SELECT differing FROM verify_embeddings('bank.items')").fetchall()
        assert found == [(0,), (0,)]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_refused_by_postgres(standby, write):
    with standby.connect("bank") as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(write)
        assert caught.value.sqlstate == READ_ONLY, caught.value
        assert "read-only transaction" in str(caught.value) or "recovery" in str(caught.value)


def test_no_worker_tries_to_write(primary, standby):
    with primary.connect("bank") as here:
        before = standby.logged()
        here.execute("INSERT INTO bank.items (id, question) VALUES (2000, '복제될 문항')")
        here.execute(
            f"""INSERT INTO {bank.QUOTED} ("갈래", "물음 ""x"" y") VALUES ('둘', '복제')"""
        )
    replayed(primary, standby)
    time.sleep(6)
    with primary.connect("bank") as here, standby.connect("bank") as there:
        assert bank.rows(there) == bank.rows(here)
        workers = """SELECT backend_type FROM pg_stat_activity
                     WHERE backend_type LIKE 'itembank%' AND backend_type NOT LIKE '%supervisor'"""
        assert there.execute(workers).fetchall() == []
    since = standby.logged().removeprefix(before)
    assert "ERROR" not in since and "WARNING" not in since, since


def test_promoted_it_goes_on_with_the_work(primary, standby):
    """The last one: afterwards there is no standby."""
    with standby.connect("bank") as connection:
        # The row of the test before.
        connection.execute("SELECT pg_promote()")
        wait_until(lambda: drained(connection), 60, "the worker has drained the queue")
        connection.execute("DELETE FROM bank.items WHERE id = 2000")
        connection.execute(f"""DELETE FROM {bank.QUOTED} WHERE "갈래" = '둘'""")
    assert_alive(standby, "bank")
