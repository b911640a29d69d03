"""pg_dump | psql of a table with embeddings into a new database, by the server's own programs."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from conftest import setting
from psycopg.conninfo import make_conninfo

MODEL = "multilingual-e5-small"
TABLE = f"""
    CREATE SCHEMA bank;
    CREATE TABLE bank.items (
        id int PRIMARY KEY,
        question text,
        generated vector(384) GENERATED ALWAYS AS (embed('{MODEL}', question)) STORED,
        by_literal vector(384) GENERATED ALWAYS AS (embed('{MODEL}', question, NULL)) STORED,
        stored vector(384)
    );
    INSERT INTO bank.items (id, question)
        SELECT n, '문항 ' || n || ': $x^2 = ' || n || '$의 해는?' FROM generate_series(1, 20) n;
    UPDATE bank.items SET stored = generated;
    CREATE VIEW bank.scored AS
        SELECT id, rerank_batch('해', question) OVER () AS score FROM bank.items;
    CREATE VIEW bank.measured AS
        SELECT ndcg_at_k(id::text, row_number, 1, 5) FROM (SELECT id, row_number() OVER ()
                                                           FROM bank.items) AS ranked;
    SELECT judge('q', '문항', 2, assessor => 'kim', note => '좋다');
    CREATE INDEX ON bank.items USING hnsw (generated vector_cosine_ops);
    CREATE INDEX ON bank.items USING hnsw (((embed('{MODEL}', question))::vector(384))
                                            vector_cosine_ops);
"""
CONTENT = """
    SELECT id, question, generated::text, by_literal::text, stored::text FROM bank.items ORDER BY id
"""


JUDGEMENTS = "SELECT * FROM evaluation_judgements"


def program(name: str) -> str:
    return str(Path(setting("ITEMBANK_TEST_PGBIN")) / name)


@pytest.fixture
def databases(url):
    """Two empty databases: (URL of the source, URL of the target)."""
    names = ("dump_source", "dump_target")
    with psycopg.connect(url, autocommit=True) as admin:
        for name in names:
            admin.execute(f"DROP DATABASE IF EXISTS {name}")
            admin.execute(f"CREATE DATABASE {name}")
        yield tuple(make_conninfo(url, dbname=name) for name in names)
        for name in names:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(*command, **more):
    environment = {**os.environ, "PGOPTIONS": "-c client_min_messages=warning"}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment, **more
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dump_restores_to_the_same_rows(databases):
    source, target = databases
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION itembank_embed CASCADE")
        connection.execute(TABLE)
        before = connection.execute(CONTENT).fetchall()
        judged = connection.execute(JUDGEMENTS).fetchall()
    dump = run(program("pg_dump"), source)
    assert "CREATE EXTENSION IF NOT EXISTS itembank_embed" in dump
    run(program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", target, input=dump)
    with psycopg.connect(target, autocommit=True) as connection:
        assert connection.execute(CONTENT).fetchall() == before
        assert connection.execute(JUDGEMENTS).fetchall() == judged != []
        for view in ("scored", "measured"):
            assert connection.execute(f"SELECT count(*) FROM bank.{view}").fetchone()[0] > 0
        indexes = connection.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = 'bank'"
        ).fetchone()
        assert indexes == (3,)


def test_the_extension_in_a_schema_of_its_own(databases):
    source, _ = databases
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA vectors; CREATE SCHEMA models")
        connection.execute("CREATE EXTENSION vector SCHEMA vectors")
        connection.execute("CREATE EXTENSION itembank_embed SCHEMA models")
        connection.execute("SET search_path = ''")
        row = connection.execute(
            f"SELECT vectors.vector_dims(models.embed('{MODEL}', 'a')), "
            f"pg_catalog.array_length(models.embed('{MODEL}', ARRAY['a', 'b']), 1)"
        ).fetchone()
        assert row == (384, 2)
