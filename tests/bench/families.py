"""Each family of models through SQL, beside a bare Python loop over the same graphs.

Rows/s of `embed(model, text[], bytea[])` and p50 and p95 of one `embed(model, text, bytea)`; ratios
above 1 mean that SQL is faster. Texts and figures are the sample item bank's.

Method: as P1 and P2 (p1_p2.py): A and B in turn on the same rows, medians over the rounds, the
embedding cache off, equal session options, threads and batches; both sides tokenize, decode and
resize. The latency through SQL is without what `SELECT 1` takes. How many rows a call has follows
from how long one takes, so that a case stays within BUDGET seconds each for calls and for single
rows. Before, the vectors of both sides are compared.

Only multilingual-e5-small has real weights. The others are the real shapes with random weights
(random_models.py), which cost the same time: KURE-v1 and SigLIP 2 are made where they are missing
and this bench was asked for by name (6 GB, a minute or two); Qwen3-VL-Embedding-2B is measured
where full_size.py has left one.

Variables: BUDGET (20), THREADS (2), FAMILIES (e5 KURE siglip2 Qwen).
"""

import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from bare import Bare, open_bare
from inputs import Row, figures, questions
from measure import interleave, seconds, spread
from model_shapes import SHAPES
from random_models import BYTES, NotMade, RandomModels
from server import connect, cosines, embed_all, embed_one, vectors

INSTALLED = Path(os.environ["ITEMBANK_MODELS"])
RANDOM = RandomModels(Path(os.environ["ITEMBANK_BENCH_MODELS"]))
ASKED = os.environ.get("ITEMBANK_BENCH_ASKED") == "families"
BUDGET = float(os.environ.get("BUDGET", "20"))
THREADS = int(os.environ.get("THREADS", "2"))
BATCH_TOKENS = 512
# Fewer rounds only where a call of two rows alone would not stay within the budget.
ROUNDS = 5
FEW_ROUNDS = 3
ROWS = 2, 256
SINGLES = 5, 200
# The two sides tokenize and resize by different libraries, and must still agree.
LEAST_COSINE = 0.9999


@dataclass(frozen=True)
class Case:
    """One line of the table: a model, and what it embeds."""

    title: str
    directory: Path
    rows: list[Row]


def cases() -> list[Case]:
    """What there is to measure; says what is left out, and why."""
    texts: list[Row] = [(text, None) for text in questions()]
    images: list[Row] = [(None, figure) for figure in figures()]
    wanted = os.environ.get("FAMILIES", "e5 KURE siglip2 Qwen").split()
    found = []
    if "e5" in wanted:
        name = "multilingual-e5-small"
        found.append(Case(name, INSTALLED / name, texts))
    shapes = {name: shape for name, shape in SHAPES.items() if name.startswith(tuple(wanted))}
    for name in sorted(shapes, key=lambda name: shapes[name].parameters):
        directory = random_model(name)
        if directory is None:
            continue
        precision = directory.name.rsplit("-", 1)[1]
        title = f"{name} {precision}"
        found.append(Case(f"{title} text", directory, texts))
        if name != "KURE-v1":
            found.append(Case(f"{title} image", directory, images))
    return found


def random_model(name: str) -> Path | None:
    """Its directory: of Qwen3-VL the fastest there is, of others fp32, made if asked for."""
    shape = SHAPES[name]
    is_qwen = name.startswith("Qwen")
    precisions = ["int8", "int4", "fp32"] if is_qwen else ["fp32"]
    if ASKED and not is_qwen:
        RANDOM.check_space(shape, precisions)
        RANDOM.make(shape, precisions[0])
    for precision in precisions:
        if (directory := RANDOM.directory(shape, precision)).exists():
            return directory
    size = shape.parameters * (BYTES[precisions[0]] + 2) / 1e9
    how = "make bench BENCH=full-size" if is_qwen else "make bench BENCH=families"
    print(f"{name}: left out, there is none of its size; {how} makes one ({size:.0f} GB)")
    return None


def milliseconds(values: list[float]) -> str:
    """p50 and p95."""
    ranked = sorted(1000 * value for value in values)
    p95 = ranked[min(len(ranked) - 1, round(0.95 * len(ranked)))]
    return f"{statistics.median(ranked):8.1f} {p95:8.1f}"


def measure(case: Case) -> None:
    """Prints one line."""
    bare = open_bare(case.directory, THREADS, BATCH_TOKENS)
    model = case.directory.name
    with connect([case.directory.parent], THREADS, BATCH_TOKENS) as sql:
        few = case.rows[:2]
        ours, theirs = vectors(sql, model, few), bare.embed(few)
        if (least := cosines(ours, theirs).min()) < LEAST_COSINE:
            raise AssertionError(f"{case.title}: SQL and Python differ, cosine {least}")
        once = statistics.median(seconds(lambda: bare.embed(few[:1])) for _ in range(3))
        fit = int(BUDGET / (2 * (ROUNDS + 1) * once))
        rounds = ROUNDS if fit >= ROWS[0] else FEW_ROUNDS
        rows = max(ROWS[0], min(fit, ROWS[1], len(case.rows)))
        batches = rate(sql, bare, model, case.rows, rows, rounds)
        count = max(SINGLES[0], min(int(BUDGET / (2 * once)), SINGLES[1]))
        singles = latency(sql, bare, model, case.rows, count)
    print(f"{case.title:36} {batches}   {singles}", flush=True)


def rate(sql, bare: Bare, model: str, source: list[Row], rows: int, rounds: int) -> str:
    """Rows/s of both sides, and their ratio."""
    windows = [
        [source[(n * rows + i) % len(source)] for i in range(rows)] for n in range(rounds + 1)
    ]
    ours, theirs = iter(windows), iter(windows)
    a, b = interleave(
        lambda: embed_all(sql, model, next(ours)), lambda: bare.embed(next(theirs)), rounds
    )
    ratios = [bare_s / sql_s for sql_s, bare_s in zip(a, b, strict=True)]
    sql_rate, bare_rate = (rows / statistics.median(times) for times in (a, b))
    return f"{rows:4} {rounds:3} {sql_rate:8.2f} {bare_rate:8.2f}  {spread(ratios):19}"


def latency(sql, bare: Bare, model: str, source: list[Row], count: int) -> str:
    """p50 and p95 in ms of both sides, and the ratio of the p50."""
    through_sql, run, nothing = [], [], []
    for n in range(count):
        row = source[(n * 11) % len(source)]
        sides = [
            (through_sql, lambda row=row: embed_one(sql, model, row)),
            (run, lambda row=row: bare.embed([row])),
        ]
        for times, work in sides if n % 2 else reversed(sides):
            times.append(seconds(work))
        nothing.append(seconds(lambda: sql.execute("SELECT 1", prepare=True).fetchone()))
    overhead = statistics.median(nothing)
    own = [time - overhead for time in through_sql]
    ratio = statistics.median(run) / statistics.median(own)
    return f"{count:4} {milliseconds(own)} {milliseconds(run)}  {ratio:.3f}"


def main() -> int:
    """0, or 1 where a model that was asked for cannot be made."""
    try:
        found = cases()
    except NotMade as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    print(
        f"\n{THREADS} threads, {BATCH_TOKENS} padded tokens a run, numpy"
        f" {np.__version__}, onnxruntime {onnxruntime.__version__}; random weights but for e5\n"
    )
    print(
        f"{'':36} {'calls of many rows, rounds of them':46}   one row, ms\n"
        f"{'model':36} {'rows':>4} {'×':>3} {'SQL/s':>8} {'bare/s':>8}  {'ratio (min–max)':19}  "
        f" {'n':>4} {'SQL p50':>8} {'p95':>8} {'bare p50':>8} {'p95':>8}  ratio"
    )
    for case in found:
        measure(case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
