"""P6: back-fill of an embedding column, in SQL against a client in Python that embeds and updates.

Rows/s of `UPDATE … unnest(ids, embed(model, texts))` in chunks of 1000 (README, many rows at once)
over those of a Python client. Must reach 1.5 against sentence-transformers and 1.2 against
fastembed. Beside it, INSERT … SELECT from the same array form.

Neither library is here, nor could they be given these weights without a hub. So each stands for
what it does, with tokenizers and onnxruntime over the same model file and their session options:
sentence-transformers  all texts sorted by length, batches of 32, each padded to its longest, pooled
                       (here in the graph, there by torch), put back into order.
fastembed              batches of 256 in the order of the rows, padded to the longest of each.
Both: default session options of onnxruntime, tokenizing in batches with all processors. Not counted
are their imports and loads, and torch's overhead, which would make them slower. Both read the rows
through psycopg and store the vectors with executemany, in one transaction.

Rows: ROWS questions and whole items of the sample item bank. All sides in turn, ROUNDS times,
medians of the rounds and of their ratios; both write the same column, which is NULL before.

Variables: ROUNDS (5), ROWS (1000), MODEL.
"""

import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from engine_process import MODEL, connect
from inputs import questions, whole_items
from measure import heading, in_turn, load, ratios, row, seconds
from tokenizers import Tokenizer

ROUNDS = int(os.environ.get("ROUNDS", "5"))
ROWS = int(os.environ.get("ROWS", "1000"))
CHUNK = 1000

UPDATE = """
UPDATE bench_items SET embedding = batch.vector
FROM (SELECT array_agg(id ORDER BY id) AS ids, array_agg(text ORDER BY id) AS texts
      FROM bench_items WHERE id > %(after)s AND id <= %(after)s + %(chunk)s) AS chunk,
     unnest(ids, embed(%(model)s, texts)) AS batch(id, vector)
WHERE bench_items.id = batch.id"""
INSERT = """
INSERT INTO bench_copies (id, embedding)
SELECT batch.* FROM (SELECT array_agg(id ORDER BY id) AS ids, array_agg(text ORDER BY id) AS texts
      FROM bench_items WHERE id > %(after)s AND id <= %(after)s + %(chunk)s) AS chunk,
     unnest(ids, embed(%(model)s, texts)) AS batch(id, vector)"""


class Client:
    """A program beside the server, with a session of its own."""

    def __init__(self):
        directory = Path(os.environ["ITEMBANK_MODELS"]) / MODEL
        manifest = tomllib.loads((directory / "model.toml").read_text(encoding="utf-8"))
        self.prompt = manifest["prompts"]["document"]
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        pad = manifest["text"]["pad_token_id"]
        self.tokenizer.enable_padding(pad_id=pad, pad_token=self.tokenizer.id_to_token(pad))
        self.tokenizer.enable_truncation(manifest["max_tokens"])
        self.session = onnxruntime.InferenceSession(str(directory / "model.onnx"))

    def sentence_transformers(self, texts: list[str]) -> list[np.ndarray]:
        order = sorted(range(len(texts)), key=lambda n: -len(texts[n]))
        vectors = self._batches([texts[n] for n in order], 32)
        return [vector for _, vector in sorted(zip(order, vectors, strict=True))]

    def fastembed(self, texts: list[str]) -> list[np.ndarray]:
        return list(self._batches(texts, 256))

    def _batches(self, texts: list[str], size: int) -> Iterator[np.ndarray]:
        for start in range(0, len(texts), size):
            batch = [self.prompt + text for text in texts[start : start + size]]
            encoded = self.tokenizer.encode_batch(batch)
            feed = {
                "input_ids": np.array([one.ids for one in encoded], np.int64),
                "attention_mask": np.array([one.attention_mask for one in encoded], np.int64),
            }
            yield from self.session.run(["sentence_embedding"], feed)[0]


def by_client(sql: psycopg.Connection, embed: Callable) -> None:
    """What an application does without us."""
    with sql.transaction(), sql.cursor() as cursor:
        rows = cursor.execute("SELECT id, text FROM bench_items ORDER BY id").fetchall()
        vectors = embed([text for _, text in rows])
        values = [
            (f"[{','.join(map(str, vector.tolist()))}]", number)
            for (number, _), vector in zip(rows, vectors, strict=True)
        ]
        cursor.executemany("UPDATE bench_items SET embedding = %s::vector WHERE id = %s", values)


def by_sql(sql: psycopg.Connection, statement: str) -> None:
    """In chunks, in one transaction."""
    with sql.transaction():
        for after in range(0, ROWS, CHUNK):
            sql.execute(statement, {"after": after, "chunk": CHUNK, "model": MODEL})


def make_table(sql: psycopg.Connection) -> None:
    rows = [*questions(), *whole_items().values()]
    sql.execute("DROP TABLE IF EXISTS bench_items, bench_copies")
    sql.execute(
        "CREATE TABLE bench_items (id int PRIMARY KEY, text text NOT NULL, embedding vector)"
    )
    sql.execute("CREATE TABLE bench_copies (id int PRIMARY KEY, embedding vector)")
    with sql.cursor() as cursor:
        values = [(n + 1, rows[n % len(rows)]) for n in range(ROWS)]
        cursor.executemany("INSERT INTO bench_items VALUES (%s, %s)", values)


def timed(sql: psycopg.Connection, work: Callable[[], None], table: str) -> Callable[[], float]:
    """Rows/s; the column is empty before, and full afterwards."""

    def rate() -> float:
        sql.execute("TRUNCATE bench_copies")
        sql.execute("UPDATE bench_items SET embedding = NULL")
        sql.execute("VACUUM bench_items")
        took = seconds(work)
        filled = sql.execute(f"SELECT count(embedding) FROM {table}").fetchone()[0]
        if filled != ROWS:
            raise AssertionError(f"{filled} vectors for {ROWS} rows")
        return ROWS / took

    return rate


def main() -> None:
    client = Client()
    with connect() as sql:
        make_table(sql)
        works = {
            "update": timed(sql, lambda: by_sql(sql, UPDATE), "bench_items"),
            "insert": timed(sql, lambda: by_sql(sql, INSERT), "bench_copies"),
            "st": timed(sql, lambda: by_client(sql, client.sentence_transformers), "bench_items"),
            "fastembed": timed(sql, lambda: by_client(sql, client.fastembed), "bench_items"),
        }
        found = in_turn(works, ROUNDS)
    print(f"{MODEL}, {ROWS} questions and whole items, {ROUNDS} rounds, {load()}")
    print("Python: stand-ins for both libraries over the same model file; see p6.py")
    heading()
    row("    rows/s, UPDATE by the array form", found["update"])
    row("    rows/s, INSERT … SELECT by the array form", found["insert"])
    row("    rows/s, Python as sentence-transformers does", found["st"])
    row("    rows/s, Python as fastembed does", found["fastembed"])
    row("P6  UPDATE / sentence-transformers", ratios(found["update"], found["st"]), least=1.5)
    row("P6  UPDATE / fastembed", ratios(found["update"], found["fastembed"]), least=1.2)
    row("    INSERT … SELECT / sentence-transformers", ratios(found["insert"], found["st"]))
    row("    INSERT … SELECT / fastembed", ratios(found["insert"], found["fastembed"]))


if __name__ == "__main__":
    main()
