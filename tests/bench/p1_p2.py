"""P1 and P2: what the way through SQL costs, on the engine inside a backend.

P1  rows/s of `embed(model, text[256])` / rows/s of a bare loop in Python (tokenizers + onnxruntime)
    over the same model, texts, batches and threads, tokenizing included. Must reach 0.90.
P2  p50 of `SELECT embed(…about 16 tokens…)` minus p50 of `SELECT 1`, over p50 of the bare run.
    At most 1.15.

Method: one process, one connection; A and B in turn, medians over the rounds. The embedding cache
is off. Every round has texts of its own. Session options equal ours (crates/inference/src/session).
"""

import json
import os
import statistics
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from measure import interleave, seconds, spread
from tokenizers import Tokenizer

MODEL = os.environ.get("MODEL", "multilingual-e5-small")
PROMPT = {"multilingual-e5-small": "passage: "}.get(MODEL, "")
BATCH_TOKENS = 512
THREADS = 2
P1_ROUNDS = 9
P2_ROUNDS = 300
ROOT = Path(__file__).resolve().parents[2]
KOR_MWP = ROOT.parent / "shared" / "data" / "kor_mwp" / "test_items.jsonl"


def korean_items() -> list[str]:
    """Real questions where they are at hand, else the sample item bank's."""
    if KOR_MWP.exists():
        return [json.loads(line)["question"] for line in KOR_MWP.read_text().splitlines()]
    import csv

    with (ROOT / "tests/data/item_bank/items.csv").open() as file:
        return [row["question_text"] for row in csv.DictReader(file)]


class Bare:
    """What a careful Python program would do: sort by length, batch under a token budget, pad."""

    def __init__(self):
        directory = Path(os.environ["ITEMBANK_MODELS"]) / MODEL
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(512)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(directory / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options)

    def run(self, rows: list[list[int]]) -> np.ndarray:
        ids = np.ones((len(rows), max(map(len, rows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for n, row in enumerate(rows):
            ids[n, : len(row)] = row
            mask[n, : len(row)] = 1
        feed = {"input_ids": ids, "attention_mask": mask}
        return self.session.run(["sentence_embedding"], feed)[0]

    def embed(self, texts: list[str]) -> np.ndarray:
        encoded = [e.ids for e in self.tokenizer.encode_batch([PROMPT + t for t in texts])]
        order = sorted(range(len(texts)), key=lambda n: -len(encoded[n]))
        vectors = np.empty((len(texts), 384), dtype=np.float32)
        while order:
            size = max(1, BATCH_TOKENS // len(encoded[order[0]]))
            batch, order = order[:size], order[size:]
            vectors[batch] = self.run([encoded[n] for n in batch])
        return vectors


def connect() -> psycopg.Connection:
    connection = psycopg.connect(os.environ["ITEMBANK_TEST_URL"], autocommit=True)
    connection.execute("SELECT embed(%s, 'warm')", (MODEL,))
    connection.execute("SET itembank_embed.cache_size = 0")
    connection.execute(f"SET itembank_embed.intra_op_threads = {THREADS}")
    connection.execute(f"SET itembank_embed.max_batch_tokens = {BATCH_TOKENS}")
    return connection


def p1(sql, bare, items) -> None:
    rounds = iter(range(10**6))

    def texts():
        n = next(rounds) * 256
        return [items[(n + k) % len(items)] for k in range(256)]

    def through_sql():
        rows = sql.execute(
            "SELECT count(e) FROM unnest(embed(%s, %s::text[])) AS e", (MODEL, texts())
        )
        assert rows.fetchone() == (256,)

    ours, theirs = interleave(through_sql, lambda: bare.embed(texts()), P1_ROUNDS)
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    print(
        f"P1  embed(text[256])   SQL {256 / statistics.median(ours):7.1f} rows/s"
        f"   bare {256 / statistics.median(theirs):7.1f} rows/s   ratio {spread(ratios)}"
        "   must reach 0.90"
    )


def p2(sql, bare, items) -> None:
    shorts = sorted({item[:26] for item in items})
    tokens = [len(bare.tokenizer.encode(PROMPT + text).ids) for text in shorts]
    shorts = [text for text, n in zip(shorts, tokens, strict=True) if n == 16][:P2_ROUNDS]
    encoded = [bare.tokenizer.encode(PROMPT + text).ids for text in shorts]
    query = "SELECT embed(%s, %s)"
    sql.execute(query, (MODEL, "warm"), prepare=True)
    sql.execute("SELECT 1", prepare=True)
    through_sql, nothing, run = [], [], []
    for text, ids in zip(shorts, encoded, strict=True):
        through_sql.append(seconds(lambda t=text: sql.execute(query, (MODEL, t), prepare=True)))
        nothing.append(seconds(lambda: sql.execute("SELECT 1", prepare=True)))
        run.append(seconds(lambda i=ids: bare.run([i])))
    p50 = [1000 * statistics.median(x) for x in (through_sql, nothing, run)]
    print(
        f"P2  embed(16 tokens)   SQL {p50[0]:.3f} ms   SELECT 1 {p50[1]:.3f} ms"
        f"   bare run {p50[2]:.3f} ms   ratio {(p50[0] - p50[1]) / p50[2]:.3f}"
        f"   {len(shorts)} rounds   at most 1.15"
    )


def main() -> None:
    items = korean_items()
    bare = Bare()
    with connect() as sql:
        version = sql.execute("SHOW server_version").fetchone()[0]
        print(
            f"{MODEL}, {THREADS} threads, {BATCH_TOKENS} padded tokens a run, PostgreSQL {version},"
            f" onnxruntime {onnxruntime.__version__}; medians, (min–max) of rounds"
        )
        p1(sql, bare, items)
        p2(sql, bare, items)


if __name__ == "__main__":
    main()
