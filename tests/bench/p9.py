"""P9: a metric by our aggregate against the same metric in pure SQL, over 1 M rows.

Rows: run FULL JOIN judgements, 10,000 queries of 100 documents: 95 retrieved, 5 more judged but not
retrieved; 15 judged in all, of every grade from 0 to 3; stored query by query. Both sides read the
same table, give the same number (checked to 1e-12) and have 256 MB of work_mem. Medians over rounds
in turn, of four comparisons:

window    The rows have ranks. Theirs is a window query: each part of the metric by window functions
          over all rows, which nDCG and MAP ask for, recall and MRR do not. Must reach 3.
ranks     The rows have ranks. Theirs is the best that we could write: GROUP BY query_id, window
          functions only over the few relevant rows that need them. The stricter one, for
          information: recall and MRR need no window at all, and neither side sorts.
scores    The rows have scores. Ours is the aggregate over row_number(), theirs the query of `ranks`
          over the same row_number(): both sort 1 M rows.
evaluate  The rows have scores. Ours is evaluate(), which reads the run and the judgements from the
          table, orders, and has a value for each query too; theirs as in `scores`.

Each serially, and with parallel workers where the planner takes them.

Variables: ROUNDS (5).
"""

import os
import statistics

import psycopg
from measure import interleave, spread

QUERIES, DOCUMENTS, RETRIEVED = 10_000, 100, 95
ROUNDS = int(os.environ.get("ROUNDS", "5"))
MUST = 3.0

# Hashed, so that it is the same everywhere: 10 of the retrieved documents and 5 others are judged.
ROWS = f"""
    CREATE TABLE p9 AS
    SELECT 'query ' || q AS query_id, 'item ' || (q * 7 + d) AS item_id,
        CASE WHEN d <= {RETRIEVED} THEN d::bigint END AS rank,
        CASE WHEN d <= {RETRIEVED} THEN 1 - d / 100.0::float8 END AS score,
        CASE WHEN d > {RETRIEVED} OR (d * 31 + q * 17) % {RETRIEVED} < 10
             THEN greatest(0, (d * 13 + q * 5) % 7 - 3) END AS relevance
    FROM generate_series(1, {QUERIES}) AS q, generate_series(1, {DOCUMENTS}) AS d
    ORDER BY q, d
"""

# The best pure SQL over rows (query_id, rank, relevance); {rows} is where they come from.
BEST = {
    "recall@10": """
        SELECT avg(v) FROM (
            SELECT coalesce(count(*) FILTER (WHERE rank <= 10 AND relevance >= 1)::float8
                / nullif(count(*) FILTER (WHERE relevance >= 1), 0), 0) AS v
            FROM {rows} GROUP BY query_id HAVING count(relevance) > 0) AS q""",
    "mrr": """
        SELECT avg(v) FROM (
            SELECT coalesce(1.0::float8 / min(rank) FILTER (WHERE relevance >= 1), 0) AS v
            FROM {rows} GROUP BY query_id HAVING count(relevance) > 0) AS q""",
    "ndcg@10": """
        WITH judged AS MATERIALIZED (
            SELECT query_id, rank, relevance FROM {rows} WHERE relevance IS NOT NULL),
        gains AS (
            SELECT query_id,
                CASE WHEN rank <= 10 THEN relevance / log(2.0, rank + 1)::float8 END AS gain,
                row_number() OVER (PARTITION BY query_id ORDER BY relevance DESC) AS place,
                relevance
            FROM judged WHERE relevance > 0),
        values AS (
            SELECT query_id, coalesce(sum(gain), 0)
                / sum(relevance / log(2.0, place + 1)::float8) FILTER (WHERE place <= 10) AS v
            FROM gains GROUP BY query_id)
        SELECT sum(v) / (SELECT count(DISTINCT query_id) FROM judged) FROM values""",
    "map": """
        WITH judged AS MATERIALIZED (
            SELECT query_id, rank, relevance FROM {rows} WHERE relevance IS NOT NULL),
        hits AS (
            SELECT query_id, rank,
                row_number() OVER (PARTITION BY query_id ORDER BY rank)::float8 AS hit
            FROM judged WHERE relevance >= 1),
        values AS (
            SELECT query_id, coalesce(sum(hit / rank), 0) / count(*) AS v
            FROM hits GROUP BY query_id)
        SELECT sum(v) / (SELECT count(DISTINCT query_id) FROM judged) FROM values""",
}
# By window functions: a value for each row, then one for each query.
WINDOW = {
    "recall@10": """
        SELECT avg(v) FROM (
            SELECT DISTINCT ON (query_id)
                coalesce(count(*) FILTER (WHERE rank <= 10 AND relevance >= 1) OVER w::float8
                    / nullif(count(*) FILTER (WHERE relevance >= 1) OVER w, 0), 0) AS v,
                count(relevance) OVER w AS judged
            FROM {rows} WINDOW w AS (PARTITION BY query_id)) AS q
        WHERE judged > 0""",
    "mrr": """
        SELECT avg(v) FROM (
            SELECT DISTINCT ON (query_id)
                coalesce(1.0::float8 / min(rank) FILTER (WHERE relevance >= 1) OVER w, 0) AS v,
                count(relevance) OVER w AS judged
            FROM {rows} WINDOW w AS (PARTITION BY query_id)) AS q
        WHERE judged > 0""",
    "ndcg@10": """
        SELECT avg(v) FROM (
            SELECT coalesce(sum(relevance / log(2.0, rank + 1)::float8)
                    FILTER (WHERE rank <= 10 AND relevance > 0), 0)
                / nullif(sum(relevance / log(2.0, place + 1)::float8)
                    FILTER (WHERE place <= 10 AND relevance > 0), 0) AS v
            FROM (SELECT *, row_number() OVER (
                      PARTITION BY query_id ORDER BY relevance DESC NULLS LAST) AS place
                  FROM {rows}) AS p
            GROUP BY query_id HAVING count(relevance) > 0) AS q""",
    "map": """
        SELECT avg(v) FROM (
            SELECT coalesce(sum(hit::float8 / rank) FILTER (WHERE relevance >= 1), 0)
                / nullif(count(*) FILTER (WHERE relevance >= 1), 0) AS v
            FROM (SELECT *, count(*) FILTER (WHERE relevance >= 1) OVER (
                      PARTITION BY query_id ORDER BY rank) AS hit
                  FROM {rows}) AS p
            GROUP BY query_id HAVING count(relevance) > 0) AS q""",
}
OURS = {
    "recall@10": "SELECT recall_at_k(query_id, rank, relevance, 10) FROM {rows}",
    "mrr": "SELECT mean_reciprocal_rank(query_id, rank, relevance) FROM {rows}",
    "ndcg@10": "SELECT ndcg_at_k(query_id, rank, relevance, 10) FROM {rows}",
    "map": "SELECT average_precision(query_id, rank, relevance) FROM {rows}",
}
# A document that was not retrieved has no score, and no rank.
RANKED = """(SELECT query_id, relevance, CASE WHEN score IS NOT NULL THEN row_number() OVER (
    PARTITION BY query_id ORDER BY score DESC NULLS LAST, item_id COLLATE "C" DESC) END AS rank
    FROM p9) AS r"""
EVALUATE = """SELECT value FROM evaluate(
    'SELECT query_id, item_id, score FROM p9 WHERE score IS NOT NULL',
    'SELECT query_id, item_id, relevance FROM p9 WHERE relevance IS NOT NULL', ARRAY['{metric}'])
    WHERE query_id IS NULL"""


def forms(metric: str) -> dict[str, tuple[str, str]]:
    """Comparison -> our statement and theirs."""
    by_rank, by_score = ({"rows": rows} for rows in ("p9", RANKED))
    ours, best = OURS[metric], BEST[metric]
    scored = best.format(**by_score)
    return {
        "ranks": (ours.format(**by_rank), best.format(**by_rank)),
        "window": (ours.format(**by_rank), WINDOW[metric].format(**by_rank)),
        "scores": (ours.format(**by_score), scored),
        "evaluate": (EVALUATE.format(metric=metric), scored),
    }


def compare(sql: psycopg.Connection, metric: str, form: str, pair: tuple[str, str]) -> float:
    """Prints one line; gives the median ratio."""
    values = [sql.execute(statement).fetchone()[0] for statement in pair]
    if not abs(values[0] - values[1]) <= 1e-12:
        raise AssertionError(f"{metric}, {form}: {values[0]} is not {values[1]}")
    a, b = interleave(*(lambda s=s: sql.execute(s).fetchone() for s in pair), ROUNDS)
    ratios = [theirs / ours for ours, theirs in zip(a, b, strict=True)]
    milliseconds = [1000 * statistics.median(times) for times in (a, b)]
    print(
        f"  {metric:10} {form:9} ours {milliseconds[0]:6.0f} ms"
        f"   pure SQL {milliseconds[1]:6.0f} ms   ratio {spread(ratios)}"
    )
    return statistics.median(ratios)


def prepare(sql: psycopg.Connection) -> None:
    sql.execute("DROP TABLE IF EXISTS p9")
    sql.execute(ROWS)
    sql.execute("VACUUM ANALYZE p9")
    sql.execute("SET work_mem = '256MB'; SET jit = off")
    count, judged, relevant = sql.execute(
        "SELECT count(*), count(relevance), count(*) FILTER (WHERE relevance > 0) FROM p9"
    ).fetchone()
    version = sql.execute("SHOW server_version").fetchone()[0]
    print(
        f"{count} rows, {QUERIES} queries, {judged} judged, {relevant} relevant; PostgreSQL"
        f" {version}; medians of {ROUNDS} rounds, (min–max) of their ratios"
    )


def main() -> None:
    with psycopg.connect(os.environ["ITEMBANK_TEST_URL"], autocommit=True) as sql:
        prepare(sql)
        worst = {}
        for workers in (0, 2):
            sql.execute(f"SET max_parallel_workers_per_gather = {workers}")
            print(f"P9  {'parallel, 2 workers' if workers else 'serial'}")
            for metric in OURS:
                for form, pair in forms(metric).items():
                    ratio = compare(sql, metric, form, pair)
                    worst[form] = min(ratio, worst.get(form, ratio))
        lowest = ", ".join(f"{form} {ratio:.2f}" for form, ratio in worst.items())
        print(f"P9  lowest: {lowest}   window must reach {MUST:.2f}")


if __name__ == "__main__":
    main()
