"""P1 and P2: what the way through SQL costs, on the engine inside a backend.

P1  rows/s of `embed(model, text[256])` / rows/s of a bare loop in Python (tokenizers + onnxruntime)
    over the same model, texts, batches and threads, tokenizing included. Must reach 0.90.
P2  p50 of `SELECT embed(…16 tokens…)` minus p50 of `SELECT 1`, over p50 of the bare run of the
    same tokens. At most 1.15.

Method: one process, one connection; A and B in turn on the same texts, medians over the rounds.
The embedding cache is off. Session options equal ours (crates/inference/src/session).

Variables: MODEL (multilingual-e5-small), ITEMBANK_BENCH_TEXTS (a file of texts, one a line; the
sample item bank's questions otherwise).
"""

import csv
import os
import statistics
import tomllib
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from measure import interleave, seconds, spread
from tokenizers import Tokenizer

MODEL = os.environ.get("MODEL", "multilingual-e5-small")
ITEMS = Path(__file__).resolve().parents[1] / "data" / "item_bank" / "items.csv"
BATCH_TOKENS = 512
THREADS = 2
P1_ROWS = 256
P1_ROUNDS = 9
P2_TOKENS = 16
P2_ROUNDS = 300


def texts() -> tuple[str, list[str]]:
    """What is embedded: (name of the source, texts)."""
    file = os.environ.get("ITEMBANK_BENCH_TEXTS")
    if file:
        return Path(file).name, Path(file).read_text(encoding="utf-8").splitlines()
    with ITEMS.open(encoding="utf-8") as rows:
        return "sample item bank", [row["question_text"] for row in csv.DictReader(rows)]


class Bare:
    """What a careful Python program would do: sort by length, batch under a token budget, pad."""

    def __init__(self):
        directory = Path(os.environ["ITEMBANK_MODELS"]) / MODEL
        manifest = tomllib.loads((directory / "model.toml").read_text(encoding="utf-8"))
        self.prompt = manifest["prompts"]["document"]
        self.dimensions = manifest["dimensions"]
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(manifest["max_tokens"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        packed = manifest["precision"] in ("int8", "int4")
        options.add_session_config_entry("session.disable_prepacking", "0" if packed else "1")
        self.session = onnxruntime.InferenceSession(str(directory / "model.onnx"), options)

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer.encode(self.prompt + text).ids

    def run(self, rows: list[list[int]]) -> np.ndarray:
        ids = np.ones((len(rows), max(map(len, rows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for n, row in enumerate(rows):
            ids[n, : len(row)] = row
            mask[n, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        return self.session.run(["sentence_embedding"], feed)[0]

    def embed(self, texts: list[str]) -> np.ndarray:
        encoded = [e.ids for e in self.tokenizer.encode_batch([self.prompt + t for t in texts])]
        order = sorted(range(len(texts)), key=lambda n: -len(encoded[n]))
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        while order:
            size = max(1, BATCH_TOKENS // len(encoded[order[0]]))
            batch, order = order[:size], order[size:]
            vectors[batch] = self.run([encoded[n] for n in batch])
        return vectors


def connect() -> psycopg.Connection:
    connection = psycopg.connect(os.environ["ITEMBANK_TEST_URL"], autocommit=True)
    connection.execute("LOAD 'itembank_embed'")
    connection.execute("SET itembank_embed.cache_size = 0")
    connection.execute(f"SET itembank_embed.intra_op_threads = {THREADS}")
    connection.execute(f"SET itembank_embed.max_batch_tokens = {BATCH_TOKENS}")
    connection.execute("SELECT embed(%s, 'warm')", (MODEL,))
    return connection


def p1(sql, bare, source) -> None:
    """Rounds of 256 rows; both sides embed the same ones, one after the other."""
    endless = cycle(source)
    rounds = [list(islice(endless, P1_ROWS)) for _ in range(P1_ROUNDS + 1)]
    ours, theirs = iter(rounds), iter(rounds)

    def through_sql():
        query = "SELECT count(e) FROM unnest(embed(%s, %s::text[])) AS e"
        assert sql.execute(query, (MODEL, next(ours))).fetchone() == (P1_ROWS,)

    a, b = interleave(through_sql, lambda: bare.embed(next(theirs)), P1_ROUNDS)
    ratios = [bare_s / sql_s for sql_s, bare_s in zip(a, b, strict=True)]
    print(
        f"P1  embed(text[{P1_ROWS}])   SQL {P1_ROWS / statistics.median(a):.1f} rows/s"
        f"   bare {P1_ROWS / statistics.median(b):.1f} rows/s   ratio {spread(ratios)}"
        f"   {P1_ROUNDS} rounds   must reach 0.90"
    )


def of_length(bare, source, length) -> list[str]:
    """Beginnings of texts that have exactly `length` tokens."""
    found = []
    for text in dict.fromkeys(source):
        cut = next((n for n in range(len(text), 0, -1) if len(bare.tokens(text[:n])) <= length), 0)
        if cut and len(bare.tokens(text[:cut])) == length:
            found.append(text[:cut])
    return found


def p2(sql, bare, source) -> None:
    """One text a statement, prepared; `SELECT 1` takes the same way without a model."""
    shorts = of_length(bare, source, P2_TOKENS)
    assert len(shorts) >= 100, f"only {len(shorts)} texts of {P2_TOKENS} tokens"
    query = "SELECT embed(%s, %s)"
    sql.execute(query, (MODEL, "warm"), prepare=True)
    sql.execute("SELECT 1", prepare=True)
    through_sql, nothing, run = [], [], []
    for text in islice(cycle(shorts), P2_ROUNDS):
        ids = bare.tokens(text)
        through_sql.append(seconds(lambda t=text: sql.execute(query, (MODEL, t), prepare=True)))
        nothing.append(seconds(lambda: sql.execute("SELECT 1", prepare=True)))
        run.append(seconds(lambda i=ids: bare.run([i])))
    a, b, c = (1000 * statistics.median(x) for x in (through_sql, nothing, run))
    print(
        f"P2  embed({P2_TOKENS} tokens)   SQL {a:.3f} ms   SELECT 1 {b:.3f} ms"
        f"   bare run {c:.3f} ms   ratio {(a - b) / c:.3f}   {P2_ROUNDS} rounds   at most 1.15"
    )


def main() -> None:
    name, source = texts()
    bare = Bare()
    with connect() as sql:
        version = sql.execute("SHOW server_version").fetchone()[0]
        print(
            f"{MODEL}, {name} ({len(source)} texts), {THREADS} threads,"
            f" {BATCH_TOKENS} padded tokens a run, PostgreSQL {version},"
            f" onnxruntime {onnxruntime.__version__}; medians, (min–max) of rounds"
        )
        p1(sql, bare, source)
        p2(sql, bare, source)


if __name__ == "__main__":
    main()
