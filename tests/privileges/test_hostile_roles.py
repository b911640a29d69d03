"""A role without a superuser's rights, and with bad intentions: its code runs with its own rights
alone, and it stops nobody."""

import re

import psycopg
import pytest
from roles_server import APP, OWNER, STRANGER, TINY, database, made_roles, refused, session

# Whoever runs it is written down.
SPY = f"""
    CREATE SCHEMA den AUTHORIZATION {STRANGER};
    GRANT USAGE ON SCHEMA den TO PUBLIC;
    CREATE SCHEMA shared;
    GRANT CREATE, USAGE ON SCHEMA shared TO PUBLIC;
    SET SESSION AUTHORIZATION {STRANGER};
    CREATE TABLE den.spied (who text);
    GRANT INSERT ON den.spied TO PUBLIC;
    CREATE FUNCTION den.spy() RETURNS bool LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        INSERT INTO den.spied VALUES (current_user);
        RETURN true;
    END $$;
    RESET SESSION AUTHORIZATION
"""
REGISTER = """
    INSERT INTO embedding_columns (tbl, target, model, input_expression, input_columns,
        key_columns, key_equals, mode, hash_column, fingerprint_column, queue, role, of)
    VALUES ('{table}', '{target}', '{model}', 'body', '{{body}}', '{{id}}', '{{=}}', 'manual',
            '{hash}', '{fingerprint}', '{queue}', '{role}', {of})
"""
QUEUE = """
    CREATE TABLE {} (id bigint, key_1 int, origin text, queued_at timestamptz, attempts int,
                     retry_at timestamptz, code text, error text)
"""


def register(connection, table, queue, target="e", model=TINY, role="current", of=None) -> None:
    """A row of the registry, written by hand."""
    connection.execute(
        REGISTER.format(
            table=table,
            target=target,
            model=model,
            hash=f"{target}_h",
            fingerprint=f"{target}_f",
            queue=queue,
            role=role,
            of=f"'{of}'" if of else "NULL",
        )
    )


@pytest.fixture(scope="module")
def roles(url):
    """They are there."""
    with made_roles(url):
        yield


@pytest.fixture(scope="module")
def place(url, roles):
    """A database with a table of OWNER's, and a schema of STRANGER's."""
    prepare = "CREATE EXTENSION itembank_embed CASCADE;" + SPY
    with database(url, "privileges_hostile", prepare) as here:
        with session(here, OWNER) as owner:
            owner.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
            owner.execute("CREATE TABLE items (id int PRIMARY KEY, question text)")
            owner.execute("INSERT INTO items SELECT n, '문항 ' || n FROM generate_series(1, 20) n")
            owner.execute(f"SELECT add_embedding('items', 'embedding', '{TINY}', 'question')")
        yield here


@pytest.fixture
def admin(place):
    """A superuser, who looks after all."""
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("TRUNCATE den.spied")
        yield connection
        for (table,) in connection.execute(
            "SELECT DISTINCT tbl::text FROM embedding_columns WHERE tbl <> 'items'::regclass"
        ).fetchall():
            connection.execute(f"DROP TABLE IF EXISTS {table} CASCADE")
        for name in ("data", "q", "q2", "t"):
            connection.execute(f"DROP TABLE IF EXISTS den.{name}, shared.{name} CASCADE")


@pytest.fixture
def stranger(place):
    with session(place, STRANGER) as connection:
        yield connection


def ran(admin) -> set[str]:
    """Who has run the stranger's code."""
    return {who for (who,) in admin.execute("SELECT DISTINCT who FROM den.spied").fetchall()}


def test_a_changed_table_of_his_runs_his_types_as_him(admin, stranger):
    """The keys of the queue follow the table's, through the check of a domain."""
    stranger.execute("""
        CREATE FUNCTION den.check_key(int) RETURNS bool LANGUAGE sql AS 'SELECT den.spy()';
        CREATE DOMAIN den.key AS int CHECK (den.check_key(VALUE));
        CREATE TABLE den.t (id den.key PRIMARY KEY, body text,
                            e vector(32), e_h bytea, e_f text)""")
    stranger.execute(QUEUE.format("den.q"))
    stranger.execute("INSERT INTO den.q (key_1) VALUES (1)")
    register(stranger, "den.t", "den.q")
    admin.execute("ALTER TABLE den.t SET (fillfactor = 90)")
    assert ran(admin) == {STRANGER}
    kind = """SELECT format_type(atttypid, NULL) FROM pg_attribute
              WHERE attrelid = 'den.q'::regclass AND attname = 'key_1'"""
    assert admin.execute(kind).fetchone() == ("den.key",)


def test_an_index_of_his_is_measured_as_him(admin, stranger):
    """An index on an expression computes what its functions are by now."""
    stranger.execute("""
        CREATE FUNCTION den.half(vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE
            AS 'BEGIN RETURN $1; END';
        CREATE TABLE den.t (id int PRIMARY KEY, v vector(3));
        INSERT INTO den.t SELECT n, ARRAY[n, 1, 2]::vector FROM generate_series(1, 50) AS n;
        CREATE INDEX ON den.t USING hnsw ((den.half(v)::vector(3)) vector_l2_ops);
        CREATE OR REPLACE FUNCTION den.half(vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE
            AS $$BEGIN RAISE WARNING 'run by %', current_user; RETURN $1; END$$""")
    heard = set()
    admin.add_notice_handler(lambda diag: heard.add(diag.message_primary))
    found = admin.execute("SELECT * FROM index_recall('den.t', 'v', 3, 5, '{40}')").fetchall()
    assert found[0][2] == 1
    assert heard == {f"run by {STRANGER}"}


def test_a_type_of_his_is_no_vector(admin, stranger):
    """Whatever its name is: a migration would cast queries to it, with the rights of who asks."""
    stranger.execute("""
        CREATE TYPE den.vector AS ENUM ('a');
        CREATE FUNCTION den.made(public.vector) RETURNS den.vector LANGUAGE sql
            AS $$SELECT CASE WHEN den.spy() THEN 'a'::den.vector END$$;
        CREATE CAST (public.vector AS den.vector) WITH FUNCTION den.made(public.vector);
        CREATE TABLE den.t (id int PRIMARY KEY, body text, e den.vector)""")
    with pytest.raises(psycopg.errors.DatatypeMismatch):
        admin.execute("SELECT * FROM embedding_vector_type('den.t', 'e')")
    assert ran(admin) == set()


# Operators for every pair of types for which PostgreSQL has none of its own: each fails.
TRAPS = """
    CREATE SCHEMA traps;
    DO $do$
    DECLARE
        types regtype[] := '{smallint,int,bigint,numeric,real,float8,text,varchar,name,oid,
            regclass,bool,jsonb,json,bytea,interval,timestamptz,text[],name[],int[],float8[]}';
        a regtype;
        b regtype;
        op text;
    BEGIN
        FOREACH a IN ARRAY types LOOP
            FOREACH b IN ARRAY types LOOP
                EXECUTE format('CREATE FUNCTION traps.trap(%s, %s) RETURNS bool
                    LANGUAGE plpgsql AS $$ BEGIN RAISE ''trapped''; END $$', a, b);
                FOREACH op IN ARRAY '{=,<>,<,>,<=,>=,+,-,*,/,||,->,->>,~,~~,?}'::text[] LOOP
                    IF NOT EXISTS (SELECT FROM pg_operator AS o
                                   WHERE o.oprname = op AND o.oprleft = a AND o.oprright = b
                                     AND o.oprnamespace = 'pg_catalog'::regnamespace) THEN
                        EXECUTE format('CREATE OPERATOR traps.%s (LEFTARG = %s, RIGHTARG = %s, '
                                       'FUNCTION = traps.trap)', op, a, b);
                    END IF;
                END LOOP;
            END LOOP;
        END LOOP;
    END $do$;
    CREATE TABLE public.hits (query_id text, item_id text, score float8);
    INSERT INTO public.hits VALUES ('q', '1', 3), ('q', '2', 2), ('p', '2', 1), ('p', '3', 2);
    CREATE TABLE public.judged (query_id text, item_id text, relevance int);
    INSERT INTO public.judged VALUES ('q', '1', 2), ('p', '3', 1), ('q', '3', 1);
    CREATE TABLE public.asked (query_id text, query_text text);
    INSERT INTO public.asked VALUES ('q', '문항 3')
"""
CALLS = f"""
    SELECT embed_query('items', 'embedding', '문항 3')
    SELECT embed('{TINY}', '문항', task => 'query')
    SELECT embed('{TINY}', ARRAY['a', 'b'])
    SELECT * FROM count_tokens('{TINY}', 'a')
    SELECT * FROM models()
    SELECT * FROM rerank('a', ARRAY['a', 'b'], model => '{TINY}')
    SELECT rerank_batch('a', question, model => '{TINY}') OVER () FROM items
    SELECT judge('q', '1', 2, assessor => 'a')
    SELECT judge('q', '1', 1, assessor => 'b')
    SELECT judge('q', '2', 1, assessor => 'a')
    SELECT judge('q', '2', 1, assessor => 'b')
    SELECT * FROM pooled_judgements()
    SELECT * FROM assessor_agreement()
    SELECT * FROM evaluate('TABLE hits', 'TABLE judged')
    SELECT * FROM compare_runs('TABLE hits', 'TABLE hits', 'TABLE judged', '{{mrr}}')
    SELECT * FROM evaluation_report('{{"a": "TABLE hits"}}', 'TABLE judged')
    SELECT * FROM evaluation_report('{{"a": "TABLE hits"}}', 'TABLE judged',
                                    categories => 'SELECT query_id, query_text FROM asked')
    SELECT evaluation_svg('{{"a": "TABLE hits"}}', 'TABLE judged')
    SELECT * FROM label_sample('TABLE hits', 'TABLE judged')
    SELECT * FROM label_sample('TABLE hits', 'TABLE judged', strategy => 'unjudged')
    SELECT * FROM label_sample('TABLE hits', 'TABLE judged', strategy => 'missed', k => 1)
    SELECT * FROM label_sample('TABLE hits', NULL, 10, 'disagreement', 'TABLE hits')
    SELECT add_embedding('items', 'second', '{TINY}', '{{id}} {{question}}', mode => 'queue')
    CALL backfill('items')
    UPDATE items SET question = 'changed' WHERE id = 1
    SELECT * FROM embeddings()
    SELECT * FROM itembank_progress
    SELECT * FROM stale_embeddings('items')
    SELECT * FROM verify_embeddings('items', 5)
    SELECT * FROM near_duplicates('items', 0.5, 'embedding')
    SELECT * FROM embedding_agreement('items', 'embedding', 'second')
    SELECT * FROM index_recall('items', 'embedding', k => 3, sample => 5, ef_search => '{{40}}')
    CALL migrate_embedding('items', 'embedding', 'tiny-cls', queries => 'TABLE asked')
    ALTER TABLE items ALTER COLUMN id TYPE bigint
    ALTER TABLE items RENAME TO renamed
    ALTER TABLE renamed RENAME TO items
    SELECT rollback_embedding('items', 'embedding')
    SELECT drop_embedding('items', 'embedding_next')
    SELECT drop_embedding('items', 'second')
    SELECT embedding_hash('a')
    SELECT * FROM engine_status()
    SELECT * FROM itembank_engine
    SELECT engine_summary()
"""


def test_operators_of_a_writable_schema_are_not_found(admin):
    """Where the caller's path begins with a schema that others write to, as `public` once was."""
    calls = [call.strip() for call in re.split(r"\n    (?=\w)", CALLS.strip())]
    admin.execute(TRAPS)
    try:
        admin.execute("SET search_path = traps, public")
        with pytest.raises(psycopg.errors.RaiseException):
            admin.execute("SELECT 0.4 * id FROM items")
        for call in calls:
            admin.execute(call)
    finally:
        admin.execute(
            "RESET search_path; DROP TABLE hits, judged, asked; DROP SCHEMA traps CASCADE"
        )


def test_a_lock_is_for_who_may_write(stranger):
    """A number is enough to name a table."""
    number = stranger.execute("SELECT 'items'::regclass::oid").fetchone()[0]
    refused(stranger, f"SELECT * FROM embedding_fill({number}::oid, 'embedding', '{{}}')")


def test_a_partition_of_anothers_runs_its_roots_code_as_the_roots_owner(admin, stranger):
    """A superuser's partition of the stranger's table, to which somebody writes directly."""
    stranger.execute(f"""
        CREATE FUNCTION den.body(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
            AS $$BEGIN RAISE WARNING 'run by %', current_user; RETURN $1; END$$;
        CREATE TABLE den.t (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
        SELECT add_embedding('den.t', 'e', '{TINY}', 'den.body(body)')""")
    admin.execute("CREATE TABLE den.t_1 PARTITION OF den.t FOR VALUES FROM (0) TO (100)")
    owner = "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'den.t_1'::regclass"
    assert admin.execute(owner).fetchone() != (STRANGER,)
    heard = set()
    admin.add_notice_handler(lambda diag: heard.add(diag.message_primary))
    admin.execute("INSERT INTO den.t_1 VALUES (1, 'a'), (2, 'b')")
    assert heard == {f"run by {STRANGER}"}
    vectors = "SELECT count(*) FROM den.t WHERE e IS NOT NULL"
    assert admin.execute(vectors).fetchone() == (2,)


def test_a_trigger_on_a_table_of_his_keeps_nobody_waiting(admin, stranger):
    """It is none of the tables that a command about partitions is about."""
    stranger.execute("""
        CREATE TABLE den.t (id int);
        CREATE TRIGGER itembank_embed_insert AFTER INSERT ON den.t
            FOR EACH STATEMENT EXECUTE FUNCTION embedding_trigger();
        BEGIN;
        SELECT * FROM den.t""")
    admin.execute(f"""
        CREATE TABLE shared.t (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
        SELECT add_embedding('shared.t', 'e', '{TINY}', 'body');
        SET lock_timeout = '3s';
        CREATE TABLE shared.t_1 PARTITION OF shared.t FOR VALUES FROM (0) TO (100)""")
    stranger.execute("ROLLBACK")


def test_a_row_without_a_key_stops_nobody(admin, stranger):
    """An index of anybody's in the same schema can be dropped, and a table with one."""
    stranger.execute("""
        CREATE TABLE shared.t (id int NOT NULL, body text, e vector(32), e_h bytea, e_f text);
        CREATE FUNCTION den.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER itembank_embed_insert AFTER INSERT ON shared.t
            FOR EACH ROW EXECUTE FUNCTION den.nothing()""")
    stranger.execute(QUEUE.format("shared.q"))
    register(stranger, "shared.t", "shared.q")
    admin.execute("""
        CREATE TABLE shared.data (id int PRIMARY KEY, other int);
        CREATE INDEX data_other ON shared.data (other)""")
    admin.execute("DROP INDEX shared.data_other")
    admin.execute("DROP TABLE shared.data")


def test_what_is_anothers_can_be_dropped_below_a_column(admin, stranger):
    """Who drops what is his with all that depends on it takes a stranger's column along."""
    admin.execute(
        f"CREATE SCHEMA shop AUTHORIZATION {APP}; GRANT CREATE, USAGE ON SCHEMA shop TO PUBLIC"
    )
    with session(admin.info.dsn, APP) as app:
        app.execute("CREATE TYPE shop.kind AS ENUM ('a', 'b')")
        stranger.execute(f"""
            CREATE TABLE shop.t (id int PRIMARY KEY, body text, kind shop.kind);
            SELECT add_embedding('shop.t', 'e', '{TINY}', '{{body}} {{kind}}')""")
        app.execute("DROP TYPE shop.kind CASCADE")
        app.execute("DROP SCHEMA shop CASCADE")
    left = "SELECT count(*) FROM embedding_columns WHERE tbl <> 'items'::regclass"
    assert admin.execute(left).fetchone() == (0,)


def column_of_his(admin, stranger, inputs="body") -> str:
    """Of den.t, with a row that waits for no vector. Gives its queue."""
    stranger.execute(f"""
        CREATE TABLE den.t (id int PRIMARY KEY, body text);
        SELECT add_embedding('den.t', 'e', '{TINY}', '{inputs}', mode => 'manual');
        INSERT INTO den.t VALUES (1, 'a')""")
    queue = "SELECT queue::text FROM embedding_columns WHERE tbl = 'den.t'::regclass"
    return admin.execute(queue).fetchone()[0]


def looked_at(admin, rows, pending, code) -> None:
    """All that a superuser can look at shows the owner's column, and of the other one so much."""
    warned = []
    admin.add_notice_handler(lambda d: warned.append((d.message_primary, d.message_detail)))
    admin.execute("UPDATE items SET embedding = NULL WHERE id = 1")
    counts = dict(admin.execute("SELECT tbl::text, rows FROM embeddings()").fetchall())
    assert counts == {"items": 20, "den.t": rows}
    progress = dict(admin.execute("SELECT tbl::text, pending FROM itembank_progress").fetchall())
    assert progress == {"items": 0, "den.t": pending}
    stale = admin.execute("SELECT relation::text, key, reason FROM stale_embeddings()").fetchall()
    assert ("items", "1", "no vector") in stale
    if code:
        assert stale[0] == ("den.t", None, "cannot be told") and len(stale) == 2
        (message, detail) = warned.pop()
        assert message == 'embedding column "e" of table den.t cannot be looked at'
        assert detail.startswith(code)
        with pytest.raises(psycopg.Error) as caught, admin.transaction():
            admin.execute("SET LOCAL lock_timeout = '100ms'")
            admin.execute("SELECT * FROM stale_embeddings('den.t')")
        assert caught.value.sqlstate == code
    assert warned == []
    admin.execute("CALL backfill('items')")


def test_what_he_has_locked_keeps_nobody_from_looking(admin, stranger):
    """Table and queue, for as long as he likes."""
    queue = column_of_his(admin, stranger)
    stranger.execute(f"BEGIN; LOCK TABLE den.t, {queue}")
    admin.execute("SET statement_timeout = '10s'")
    try:
        looked_at(admin, None, None, "55P03")
    finally:
        stranger.execute("ROLLBACK")
    looked_at(admin, 1, 0, None)


def test_inputs_of_his_that_fail_keep_nobody_from_looking(admin, stranger):
    """With an error that can be of no row."""
    stranger.execute("""
        CREATE FUNCTION den.untold(text) RETURNS text IMMUTABLE LANGUAGE plpgsql
            AS $$BEGIN RETURN $1; END$$""")
    column_of_his(admin, stranger, "den.untold(body)")
    stranger.execute("""
        CREATE OR REPLACE FUNCTION den.untold(text) RETURNS text IMMUTABLE LANGUAGE plpgsql
            AS $$BEGIN RAISE SQLSTATE '53400' USING MESSAGE = 'not for you'; END$$""")
    looked_at(admin, 1, 0, "53400")


def test_a_table_of_his_that_cannot_be_read_keeps_nobody_from_looking(admin, stranger):
    """Not by its owner either."""
    column_of_his(admin, stranger)
    stranger.execute("REVOKE SELECT ON den.t FROM current_user")
    looked_at(admin, None, 0, "42501")


def test_a_queue_of_his_that_cannot_be_read_keeps_nobody_from_looking(admin, stranger):
    """What is stale can be told without."""
    queue = column_of_his(admin, stranger)
    stranger.execute(f"REVOKE SELECT ON {queue} FROM current_user")
    looked_at(admin, 1, None, None)


def test_a_row_that_would_be_refused_keeps_no_other_from_being_restored(admin, stranger):
    """The registry comes in one COPY."""
    stranger.execute(f"""
        CREATE TABLE den.t (id int PRIMARY KEY, body text);
        SELECT add_embedding('den.t', 'e', '{TINY}', 'body', mode => 'manual')""")
    queue = admin.execute(
        "SELECT queue::text FROM embedding_columns WHERE tbl = 'den.t'::regclass"
    ).fetchone()[0]
    stranger.execute(f"DROP TABLE {queue}")
    condition = """SELECT extcondition[array_position(extconfig, 'embedding_columns'::regclass)]
                   FROM pg_extension WHERE extname = 'itembank_embed'"""
    dumped = f"SELECT tbl::text FROM embedding_columns {admin.execute(condition).fetchone()[0]}"
    assert admin.execute(dumped).fetchall() == [("items",)]


def test_a_row_is_about_what_is_there_and_his(admin, stranger):
    """Neither columns that are not there nor a queue that is somebody else's."""
    stranger.execute("""
        CREATE TABLE den.t (id int PRIMARY KEY, body text, e vector(32), e_h bytea, e_f text)""")
    stranger.execute(QUEUE.format("den.q"))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        register(stranger, "den.t", "den.q", target="other")
    admin.execute(QUEUE.format("den.data"))
    admin.execute(f"ALTER TABLE den.data OWNER TO {APP}; GRANT {APP} TO {STRANGER}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        register(stranger, "den.t", "den.data")
    assert "not the same owner's" in str(caught.value)
    admin.execute(f"REVOKE {APP} FROM {STRANGER}")
    register(stranger, "den.t", "den.q")


def test_locks_that_anybody_may_take_stop_no_migration(place, stranger):
    """It waits for them for a while, and then goes by those of the tables."""
    stranger.execute("BEGIN")
    with session(place, OWNER) as owner:
        stranger.execute("""
            SELECT pg_advisory_lock(embedding_lock_class(), (n - 2147483648)::int) FROM (
                SELECT queue::oid::bigint + m AS n
                FROM embedding_columns, generate_series(0, 200) AS m
                WHERE tbl = 'items'::regclass) AS q""")
        owner.execute("SET statement_timeout = '60s'")
        stranger.execute("COMMIT")
        owner.execute("CALL migrate_embedding('items', 'embedding', 'tiny-cls')")
        models = "SELECT model FROM embeddings() WHERE target = 'embedding'"
        assert owner.execute(models).fetchone() == ("tiny-cls",)


# A table whose every part tells who runs it: type of the key, inputs, indexes, policy, defaults.
TELLING = f"""
    CREATE FUNCTION den.tell() RETURNS bool LANGUAGE plpgsql IMMUTABLE
        AS $$BEGIN RAISE WARNING 'run by %', current_user; RETURN true; END$$;
    CREATE FUNCTION den.told(text) RETURNS text LANGUAGE plpgsql IMMUTABLE
        AS $$BEGIN PERFORM den.tell(); RETURN $1; END$$;
    CREATE FUNCTION den.told(vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE
        AS $$BEGIN PERFORM den.tell(); RETURN $1; END$$;
    CREATE FUNCTION den.told_int(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE
        AS $$BEGIN RETURN den.tell(); END$$;
    CREATE DOMAIN den.telling AS int CHECK (den.told_int(VALUE));
    CREATE TABLE den.t (id den.telling, body text DEFAULT den.told('a'), tags den.telling[],
                        PRIMARY KEY (id))
        PARTITION BY RANGE (id);
    CREATE TABLE den.t_1 PARTITION OF den.t FOR VALUES FROM (0) TO (100);
    CREATE TABLE den.t_2 (id den.telling NOT NULL, body text, tags den.telling[]);
    INSERT INTO den.t SELECT n, 'item ' || n FROM generate_series(1, 30) AS n;
    INSERT INTO den.t_2 SELECT n, 'item ' || n FROM generate_series(101, 110) AS n;
    SELECT add_embedding('den.t', 'e', '{TINY}', 'den.told(body)', mode => 'manual');
    ALTER TABLE den.t_2 ADD e vector(32), ADD e_hash bytea, ADD e_fingerprint text;
    CALL backfill('den.t');
    CREATE INDEX ON den.t (den.told(body)) WHERE den.tell();
    CREATE INDEX ON den.t USING hnsw ((den.told(e)::vector(32)) vector_cosine_ops)
        WHERE den.told(body) IS NOT NULL;
    CREATE POLICY telling ON den.t USING (den.tell());
    ALTER TABLE den.t ENABLE ROW LEVEL SECURITY
"""
LOOKED_AFTER = """
    SELECT * FROM embeddings()
    SELECT * FROM itembank_progress
    SELECT * FROM stale_embeddings('den.t')
    SELECT * FROM verify_embeddings('den.t', 3)
    SELECT * FROM near_duplicates('den.t', 0.5)
    SELECT embed_query('den.t', 'e', 'item')
    SELECT * FROM index_recall('den.t', 'e', 3, 3, '{40}')
    CALL backfill('den.t')
    ALTER TABLE den.t ADD COLUMN another int
    ALTER TABLE den.t ALTER COLUMN another SET STATISTICS 10
    ALTER TABLE den.t_2 ADD COLUMN another int
    ALTER TABLE den.t ATTACH PARTITION den.t_2 FOR VALUES FROM (100) TO (200)
    CALL backfill('den.t')
    CALL migrate_embedding('den.t', 'e', 'tiny-cls', queries => 'TABLE den.asked')
    SELECT * FROM embedding_agreement('den.t', 'e', 'e_previous', 3, 5)
    SELECT rollback_embedding('den.t', 'e')
    ALTER TABLE den.t DETACH PARTITION den.t_2
    SELECT add_embedding('den.t', 'other', 'tiny-bert', 'den.told(body)')
    SELECT drop_embedding('den.t', 'e_next')
    SELECT drop_embedding('den.t', 'other')
    SELECT add_embedding('den.t', 'tagged', 'tiny-bert', 'CASE WHEN tags @> ''{1}'' THEN body END')
    SELECT * FROM embedding_fill('den.t', 'tagged', '{1,2}')
    DROP TABLE den.t
"""
# PostgreSQL itself compares the rows with the bounds, as who attaches.
BY_POSTGRES = "ATTACH PARTITION"


def test_who_looks_after_all_tables_runs_nothing_of_theirs(admin, stranger):
    """Whatever a superuser asks of the extension about a table that is full of traps."""
    for statement in TELLING.split(";\n    "):
        stranger.execute(statement)
    admin.execute("""
        CREATE TABLE den.asked (query_id text, query_text text);
        INSERT INTO den.asked VALUES ('q', 'item 3');
        SELECT judge('q', '3', 2)""")
    heard, told = set(), set()
    admin.add_notice_handler(lambda diag: heard.add(diag.message_primary))
    for statement in re.split(r"\n    (?=\w)", LOOKED_AFTER.strip()):
        heard.clear()
        admin.execute(statement)
        by = {said for said in heard if said.startswith("run by")}
        if BY_POSTGRES not in statement:
            assert by <= {f"run by {STRANGER}"}, statement
        told |= by
    assert told, "no trap was ever sprung"
    admin.execute("DROP TABLE den.asked, den.t_2; DELETE FROM evaluation_judgements")
