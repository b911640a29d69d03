"""What roles without superuser's rights see and do: no more than was decided, and all of that."""

import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from conftest import setting
from psycopg import sql as quoting
from psycopg.conninfo import make_conninfo

INSUFFICIENT_PRIVILEGE = "42501"
ROLES = ("privileges_app", "privileges_owner", "privileges_stranger", "privileges_watcher")
APP, OWNER, STRANGER, WATCHER = ROLES
TINY = "tiny-bert"


@pytest.fixture(scope="module")
def roles(url):
    """Roles without any rights, but for the watcher, who is PostgreSQL's own."""
    with psycopg.connect(url, autocommit=True) as admin:
        for role in ROLES:
            admin.execute(f"DROP ROLE IF EXISTS {role}")
            admin.execute(f"CREATE ROLE {role} LOGIN")
        admin.execute(f"GRANT pg_monitor TO {WATCHER}")
        yield
        for role in ROLES:
            admin.execute(f"DROP ROLE {role}")


@contextmanager
def database(url, name, prepare):
    """A database of OWNER's, in which a superuser has made the extension."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
        path = quoting.Literal(setting("ITEMBANK_FIXTURES"))
        model_path = quoting.SQL("ALTER DATABASE {} SET itembank_embed.model_path = {}")
        admin.execute(model_path.format(quoting.Identifier(name), path))
        try:
            here = make_conninfo(url, dbname=name)
            with psycopg.connect(here, autocommit=True) as made:
                made.execute(prepare)
            yield here
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def usual(url, roles):
    """The extension in schema public, and a table with an embedding column of OWNER's."""
    with database(url, "privileges_usual", "CREATE EXTENSION itembank_embed CASCADE") as here:
        with session(here, OWNER) as owner:
            owner.execute("""
                CREATE TABLE items (id int PRIMARY KEY, question text);
                INSERT INTO items SELECT n, '문항 ' || n FROM generate_series(1, 20) AS n""")
            owner.execute(f"SELECT add_embedding('items', 'embedding', '{TINY}', 'question')")
            owner.execute("SELECT judge('q', '1', 2)")
        yield here


def session(here, role) -> psycopg.Connection:
    """As the role itself, not by SET ROLE: it never was a superuser."""
    connection = psycopg.connect(here, autocommit=True)
    connection.execute(f"SET SESSION AUTHORIZATION {role}")
    connection.execute("SET statement_timeout = '30s'")
    return connection


def refused(connection, statement: str) -> str:
    """What it says."""
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        connection.execute(statement)
    assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, f"{statement}: {caught.value}"
    return str(caught.value)


MONITORED = (
    "SELECT * FROM engine_status()",
    "SELECT * FROM engine_models()",
    "SELECT engine_summary()",
    "SELECT * FROM itembank_engine",
)
ADMINISTERED = (
    f"SELECT load_model('{TINY}')",
    f"SELECT unload_model('{TINY}')",
    "SELECT engine_reset_statistics()",
)


def test_the_engine_is_for_those_who_watch_the_server(usual):
    for role in (STRANGER, OWNER):
        with session(usual, role) as connection:
            for statement in MONITORED:
                assert "permission denied" in refused(connection, statement)
    with session(usual, WATCHER) as connection:
        for statement in MONITORED:
            connection.execute(statement)


def test_models_are_loaded_by_who_was_let(usual):
    for role in (STRANGER, OWNER, WATCHER):
        with session(usual, role) as connection:
            for statement in ADMINISTERED:
                refused(connection, statement)
    with psycopg.connect(usual, autocommit=True) as admin:
        admin.execute(f"GRANT EXECUTE ON FUNCTION load_model, unload_model TO {WATCHER}")
        try:
            with session(usual, WATCHER) as connection:
                assert connection.execute(ADMINISTERED[0]).fetchone()[0] in (True, False)
                assert connection.execute(ADMINISTERED[1]).fetchone() == (True,)
        finally:
            admin.execute(f"REVOKE EXECUTE ON FUNCTION load_model, unload_model FROM {WATCHER}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embedding_columns SET model = 'other'",
        "DELETE FROM embedding_columns",
        "DELETE FROM embedding_progress",
        "UPDATE embedding_progress SET done = 0",
        "DELETE FROM embedding_migrations",
        "TRUNCATE embedding_columns",
        "SELECT * FROM embedding_columns FOR KEY SHARE",
        "SELECT * FROM embedding_progress FOR UPDATE",
        "LOCK TABLE embedding_columns IN SHARE MODE",
        "LOCK TABLE embedding_progress IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE embedding_migrations IN SHARE ROW EXCLUSIVE MODE",
        "INSERT INTO embedding_columns SELECT * FROM embedding_columns",
        "INSERT INTO embedding_progress SELECT * FROM embedding_progress",
        """SELECT embedding_record('items', 'removed', '{"targets": ["embedding"]}')""",
        """SELECT embedding_record('items', 'progress', '{"target": "embedding", "done": 0}')""",
        "SELECT embedding_record('items', 'removed', '{}')",
        "SELECT embedding_announce('items'::regclass)",
        """SELECT embedding_record_removed('items', '{"targets": ["embedding"]}')""",
        "SELECT embedding_drain('items', 'embedding', 1)",
        "SELECT * FROM embedding_as_owner('items', 'SELECT 1 AS one')",
        "SELECT drop_embedding('items', 'embedding')",
        "SELECT * FROM stale_embeddings('items')",
        "SELECT * FROM evaluation_judgements",
        "SELECT judge('q', '1', 0)",
        """CREATE TRIGGER t AFTER INSERT ON pg_temp.mine
           FOR EACH ROW EXECUTE FUNCTION embedding_forget()""",
    ],
)
def test_a_stranger_changes_and_stops_nothing(usual, statement):
    with session(usual, STRANGER) as stranger:
        stranger.execute("CREATE TEMP TABLE mine (tbl regclass, target name)")
        refused(stranger, statement)
    with session(usual, OWNER) as owner:
        known = "SELECT count(*) FROM embeddings() WHERE model = %s AND embedded = 20"
        assert owner.execute(known, (TINY,)).fetchone() == (1,)


def test_nobody_becomes_the_registrar(usual):
    """What an owner writes into the registry through the gate is of his own tables alone."""
    with session(usual, APP) as app:
        app.execute("CREATE TEMP TABLE mine (id int PRIMARY KEY, body text)")
        forged = """SELECT embedding_record('pg_temp.mine', 'progress',
                        '{"target": "embedding", "tbl": "items", "done": 0}')"""
        app.execute(forged)
        app.execute("""SELECT embedding_record('pg_temp.mine', 'removed',
                           '{"targets": ["embedding"], "tbl": "items"}')""")
        with pytest.raises(psycopg.Error) as caught:
            app.execute("SELECT embedding_record('pg_temp.mine', 'removed(null); --', '{}')")
        assert caught.value.sqlstate == "22023"
        assert app.execute("SELECT current_user").fetchone() == (APP,)
    with session(usual, OWNER) as owner:
        done = "SELECT done, total FROM itembank_progress WHERE target = 'embedding'"
        assert owner.execute(done).fetchone() == (20, 20)


def test_what_others_have_is_not_counted_for_a_stranger(usual):
    with session(usual, STRANGER) as stranger:
        row = stranger.execute("SELECT rows, embedded, pending, failed FROM embeddings()")
        assert row.fetchall() == [(None, None, None, None)]
        assert stranger.execute("SELECT pending FROM itembank_progress").fetchall() == [(None,)]


def test_no_path_is_told(usual):
    """Neither by models() nor by an error."""
    folders = {setting("ITEMBANK_FIXTURES"), setting("ITEMBANK_MODELS"), setting("ITEMBANK_ORT")}
    folders |= {str(Path(folder).parent) for folder in folders}
    with session(usual, STRANGER) as stranger:
        told = [row[0] for row in stranger.execute("SELECT models()::text").fetchall()]
        for call in ("embed('no-such-model', 'a')", f"embed('{TINY}', 'a', task => 'x')"):
            with pytest.raises(psycopg.Error) as caught:
                stranger.execute(f"SELECT {call}")
            told.append(f"{caught.value} {caught.value.diag.message_detail}")
        for text in told:
            assert not any(folder in text for folder in folders), text


def test_a_writer_is_not_kept_waiting(usual):
    """By a stranger's open transaction that has taken every lock that it can have."""
    with session(usual, STRANGER) as stranger, session(usual, OWNER) as owner:
        with stranger.transaction():
            for table in ("embedding_columns", "embedding_progress", "embedding_migrations"):
                stranger.execute(f"SELECT * FROM {table}")
                stranger.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE")
            done = threading.Event()

            def write():
                owner.execute("UPDATE items SET question = question || '.' WHERE id = 1")
                owner.execute("CALL backfill('items')")
                done.set()

            writer = threading.Thread(target=write)
            writer.start()
            assert done.wait(20)
        writer.join()


def test_the_owner_of_the_database_dumps_it_with_its_judgements(usual):
    with session(usual, OWNER) as owner:
        assert owner.execute("SELECT count(*) FROM evaluation_judgements").fetchone() == (1,)
    program = Path(setting("ITEMBANK_TEST_PGBIN")) / "pg_dump"
    dump = subprocess.run(
        [program, "-d", make_conninfo(usual, user=OWNER)],
        check=False,
        capture_output=True,
        text=True,
    )
    if "password authentication failed" in dump.stderr:
        pytest.skip("the server is reached by TCP and its password alone")
    assert dump.returncode == 0, dump.stderr
    assert "COPY public.evaluation_judgements" in dump.stdout and "\nq\t1\t" in dump.stdout


CLOSED = f"""
    CREATE SCHEMA itembank;
    CREATE EXTENSION vector;
    CREATE EXTENSION itembank_embed SCHEMA itembank;
    GRANT USAGE ON SCHEMA itembank TO {APP};
    CREATE SCHEMA shop AUTHORIZATION {APP};
    GRANT USAGE ON SCHEMA shop TO PUBLIC;
    GRANT SELECT, INSERT, UPDATE, DELETE ON itembank.evaluation_judgements TO {APP};
"""
# As the README has it, over a small model.
WORK = f"""
    CREATE TABLE items (id int PRIMARY KEY, subject text, question text);
    SELECT add_embedding('items', 'embedding', '{TINY}', inputs => 'question');
    SELECT add_embedding('items', 'soon', '{TINY}', '{{subject}}: {{question}}', mode => 'queue');
    INSERT INTO items SELECT n, 'a', 'item ' || n FROM generate_series(1, 20) AS n;
    CREATE TABLE generated (id int PRIMARY KEY, question text,
        embedding vector(32) GENERATED ALWAYS AS (embed('{TINY}', question)) STORED);
    INSERT INTO generated SELECT id, question FROM items;
    CREATE INDEX ON generated USING hnsw (embedding vector_cosine_ops);
    SELECT id FROM items ORDER BY embedding <=> embed('{TINY}', 'item 3', task => 'query') LIMIT 1;
    SELECT id FROM items ORDER BY embedding <=> embed_query('items', 'embedding', 'item 3') LIMIT 1;
    SELECT embed('{TINY}', array_agg(question)) FROM items;
    SELECT * FROM models();
    SELECT * FROM count_tokens('{TINY}', 'a');
    SELECT * FROM rerank('item', ARRAY['a', 'item 1'], model => '{TINY}');
    SELECT rerank_batch('item', question, model => '{TINY}') OVER () FROM items;
    CREATE TABLE judgements (query_id text, item_id int, relevance int);
    INSERT INTO judgements VALUES ('q1', 1, 2), ('q1', 2, 1);
    SELECT * FROM evaluate($$SELECT 'q1', id, 1.0 / id FROM items$$, 'TABLE judgements');
    SELECT * FROM compare_runs($$SELECT 'q1', id, 1.0 / id FROM items$$,
                               $$SELECT 'q1', id, id FROM items$$, 'TABLE judgements', '{{mrr}}');
    SELECT ndcg_at_k(query_id, 1, relevance, 5) FROM judgements WHERE item_id = 1;
    SELECT * FROM label_sample($$SELECT 'q1', id, 1.0 / id FROM items$$, 'TABLE judgements');
    SELECT judge('q1', '3', 0, assessor => 'kim');
    SELECT * FROM index_recall('items', 'embedding', k => 3, ef_search => '{{40}}');
    SELECT * FROM near_duplicates('items', target => 'embedding');
    SELECT * FROM stale_embeddings('items');
    SELECT * FROM verify_embeddings('items', 5, 'embedding');
    SELECT * FROM embeddings();
    SELECT * FROM itembank_progress
"""


@pytest.fixture(scope="module")
def closed(url, roles):
    """The extension in a schema of its own, which is opened to APP alone."""
    with database(url, "privileges_closed", CLOSED) as here:
        with session(here, APP) as app:
            app.execute("SET search_path = shop, itembank, public")
            for statement in WORK.split(";\n"):
                app.execute(statement)
            for call in (
                "CALL backfill('items')",
                "CALL migrate_embedding('items', 'embedding', 'tiny-cls')",
            ):
                app.execute(call)
            app.execute("SELECT rollback_embedding('items', 'embedding')")
            app.execute("SELECT drop_embedding('items', 'embedding_next')")
            app.execute(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO {STRANGER}")
        yield here


def test_a_schema_of_its_own_is_closed_but_to_who_was_let_in(closed):
    with session(closed, STRANGER) as stranger:
        for statement in (
            f"SELECT itembank.embed('{TINY}', 'a')",
            "SELECT * FROM itembank.models()",
            "SELECT * FROM itembank.embedding_columns",
            "SELECT itembank.recall_at_k('q', 1, 1, 1)",
            "SELECT itembank.engine_summary()",
        ):
            assert "schema itembank" in refused(stranger, statement)
    with session(closed, APP) as app:
        for statement in MONITORED + ADMINISTERED:
            app.execute("SET search_path = itembank")
            refused(app, statement)


def test_who_only_writes_needs_nothing_of_the_extension(closed):
    """Columns of both kinds are filled for who may not call a function."""
    with session(closed, STRANGER) as stranger:
        stranger.execute("SET search_path = shop, public")
        stranger.execute("INSERT INTO items (id, subject, question) VALUES (100, 'b', 'new')")
        stranger.execute("UPDATE items SET question = 'changed' WHERE id = 100")
        stranger.execute("INSERT INTO generated VALUES (100, 'changed')")
        same = """SELECT i.embedding <-> g.embedding FROM items AS i JOIN generated AS g USING (id)
                  WHERE id = 100"""
        assert stranger.execute(same).fetchone()[0] < 1e-6
