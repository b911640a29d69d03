"""The sample item bank: the right items come first, and the index is used."""

from pathlib import Path

import psycopg
import pytest
from conftest import ROOT

BANK = ROOT / "tests" / "data" / "item_bank"


def copy(connection, table: str, file: Path) -> None:
    header = file.read_text().splitlines()[0]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({header}) FROM STDIN (FORMAT csv, HEADER)") as target,
    ):
        target.write(file.read_bytes())


@pytest.fixture(scope="module")
def bank(url):
    """A connection to the loaded and embedded bank, in a schema of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS bank CASCADE; CREATE SCHEMA bank")
        connection.execute("SET search_path = bank, public")
        connection.execute((BANK / "schema.sql").read_text())
        for table in ("items", "queries", "judgements"):
            copy(connection, table, BANK / f"{table}.csv")
        connection.execute(
            "ALTER TABLE items ADD COLUMN embedding vector(384) GENERATED ALWAYS AS "
            "(embed('multilingual-e5-small', question_text)) STORED"
        )
        connection.execute("CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops)")
        yield connection
        connection.execute("DROP SCHEMA bank CASCADE")


NEAREST = """
    SELECT q.query_id, found.id,
           row_number() OVER (PARTITION BY q.query_id ORDER BY distance) AS rank
    FROM queries q,
    LATERAL (SELECT id, embedding <=> embed('multilingual-e5-small', q.query_text, task => 'query')
                        AS distance
             FROM items ORDER BY distance LIMIT 10) AS found
"""


def test_most_queries_find_a_relevant_item_at_once(bank):
    """Not a benchmark: a wrong prompt, pooling or order would halve these."""
    top1, top10, queries = bank.execute(f"""
        WITH hits AS (
            SELECT n.query_id, min(n.rank) FILTER (WHERE j.relevance >= 1) AS first
            FROM ({NEAREST}) n
            LEFT JOIN judgements j ON j.query_id = n.query_id AND j.item_id = n.id
            GROUP BY n.query_id)
        SELECT count(*) FILTER (WHERE first = 1), count(*) FILTER (WHERE first <= 10), count(*)
        FROM hits""").fetchone()
    print(f"relevant item first: {top1} of {queries}; among the first ten: {top10}")
    assert top10 >= 0.8 * queries and top1 >= 0.5 * queries


def test_near_duplicates_are_nearest(bank):
    hit, total = bank.execute("""
        SELECT count(*) FILTER (WHERE EXISTS (
            SELECT FROM judgements j WHERE j.query_id = q.id AND j.item_id = nearest.id
                                       AND j.relevance = 3)), count(*)
        FROM items q, LATERAL (
            SELECT id FROM items i WHERE i.id <> q.id ORDER BY i.embedding <=> q.embedding LIMIT 1
        ) AS nearest
        WHERE q.id IN (SELECT query_id FROM judgements WHERE relevance = 3)""").fetchone()
    print(f"nearest item is of the same template: {hit} of {total}")
    assert hit >= 0.7 * total


def test_the_planner_takes_the_index_by_itself(bank):
    """On a bank of 3,276 rows with a filter; on 546 rows a scan is cheaper, and it knows."""
    bank.execute("""
        CREATE TABLE large AS SELECT id || '-' || n AS id, subject, embedding::vector(384)
            FROM items, generate_series(1, 6) AS n;
        CREATE INDEX large_hnsw ON large USING hnsw (embedding vector_cosine_ops);
        ANALYZE large""")
    plan = bank.execute("""EXPLAIN SELECT id FROM large WHERE subject = '수학'
        ORDER BY embedding <=> embed('multilingual-e5-small', '두 근의 합', task => 'query')
        LIMIT 10""").fetchall()
    assert any("Index Scan using large_hnsw" in line for (line,) in plan), plan
