"""Random queries for retrieval evaluation, and what pytrec_eval says of them.

pytrec_eval 0.5.11 wraps trec_eval 9, so its values are those of `trec9`: scores are compared as
float32. trec_eval 10 compares them as float64; no package has it, so the values of `trec10` are
pytrec_eval's over the order that Python's own sort gives the float64 scores, handed over as whole
numbers from the length of the run down.

Not pytrec_eval's own, but made of its values:
- mrr@k: recip_rank where it is 1/k or more, else 0.
- judged@k: P of the same run over judgements whose every grade is 1.
- exponential gain: nDCG over judgements of 2^grade - 1.

It crashes on a query without any grade of 0 or more, and on an empty run. The first gets one more
judgement (grade 0, not retrieved), which changes no value where nothing is relevant; the second has
no reference, and must come out as 0 (`missing => 'zero'`) or not at all (`'skip'`).
"""

import random
from dataclasses import dataclass

import psycopg
import pytrec_eval

CUTS = (1, 2, 3, 5, 10, 20, 50, 100)
# Our name, pytrec_eval's: with a cut-off, and without.
CUT = {
    "recall": "recall",
    "precision": "P",
    "hit_rate": "success",
    "map": "map_cut",
    "ndcg": "ndcg_cut",
}
WHOLE = {"mrr": "recip_rank", "map": "map", "r_precision": "Rprec", "bpref": "bpref"}
METRICS = [f"{name}@{k}" for name in (*CUT, "judged", "mrr") for k in CUTS] + [*WHOLE]

PREFIXES = ("가", "나", "문항", "한글", "d", "D", "9", "10", "ab", "é", "🙂", "z-")
DOCUMENTS = 150
ODD = (0.0, -0.0, 1e-50, -1e-50, 1e300, 1e301, -1e300, 3e38, 3.5e38)
GRADES = (
    (-2, -1, 0, 0, 1, 1, 2, 3),
    (0, 1),
    (0,),
    (-1, 0),
    (-1,),
    (1,),
    (0, 0, 0, 0, 1),
    (0, 1, 2, 3, 4, 5, 9),
)

Values = dict[str, dict[str, float]]  # query -> metric -> value


@dataclass(frozen=True)
class Query:
    """Judgements (document -> grade; none: an unjudged query) and the run: (document, score)."""

    id: str
    grades: dict[str, int]
    run: list[tuple[str, float]]


def draw(seed: int, count: int) -> list[Query]:
    """So many queries, each of its own id; the same ones for the same seed."""
    rng = random.Random(seed)
    ids = [f"{rng.choice(('질의', 'q', 'Q', '문제 ', ''))}{n}" for n in range(count)]
    rng.shuffle(ids)
    return [_query(rng, query) for query in ids]


def _query(rng: random.Random, query: str) -> Query:
    documents = [
        rng.choice(PREFIXES) + str(n if rng.random() < 0.9 else rng.randint(0, 9) * 1000 + n)
        for n in range(DOCUMENTS)
    ]
    documents = list(dict.fromkeys(documents))
    grades = rng.choice(GRADES)
    most = len(documents) if rng.random() < 0.2 else len(documents) // 5
    judged = [] if rng.random() < 0.03 else rng.sample(documents, rng.randint(1, most))
    longest = rng.choice((3, 20, len(documents)))
    length = 0 if rng.random() < 0.03 else rng.randint(1, min(longest, len(documents)))
    run = [(document, _score(rng)) for document in rng.sample(documents, length)]
    return Query(query, {document: rng.choice(grades) for document in judged}, run)


def _score(rng: random.Random) -> float:
    """Exact ties, near ties 1e-11 apart, what float32 cannot hold, infinities, and the rest."""
    kind = rng.random()
    if kind < 0.30:
        return round(rng.random(), 1)
    if kind < 0.55:
        return rng.choice((0.25, 0.5, 0.75)) + rng.randint(-3, 3) * 1e-11
    if kind < 0.60:
        return rng.choice(ODD)
    if kind < 0.62:
        return rng.choice((float("inf"), float("-inf")))
    return rng.uniform(-1, 1)


def by_float64(query: Query) -> Query:
    """The same order for pytrec_eval as float64 scores have, whatever float32 makes of them."""
    run = sorted(query.run, key=lambda row: row[0].encode(), reverse=True)
    run.sort(key=lambda row: -row[1])
    return Query(query.id, query.grades, [(d, len(run) - n) for n, (d, _) in enumerate(run)])


def reference(queries: list[Query], level: int = 1, gain: str = "linear") -> Values:
    """Values of every judged query whose run is not empty."""
    known = [query for query in queries if query.grades and query.run]
    wanted = {f"{name}.{','.join(map(str, CUTS))}" for name in CUT.values()} | {*WHOLE.values()}

    def values_with(change, **options) -> Values:
        judged = {q.id: {d: change(grade) for d, grade in q.grades.items()} for q in known}
        for grades in judged.values():
            if max(grades.values()) < 0:
                grades["nowhere"] = 0
        # Unjudged queries are given to it too: it leaves them out.
        runs = {q.id: {d: float(score) for d, score in q.run} for q in queries if q.run}
        return pytrec_eval.RelevanceEvaluator(judged, wanted, **options).evaluate(runs)

    main = values_with(int, relevance_level=level)
    every = values_with(lambda grade: 1)
    gained = main
    if gain == "exponential":
        gained = values_with(lambda grade: 2**grade - 1 if grade > 0 else grade)
    return {query.id: _named(main[query.id], every[query.id], gained[query.id]) for query in known}


def _named(main: dict, every: dict, gained: dict) -> dict[str, float]:
    """One query's values by our names."""
    values = {ours: main[theirs] for ours, theirs in WHOLE.items()}
    for k in CUTS:
        for ours, theirs in CUT.items():
            values[f"{ours}@{k}"] = (gained if ours == "ndcg" else main)[f"{theirs}_{k}"]
        values[f"judged@{k}"] = every[f"P_{k}"]
        values[f"mrr@{k}"] = values["mrr"] if values["mrr"] >= 1 / k else 0.0
    return values


def with_missing(values: Values, queries: list[Query]) -> Values:
    """`missing => 'zero'`: judged queries that the run misses are 0."""
    judged = [query.id for query in queries if query.grades]
    return {query: values.get(query) or dict.fromkeys(METRICS, 0.0) for query in judged}


def means(values: Values) -> dict[str, float]:
    """Over the queries, metric by metric."""
    return {m: sum(row[m] for row in values.values()) / len(values) for m in METRICS}


def load(connection: psycopg.Connection, schema: str, queries: list[Query]) -> None:
    """Tables run and judgements in this schema; `place` is the order within a query's run."""
    connection.execute(
        f"CREATE TABLE {schema}.run (query_id text, item_id text, score float8, place int);"
        f"CREATE TABLE {schema}.judgements (query_id text, item_id text, relevance int)"
    )
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {schema}.run FROM STDIN") as rows:
            for query in queries:
                for place, (document, score) in enumerate(query.run):
                    rows.write_row((query.id, document, score, place))
        with cursor.copy(f"COPY {schema}.judgements FROM STDIN") as rows:
            for query in queries:
                for document, grade in query.grades.items():
                    rows.write_row((query.id, document, grade))
