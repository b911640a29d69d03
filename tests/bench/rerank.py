"""Reranking through SQL: what one call for many candidates saves, what SQL costs, what it gains.

one call  50 candidates of 16 tokens in one `rerank(query, candidates)`, and in one window of
          `rerank_batch(query, candidate) OVER ()`, against 50 calls of `rerank_score` in one
          statement. Must reach 1.50 for late interaction. Beside it, how long the query alone takes
          (`embed(…, task => 'query')`), which one call pays once.
bare      `rerank(query, candidates)` of 20 whole items (question and choices), against the same
          with tokenizers, onnxruntime and numpy in Python (bare_rerankers.py).
quality   nDCG@10, MRR@10 and recall@10 before and after (rerank_quality.py).

Method: one process, one connection; A and B in turn with the same query and candidates, another
query and other candidates each round, medians over ROUNDS and of the ratios; above 1, A (the one
call, SQL) is faster. Session options, threads and batches are equal; both sides tokenize. First,
and apart from the timing, the scores of each pair of sides are compared: they must be the same to
1e-5.

Late interaction is multilingual-e5-small's. The cross-encoder has ms-marco-MiniLM-L6-v2's shape and
random weights, which cost the same time: its figures are of speed alone. Qwen3-VL-Reranker is not
measured.

Variables: ROUNDS (9), THREADS (2), PARTS (speed quality).
"""

import csv
import os
import statistics
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
import rerank_quality
from bare import Bare
from bare_rerankers import open_reranker
from inputs import ITEMS, text_of, whole_items
from measure import interleave, seconds, spread
from model_shapes import SHAPES
from random_models import NotMade, RandomModels
from server import connect

DEFAULT = "multilingual-e5-small"
INSTALLED = Path(os.environ["ITEMBANK_MODELS"])
RANDOM = RandomModels(Path(os.environ["ITEMBANK_BENCH_MODELS"]))
ROUNDS = int(os.environ.get("ROUNDS", "9"))
THREADS = int(os.environ.get("THREADS", "2"))
PARTS = os.environ.get("PARTS", "speed quality").split()
BATCH_TOKENS = 512
SHORT, SHORT_TOKENS = 50, 16
WHOLE = 20
LARGEST_DIFFERENCE = 1e-5

# By form: each gives the scores in the order of the candidates.
FORMS = {
    "rerank": "SELECT score FROM rerank(%(q)s, %(c)s::text[], model => %(m)s) ORDER BY index",
    "rerank_batch": "SELECT rerank_batch(%(q)s, candidate, model => %(m)s) OVER ()"
    " FROM unnest(%(c)s::text[]) WITH ORDINALITY AS c(candidate, number) ORDER BY number",
    "rerank_score": "SELECT rerank_score(%(q)s, candidate, model => %(m)s)"
    " FROM unnest(%(c)s::text[]) WITH ORDINALITY AS c(candidate, number) ORDER BY number",
}


@dataclass(frozen=True)
class Case:
    """A reranker and what is asked of it: a query for each round."""

    title: str
    directory: Path
    queries: list[str]

    def scores(self, sql: psycopg.Connection, form: str, query: str, texts: list[str]) -> list:
        """Through SQL."""
        asked = {"q": query, "c": texts, "m": self.directory.name}
        return [score for (score,) in sql.execute(FORMS[form], asked, prepare=True)]


def cases() -> list[Case]:
    """Late interaction, and a cross-encoder where its tokenizer is there."""
    with (ITEMS.parent / "queries.csv").open(encoding="utf-8", newline="") as rows:
        queries = [row["query_text"] for row in csv.DictReader(rows)]
    found = [Case(f"late interaction, {DEFAULT}", INSTALLED / DEFAULT, queries)]
    shape = SHAPES["ms-marco-MiniLM-L6-v2"]
    try:
        RANDOM.make(shape, "fp32")
    except NotMade as reason:
        print(f"left out: {reason}")
        return found
    directory = RANDOM.directory(shape, "fp32")
    return [*found, Case(f"cross-encoder, {shape.name} fp32 (random)", directory, queries)]


def shift(source: list[str], round_number: int, count: int) -> list[str]:
    """`count` texts, others in each round."""
    return [source[(round_number * count + n) % len(source)] for n in range(count)]


def in_turn(what: str, case: Case, texts: list[str], count: int, sides: dict[str, Callable]) -> str:
    """Medians of both sides in ms and the ratio of the second to the first.

    A side takes a query and candidates, and gives scores, which are compared before.
    """
    rounds = [
        (case.queries[n % len(case.queries)], shift(texts, n, count)) for n in range(ROUNDS + 1)
    ]
    names, (a, b) = list(sides), sides.values()
    difference = np.abs(np.array(a(*rounds[0]), float) - np.array(b(*rounds[0]), float)).max()
    if not difference <= LARGEST_DIFFERENCE:
        raise AssertionError(f"{case.title}, {what}: scores differ by {difference}")
    first, second = iter(rounds), iter(rounds)
    times = interleave(lambda: a(*next(first)), lambda: b(*next(second)), ROUNDS)
    ratios = [slow / fast for fast, slow in zip(*times, strict=True)]
    each = [
        f"{name} {1000 * statistics.median(of):.1f} ms"
        for name, of in zip(names, times, strict=True)
    ]
    return f"  {what}: {', '.join(each)}, ratio {spread(ratios)}"


def one_call(sql: psycopg.Connection, case: Case, bare: Bare) -> None:
    """One call for 50 against 50 calls."""

    def count(text: str) -> int:
        return len(bare.tokenizer.encode(text, add_special_tokens=False).ids)

    texts = [text_of(SHORT_TOKENS, count, n) for n in range(SHORT * 4)]
    singles = {f"{SHORT} × rerank_score": partial(case.scores, sql, "rerank_score")}
    what = f"{SHORT} candidates of {SHORT_TOKENS} tokens"
    for form in ("rerank", "rerank_batch"):
        sides = {form: partial(case.scores, sql, form), **singles}
        print(in_turn(what, case, texts, SHORT, sides), flush=True)


def query_alone(sql: psycopg.Connection, case: Case) -> None:
    """What one call pays once, and single calls pay each time."""
    query = "SELECT embed(%s, %s, task => 'query')"
    alone = [
        seconds(lambda text=text: sql.execute(query, (DEFAULT, text), prepare=True).fetchone())
        for text in case.queries
    ]
    print(f"  the query alone: {1000 * statistics.median(alone):.1f} ms", flush=True)


def against_bare(sql: psycopg.Connection, case: Case, bare: Bare) -> None:
    """20 whole items through SQL and in Python."""
    texts = list(whole_items().values())
    sides = {"rerank": partial(case.scores, sql, "rerank"), "bare": bare.scores}
    print(in_turn(f"{WHOLE} whole items", case, texts, WHOLE, sides), flush=True)


def speed() -> None:
    """Both comparisons for each reranker."""
    found = cases()
    print(
        f"\n{THREADS} threads, {BATCH_TOKENS} padded tokens a run, numpy {np.__version__},"
        f" onnxruntime {onnxruntime.__version__}; medians, (min–max), {ROUNDS} rounds"
    )
    for case in found:
        print(case.title)
        manifest = tomllib.loads((case.directory / "model.toml").read_text(encoding="utf-8"))
        bare = open_reranker(case.directory, manifest, THREADS, BATCH_TOKENS)
        with connect([case.directory.parent], THREADS, BATCH_TOKENS) as sql:
            one_call(sql, case, bare)
            if case.directory.name == DEFAULT:
                query_alone(sql, case)
            against_bare(sql, case, bare)


def main() -> int:
    """What PARTS asks for."""
    if "speed" in PARTS:
        speed()
    if "quality" in PARTS:
        with connect([INSTALLED], THREADS, BATCH_TOKENS) as sql:
            rerank_quality.report(sql, DEFAULT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
