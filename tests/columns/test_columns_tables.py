"""Embedding columns in tables of every make: partitions, keys, policies, other triggers."""

import psycopg
import pytest
from columns_server import database
from columns_table import Kept, schema

ROWS = "(1, 'one', 1), (2, 'two', 2), (3, 'three', 3)"


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_tables") as made:
        yield made


@pytest.fixture(params=["statement", "queue"])
def kept(place, request):
    """Without a table yet."""
    with schema(place, "tables") as sql:
        yield Kept(sql, request.param)


PARTITIONED = """
    CREATE TABLE items (id int, year int, question text, PRIMARY KEY (id, year))
        PARTITION BY LIST (year);
    CREATE TABLE items_23 PARTITION OF items FOR VALUES IN (2023);
    CREATE TABLE items_24 PARTITION OF items FOR VALUES IN (2024) PARTITION BY RANGE (id);
    CREATE TABLE items_24_low PARTITION OF items_24 FOR VALUES FROM (0) TO (100);
    CREATE TABLE items_24_high (question text, gone int, year int NOT NULL, id int NOT NULL);
    ALTER TABLE items_24_high DROP COLUMN gone;
    ALTER TABLE items_24 ATTACH PARTITION items_24_high FOR VALUES FROM (100) TO (1000)"""


def test_partitions(kept):
    """Their columns may have other numbers than the root's, and its triggers are not theirs."""
    sql = kept.sql
    sql.execute(PARTITIONED)
    sql.execute("INSERT INTO items VALUES (1, 2023, 'a'), (2, 2024, 'b'), (200, 2024, 'c')")
    kept.make("", key="id, year").fresh(3)
    sql.execute("INSERT INTO items VALUES (3, 2023, 'd'), (4, 2024, 'e'), (201, 2024, 'f')")
    kept.fresh(6)
    sql.execute("INSERT INTO items_24_high (id, year, question) VALUES (300, 2024, 'directly')")
    sql.execute("INSERT INTO items_24 (id, year, question) VALUES (301, 2024, 'in between')")
    sql.execute("UPDATE items_24_low SET question = question || ' changed'")
    sql.execute("UPDATE items_24 SET question = question || ' as well' WHERE id > 200")
    kept.fresh(8)
    with sql.cursor() as cursor, cursor.copy("COPY items (id, year, question) FROM STDIN") as rows:
        for n in range(400, 420):
            rows.write_row((n, 2023 + n % 2, f"copied {n}"))
    kept.fresh(28)


def test_rows_that_move_between_partitions(kept):
    sql = kept.sql
    sql.execute(PARTITIONED)
    kept.make("", key="id, year")
    sql.execute("INSERT INTO items SELECT n, 2023, 'row ' || n FROM generate_series(1, 20) n")
    kept.fresh(20)
    sql.execute("UPDATE items SET year = 2024 WHERE id <= 5")
    sql.execute("UPDATE items SET year = 2024, question = 'moved ' || id WHERE id BETWEEN 6 AND 10")
    sql.execute("UPDATE items SET id = id + 100 WHERE year = 2024")
    kept.fresh(20)
    sql.execute("""
        MERGE INTO items USING (VALUES (20, 2023), (999, 2024)) AS v (id, year)
        ON items.id = v.id AND items.year = v.year
        WHEN MATCHED THEN UPDATE SET year = 2024, question = 'merged'
        WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.year, 'new')""")
    kept.fresh(21)


def test_new_partitions(kept):
    sql = kept.sql
    sql.execute(PARTITIONED)
    kept.make("", key="id, year")
    sql.execute("CREATE TABLE items_25 PARTITION OF items FOR VALUES IN (2025)")
    sql.execute("INSERT INTO items_25 (id, year, question) VALUES (1, 2025, 'direct')")
    sql.execute("INSERT INTO items (id, year, question) VALUES (2, 2025, 'by the root')")
    kept.fresh(2)
    sql.execute("""
        CREATE TABLE items_26 (LIKE items INCLUDING ALL);
        INSERT INTO items_26 (id, year, question) VALUES (3, 2026, 'before');
        ALTER TABLE items ATTACH PARTITION items_26 FOR VALUES IN (2026)""")
    sql.execute("UPDATE items_26 SET question = 'after'")
    sql.execute("CALL backfill('items')")
    kept.fresh(3)
    sql.execute("ALTER TABLE items DETACH PARTITION items_23")
    sql.execute("INSERT INTO items_23 (id, year, question) VALUES (9, 2023, 'nobody embeds this')")
    assert sql.execute("SELECT embedding FROM items_23").fetchone() == (None,)
    kept.fresh(3)


KEYS = {
    "text": ("id text", ["'a''b'", "'ㄱ \\ \"'", "''"]),
    "collated": ('id text COLLATE "C"', ["'a'", "'A'", "'ä'"]),
    "char": ("id char(5)", ["'a'", "'bb'", "'ccccc'"]),
    "uuid": ("id uuid", ["gen_random_uuid()"] * 3),
    "timestamptz": ("id timestamptz", ["'2024-01-01 00:00:00.000001'", "'infinity'", "now()"]),
    "numeric": ("id numeric", ["1.10", "'NaN'", "1e40"]),
    "float": ("id float8", ["0.1", "'NaN'", "'-0'"]),
    "bytea": ("id bytea", ["''", "'\\x00'", "'\\xff'"]),
    "array": ("id int[]", ["'{}'", "'{1,NULL}'", "'{{1,2},{3,4}}'"]),
    "range": ("id int4range", ["'empty'", "'[1,2)'", "'(,)'"]),
    "domain": ("id tables.code", ["'a'", "'b'", "'c'"]),
    "enum": ("id tables.kind", ["'x'", "'y'", "'z'"]),
    "json": ("id jsonb", ["'1'", "'{\"a\": 1}'", "'null'"]),
}


@pytest.mark.parametrize("name", KEYS)
def test_types_of_keys(kept, name):
    column, found = KEYS[name]
    sql = kept.sql
    sql.execute("""
        CREATE DOMAIN tables.code AS text; CREATE TYPE tables.kind AS ENUM ('x', 'y', 'z')""")
    kept.make(f"{column} PRIMARY KEY, question text")
    rows = ", ".join(f"({key}, 'q')" for key in found)
    sql.execute(f"INSERT INTO items VALUES {rows}")
    kept.fresh(3)
    sql.execute("UPDATE items SET question = 'question ' || id::text")
    kept.fresh(3)
    sql.execute("SELECT count(*) FROM stale_embeddings()")


def test_identity_and_composite_keys(kept):
    sql = kept.sql
    part = '"Part ""x"""'
    kept.make(
        f'id bigint GENERATED ALWAYS AS IDENTITY, {part} int, "select" date, question text, '
        f'PRIMARY KEY ("select", id, {part})',
        key=f'id, {part}, "select"',
    )
    sql.execute(f"""
        INSERT INTO items ({part}, "select", question)
        SELECT n, date '2024-01-01' + n % 3, 'q ' || n % 7 FROM generate_series(1, 40) n""")
    kept.fresh(40)
    sql.execute('UPDATE items SET "select" = "select" + 10, question = id::text WHERE id < 9')
    kept.fresh(40)


def test_a_unique_index_for_a_key(kept):
    kept.make("id int NOT NULL UNIQUE, question text")
    kept.sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
    kept.fresh(2)


def test_cascades(kept):
    """Foreign keys change keys and delete rows by statements of their own."""
    sql = kept.sql
    sql.execute("CREATE TABLE exams (id int PRIMARY KEY); INSERT INTO exams VALUES (1), (2), (3)")
    kept.make(
        "exam int REFERENCES exams ON UPDATE CASCADE ON DELETE CASCADE, id int, question text, "
        "PRIMARY KEY (exam, id)",
        inputs="question || ' of exam ' || exam",
        reads="question, exam",
        content=lambda question, exam: f"{question} of exam {exam}",
        key="exam, id",
    )
    sql.execute("""
        INSERT INTO items SELECT e, n, 'q ' || n
        FROM generate_series(1, 3) e, generate_series(1, 9) n""")
    kept.fresh(27)
    sql.execute("UPDATE exams SET id = id + 10 WHERE id > 1")
    kept.fresh(27)
    sql.execute("DELETE FROM exams WHERE id = 12")
    kept.fresh(18)
    sql.execute("BEGIN; UPDATE exams SET id = 99 WHERE id = 1")
    sql.execute("DELETE FROM exams WHERE id = 99; COMMIT")
    kept.fresh(9)


def test_deferred_constraints(kept):
    sql = kept.sql
    sql.execute("CREATE TABLE exams (id int PRIMARY KEY)")
    kept.make(
        "id int PRIMARY KEY, question text, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, "
        "exam int REFERENCES exams DEFERRABLE INITIALLY DEFERRED"
    )
    sql.execute("BEGIN")
    sql.execute("INSERT INTO items VALUES (1, 'a', 1, 7), (2, 'b', 1, 7)")
    sql.execute("UPDATE items SET place = 2, question = 'c' WHERE id = 2")
    sql.execute("INSERT INTO exams VALUES (7)")
    sql.execute("COMMIT")
    kept.fresh(2)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        sql.execute("INSERT INTO items VALUES (3, 'd', 3, 8)")
    kept.fresh(2)


def test_policies(kept):
    """Whoever writes: the owner's policies decide who sees what, not what is embedded."""
    sql = kept.make("id int PRIMARY KEY, question text, author name DEFAULT current_user").sql
    sql.execute("""
        DROP ROLE IF EXISTS columns_author; DROP ROLE IF EXISTS columns_owner;
        CREATE ROLE columns_author; CREATE ROLE columns_owner;
        GRANT USAGE, CREATE ON SCHEMA tables TO columns_owner;
        GRANT USAGE ON SCHEMA tables TO columns_author;
        ALTER TABLE items OWNER TO columns_owner;
        GRANT INSERT, UPDATE, SELECT ON items TO columns_author;
        ALTER TABLE items ENABLE ROW LEVEL SECURITY; ALTER TABLE items FORCE ROW LEVEL SECURITY;
        CREATE POLICY own ON items TO columns_author USING (author = current_user)""")
    try:
        sql.execute("SET ROLE columns_author")
        sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")
        sql.execute("UPDATE items SET question = 'c' WHERE id = 1")
        sql.execute("RESET ROLE")
        kept.fresh(2)
        sql.execute("CALL backfill('items')")
        kept.fresh(2)
    finally:
        sql.execute("RESET ROLE; DROP OWNED BY columns_author; DROP OWNED BY columns_owner CASCADE")
        sql.execute("DROP ROLE columns_author; DROP ROLE columns_owner")


def test_a_role_that_may_insert_and_nothing_else(kept):
    sql = kept.make().sql
    sql.execute("""
        DROP ROLE IF EXISTS columns_writer; CREATE ROLE columns_writer;
        GRANT USAGE ON SCHEMA tables TO columns_writer;
        GRANT INSERT (id, question) ON items TO columns_writer""")
    try:
        sql.execute("SET ROLE columns_writer")
        sql.execute("INSERT INTO items (id, question) VALUES (1, 'a'), (2, 'b')")
        with sql.cursor() as cursor, cursor.copy("COPY items (id, question) FROM STDIN") as rows:
            rows.write_row((3, "c"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            sql.execute("SELECT * FROM items")
        sql.execute("RESET ROLE")
        kept.fresh(3)
    finally:
        sql.execute("RESET ROLE; DROP OWNED BY columns_writer; DROP ROLE columns_writer")
