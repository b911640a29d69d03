"""compare_runs and evaluation_interval against scipy, on the same differences of the same queries.

scipy enumerates all sign flips where they are few (2^n <= samples), as ours does: then p is equal.
Otherwise both are estimates, which may be as far apart as their Monte-Carlo errors allow.
"""

import random
from functools import cache

import numpy as np
import psycopg
import pytest
import scipy.stats

SAMPLES = 10_000
METRICS = ["hit_rate@1", "mrr", "ndcg@10", "map"]
# Queries, and how much better the second run is.
SETS = [(1, 0.0), (8, 0.3), (13, 0.2), (14, 0.2), (40, 0.0), (40, 0.3), (150, 0.1), (400, 0.05)]
# Standard errors that two estimates of one p may be apart.
FARTHEST = 5
# Two bootstrap ends by 10,000 samples each: 0.04 standard errors of the mean, five times.
ENDS = 0.2
COLUMNS = (
    "metric, a, b, delta, ci_low, ci_high, p_value, better::int, worse::int, tied::int, p_holm"
)


@cache
def texts(count: int, better: float) -> tuple[str, str, str]:
    """SELECTs of two noisy runs and the judgements, 30 documents a query."""
    rng = random.Random(f"{count} {better}")
    rows = []
    for query in range(count):
        for document in range(30):
            grade = rng.choice((0, 0, 0, 0, 1, 2))
            one, other = (rng.gauss(grade * (0.3 + more), 1) for more in (0, better))
            rows.append(f"('문항 {query}', 'd{document}', {grade}, {one!r}, {other!r})")
    table = f"(VALUES {', '.join(rows)}) AS r (q, d, grade, a, b)"
    return tuple(f"SELECT q, d, {column} FROM {table}" for column in ("a", "b", "grade"))


def compare(connection: psycopg.Connection, asked: tuple, **named) -> list[dict]:
    """A row a metric, by column."""
    options = "".join(f", {name} => %s" for name in named)
    query = f"SELECT {COLUMNS} FROM compare_runs(%s, %s, %s, %s{options})"
    found = connection.execute(query, (*asked, METRICS, *named.values()))
    names = [column.name for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def values(connection: psycopg.Connection, run: str, judgements: str) -> dict[str, np.ndarray]:
    """Metric -> its value for each query, in the order of the queries."""
    query = (
        "SELECT metric, array_agg(value ORDER BY query_id) FROM evaluate(%s, %s, %s)"
        " WHERE query_id IS NOT NULL GROUP BY metric"
    )
    found = connection.execute(query, (run, judgements, METRICS)).fetchall()
    return {metric: np.array(numbers) for metric, numbers in found}


def scipys_p(differences: np.ndarray) -> float:
    found = scipy.stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=SAMPLES,
        rng=np.random.default_rng(7),
    )
    return float(found.pvalue)


def scipys_interval(numbers: np.ndarray) -> tuple[float, float]:
    found = scipy.stats.bootstrap(
        (numbers,),
        np.mean,
        method="percentile",
        n_resamples=SAMPLES,
        rng=np.random.default_rng(7),
    )
    return found.confidence_interval.low, found.confidence_interval.high


def apart(ours: float, theirs: float, count: int) -> float:
    """Of two p-values, in standard errors; 0 where both are exact and equal."""
    if 2**count <= SAMPLES:
        assert ours == pytest.approx(theirs, abs=1e-12)
        return 0.0
    # Ours counts both tails; scipy's is twice the rarer tail.
    p = max(theirs, 1e-3)
    error = ((p * (1 - p) + 2 * p * (1 - p / 2)) / SAMPLES) ** 0.5
    return abs(ours - theirs) / error


@pytest.mark.parametrize(("count", "better"), SETS)
def test_p_values_equal_scipys(sql, count, better):
    asked = texts(count, better)
    a, b = (values(sql, run, asked[2]) for run in asked[:2])
    said = []
    for row in compare(sql, asked, samples=SAMPLES):
        differences = b[row["metric"]] - a[row["metric"]]
        assert row["a"] == pytest.approx(a[row["metric"]].mean(), abs=1e-12)
        assert row["b"] == pytest.approx(b[row["metric"]].mean(), abs=1e-12)
        assert row["delta"] == pytest.approx(differences.mean(), abs=1e-12)
        counted = (int((differences > 0).sum()), int((differences < 0).sum()))
        assert (row["better"], row["worse"]) == counted
        assert row["tied"] == count - sum(counted)
        # One query has only two sign flips, and scipy wants more than one number.
        theirs = scipys_p(differences) if count > 1 else 1.0
        far = apart(row["p_value"], theirs, count)
        said.append(f"{row['metric']} {row['p_value']:.4f} ({theirs:.4f}, {far:.1f} s.e.)")
        assert far <= FARTHEST, said[-1]
    print(f"{count} queries, {better} better: " + ", ".join(said))


@pytest.mark.parametrize(("count", "better"), [one for one in SETS if one[0] >= 40])
def test_intervals_equal_scipys(sql, count, better):
    """Of the difference, and of one run's mean by evaluation_interval."""
    asked = texts(count, better)
    a, b = (values(sql, run, asked[2]) for run in asked[:2])
    furthest = 0.0
    for row in compare(sql, asked, samples=SAMPLES):
        query = "SELECT low, high FROM evaluation_interval(%s::float8[], %s)"
        alone = sql.execute(query, (b[row["metric"]].tolist(), SAMPLES)).fetchone()
        pairs = (
            ((row["ci_low"], row["ci_high"]), b[row["metric"]] - a[row["metric"]]),
            (alone, b[row["metric"]]),
        )
        for ours, numbers in pairs:
            error = numbers.std() / count**0.5
            step = 1 / count / error  # values of few kinds make the ends jump
            for mine, theirs in zip(ours, scipys_interval(numbers), strict=True):
                assert abs(mine - theirs) / error <= ENDS + step, row["metric"]
                furthest = max(furthest, abs(mine - theirs) / error)
    print(f"{count} queries: ends at most {furthest:.3f} standard errors of the mean apart")


def test_holm_takes_all_metrics_into_account(sql):
    rows = compare(sql, texts(40, 0.3))
    ascending = sorted(rows, key=lambda row: row["p_value"])
    floor = 0.0
    for place, row in enumerate(ascending):
        floor = max(floor, (len(rows) - place) * row["p_value"])
        assert row["p_holm"] == pytest.approx(min(1.0, floor), abs=1e-12)


def test_the_seed_decides(sql, url):
    """The same in another session, and whatever the plan; another seed draws others."""
    asked = texts(150, 0.1)
    first = compare(sql, asked, seed=7)
    with psycopg.connect(url, autocommit=True) as another:
        assert compare(another, asked, seed=7) == first
    assert compare(sql, asked, seed=8) != first
    assert compare(sql, asked) == compare(sql, asked, samples=10_000, seed=42)


def test_swapped_runs_give_the_mirror_image(sql):
    one, other, judgements = texts(40, 0.3)
    forth = compare(sql, (one, other, judgements))
    back = compare(sql, (other, one, judgements))
    for row, mirrored in zip(forth, back, strict=True):
        assert (row["a"], row["b"]) == (mirrored["b"], mirrored["a"])
        assert row["delta"] == pytest.approx(-mirrored["delta"], abs=1e-15)
        assert (row["better"], row["worse"]) == (mirrored["worse"], mirrored["better"])
        assert row["p_value"] == mirrored["p_value"]
