"""What reranking gains, measured in SQL: nDCG@10, MRR@10 and recall@10 before and after.

Each query finds its nearest documents by cosine distance (exactly, without an index), itself
excluded; the best 10, or 20, are put in order by `rerank_batch`. Documents are stored under the
model's document prompt, queries asked under its query prompt, as search_items in README.md does;
a document is the whole item, question and choices.

nDCG: gain = grade, discount 1 / log2(rank + 1), ideal over all that was judged; relevant for MRR
and recall is grade 1 and above. What was not judged counts as irrelevant. No query is left out.

phrases   sample item bank, 50 search phrases          grades by how an item was made,
items     sample item bank, the 95 items that were     0 to 3 (tests/data/item_bank)
          judged as queries
kor_mwp   3,515 Korean word problems, 100 of them      same class and equation skeleton: a rule,
          as queries; not part of this project,        not people's judgement
          measured where ../shared/data/kor_mwp is
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter

import psycopg
from inputs import ITEMS, whole_items

KOR_MWP = Path(__file__).resolve().parents[3] / "shared" / "data" / "kor_mwp"
DEPTH = 20
# Documents that are embedded in one statement.
SLICE = 256

TABLES = """
CREATE TEMP TABLE documents (collection text, id text, content text, embedding vector);
CREATE TEMP TABLE asked (collection text, id text, content text, bank text, embedding vector);
CREATE TEMP TABLE judged (collection text, query_id text, id text, grade int);
"""

NEAREST = """
CREATE TEMP TABLE nearest AS
SELECT asked.collection, asked.id AS query_id, asked.content AS query, hit.*,
       row_number() OVER (PARTITION BY asked.collection, asked.id ORDER BY distance, hit.id) AS rank
FROM asked CROSS JOIN LATERAL (
    SELECT id, content, embedding <=> asked.embedding AS distance
    FROM documents WHERE collection = asked.bank AND id <> asked.id
    ORDER BY distance, id LIMIT %(depth)s
) AS hit
"""

SCORED = """
CREATE TEMP TABLE scored AS
SELECT *, rerank_batch(query, content, model => %(model)s)
          OVER (PARTITION BY collection, query_id) AS score
FROM nearest
"""

# One row a query and an order: before, and after reranking the best `depth`.
MEASURED = """
WITH orders AS (
    SELECT collection, query_id, id, 0 AS depth, rank FROM scored
    UNION ALL
    SELECT collection, query_id, id, depth,
           row_number() OVER (PARTITION BY collection, query_id, depth
                              ORDER BY score DESC NULLS LAST, rank)
    FROM scored CROSS JOIN unnest(%(depths)s::int[]) AS depth
    WHERE rank <= depth
), ideal AS (
    SELECT collection, query_id, count(*) FILTER (WHERE grade > 0) AS relevant,
           sum(grade / log(2, place + 1)) FILTER (WHERE place <= 10) AS gain
    FROM (SELECT *, row_number() OVER (PARTITION BY collection, query_id ORDER BY grade DESC)
                    AS place FROM judged) AS best
    GROUP BY collection, query_id
), each AS (
    SELECT collection, depth, query_id,
           coalesce(sum(grade / log(2, rank + 1)) / max(gain), 0) AS ndcg,
           coalesce(1.0 / min(rank) FILTER (WHERE grade > 0), 0) AS mrr,
           count(*) FILTER (WHERE grade > 0) / max(relevant)::numeric AS recall
    FROM orders JOIN ideal USING (collection, query_id)
         LEFT JOIN judged USING (collection, query_id, id)
    WHERE rank <= 10
    GROUP BY collection, depth, query_id
)
SELECT collection, depth, count(*), avg(ndcg), avg(mrr), avg(recall)
FROM each GROUP BY collection, depth ORDER BY collection, depth
"""


def report(sql: psycopg.Connection, model: str) -> None:
    """Prints the table."""
    for statement in TABLES.strip().splitlines():
        sql.execute(statement)
    print(f"\nreranking by {model}, late interaction; nDCG@10, MRR@10, recall@10")
    sample_bank(sql)
    if KOR_MWP.is_dir():
        kor_mwp(sql)
    else:
        print("kor_mwp: left out, its data are not beside this clone (../shared/data/kor_mwp)")
    embed_tables(sql, model)
    start = perf_counter()
    sql.execute(NEAREST.replace("%(depth)s", str(DEPTH)))
    sql.execute(SCORED.replace("%(model)s", f"'{model}'"))
    pairs = sql.execute("SELECT count(*) FROM scored").fetchone()[0]
    print(f"{pairs} pairs scored in {perf_counter() - start:.0f} s")
    for collection, depth, queries, *values in sql.execute(MEASURED, {"depths": [10, DEPTH]}):
        how = f"top {depth} reranked" if depth else "vector search alone"
        figures = "  ".join(f"{value:.3f}" for value in values)
        print(f"  {collection:8} {queries:4} queries  {how:20} {figures}")


def sample_bank(sql: psycopg.Connection) -> None:
    """The items, and two collections of queries to them."""
    items = whole_items()
    judged = list(_rows(ITEMS.parent / "judgements.csv"))
    phrases = {row["query_id"]: row["query_text"] for row in _rows(ITEMS.parent / "queries.csv")}
    asked_items = {
        row["query_id"]: items[row["query_id"]] for row in judged if row["query_id"] in items
    }
    fill(sql, "documents (collection, id, content)", (("items", *item) for item in items.items()))
    for collection, queries in (("phrases", phrases), ("items", asked_items)):
        fill(
            sql,
            "asked (collection, id, content, bank)",
            ((collection, *query, "items") for query in queries.items()),
        )
        grades = (
            (collection, row["query_id"], row["item_id"], int(row["relevance"]))
            for row in judged
            if row["query_id"] in queries
        )
        fill(sql, "judged", grades)


def kor_mwp(sql: psycopg.Connection) -> None:
    """Word problems; a query is one of them."""
    items = {row["id"]: row["question"] for row in _json_lines(KOR_MWP / "test_items.jsonl")}
    truth = list(_json_lines(KOR_MWP / "ground_truth.jsonl"))
    name = "kor_mwp"
    fill(sql, "documents (collection, id, content)", ((name, *item) for item in items.items()))
    asked = ((name, row["query_id"], items[row["query_id"]], name) for row in truth)
    fill(sql, "asked (collection, id, content, bank)", asked)
    fill(
        sql,
        "judged",
        ((name, row["query_id"], id, 1) for row in truth for id in row["all_similar"]),
    )


def embed_tables(sql: psycopg.Connection, model: str) -> None:
    """Both columns, in slices of the array form."""
    for table, task in (("documents", "document"), ("asked", "query")):
        rows = sql.execute(f"SELECT ctid::text, content FROM {table} ORDER BY ctid").fetchall()
        for start in range(0, len(rows), SLICE):
            places, contents = map(list, zip(*rows[start : start + SLICE], strict=True))
            sql.execute(
                f"UPDATE {table} SET embedding = v FROM unnest(%s::tid[], embed(%s, %s::text[],"
                " task => %s)) AS b(place, v) WHERE ctid = b.place",
                (places, model, contents, task),
            )


def fill(sql: psycopg.Connection, table: str, rows: Iterable[tuple]) -> None:
    """COPY."""
    with sql.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as rows:
        yield from csv.DictReader(rows)


def _json_lines(path: Path) -> Iterable[dict]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
