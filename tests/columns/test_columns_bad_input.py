"""What cannot be done is refused with a code, a detail and a hint, and has changed nothing."""

import psycopg
import pytest
from columns_server import database
from columns_table import Kept, schema
from conftest import fails

ADD = "SELECT add_embedding(%s, %s, 'tiny-bert', inputs => %s, index => false)"
# All that a failure could leave behind, without what counts and what ages.
CATALOG = """
    SELECT 'class', oid, relname, relkind::text, relowner, relnamespace, relnatts, relchecks,
        relhastriggers, relacl::text FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT 'attribute', attrelid, attname, attnum::text, atttypid, attcollation,
        atttypmod, attnotnull::int, attisdropped, attacl::text FROM pg_attribute
        WHERE attrelid >= 16384
    UNION ALL SELECT 'trigger', oid, tgname, tgenabled::text, tgrelid, tgfoid, tgtype, 0, true, NULL
        FROM pg_trigger
    UNION ALL SELECT 'constraint', oid, conname, contype::text, conrelid, conindid, 0, 0,
        convalidated, conkey::text FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT 'function', oid, proname, prokind::text, proowner, pronamespace, 0, 0, true,
        prosrc FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT 'type', oid, typname, typtype::text, typowner, typnamespace, 0, 0, true, NULL
        FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT 'registry', tbl, target, mode, queue, 0, 0, 0, true, c::text
        FROM embedding_columns AS c
    UNION ALL SELECT 'progress', tbl, target, '', 0, 0, 0, 0, true, p::text
        FROM embedding_progress AS p
    ORDER BY 1, 2, 3, 4"""


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_bad_input") as made:
        yield made


@pytest.fixture(scope="module")
def tables(place):
    """Of every kind, one with an embedding column; made once, since nothing changes them."""
    with schema(place, "bad") as made:
        made.execute("""
            CREATE TABLE items (id int PRIMARY KEY, question text, other int, picture bytea,
                choices text[], embedded text, wrong vector(5),
                made text GENERATED ALWAYS AS (question || '!') STORED);
            CREATE TABLE keyless (id int, question text);
            CREATE TABLE nullable (id int UNIQUE, question text);
            CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE, question text);
            CREATE TABLE partial (id int NOT NULL, question text);
            CREATE UNIQUE INDEX ON partial (id) WHERE id > 0;
            CREATE TABLE expressed (id int NOT NULL, question text);
            CREATE UNIQUE INDEX ON expressed (abs(id));
            CREATE VIEW seen AS SELECT * FROM items;
            CREATE MATERIALIZED VIEW kept AS SELECT * FROM items;
            CREATE TABLE parent (id int PRIMARY KEY, question text);
            CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
            CREATE TABLE root (id int PRIMARY KEY, question text) PARTITION BY RANGE (id);
            CREATE TABLE leaf PARTITION OF root DEFAULT;
            CREATE TABLE has_name (id int PRIMARY KEY, question text);
            CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER itembank_embed_insert AFTER INSERT ON has_name
                EXECUTE FUNCTION nothing();
            CREATE TABLE full_one (id int PRIMARY KEY, question text);
            INSERT INTO full_one VALUES (1, 'a'), (2, 'b')""")
        Kept(made, "statement").make("", table="full_one")
        yield made


@pytest.fixture
def sql(tables):
    """A session that finds them as they were."""
    yield tables
    tables.execute("DELETE FROM full_one WHERE id > 2")


def refused(sql: psycopg.Connection, state: str, query: str, parameters=None) -> psycopg.Error:
    """It fails as it must, and nothing has changed."""
    before = sql.execute(CATALOG).fetchall()
    error = fails(sql, state, query, parameters)
    assert sql.execute(CATALOG).fetchall() == before
    assert "@extschema@" not in str(error)
    return error


TABLES = {
    "keyless": "42P16",
    "nullable": "42P16",
    "deferred": "42P16",
    "partial": "42P16",
    "expressed": "42P16",
    "seen": "42809",
    "kept": "42809",
    "parent": "42809",
    "child": "42809",
    "leaf": "42809",
    "items_pkey": "42809",
    "pg_class": "42809",
    "has_name": "42710",
}


@pytest.mark.parametrize("table", TABLES)
def test_tables(sql, table):
    refused(sql, TABLES[table], ADD, (table, "embedding", "question"))


INPUTS = {
    "nothing": ("42703", "nothing"),
    "column of another table": ("42P01", "full_one.question"),
    "template of nothing": ("42703", "{question} {nothing}"),
    "braces": ("22023", "{question} {"),
    "braces in braces": ("22023", "{question{question}}"),
    "bytea in a template": ("42804", "{question} {picture}"),
    "syntax": ("42601", "question ||"),
    "empty": ("22023", ""),
    "comment": ("22023", "-- question"),
    "two": ("22023", "question, question"),
    "named": ("22023", "question AS q"),
    "statement": ("42601", "SELECT question"),
    "subquery": ("0A000", "(SELECT max(question) FROM items)"),
    "aggregate": ("42803", "max(question)"),
    "window": ("42P20", "lag(question) OVER ()"),
    "set": ("0A000", "unnest(choices)"),
    "constant": ("22023", "'the same for each'"),
    "row": ("0A000", "items::text"),
    "system column": ("42P10", "question || ctid::text"),
    "integer": ("42804", "other"),
    "array": ("42804", "choices"),
    "bytes": ("42804", "picture"),
    "no function": ("42883", "no_such_function(question)"),
    "no operator": ("42883", "question + picture"),
    "parameter": ("42P02", "question || $1"),
    "the target itself": ("22023", "embedded || question"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs(sql, name):
    state, inputs = INPUTS[name]
    error = refused(sql, state, ADD, ("items", "embedded", inputs))
    print(error.diag.message_primary, "|", error.diag.message_detail, "|", error.diag.message_hint)


ARGUMENTS = {
    "no model": ("42704", "'items', 'e', 'no-such-model', 'question'"),
    "reranker": ("42809 22023 42704", "'items', 'e', 'tiny-cross-bert', 'question'"),
    "no inputs": ("22023", "'items', 'e', 'tiny-bert'"),
    "no table": ("22023", "NULL, 'e', 'tiny-bert', 'question'"),
    "no target": ("22023", "'items', NULL, 'tiny-bert', 'question'"),
    "model NULL": ("22023", "'items', 'e', NULL, 'question'"),
    "mode NULL": ("22023", "'items', 'e', 'tiny-bert', 'question', mode => NULL"),
    "index NULL": ("22023", "'items', 'e', 'tiny-bert', 'question', index => NULL"),
    "mode": ("22023", "'items', 'e', 'tiny-bert', 'question', mode => 'soon'"),
    "type": ("22023", "'items', 'e', 'tiny-bert', 'question', type => 'bit'"),
    "empty target": ("42602", "'items', '', 'tiny-bert', 'question'"),
    "no dimensions": ("22023", "'items', 'e', 'tiny-bert', 'question', dimensions => 0"),
    "negative": ("22023", "'items', 'e', 'tiny-bert', 'question', dimensions => -1"),
    "too many": ("22023", "'items', 'e', 'tiny-bert', 'question', dimensions => 33"),
    "text for an image": ("42804", "'items', 'e', 'tiny-siglip', image => 'question'"),
    "no images": ("22023 0A000", "'items', 'e', 'tiny-bert', image => 'picture'"),
    "the key": ("42804 22023", "'items', 'id', 'tiny-bert', 'question'"),
    "another type": ("42804", "'items', 'question', 'tiny-bert', 'embedded'"),
    "another size": ("42804", "'items', 'wrong', 'tiny-bert', 'question'"),
    "generated": ("42804 42P16", "'items', 'made', 'tiny-bert', 'question'"),
    "once more": ("42710", "'full_one', 'embedding', 'tiny-bert', 'question'"),
    "its hash": ("42804 22023 42710", "'full_one', 'embedding_hash', 'tiny-bert', 'question'"),
    "of a vector": ("22023", "'full_one', 'e', 'tiny-bert', 'embedding_fingerprint'"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(sql, name):
    states, arguments = ARGUMENTS[name]
    before = sql.execute(CATALOG).fetchall()
    with pytest.raises(psycopg.Error) as caught:
        sql.execute(f"SELECT add_embedding({arguments})")
    error = caught.value
    print(error.sqlstate, error.diag.message_primary, "|", error.diag.message_hint)
    assert error.sqlstate in states.split()
    assert error.diag.message_detail and error.diag.message_hint
    assert sql.execute(CATALOG).fetchall() == before


CHANGES = {
    "input dropped": "ALTER TABLE full_one DROP COLUMN question",
    "input dropped with all": "ALTER TABLE full_one DROP COLUMN question CASCADE",
    "vectors dropped": "ALTER TABLE full_one DROP COLUMN embedding",
    "hashes dropped": "ALTER TABLE full_one DROP COLUMN embedding_hash",
    "fingerprints dropped": "ALTER TABLE full_one DROP COLUMN embedding_fingerprint",
    "key dropped": "ALTER TABLE full_one DROP CONSTRAINT full_one_pkey",
    "key column dropped": "ALTER TABLE full_one DROP COLUMN id",
    "input renamed": "ALTER TABLE full_one RENAME COLUMN question TO renamed",
    "key renamed": "ALTER TABLE full_one RENAME COLUMN id TO renamed",
    "vectors renamed": "ALTER TABLE full_one RENAME COLUMN embedding TO renamed",
    "vectors of another type": "ALTER TABLE full_one ALTER embedding TYPE text",
    "hashes of another type": "ALTER TABLE full_one ALTER embedding_hash TYPE text",
    "queue dropped": "DROP TABLE full_one_embedding_queue",
    "queue's column dropped": "ALTER TABLE full_one_embedding_queue DROP COLUMN attempts",
    "queue's key dropped": "ALTER TABLE full_one_embedding_queue DROP COLUMN key_1",
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_the_table(sql, name):
    refused(sql, "2BP01", CHANGES[name])
    sql.execute("INSERT INTO full_one VALUES (3, 'c')")
    Kept(sql, "statement").at("full_one").fresh(3)


def test_an_input_of_another_type(sql):
    """It is refused, or the content is that of the new type."""
    kept = Kept(sql, "statement").at("full_one")
    sql.execute("ALTER TABLE full_one ALTER question TYPE varchar(50), ALTER id TYPE bigint")
    sql.execute("INSERT INTO full_one VALUES (3000000000, 'c')")
    kept.fresh(3)
    kept.sql.execute("UPDATE full_one SET question = '5'")
    refused(sql, "2BP01", "ALTER TABLE full_one ALTER question TYPE int USING question::int")
    kept.fresh(3)
    sql.execute("DELETE FROM full_one WHERE id > 2")
    sql.execute("ALTER TABLE full_one ALTER question TYPE text, ALTER id TYPE int")
    kept.fresh(2)


def test_keys_that_wait_are_converted_as_the_tables(sql):
    """By the settings of who converts them: a time zone is one."""
    sql.execute("""
        CREATE TABLE dated (at timestamp PRIMARY KEY, question text);
        SELECT add_embedding('dated', 'embedding', 'tiny-bert', 'question', mode => 'manual');
        INSERT INTO dated VALUES ('2026-03-02 09:00', 'a'), ('2026-03-03 10:00', 'b')""")
    sql.execute(
        "INSERT INTO dated_embedding_queue (key_1, origin) SELECT at, 'backfill' FROM dated"
    )
    sql.execute("SET timezone = 'Asia/Seoul'")
    sql.execute("ALTER TABLE dated ALTER at TYPE timestamptz")
    same = "SELECT count(*) FROM dated JOIN dated_embedding_queue ON at = key_1"
    assert sql.execute(same).fetchone() == (2,)
    sql.execute("RESET timezone")
    sql.execute("CALL backfill('dated')")
    assert sql.execute("SELECT count(embedding) FROM dated").fetchone() == (2,)


def test_a_column_with_any_name_is_an_input(sql):
    """Also that of the columns of a VALUES list."""
    sql.execute("""
        CREATE TABLE valued (id int PRIMARY KEY, column1 text);
        INSERT INTO valued VALUES (1, 'a');
        SELECT add_embedding('valued', 'e', 'tiny-bert', '{column1}');
        SELECT add_embedding('valued', 'f', 'tiny-bert', 'column1')""")
    assert sql.execute("SELECT count(*) FROM valued WHERE e = f").fetchone() == (1,)


def test_functions_of_columns(sql):
    refused(sql, "42704", "SELECT drop_embedding('items', 'embedding')")
    refused(sql, "22023", "SELECT drop_embedding('full_one', NULL)")
    refused(sql, "22023", "SELECT drop_embedding(NULL, 'embedding')")
    refused(sql, "42704", "SELECT embed_query('items', 'embedding', 'text')")
    refused(sql, "22023", "SELECT embed_query(NULL, 'embedding', 'text')")
    refused(sql, "22023", "SELECT embed_query('items', NULL, 'text')")
    refused(sql, "42704", "SELECT * FROM stale_embeddings('items')")
    refused(sql, "42704", "SELECT * FROM verify_embeddings('full_one', 10, 'other')")
    refused(sql, "22023", "SELECT * FROM verify_embeddings('full_one', -1)")
    refused(sql, "42704", "SELECT * FROM near_duplicates('items')")
    refused(sql, "22023", "SELECT * FROM near_duplicates('full_one', 7)")
    refused(sql, "42704", "CALL migrate_embedding('full_one', 'other', 'tiny-cls')")
    refused(sql, "42704", "CALL migrate_embedding('full_one', 'embedding', 'no-such-model')")
    refused(sql, "42704", "SELECT rollback_embedding('full_one', 'other')")
    with pytest.raises(psycopg.Error):
        sql.execute("SELECT rollback_embedding('full_one', 'embedding')")


def test_schema_in_which_nothing_may_be_made(sql):
    sql.execute("""
        DROP ROLE IF EXISTS columns_bad; CREATE ROLE columns_bad;
        GRANT USAGE ON SCHEMA bad TO columns_bad; ALTER TABLE items OWNER TO columns_bad""")
    try:
        sql.execute("SET ROLE columns_bad")
        refused(sql, "42501", ADD, ("items", "embedding", "question"))
        refused(sql, "42501", ADD, ("full_one", "embedding", "question"))
        refused(sql, "42501", "SELECT drop_embedding('full_one', 'embedding')")
        refused(sql, "42501", "CALL backfill('full_one')")
        refused(sql, "42501", "SELECT * FROM embedding_drain('full_one', 'embedding', 5)")
        copy = "INSERT INTO embedding_columns SELECT * FROM embedding_columns"
        refused(sql, "42501", copy)
        # By what the registry itself says to who was granted more than everybody has.
        sql.execute("RESET ROLE")
        sql.execute("GRANT UPDATE, DELETE ON embedding_columns, embedding_progress TO columns_bad")
        sql.execute("SET ROLE columns_bad")
        refused(sql, "42501", "DELETE FROM embedding_columns WHERE target = 'embedding'")
        refused(sql, "42501", "UPDATE embedding_columns SET inputs = 'id::text'")
        refused(sql, "42501", "UPDATE embedding_progress SET done = 5")
    finally:
        sql.execute("RESET ROLE; ALTER TABLE items OWNER TO CURRENT_USER")
        sql.execute("DROP OWNED BY columns_bad; DROP ROLE columns_bad")
