"""What roles without superuser's rights see and do: no more than was decided, and all of that."""

import subprocess
import threading
import time
from pathlib import Path

import psycopg
import pytest
from conftest import setting
from psycopg.conninfo import make_conninfo
from roles_server import APP, OWNER, STRANGER, TINY, WATCHER, database, made_roles, refused, session


@pytest.fixture(scope="module")
def roles(url):
    """They are there."""
    with made_roles(url):
        yield


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
    progress = "SELECT done, total FROM embedding_progress WHERE tbl = {}::regclass"
    with session(usual, OWNER) as owner:
        others = owner.execute("SELECT 'items'::regclass::oid").fetchone()[0]
    with session(usual, APP) as app:
        app.execute("CREATE TEMP TABLE mine (id int PRIMARY KEY, body text)")
        app.execute("INSERT INTO mine VALUES (1, 'a'), (2, 'b')")
        app.execute(f"SELECT add_embedding('mine', 'embedding', '{TINY}', 'body')")
        mine = progress.format("'pg_temp.mine'")
        assert app.execute(mine).fetchone() == (2, 2)
        # Another table of the same column's name, by name and by number.
        app.execute(f"""SELECT embedding_record('pg_temp.mine', 'progress',
            '{{"target": "embedding", "tbl": "{others}", "done": 0, "total": 1}}')""")
        assert app.execute(mine).fetchone() == (0, 1)
        app.execute("""SELECT embedding_record('pg_temp.mine', 'swapped',
            '{"target": "embedding", "tbl": "items", "swapped": true}')""")
        app.execute(f"""SELECT embedding_record('pg_temp.mine', 'removed',
            '{{"targets": ["embedding"], "tbl": "{others}", "reports": true}}')""")
        assert app.execute(mine).fetchone() is None
        with pytest.raises(psycopg.Error) as caught:
            app.execute("SELECT embedding_record('pg_temp.mine', 'removed(null); --', '{}')")
        assert caught.value.sqlstate == "22023"
        assert app.execute("SELECT current_user").fetchone() == (APP,)
    with session(usual, OWNER) as owner:
        assert owner.execute(progress.format("'items'")).fetchone() == (20, 20)
        known = "SELECT count(*) FROM embedding_columns WHERE tbl = 'items'::regclass"
        assert owner.execute(known).fetchone() == (1,)


def test_a_table_that_is_being_made_is_not_nobodys(usual):
    """A stranger does not see it yet, and learns whose it is before anything of his is done."""
    told = []

    def remove(table: int) -> None:
        with session(usual, STRANGER) as stranger:
            given = '{"targets": ["embedding"]}'
            statement = f"SELECT embedding_record({table}::oid, 'removed', '{given}')"
            told.append(refused(stranger, statement))

    with session(usual, OWNER) as owner:
        with owner.transaction():
            owner.execute("CREATE TABLE made (id int PRIMARY KEY, body text)")
            owner.execute(f"SELECT add_embedding('made', 'embedding', '{TINY}', 'body')")
            table = owner.execute("SELECT 'made'::regclass::oid").fetchone()[0]
            remover = threading.Thread(target=remove, args=(table,))
            remover.start()
            remover.join(1)
            assert remover.is_alive() and not told
        remover.join(20)
        assert len(told) == 1 and "must be owner" in told[0]
        kept = "SELECT count(*) FROM embedding_columns WHERE tbl = 'made'::regclass"
        assert owner.execute(kept).fetchone() == (1,)
        owner.execute("DROP TABLE made")


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


REGISTRY = ("embedding_columns", "embedding_progress", "embedding_migrations")


def works(here) -> None:
    """What an owner does with tables of his own; a migration does wait for older transactions."""
    with session(here, OWNER) as owner:
        owner.execute("SET lock_timeout = '5s'")
        owner.execute("UPDATE items SET question = question || '.' WHERE id = 1")
        owner.execute("CALL backfill('items')")
        owner.execute("CREATE TABLE late (id int PRIMARY KEY, body text)")
        owner.execute("INSERT INTO late VALUES (1, 'a'), (2, 'b')")
        owner.execute(f"SELECT add_embedding('late', 'embedding', '{TINY}', 'body')")
        owner.execute("CALL backfill('late')")
        owner.execute("SELECT drop_embedding('late', 'embedding')")
        owner.execute("DROP TABLE late")


def test_a_writer_is_not_kept_waiting(usual):
    """By a stranger's open transaction that has taken every lock that it can have."""
    with session(usual, STRANGER) as stranger, stranger.transaction():
        stranger.execute("CREATE TEMP TABLE mine (id int PRIMARY KEY, body text) ON COMMIT DROP")
        for table in REGISTRY:
            stranger.execute(f"SELECT * FROM {table}")
            stranger.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        # Rows of its own, in each of the tables.
        stranger.execute(f"SELECT add_embedding('mine', 'embedding', '{TINY}', 'body')")
        stranger.execute("""INSERT INTO embedding_migrations
            (tbl, target, old_model, new_model, sampled, metrics)
            VALUES ('mine', 'embedding', 'a', 'b', 1, '{}')""")
        for what, given in (
            ("progress", '{"target": "embedding", "done": 0}'),
            ("keys", '{"target": "embedding"}'),
            ("swapped", '{"target": "embedding", "swapped": true}'),
        ):
            stranger.execute("SELECT embedding_record('mine', %s, %s)", (what, given))
        works(usual)
        raise psycopg.Rollback


def left_behind(here) -> psycopg.Connection:
    """A table of STRANGER's that will go with its session, with a row in each of the registry's."""
    stranger = session(here, STRANGER)
    stranger.execute("CREATE TEMP TABLE mine (id int PRIMARY KEY, body text)")
    stranger.execute(f"SELECT add_embedding('mine', 'embedding', '{TINY}', 'body')")
    stranger.execute("""INSERT INTO embedding_migrations
        (tbl, target, old_model, new_model, sampled, metrics)
        VALUES ('mine', 'embedding', 'a', 'b', 1, '{}')""")
    return stranger


@pytest.mark.parametrize("what", ["removed", "progress", "swapped"])
def test_what_is_left_of_a_strangers_tables_stops_nobody(usual, what):
    """Though anybody may hold it. Who adds an embedding column later takes it away."""
    gone = f"""SELECT count(*) FROM {REGISTRY[0]} FULL JOIN {REGISTRY[1]} USING (tbl, target)
                   FULL JOIN {REGISTRY[2]} USING (tbl, target)
               WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = tbl)"""
    with session(usual, STRANGER) as holder:
        with left_behind(usual) as leaving:
            table = leaving.execute("SELECT 'mine'::regclass::oid").fetchone()[0]
            if what != "removed":
                holder.execute("BEGIN")
                given = '{"target": "embedding", "swapped": true}'
                holder.execute("SELECT embedding_record(%s::oid, %s, %s)", (table, what, given))
        wait_until_gone(usual, table)
        if what == "removed":
            holder.execute("BEGIN")
            holder.execute("SELECT embedding_record(%s::oid, 'removed', '{}')", (table,))
        works(usual)
        with session(usual, OWNER) as owner:
            assert owner.execute(gone).fetchone() == (1,)
        holder.execute("ROLLBACK")
    works(usual)
    with session(usual, OWNER) as owner:
        assert owner.execute(gone).fetchone() == (0,)


def wait_until_gone(here, table: int) -> None:
    """The end of a session is not the end of its connection."""
    with session(here, OWNER) as owner:
        for _ in range(200):
            there = owner.execute("SELECT count(*) FROM pg_class WHERE oid = %s", (table,))
            if there.fetchone() == (0,):
                return
            time.sleep(0.05)
    pytest.fail("the table is still there")


def dump(here, role) -> subprocess.CompletedProcess:
    """pg_dump by a role."""
    program = Path(setting("ITEMBANK_TEST_PGBIN")) / "pg_dump"
    url = make_conninfo(here, user=role)
    made = subprocess.run([program, "-d", url], check=False, capture_output=True, text=True)
    if "password authentication failed" in made.stderr:
        pytest.skip("the server is reached by TCP and its password alone")
    return made


def test_the_owner_of_the_database_dumps_it_with_its_judgements(usual):
    with session(usual, OWNER) as owner:
        assert owner.execute("SELECT count(*) FROM evaluation_judgements").fetchone() == (1,)
    made = dump(usual, OWNER)
    assert made.returncode == 0, made.stderr
    assert "COPY public.evaluation_judgements" in made.stdout and "\nq\t1\t" in made.stdout


def test_reports_go_with_what_they_are_about(usual):
    """Whoever owns the table has them removed; they stay with a column that is kept."""
    reports = "SELECT target FROM embedding_migrations WHERE tbl = %s ORDER BY target"
    with session(usual, OWNER) as owner:
        owner.execute("CREATE TABLE reported (id int PRIMARY KEY, body text)")
        table = owner.execute("SELECT 'reported'::regclass::oid").fetchone()[0]
        for target in "abc":
            owner.execute(f"SELECT add_embedding('reported', '{target}', '{TINY}', 'body')")
            owner.execute(f"""INSERT INTO embedding_migrations
                (tbl, target, old_model, new_model, sampled, metrics)
                VALUES ('reported', '{target}', 'x', 'y', 1, '{{}}')""")
        owner.execute("SELECT drop_embedding('reported', 'a')")
        assert owner.execute(reports, (table,)).fetchall() == [("b",), ("c",)]
        owner.execute("SELECT drop_embedding('reported', 'b', keep_column => true)")
        assert owner.execute(reports, (table,)).fetchall() == [("b",), ("c",)]
        owner.execute("DROP TABLE reported")
        assert owner.execute(reports, (table,)).fetchall() == [("b",)]
        owner.execute("CREATE TABLE other (id int PRIMARY KEY, body text)")
        owner.execute(f"SELECT add_embedding('other', 'e', '{TINY}', 'body')")
        owner.execute("DROP TABLE other")
        assert owner.execute(reports, (table,)).fetchall() == []


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


def test_the_owner_of_the_database_dumps_a_schema_that_was_opened(closed):
    """To him; it is a superuser's."""
    with session(closed, APP) as app:
        for what in ("TABLES", "SEQUENCES"):
            app.execute(f"GRANT SELECT ON ALL {what} IN SCHEMA shop TO {OWNER}")
    before = dump(closed, OWNER)
    assert before.returncode != 0 and "schema itembank" in before.stderr, before.stderr
    with psycopg.connect(closed, autocommit=True) as admin:
        admin.execute(f"GRANT USAGE ON SCHEMA itembank TO {OWNER}")
        done = dump(closed, OWNER)
        admin.execute(f"REVOKE USAGE ON SCHEMA itembank FROM {OWNER}")
    assert done.returncode == 0, done.stderr
    assert "COPY itembank.evaluation_judgements" in done.stdout


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
