"""Any identifier will do, and none of the texts that are given is run as SQL."""

import psycopg
import pytest
from columns_checker import quoted
from columns_server import TINY, database, queue_of
from columns_table import Kept, schema

NAMES = [
    "Items",
    "we ird",
    'quo"te',
    "apos'trophe",
    "$$",
    "a.b",
    "select",
    "-- x",
    "문" * 21,
    "n" * 63,
]
NAMES += ["%s %I %L", "back\\slash", "\t", "{question}", "; DROP TABLE victims; --"]
ATTACKS = [
    "question); DROP TABLE victims; --",
    "question) IS NULL) NOT VALID; DROP TABLE victims; --",
    "question) FROM victims; DELETE FROM victims; SELECT ('x'",
    "question'; DROP TABLE victims; --",
    'question"; DROP TABLE victims; --',
    "question $$; DROP TABLE victims; $$",
    "question /* ",
    "question -- ",
    "{question}'; DROP TABLE victims; --",
    "{question}\\'; DROP TABLE victims; --",
    "{question');DROP TABLE victims;--}",
    "'{question}' || (DELETE FROM victims RETURNING 1)",
    "embed('x', question), (DELETE FROM victims)",
    "question, drop_all()",
    "(WITH gone AS (DELETE FROM victims RETURNING 1) SELECT question)",
]


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_names") as made:
        yield made


@pytest.fixture
def sql(place):
    """With a table that must stay as it is."""
    with schema(place, "names") as made:
        made.execute("CREATE TABLE victims AS SELECT 1 AS one")
        made.execute("CREATE TABLE items (id int PRIMARY KEY, question text)")
        made.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
        made.execute("""CREATE FUNCTION drop_all() RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN DROP TABLE names.victims; RETURN ''; END $$""")
        yield made
        assert made.execute("SELECT * FROM victims").fetchall() == [(1,)]


@pytest.mark.parametrize("mode", ["statement", "queue"])
@pytest.mark.parametrize("name", NAMES)
def test_names(sql, name, mode):
    """Of the schema, the table, its columns, its key, the target and its work list."""
    long = len(name.encode()) > 60
    key, question, target = ("k", name, name[:-1]) if long else (f"k{name}", name, f"e{name}")
    one, table = quoted(name), f"{quoted(name)}.{quoted(name)}"
    key, question = quoted(key), quoted(question)
    sql.execute(f"DROP SCHEMA IF EXISTS {one} CASCADE")
    sql.execute(f"CREATE SCHEMA {one}")
    try:
        sql.execute(f"CREATE TABLE {table} ({key} int PRIMARY KEY, {question} text)")
        sql.execute(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b'), (3, NULL)")
        kept = Kept(sql, mode).at(table).add(question, target=target, key=key, index=True)
        sql.execute(f"UPDATE {table} SET {question} = 'c' WHERE {key} = 1")
        sql.execute(f"INSERT INTO {table} VALUES (4, 'd')")
        with_names(kept).fresh(4)
        use(sql, table, target)
        sql.execute("SELECT drop_embedding(%s, %s)", (table, target))
        rest = "SELECT count(*) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        assert sql.execute(rest + " AND NOT attisdropped", (table,)).fetchone() == (2,)
        rest = "SELECT count(*) FROM pg_class WHERE relnamespace = %s::regnamespace"
        assert sql.execute(rest + " AND relkind = 'r'", (one,)).fetchone() == (1,)
    finally:
        sql.execute(f"DROP SCHEMA {one} CASCADE")


def use(sql, table: str, target: str) -> None:
    """By everything that takes a table and a target."""
    for query in (
        "CALL backfill(%(table)s, %(target)s)",
        "SELECT * FROM stale_embeddings(%(table)s)",
        "SELECT * FROM verify_embeddings(%(table)s, 10, %(target)s)",
        "SELECT * FROM near_duplicates(%(table)s, 0.5, %(target)s)",
        "SELECT embed_query(%(table)s, %(target)s, 'what')",
        "SELECT * FROM embeddings()",
        "SELECT * FROM itembank_progress",
    ):
        sql.execute(query, {"table": table, "target": target})


def with_names(kept: Kept) -> Kept:
    """Names that had to be cut are not the target's name and an ending."""
    query = "SELECT hash_column, fingerprint_column FROM embedding_columns WHERE target = %s"
    found = kept.sql.execute(query, (kept.column.target,)).fetchone()
    assert all(len(name.encode()) <= 63 for name in found)
    return kept.at(kept.column.table, hash=found[0], fingerprint=found[1])


@pytest.mark.parametrize("attack", ATTACKS)
def test_inputs_are_one_expression(sql, attack):
    """It fails, or is text."""
    for inputs in ("inputs", "image"):
        try:
            sql.execute(f"SELECT add_embedding('items', 'e', %s, {inputs} => %s)", (TINY, attack))
        except psycopg.Error as error:
            print(error.sqlstate, error.diag.message_primary, error.diag.message_detail)
        else:
            print("taken")
            sql.execute("SELECT drop_embedding('items', 'e')")


@pytest.mark.parametrize("attack", ATTACKS)
def test_other_arguments(sql, attack):
    """Names that are none, and targets that are odd."""
    add = (
        "SELECT add_embedding('items', %s, %s, 'question', type => %s, mode => %s, index => false)"
    )
    for arguments in (
        ("e", attack, "vector", "statement"),
        ("e", TINY, attack, "statement"),
        ("e", TINY, "vector", attack),
    ):
        with pytest.raises(psycopg.Error):
            sql.execute(add, arguments)
    target = attack[:50]
    sql.execute(add, (target, TINY, "vector", "statement"))
    sql.execute("UPDATE items SET question = question || '!'")
    sql.execute("CALL backfill('items', %s)", (target,))
    assert sql.execute("SELECT key FROM stale_embeddings('items')").fetchall() == []
    for query in (
        "SELECT drop_embedding('items', %s)",
        "SELECT embed_query('items', %s, 'x')",
        "CALL backfill('items', %s)",
        "SELECT * FROM verify_embeddings('items', 5, %s)",
        "SELECT * FROM near_duplicates('items', 0.9, %s)",
        "SELECT * FROM embedding_drain('items', %s, 5)",
        "CALL migrate_embedding('items', %s, 'tiny-cls')",
    ):
        with pytest.raises(psycopg.Error):
            sql.execute(query, (target[:-1] + "?",))
    sql.execute("SELECT embed_query('items', %s, %s)", (target, attack))
    assert queue_of(sql, "items", target)
    sql.execute("SELECT drop_embedding('items', %s)", (target,))


def test_the_search_path_of_a_caller_means_nothing(sql):
    """Neither where rows are written, nor where the extension's functions are called."""
    kept = Kept(sql, "statement").make(
        "",
        inputs="lower(question) || '.'",
        reads="question",
        content=lambda text: f"{text.lower()}.",
    )
    sql.execute("CREATE SCHEMA shadow; DROP TABLE IF EXISTS shadow.items")
    try:
        sql.execute("""
            CREATE FUNCTION shadow.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'shadow' $$;
            CREATE FUNCTION shadow.cat(text, text) RETURNS text LANGUAGE sql
                AS $$ SELECT 'shadow' $$;
            CREATE OPERATOR shadow.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.cat);
            CREATE FUNCTION shadow.eq(int, int) RETURNS bool LANGUAGE sql AS $$ SELECT false $$;
            CREATE OPERATOR shadow.= (LEFTARG = int, RIGHTARG = int, FUNCTION = shadow.eq);
            CREATE TABLE shadow.embedding_columns (tbl regclass);
            CREATE DOMAIN shadow.text AS int""")
        for path in ("shadow, pg_catalog, names, public", "shadow", "''", "pg_temp"):
            sql.execute(f"SET search_path = {path}")
            sql.execute("INSERT INTO names.items VALUES (10, 'NEW')")
            sql.execute("UPDATE names.items SET question = question || '!' WHERE id = 1")
            sql.execute("CALL public.backfill('names.items')")
            sql.execute("SELECT * FROM public.stale_embeddings('names.items')")
            sql.execute("SET search_path = names, public")
            kept.fresh(3)
            sql.execute("DELETE FROM items WHERE id = 10")
    finally:
        sql.execute("SET search_path = names, public; DROP SCHEMA shadow CASCADE")
