"""Retrieval evaluation through SQL against pytrec_eval, and against itself in other plans.

Which values are pytrec_eval's and which are made of them: evaluation_cases.py.
"""

from functools import cache
from pathlib import Path
from time import perf_counter

import psycopg
import pytest
from evaluation_cases import (
    CUTS,
    METRICS,
    Query,
    Values,
    by_float64,
    draw,
    load,
    means,
    reference,
    with_missing,
)

TOLERANCE = 1e-9
SEED = 20_240_501
QUERIES = 5_500
# The drawn tables are in a schema of their own.
SCHEMA = "evaluation_parity"
RUN = f"SELECT query_id, item_id, score FROM {SCHEMA}.run"
JUDGEMENTS = f"TABLE {SCHEMA}.judgements"
CUT_AGGREGATES = {
    "recall": "recall_at_k",
    "precision": "precision_at_k",
    "hit_rate": "hit_rate_at_k",
    "ndcg": "ndcg_at_k",
    "judged": "judged_at_k",
    "mrr": "mean_reciprocal_rank",
    "map": "average_precision",
}
WHOLE_AGGREGATES = {
    "mrr": "mean_reciprocal_rank",
    "map": "average_precision",
    "r_precision": "r_precision",
    "bpref": "bpref",
}
# Memory: rows, queries, and how much more than before the session may take.
ROWS, MANY = 10_000_000, 100_000
MOST_MB = 200


@cache
def queries() -> list[Query]:
    return draw(SEED, QUERIES)


@cache
def expected(tie: str, level: int = 1, gain: str = "linear") -> Values:
    """By query and metric, those that the run misses left out."""
    ordered = queries() if tie == "trec9" else [by_float64(query) for query in queries()]
    return reference(ordered, level, gain)


@pytest.fixture(scope="module")
def drawn(url):
    """A connection; the drawn queries are in tables, also joined as the aggregates want them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")
        load(connection, SCHEMA, queries())
        connection.execute(
            f"""CREATE TABLE {SCHEMA}.joined AS
                SELECT query_id, r.rank, j.relevance, length(query_id) AS category
                FROM (SELECT query_id, item_id, row_number() OVER (
                          PARTITION BY query_id ORDER BY score DESC, item_id COLLATE "C" DESC
                      ) AS rank FROM {SCHEMA}.run) AS r
                FULL JOIN {SCHEMA}.judgements AS j USING (query_id, item_id)"""
        )
        connection.execute(f"ANALYZE {SCHEMA}.joined")
        yield connection
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def evaluated(connection, run: str, metrics: list[str], **named) -> tuple[Values, dict]:
    """Values by query, and the means."""
    options = "".join(f", {name} => %s" for name in named)
    query = f"SELECT query_id, metric, value FROM evaluate(%s, %s, %s{options})"
    rows = connection.execute(query, (run, JUDGEMENTS, metrics, *named.values())).fetchall()
    values, overall = {}, {}
    for query_id, metric, value in rows:
        if query_id is None:
            overall[metric] = value
        else:
            values.setdefault(query_id, {})[metric] = value
    return values, overall


def furthest(ours: dict, theirs: dict, what: str) -> float:
    """The largest difference of a value, of two maps that must have the same keys."""
    assert ours.keys() == theirs.keys(), f"{what}: {set(ours) ^ set(theirs)}"
    worst = max(ours, key=lambda name: abs(ours[name] - theirs[name]))
    difference = abs(ours[worst] - theirs[worst])
    assert difference <= TOLERANCE, f"{what}, {worst}: {ours[worst]} is not {theirs[worst]}"
    return difference


def compared(found: tuple[Values, dict], values: Values, what: str) -> str:
    """Every query and the means; says how far they are apart."""
    ours, overall = found
    assert ours.keys() == values.keys(), what
    worst = max(furthest(ours[query], values[query], f"{what}, {query}") for query in values)
    mean = furthest(overall, means(values), f"{what}, mean")
    return f"{what}: {len(values)} queries x {len(METRICS)} metrics: {worst:.1e}, means {mean:.1e}"


def test_the_draw_has_what_it_promises():
    drawn = queries()
    unjudged = sum(not query.grades for query in drawn)
    empty = sum(bool(query.grades) and not query.run for query in drawn)
    nothing = sum(bool(q.grades) and max(q.grades.values()) < 1 for q in drawn)
    below = sum(any(grade < 0 for grade in query.grades.values()) for query in drawn)
    near = sum(expected("trec9")[q] != expected("trec10")[q] for q in expected("trec9"))
    print(
        f"{len(drawn)} queries, {sum(len(q.run) for q in drawn)} retrieved,"
        f" {sum(len(q.grades) for q in drawn)} judged; {unjudged} unjudged, {empty} without a run,"
        f" {nothing} with nothing relevant, {below} with negative grades,"
        f" {near} that float32 and float64 order to other values"
    )
    assert len(expected("trec9")) >= 5000
    assert min(unjudged, empty, nothing, below, near) > 50


@pytest.mark.parametrize("tie", ["trec9", "trec10"])
@pytest.mark.parametrize("missing", ["zero", "skip"])
def test_evaluate_equals_pytrec_eval(drawn, tie, missing):
    values = expected(tie)
    if missing == "zero":
        values = with_missing(values, queries())
    found = evaluated(drawn, RUN, METRICS, tie=tie, missing=missing)
    print(compared(found, values, f"{tie}, {missing}"))


@pytest.mark.parametrize(("level", "gain"), [(2, "linear"), (1, "exponential")])
def test_options_equal_pytrec_eval(drawn, level, gain):
    found = evaluated(drawn, RUN, METRICS, missing="skip", min_relevance=level, gain=gain)
    print(compared(found, expected("trec9", level, gain), f"min_relevance {level}, {gain}"))


def test_the_given_order_is_kept(drawn):
    """Rows in the order of float64, with scores that say nothing."""
    run = (
        f"SELECT query_id, item_id, 0 FROM {SCHEMA}.run"
        ' ORDER BY query_id, score DESC, item_id COLLATE "C" DESC'
    )
    found = evaluated(drawn, run, METRICS, tie="given", missing="skip")
    print(compared(found, expected("trec10"), "given"))


def test_the_order_of_rows_does_not_matter(drawn):
    """Nor of the judgements', bit for bit."""
    backwards = f"SELECT * FROM ({RUN}) AS r ORDER BY item_id, query_id DESC"
    metrics = ["recall@5", "mrr", "ndcg@10", "map", "bpref"]
    assert evaluated(drawn, backwards, metrics) == evaluated(drawn, RUN, metrics)


def aggregates() -> dict[str, str]:
    """Metric -> the aggregate's call over the joined rows; the exponential nDCG besides."""
    rows = "query_id, rank, relevance"
    calls = {f"{m}@{k}": f"{a}({rows}, {k})" for m, a in CUT_AGGREGATES.items() for k in CUTS}
    calls |= {metric: f"{a}({rows})" for metric, a in WHOLE_AGGREGATES.items()}
    assert calls.keys() == set(METRICS)
    return calls | {f"exponential@{k}": f"ndcg_at_k({rows}, {k}, 'exponential')" for k in CUTS}


def by_aggregates(connection, key: str) -> dict:
    """The value of `key` -> metric -> value."""
    calls = aggregates()
    query = f"SELECT {key}, {', '.join(calls.values())} FROM {SCHEMA}.joined GROUP BY 1"
    found = connection.execute(query).fetchall()
    return {row[0]: dict(zip(calls, row[1:], strict=True)) for row in found}


def with_exponential(values: Values) -> Values:
    gained = with_missing(expected("trec10", gain="exponential"), queries())
    return {
        query: row | {f"exponential@{k}": gained[query][f"ndcg@{k}"] for k in CUTS}
        for query, row in values.items()
    }


def test_aggregates_equal_pytrec_eval(drawn):
    """Ranks by row_number over float64 scores; a judged query that the run misses is 0."""
    values = with_exponential(with_missing(expected("trec10"), queries()))
    found = by_aggregates(drawn, "query_id")
    unjudged = {query.id for query in queries() if query.run and not query.grades}
    assert {q for q, row in found.items() if set(row.values()) == {None}} == unjudged
    assert found.keys() - unjudged == values.keys()
    worst = max(furthest(found[query], values[query], query) for query in values)
    overall = by_aggregates(drawn, "'all'")["all"]
    over = {m: sum(row[m] for row in values.values()) / len(values) for m in overall}
    mean = furthest(overall, over, "over all")
    print(f"aggregates, {len(values)} queries x {len(over)}: {worst:.1e}, over all {mean:.1e}")


@pytest.mark.parametrize("key", ["'all'", "category"])
@pytest.mark.parametrize("leader", ["on", "off"])
def test_parallel_plans_give_the_serial_value(drawn, sql, key, leader):
    """Bit for bit: float8 comes over the connection with all its digits."""
    drawn.execute("SET max_parallel_workers_per_gather = 0")
    serial = by_aggregates(drawn, key)
    for name, value in {
        "max_parallel_workers_per_gather": 4,
        "min_parallel_table_scan_size": 0,
        "parallel_setup_cost": 0,
        "parallel_tuple_cost": 0,
        "parallel_leader_participation": leader,
    }.items():
        sql.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
    calls = ", ".join(aggregates().values())
    explain = f"EXPLAIN (ANALYZE, COSTS OFF) SELECT {key}, {calls} FROM {SCHEMA}.joined GROUP BY 1"
    plan = "\n".join(row[0] for row in sql.execute(explain).fetchall())
    assert "Partial " in plan and "Aggregate" in plan, plan
    launched = int(plan.split("Workers Launched: ")[1].split()[0])
    assert launched >= 2, plan
    assert by_aggregates(sql, key) == serial
    print(f"{key}, leader {leader}: {launched} workers, {len(serial)} groups, equal bit for bit")


def peak_mb(connection) -> float:
    """The most memory that the session's process has had."""
    pid = connection.info.backend_pid
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.parametrize(
    "call",
    ["recall_at_k(q, rank, relevance, 10)", "ndcg_at_k(q, rank, relevance, 10)"]
    + ["average_precision(q, rank, relevance)", "bpref(q, rank, relevance)"],
)
def test_memory_stays_flat(sql, call):
    """100 documents of each query, the queries in turn: every state is live until the end."""
    sql.execute("SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = '4MB'")

    def over(rows: int) -> float:
        made = (
            f"SELECT 'query ' || g % {MANY} AS q, g / {MANY} + 1 AS rank,"
            " CASE g % 7 WHEN 0 THEN 1 WHEN 1 THEN 0 END AS relevance"
            f" FROM generate_series(0, {rows - 1}) AS g"
        )
        return sql.execute(f"SELECT {call} FROM ({made}) AS r").fetchone()[0]

    over(1000)
    before, began = peak_mb(sql), perf_counter()
    value = over(ROWS)
    seconds, more = perf_counter() - began, peak_mb(sql) - before
    print(f"{call}: {ROWS} rows, {MANY} queries: {seconds:.1f} s, +{more:.0f} MB")
    assert 0 < value < 1
    assert more < MOST_MB
