"""P1 and P2: what the way through SQL costs, by both engines.

P1  rows/s of `embed(model, text[256])` / rows/s of a bare loop in Python (tokenizers + onnxruntime)
    over the same model, texts, batches and threads, tokenizing included. Must reach 0.93.
P2  p50 of one `SELECT embed(…16 tokens…)` minus p50 of `SELECT 1`, over p50 of the bare run of the
    same tokens. At most 1.10.

The goals are the engine process'; a model in the session's own process stands beside it.

Method: one client, a connection to each engine; all sides in turn on the same texts, medians over
the rounds and of their ratios. The embedding cache is off. The bare side has the session options of
the engine process, weights prepacked.

Variables: MODEL (multilingual-e5-small), ITEMBANK_BENCH_TEXTS (a file of texts, one a line; the
sample item bank's questions otherwise), ENGINES (server backend).
"""

import csv
import os
import statistics
import tomllib
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from engine_process import MODEL, connect
from measure import heading, in_turn, load, ratios, row, seconds, timed
from tokenizers import Tokenizer

ENGINES = os.environ.get("ENGINES", "server backend").split()
ITEMS = Path(__file__).resolve().parents[1] / "data" / "item_bank" / "items.csv"
BATCH_TOKENS = 512
THREADS = 2
P1_ROWS = 256
P1_ROUNDS = 9
P2_TOKENS = 16
P2_ROUNDS = 9
P2_STATEMENTS = 60


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
        self.session = onnxruntime.InferenceSession(str(directory / "model.onnx"), options)

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer.encode(self.prompt + text).ids

    def run(self, rows: list[list[int]]) -> np.ndarray:
        ids = np.ones((len(rows), max(map(len, rows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for n, tokens in enumerate(rows):
            ids[n, : len(tokens)] = tokens
            mask[n, : len(tokens)] = 1
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


def open_session(engine: str) -> psycopg.Connection:
    """A warm one."""
    threads, tokens = {"intra_op_threads": THREADS}, {"max_batch_tokens": BATCH_TOKENS}
    connection = connect(engine, **threads, **tokens)
    connection.execute("SELECT embed(%s, 'warm')", (MODEL,))
    return connection


def p1(sessions: dict, bare: Bare, source: list[str]) -> None:
    """Rounds of 256 rows; all sides embed the same ones, one after the other."""
    endless = cycle(source)
    rounds = [list(islice(endless, P1_ROWS)) for _ in range(P1_ROUNDS + 1)]

    def through_sql(sql: psycopg.Connection, texts: list[str]) -> None:
        query = "SELECT count(e) FROM unnest(embed(%s, %s::text[])) AS e"
        if sql.execute(query, (MODEL, texts)).fetchone() != (P1_ROWS,):
            raise AssertionError("rows are missing")

    def each_round(work: Callable[[list[str]], object]) -> Callable[[], float]:
        texts = iter(rounds)
        return timed(lambda: work(next(texts)))

    works = {
        engine: each_round(lambda texts, sql=sql: through_sql(sql, texts))
        for engine, sql in sessions.items()
    }
    found = in_turn({"bare": each_round(bare.embed), **works}, P1_ROUNDS)
    for side, took in found.items():
        row(f"    embed(text[{P1_ROWS}]), rows/s, {side}", [P1_ROWS / s for s in took])
    for engine in sessions:
        least = 0.93 if engine == "server" else None
        row(f"P1  {engine} / bare", ratios(found["bare"], found[engine]), least=least)


def of_length(bare, source, length) -> list[str]:
    """Beginnings of texts that have exactly `length` tokens."""
    found = []
    for text in dict.fromkeys(source):
        cut = next((n for n in range(len(text), 0, -1) if len(bare.tokens(text[:n])) <= length), 0)
        if cut and len(bare.tokens(text[:cut])) == length:
            found.append(text[:cut])
    return found


def p2(sessions: dict, bare: Bare, source: list[str]) -> None:
    """One text a statement, prepared; `SELECT 1` takes the same way without a model."""
    shorts = of_length(bare, source, P2_TOKENS)
    if len(shorts) < 100:
        raise AssertionError(f"only {len(shorts)} texts of {P2_TOKENS} tokens")
    texts = cycle(shorts)
    found = {side: [] for side in ("SELECT 1", "bare", *sessions)}
    for _ in range(P2_ROUNDS):
        for side, took in p2_round(sessions, bare, list(islice(texts, P2_STATEMENTS))).items():
            found[side].append(took)
    for side, took in found.items():
        row(f"    one of {P2_TOKENS} tokens, p50 in ms, {side}", took)
    for engine in sessions:
        most = 1.10 if engine == "server" else None
        ours = [a - b for a, b in zip(found[engine], found["SELECT 1"], strict=True)]
        row(f"P2  {engine} without SELECT 1 / bare", ratios(ours, found["bare"]), most=most)


def p2_round(sessions: dict, bare: Bare, texts: list[str]) -> dict[str, float]:
    """p50 of each side in ms; statement by statement in turn."""
    took = {side: [] for side in ("SELECT 1", "bare", *sessions)}
    query = "SELECT embed(%s, %s)"
    for sql in sessions.values():
        sql.execute(query, (MODEL, "warm"), prepare=True)
        sql.execute("SELECT 1", prepare=True)
    first = next(iter(sessions.values()))
    for text in texts:
        ids = bare.tokens(text)
        took["SELECT 1"].append(seconds(lambda: first.execute("SELECT 1", prepare=True)))
        took["bare"].append(seconds(lambda i=ids: bare.run([i])))
        for engine, sql in sessions.items():
            run = seconds(lambda s=sql, t=text: s.execute(query, (MODEL, t), prepare=True))
            took[engine].append(run)
    return {side: 1000 * statistics.median(times) for side, times in took.items()}


def main() -> None:
    name, source = texts()
    bare = Bare()
    sessions = {engine: open_session(engine) for engine in ENGINES}
    version = next(iter(sessions.values())).execute("SHOW server_version").fetchone()[0]
    print(
        f"{MODEL}, {name} ({len(source)} texts), {THREADS} threads,"
        f" {BATCH_TOKENS} padded tokens a run, PostgreSQL {version},"
        f" onnxruntime {onnxruntime.__version__}"
    )
    heading()
    p1(sessions, bare, source)
    p2(sessions, bare, source)
    print(f"{P1_ROUNDS} rounds of {P1_ROWS} rows, {P2_ROUNDS} of {P2_STATEMENTS} texts; {load()}")
    for sql in sessions.values():
        sql.close()


if __name__ == "__main__":
    main()
