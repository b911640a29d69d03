"""The published figures of the feasibility study, out of SQL, over the vectors that it published.

100 exam items, 500 graded judgements, vectors of KURE-v1 and SigLIP: files that are no part of the
project (`../shared/poc` beside it; skipped where they are not there). Each item is a query against
the other 99, top 20. By category nothing was published: there the reference is pytrec_eval over the
ranks that numpy gives in float64.
"""

import csv
import json

import numpy as np
import psycopg
import pytest
import pytrec_eval
from conftest import ROOT

STUDY = ROOT.parent / "shared" / "poc"
SCHEMA = "evaluation_study"
TOP = 20
CUTS = (1, 3, 5, 10, 20)
METRICS = [f"recall@{k}" for k in CUTS] + ["mrr"]
# Vectors -> their column, and the published recall@1, 3, 5, 10, 20, MRR, by cosine distance.
# An item without an image has a SigLIP vector of zeros, harmless behind its KURE vector.
PUBLISHED = {
    "KURE-v1": ("kure", (0.128, 0.272, 0.334, 0.480, 0.656, 0.738866)),
    "KURE + SigLIP": ("joint", (0.128, 0.264, 0.330, 0.448, 0.592, 0.716635)),
}
JUDGEMENTS = f"SELECT query_id, item_id, relevance FROM {SCHEMA}.judgements"
TOLERANCE = 1e-6

needs_the_study = pytest.mark.skipif(
    not (STUDY / "items.csv").is_file(),
    reason="the study's vectors and judgements are not in ../shared/poc",
)


def rows(name: str) -> list[dict]:
    with (STUDY / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study(url):
    """Items with both vectors, indexes on them, and judgements."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"""DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
            CREATE SCHEMA {SCHEMA};
            CREATE TABLE {SCHEMA}.items (
                id text PRIMARY KEY, category text, kure vector(1024), siglip vector(768),
                joint vector(1792) GENERATED ALWAYS AS (kure || siglip) STORED
            );
            CREATE TABLE {SCHEMA}.judgements (query_id text, item_id text, relevance int);"""
        )
        kure, siglip = (
            {row["id"]: row["embedding"] for row in rows(f"{name}_embeddings.csv")}
            for name in ("kure", "siglip")
        )
        with connection.cursor() as cursor:
            copy = f"COPY {SCHEMA}.items (id, category, kure, siglip) FROM STDIN"
            with cursor.copy(copy) as items:
                for row in rows("items.csv"):
                    one = (row["id"], row["category"], kure[row["id"]], siglip[row["id"]])
                    items.write_row(one)
            with cursor.copy(f"COPY {SCHEMA}.judgements FROM STDIN") as judgements:
                for row in rows("ground_truth.csv"):
                    judgements.write_row(tuple(row.values()))
        connection.execute(
            f"""CREATE INDEX ON {SCHEMA}.items USING hnsw (kure vector_cosine_ops);
            CREATE INDEX ON {SCHEMA}.items USING hnsw (joint vector_cosine_ops);
            ANALYZE {SCHEMA}.items"""
        )
        yield connection
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def run_of(vectors: str) -> str:
    """The top 20 of each item, itself excluded."""
    column, _ = PUBLISHED[vectors]
    return (
        f"SELECT q.id AS query_id, hit.id AS item_id, -hit.distance AS score, q.category"
        f" FROM {SCHEMA}.items AS q CROSS JOIN LATERAL ("
        f"   SELECT i.id, i.{column} <=> q.{column} AS distance FROM {SCHEMA}.items AS i"
        f"   WHERE i.id <> q.id ORDER BY i.{column} <=> q.{column} LIMIT {TOP}"
        f" ) AS hit"
    )


def use_index(connection: psycopg.Connection, vectors: str, on: bool) -> None:
    """HNSW or the exact scan; the plan is the proof."""
    connection.execute(f"SET enable_indexscan = {on}; SET enable_seqscan = {not on}")
    plan = json.dumps(connection.execute(f"EXPLAIN (FORMAT json) {run_of(vectors)}").fetchone()[0])
    assert (f"items_{PUBLISHED[vectors][0]}_idx" in plan) == on, plan


def by_reference(vectors: str) -> dict[str | None, list[float]]:
    """Category (None: all) -> the values of METRICS."""
    kure, siglip = (
        {row["id"]: np.array(json.loads(row["embedding"])) for row in rows(f"{n}_embeddings.csv")}
        for n in ("kure", "siglip")
    )
    categories = {row["id"]: row["category"] for row in rows("items.csv")}
    found = kure
    if vectors != "KURE-v1":
        found = {item: np.concatenate([kure[item], siglip[item]]) for item in categories}
    found = {item: vector / np.linalg.norm(vector) for item, vector in found.items()}
    runs, judged = {}, {item: {} for item in categories}
    for query in categories:
        others = sorted(
            (item for item in categories if item != query),
            key=lambda item: float(((found[item] - found[query]) ** 2).sum()),
        )
        runs[query] = {item: float(TOP - rank) for rank, item in enumerate(others[:TOP])}
    for row in rows("ground_truth.csv"):
        judged[row["query_id"]][row["relevant_id"]] = int(row["relevance_score"])
    names = [f"recall_{k}" for k in CUTS] + ["recip_rank"]
    wanted = {f"recall.{','.join(map(str, CUTS))}", "recip_rank"}
    values = pytrec_eval.RelevanceEvaluator(judged, wanted).evaluate(runs)
    groups = {category: [] for category in (None, *sorted(set(categories.values())))}
    for query, row in values.items():
        for group in (None, categories[query]):
            groups[group].append([row[name] for name in names])
    return {group: np.mean(numbers, axis=0).tolist() for group, numbers in groups.items()}


@needs_the_study
@pytest.mark.parametrize("index", [False, True], ids=["exact", "hnsw"])
@pytest.mark.parametrize("vectors", PUBLISHED)
def test_evaluate_gives_the_published_figures(study, vectors, index):
    use_index(study, vectors, index)
    run = f"SELECT query_id, item_id, score FROM ({run_of(vectors)}) AS r"
    query = "SELECT metric, value FROM evaluate(%s, %s, %s) WHERE query_id IS NULL"
    found = study.execute(query, (run, JUDGEMENTS, METRICS)).fetchall()
    assert [metric for metric, _ in found] == METRICS
    print(f"{vectors}, {'HNSW' if index else 'exact'}: {found}")
    assert [value for _, value in found] == pytest.approx(PUBLISHED[vectors][1], abs=TOLERANCE)


@needs_the_study
@pytest.mark.parametrize("index", [False, True], ids=["exact", "hnsw"])
@pytest.mark.parametrize("vectors", PUBLISHED)
def test_aggregates_give_them_by_category(study, vectors, index):
    """All and by category in one statement; evaluate joined to the items gives the same."""
    use_index(study, vectors, index)
    rank = 'row_number() OVER (PARTITION BY query_id ORDER BY score DESC, item_id COLLATE "C" DESC)'
    calls = [f"recall_at_k(query_id, rank, relevance, {k})" for k in CUTS]
    calls.append("mean_reciprocal_rank(query_id, rank, relevance)")
    query = f"""
        SELECT items.category, {", ".join(calls)}
        FROM (SELECT *, {rank} AS rank FROM ({run_of(vectors)}) AS r) AS ranked
        FULL JOIN {SCHEMA}.judgements AS j USING (query_id, item_id)
        JOIN {SCHEMA}.items AS items ON items.id = query_id
        GROUP BY GROUPING SETS ((), (items.category))"""
    found = {row[0]: list(row[1:]) for row in study.execute(query).fetchall()}
    reference = by_reference(vectors)
    assert found.keys() == reference.keys()
    for category, values in found.items():
        print(f"{vectors}, {category or 'all'}: {[round(value, 6) for value in values]}")
        assert values == pytest.approx(reference[category], abs=TOLERANCE), category
    assert found[None] == pytest.approx(PUBLISHED[vectors][1], abs=TOLERANCE)
    joined = study.execute(
        "SELECT items.category, e.metric, avg(e.value) FROM evaluate(%s, %s, %s) AS e"
        f" JOIN {SCHEMA}.items AS items ON items.id = e.query_id GROUP BY 1, 2",
        (f"SELECT query_id, item_id, score FROM ({run_of(vectors)}) AS r", JUDGEMENTS, METRICS),
    ).fetchall()
    for category, metric, value in joined:
        expected = found[category][METRICS.index(metric)]
        assert value == pytest.approx(expected, abs=TOLERANCE), (category, metric)
