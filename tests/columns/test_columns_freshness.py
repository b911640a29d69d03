"""Embedding columns follow their rows, however those come, change and go; in both modes."""

import psycopg
import pytest
from columns_bank import TEMPLATE, content
from columns_server import database, wait_until
from columns_table import Kept, schema
from conftest import fails

TEXT = "이차방정식의 두 근의 합"


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_freshness") as made:
        yield made


@pytest.fixture(params=["statement", "queue"])
def kept(place, request):
    """Without a table yet."""
    with schema(place, "freshness") as sql:
        yield Kept(sql, request.param)


def values(first: int, last: int, name: str = "문제") -> str:
    """Rows for an INSERT."""
    return ", ".join(f"({n}, '{name} {n}')" for n in range(first, last + 1))


def test_rows_that_were_there_are_embedded(kept):
    kept.sql.execute("CREATE TABLE items (id int PRIMARY KEY, question text, other int)")
    kept.sql.execute(f"INSERT INTO items VALUES {values(1, 700)}, (800, NULL)")
    kept.make("")
    report = kept.fresh(701)
    assert report.empty == 1 and len(report.contents) == 700


def test_insert_copy_update_delete(kept):
    sql = kept.make().sql
    sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, '')")
    assert kept.fresh(4).empty == 1
    with sql.cursor() as cursor, cursor.copy("COPY items (id, question) FROM STDIN") as stream:
        for number in range(10, 60):
            stream.write_row((number, f"문제 {number % 40}"))
    kept.fresh(54)
    sql.execute("UPDATE items SET question = question || '!' WHERE id < 20")
    kept.fresh(54)
    sql.execute("UPDATE items SET question = NULL WHERE id = 1")
    sql.execute("UPDATE items SET question = 'not empty now' WHERE id = 3")
    assert kept.fresh(54).empty == 1
    sql.execute("UPDATE items SET id = id + 1000 WHERE id < 20")
    sql.execute("DELETE FROM items WHERE id % 3 = 0")
    kept.fresh()
    sql.execute("TRUNCATE items")
    kept.fresh(0)


def test_upsert_and_merge(kept):
    sql = kept.make().sql
    sql.execute(f"INSERT INTO items VALUES {values(1, 20)}")
    upsert = f"""
        INSERT INTO items VALUES {values(11, 30, "other")}
        ON CONFLICT (id) DO UPDATE SET question = excluded.question"""
    sql.execute(upsert)
    kept.fresh(30)
    assert sql.execute("SELECT question FROM items WHERE id = 15").fetchone() == ("other 15",)
    sql.execute(f"INSERT INTO items VALUES {values(25, 35)} ON CONFLICT DO NOTHING")
    kept.fresh(35)
    sql.execute(
        f"""
        MERGE INTO items USING (VALUES {values(1, 50, "merged")}) AS v (id, question) USING (id)
        WHEN MATCHED AND v.id < 5 THEN DELETE
        WHEN MATCHED AND v.id < 10 THEN DO NOTHING
        WHEN MATCHED THEN UPDATE SET question = v.question
        WHEN NOT MATCHED THEN INSERT (id, question) VALUES (v.id, v.question)
        """.replace("USING (id)", "ON items.id = v.id")
    )
    kept.fresh(46)
    sql.execute("""
        WITH gone AS (DELETE FROM items WHERE id > 40 RETURNING *), one AS (
            INSERT INTO items SELECT id + 100, question || ' again' FROM gone)
        UPDATE items SET question = 'by CTE' WHERE id = 20""")
    kept.fresh(46)


def test_what_is_rolled_back_leaves_nothing(kept):
    sql = kept.make().sql
    sql.execute(f"INSERT INTO items VALUES {values(1, 5)}")
    kept.fresh(5)
    sql.execute("BEGIN")
    sql.execute("UPDATE items SET question = 'never'")
    sql.execute("ROLLBACK")
    assert kept.entries() == []
    sql.execute("BEGIN")
    sql.execute("UPDATE items SET question = 'kept' WHERE id = 1")
    sql.execute("SAVEPOINT one")
    sql.execute("UPDATE items SET question = 'never' WHERE id = 2")
    sql.execute("INSERT INTO items VALUES (6, 'never')")
    sql.execute("ROLLBACK TO one")
    sql.execute("UPDATE items SET question = 'kept, too' WHERE id = 3")
    sql.execute("COMMIT")
    kept.fresh(5)


def test_changed_twice_in_a_transaction(kept):
    sql = kept.make().sql
    for level in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        sql.execute(f"BEGIN ISOLATION LEVEL {level}")
        sql.execute("TRUNCATE items")
        sql.execute(f"INSERT INTO items VALUES {values(1, 5)}")
        sql.execute("UPDATE items SET question = 'second ' || id")
        sql.execute("UPDATE items SET id = id + 10 WHERE id < 3")
        sql.execute("DELETE FROM items WHERE id = 5")
        sql.execute("COMMIT")
        kept.fresh(4)


def test_template(kept):
    columns = "id int PRIMARY KEY, question_text text, choices text[]"
    kept.make(columns, inputs=TEMPLATE, reads="question_text, choices", content=content)
    kept.sql.execute("""
        INSERT INTO items VALUES (1, 'a', '{x,y}'), (2, 'b', NULL), (3, NULL, '{z}'),
            (4, NULL, NULL), (5, '', '{}'), (6, '문제: ', '{"a\nb",c}')""")
    assert kept.fresh(6).empty == 1
    kept.sql.execute("UPDATE items SET choices = choices || 'w'::text WHERE id < 4")
    kept.fresh(6)
    kept.sql.execute("UPDATE items SET question_text = NULL, choices = NULL WHERE id = 1")
    assert kept.fresh(6).empty == 2


def test_expressions(kept):
    def said(question, tags, day):
        return f"{question.upper()}{','.join(tags)} {day:%d.%m.%Y}"

    kept.make(
        "id int PRIMARY KEY, question text NOT NULL, tags text[] NOT NULL, day date NOT NULL",
        inputs="upper(question) || array_to_string(tags, ',') || to_char(day, ' DD.MM.YYYY')",
        reads="question, tags, day",
        content=said,
    )
    kept.sql.execute(
        "INSERT INTO items VALUES (1, 'a', '{x,y}', '2024-02-29'), (2, 'b', '{}', now())"
    )
    kept.fresh(2)
    kept.sql.execute("UPDATE items SET day = day + 1")
    kept.fresh(2)


def test_settings_of_sessions_do_not_change_the_content(kept):
    """The text of a date depends on the session's DateStyle; a row's hash may not."""
    kept.make(
        "id int PRIMARY KEY, day date, at timestamptz, number float8, raw bytea",
        inputs="concat_ws(' ', day, at, number, raw)",
        reads="id",
        content=lambda _: "2024-02-01 2024-02-01 12:00:00+00 0.1 \\x00ff",
    )
    row = r"'2024-02-01', '2024-02-01 12:00:00+00', 0.1, '\x00ff'"
    for setting in (
        "DateStyle = 'SQL, DMY'",
        "TimeZone = 'Asia/Seoul'",
        "extra_float_digits = -5",
        "bytea_output = 'escape'",
    ):
        kept.sql.execute(f"SET {setting}")
    kept.sql.execute(f"INSERT INTO items VALUES (1, {row})".replace("2024-02-01", "01/02/2024"))
    kept.sql.execute("RESET ALL; SET search_path = freshness, public")
    kept.sql.execute(f"INSERT INTO items VALUES (2, {row})")
    kept.fresh(2)


def test_shorter_and_half_vectors(kept):
    kept.make(dimensions=16, type="halfvec")
    kept.sql.execute(f"INSERT INTO items VALUES {values(1, 10)}")
    kept.fresh(10)
    found = kept.sql.execute("SELECT vector_dims(embedding), pg_typeof(embedding)::text FROM items")
    assert found.fetchone() == (16, "halfvec")


def test_two_columns_of_a_table(kept):
    sql = kept.make().sql
    kept.add("other::text", target="second", content=lambda other: other)
    sql.execute("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)")
    kept.fresh(2)
    sql.execute("UPDATE items SET other = 5 WHERE id = 1")
    kept.fresh(2)
    sql.execute("SELECT drop_embedding('items', 'second')")
    kept.at("items", target="embedding", inputs="question")
    sql.execute("UPDATE items SET question = 'c', other = 6 WHERE id = 1")
    kept.fresh(2)


def test_a_large_statement(kept):
    sql = kept.make().sql
    sql.execute("INSERT INTO items SELECT n, 'large ' || n % 1500 FROM generate_series(1, 3000) n")
    assert len(kept.fresh(3000).contents) == 1500
    sql.execute("UPDATE items SET question = 'larger ' || id WHERE id % 2 = 0")
    kept.fresh(3000)


def test_replicated_rows_wait_for_a_back_fill(kept):
    """What comes by logical replication fires no triggers."""
    sql = kept.make().sql
    sql.execute("SET session_replication_role = replica")
    sql.execute(f"INSERT INTO items VALUES {values(1, 5)}")
    sql.execute("RESET session_replication_role")
    kept.settle()
    assert sql.execute("SELECT count(embedding) FROM items").fetchone() == (0,)
    stale = sql.execute("SELECT key, reason FROM stale_embeddings('items') ORDER BY 1").fetchall()
    assert stale == [(str(n), "no vector") for n in range(1, 6)]
    sql.execute("CALL backfill('items')")
    kept.fresh(5)


def test_vectors_that_are_carried_over_are_kept(kept):
    """CREATE TABLE AS, and an INSERT that brings the three columns along."""
    sql = kept.make().sql
    sql.execute(f"INSERT INTO items VALUES {values(1, 30)}")
    kept.fresh(30)
    sql.execute("""
        INSERT INTO items SELECT id + 100, question, other, embedding, embedding_hash,
            embedding_fingerprint FROM items""")
    assert kept.entries() == []
    kept.fresh(60)
    sql.execute("CREATE TABLE copies AS TABLE items; ALTER TABLE copies ADD PRIMARY KEY (id)")
    before = sql.execute("SELECT array_agg(ctid::text ORDER BY id) FROM copies").fetchone()
    other = Kept(sql, kept.mode).make("", table="copies")
    other.fresh(60)
    assert sql.execute("SELECT array_agg(ctid::text ORDER BY id) FROM copies").fetchone() == before


def test_after_a_rename(kept):
    sql = kept.make().sql
    sql.execute("ALTER TABLE items RENAME TO renamed")
    sql.execute(f"INSERT INTO renamed VALUES {values(1, 5)}")
    kept.at("renamed").fresh(5)
    sql.execute("CREATE SCHEMA other_place; ALTER TABLE renamed SET SCHEMA other_place")
    sql.execute("UPDATE other_place.renamed SET question = 'moved'")
    kept.at("other_place.renamed").fresh(5)
    sql.execute("DROP SCHEMA other_place CASCADE")
    assert sql.execute("SELECT count(*) FROM embedding_columns").fetchone() == (0,)


def test_temporary_table(place):
    with schema(place, "freshness") as sql:
        sql.execute("CREATE TEMP TABLE items (id int PRIMARY KEY, question text)")
        kept = Kept(sql, "statement").make("")
        sql.execute(f"INSERT INTO items VALUES {values(1, 5)}")
        kept.fresh(5)
        sql.execute("CREATE TEMP TABLE others (id int PRIMARY KEY, question text)")
        query = "SELECT add_embedding('others', 'e', 'tiny-bert', inputs => 'question', mode => %s)"
        fails(sql, "0A000", query, ("queue",))

    def gone() -> bool:
        with schema(place, "freshness") as sql:
            return sql.execute("SELECT count(*) FROM embeddings()").fetchone() == (0,)

    wait_until(gone, 10, "a dead session's table is not listed any more")


def test_a_statement_that_cannot_be_embedded_fails(place):
    """As a whole, and it says which row it was."""
    with schema(place, "freshness") as sql:
        kept = Kept(sql, "statement").make(
            inputs="question || 10 / other",
            reads="question, other",
            content=lambda q, o: f"{q}{10 // o}",
        )
        sql.execute("INSERT INTO items VALUES (1, 'a', 5)")
        kept.fresh(1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            sql.execute("INSERT INTO items VALUES (2, 'b', 1), (3, 'c', 0)")
        kept.fresh(1)
