"""Embedding columns through pg_dump and back: nothing needs a model, and nothing is lost."""

import re

import bank
import psycopg
import pytest
from checks import assert_alive, assert_no_inference, engine, found_nearest, set_models
from private_cluster import cluster, no_models

pytestmark = pytest.mark.server

UNDEFINED_OBJECT = "42704"


@pytest.fixture(scope="module")
def source():
    """A server with models whose workers are off, and the database `bank` on it."""
    with cluster("dump-source", **{"itembank_embed.workers": 0}) as server:
        server.create("bank")
        with server.connect("bank") as connection:
            bank.build(connection)
        yield server


@pytest.fixture(scope="module")
def bare():
    """Another one without any model; its workers are on."""
    with cluster("dump-target", **{"itembank_embed.model_path": no_models()}) as server:
        yield server


@pytest.fixture
def target(bare):
    """An empty database there; no model is installed."""
    set_models(bare, False)
    bare.create("restored")
    yield "restored"
    set_models(bare, False)


@pytest.fixture(scope="module")
def before(source):
    """What has to come back."""
    with source.connect("bank") as connection:
        return bank.rows(connection), bank.definitions(connection)


def plain(source, target, database, tmp_path):
    """pg_dump | psql."""
    target.psql(database, source.client("pg_dump", "-d", source.conninfo("bank")))


def inserts(source, target, database, tmp_path):
    """The same, with an INSERT a row."""
    target.psql(database, source.client("pg_dump", "--inserts", "-d", source.conninfo("bank")))


def custom(source, target, database, tmp_path):
    """An archive, restored by two sessions at once."""
    archive = dumped(source, tmp_path)
    target.client("pg_restore", "-j2", "-d", target.conninfo(database), archive)


def at_once(source, target, database, tmp_path):
    """In one transaction."""
    archive = dumped(source, tmp_path)
    target.client("pg_restore", "-1", "-d", target.conninfo(database), archive)


def again(source, target, database, tmp_path):
    """Over what was restored before."""
    archive = dumped(source, tmp_path)
    where = ("-d", target.conninfo(database))
    target.client("pg_restore", *where, archive)
    done = target.attempt("pg_restore", "--clean", "--if-exists", *where, archive)
    # Postgres' own: keys of partitions go with that of the whole.
    errors = re.findall(r"ERROR: .*", done.stderr)
    assert all("cannot drop inherited constraint" in error for error in errors), done.stderr


def in_parts(source, target, database, tmp_path):
    """Definitions, then rows, which pass by the triggers."""
    target.psql(database, source.client("pg_dump", "--schema-only", "-d", source.conninfo("bank")))
    data = ("--data-only", "--disable-triggers")
    target.psql(database, source.client("pg_dump", *data, "-d", source.conninfo("bank")))


def rows_alone(source, target, database, tmp_path):
    """Into tables that are there, registered and empty."""
    plain(source, target, database, tmp_path)
    with target.connect(database) as connection:
        tables = [name for name in bank.rows(connection) if "embedding_" not in name.split(".")[-1]]
        queues = connection.execute("SELECT queue::text FROM embedding_columns").fetchall()
        tables += [name for (name,) in queues]
        connection.execute(f"TRUNCATE {', '.join(tables)}")
    data = ("--data-only", "--disable-triggers", "--exclude-table-data=embedding_*")
    target.psql(database, source.client("pg_dump", *data, "-d", source.conninfo("bank")))


def dumped(source, tmp_path):
    archive = tmp_path / "bank.dump"
    source.client("pg_dump", "-Fc", "-f", archive, "-d", source.conninfo("bank"))
    return archive


WAYS = [plain, inserts, custom, at_once, again, in_parts, rows_alone]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_restore_needs_no_model_and_keeps_all(way, source, bare, target, before, tmp_path):
    with assert_no_inference(bare):
        way(source, bare, target, tmp_path)
        with bare.connect(target) as connection:
            assert bank.rows(connection) == before[0]
            assert bank.definitions(connection) == before[1]
            assert found_nearest(connection) == 7
            with pytest.raises(psycopg.Error) as caught:
                connection.execute("SELECT embed('tiny-bert', 'a')")
            assert caught.value.sqlstate == UNDEFINED_OBJECT
            # Whatever the worker thinks of a server without models: it is no row's fault.
            connection.execute("SELECT pg_sleep(1)")
            assert bank.rows(connection) == before[0]


@pytest.mark.parametrize("way", [plain, custom], ids=lambda way: way.__name__)
def test_all_goes_on_when_the_models_are_there(way, source, bare, target, tmp_path):
    way(source, bare, target, tmp_path)
    set_models(bare, True)
    assert_alive(bare, target)


def test_a_single_table_is_adopted(source, bare, target):
    """The registry stays behind; add_embedding finds the columns, and what is in them fresh."""
    dump = source.client("pg_dump", "-t", "bank.items", "-d", source.conninfo("bank"))
    with bare.connect(target) as connection:
        connection.execute("CREATE EXTENSION itembank_embed CASCADE; CREATE SCHEMA bank")
        bare.psql(target, dump)
        vectors = "SELECT id, embedding::text FROM bank.items ORDER BY id"
        before = connection.execute(vectors).fetchall()
        assert any(vector for _, vector in before)
        set_models(bare, True)
        # Its triggers came along, and do nothing yet.
        connection.execute("INSERT INTO bank.items (id, question) VALUES (1000, '새 문항')")
        items = engine(connection)["items"]
        connection.execute(
            "SELECT add_embedding('bank.items', 'embedding', 'tiny-bert', inputs => 'question')"
        )
        assert engine(connection)["items"] == items + 1
        after = connection.execute(vectors).fetchall()
        assert after[:-1] == before and after[-1][1] is not None


def test_triggers_that_fire_always_stay_so(source, bare, target, tmp_path):
    """Of partitions too, in one transaction: none is made by the way that is still to come."""
    source.create("always")
    with source.connect("always") as connection:
        connection.execute("CREATE EXTENSION itembank_embed CASCADE")
        connection.execute(
            "CREATE TABLE papers (id int PRIMARY KEY, body text) PARTITION BY LIST (id)"
        )
        connection.execute("CREATE TABLE papers_1 PARTITION OF papers FOR VALUES IN (1)")
        connection.execute("SELECT add_embedding('papers', 'e', 'tiny-bert', inputs => 'body')")
        connection.execute("ALTER TABLE papers ENABLE ALWAYS TRIGGER itembank_embed_insert")
        triggers = bank.triggers(connection)
    archive = tmp_path / "always.dump"
    source.client("pg_dump", "-Fc", "-f", archive, "-d", source.conninfo("always"))
    bare.client("pg_restore", "-1", "-d", bare.conninfo(target), archive)
    with bare.connect(target) as connection:
        assert bank.triggers(connection) == triggers
