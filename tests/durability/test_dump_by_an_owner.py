"""Dump and restore by who owns the database alone; and the extension in another schema."""

import bank
import psycopg
import pytest
from checks import assert_alive, found_nearest, set_models
from private_cluster import cluster

pytestmark = pytest.mark.server

INSUFFICIENT_PRIVILEGE = "42501"
# What belongs to the superuser who has made the extension: comments on it.
OWN = ("--no-owner", "--no-comments")
JUDGEMENTS = "SELECT query_id, item_id, assessor, grade, judged_at FROM evaluation_judgements"


@pytest.fixture(scope="module")
def server():
    """A server with models whose workers are off."""
    with cluster("dump-owner", **{"itembank_embed.workers": 0}) as made:
        with made.connect("postgres") as admin:
            admin.execute("CREATE ROLE head LOGIN; CREATE ROLE guest LOGIN")
        yield made


def prepared(server, name):
    """A database of head's, in which a superuser has made the extension."""
    server.create(name, owner="head")
    with server.connect(name) as admin:
        admin.execute("CREATE EXTENSION itembank_embed CASCADE")


def test_the_owner_of_a_database_dumps_and_restores_it(server):
    for name in ("bank", "restored"):
        prepared(server, name)
    with server.connect("bank", user="head") as connection:
        bank.build(connection)
        connection.execute("SELECT judge('q', '1', 2), judge('q', '2', 0, assessor => 'kim')")
        before = bank.rows(connection), bank.definitions(connection)
        judged = connection.execute(JUDGEMENTS).fetchall()
    dump = server.client("pg_dump", "-d", server.conninfo("bank", user="head"), *OWN)
    server.psql("restored", dump, user="head")
    with server.connect("restored", user="head") as connection:
        assert (bank.rows(connection), bank.definitions(connection)) == before
        assert connection.execute(JUDGEMENTS).fetchall() == judged != []
    server.reload(itembank_embed__workers=1)
    assert_alive(server, "restored")
    server.reload(itembank_embed__workers=0)


def test_nobody_registers_the_table_of_another(server):
    """As a restore of an archive would that says so."""
    prepared(server, "bank")
    with server.connect("bank", user="head") as connection:
        bank.build(connection)
        connection.execute("GRANT USAGE ON SCHEMA bank TO guest")
    with server.connect("bank", user="guest") as guest:
        for write in (
            "UPDATE embedding_columns SET input_expression = 'pg_sleep(1)::text'",
            "DELETE FROM embedding_columns",
            "INSERT INTO embedding_columns SELECT * FROM embedding_columns",
            "UPDATE embedding_progress SET done = 0",
        ):
            with pytest.raises(psycopg.Error) as caught:
                guest.execute(write)
            assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, write


def test_the_extension_in_a_schema_of_its_own(server):
    """Nothing is found by a search path, neither in the dump nor by the triggers."""
    server.create("bank", "restored")
    with server.connect("bank") as connection:
        connection.execute("CREATE SCHEMA ext")
        connection.execute("CREATE EXTENSION itembank_embed WITH SCHEMA ext CASCADE")
        connection.execute("SET search_path = public, ext")
        bank.build(connection)
        before = bank.rows(connection), bank.definitions(connection)
    set_models(server, False)
    server.psql("restored", server.client("pg_dump", "-d", server.conninfo("bank")))
    with server.connect("restored") as connection:
        connection.execute("SET search_path = public, ext")
        assert (bank.rows(connection), bank.definitions(connection)) == before
        assert found_nearest(connection) == 7
    set_models(server, True)
    with server.connect("restored") as connection:
        connection.execute("INSERT INTO bank.items (id, question) VALUES (2000, '다른 문항')")
        fresh = "SELECT embedding IS NOT NULL FROM bank.items WHERE id = 2000"
        assert connection.execute(fresh).fetchone() == (True,)
        reports = "SELECT count(*) FROM ext.embeddings()"
        assert connection.execute(reports).fetchone() == (len(bank.COLUMNS),)
    server.reload(itembank_embed__workers=1)
    assert_alive(server, "restored", "public, ext")
    server.reload(itembank_embed__workers=0)
