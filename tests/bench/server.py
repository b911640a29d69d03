"""The throw-away server that dev/bench.sh has started, and the rows that go to it."""

import os
from pathlib import Path

import numpy as np
import psycopg
from inputs import Row


def connect(models: list[Path], threads: int, batch_tokens: int) -> psycopg.Connection:
    """A session of its own that embeds each text anew, and finds models in these folders."""
    connection = psycopg.connect(os.environ["ITEMBANK_TEST_URL"], autocommit=True)
    settings = {
        "model_path": ":".join(str(folder) for folder in models),
        "cache_size": "0",
        "intra_op_threads": str(threads),
        "max_batch_tokens": str(batch_tokens),
        "device": "cpu",
    }
    for name, value in settings.items():
        set_to(connection, name, value)
    return connection


def set_to(connection: psycopg.Connection, name: str, value: str) -> None:
    """One of the extension's settings, for this session."""
    connection.execute("SELECT set_config(%s, %s, false)", (f"itembank_embed.{name}", value))


def embed_one(connection: psycopg.Connection, model: str, row: Row) -> None:
    """One row, prepared; the vector comes over the connection."""
    query = "SELECT embed(%s, %s::text, %s::bytea)"
    connection.execute(query, (model, *row), prepare=True).fetchone()


def embed_all(connection: psycopg.Connection, model: str, rows: list[Row]) -> None:
    """All rows by the array form; the vectors stay in the server."""
    query = "SELECT count(e) FROM unnest(embed(%s, %s::text[], %s::bytea[])) AS e"
    found = connection.execute(query, (model, *_columns(rows))).fetchone()
    if found != (len(rows),):
        raise AssertionError(f"{found[0]} vectors for {len(rows)} rows")


def vectors(connection: psycopg.Connection, model: str, rows: list[Row]) -> np.ndarray:
    """float32 [rows, dimensions]."""
    query = "SELECT e::real[] FROM unnest(embed(%s, %s::text[], %s::bytea[])) AS e"
    found = connection.execute(query, (model, *_columns(rows))).fetchall()
    return np.array([row[0] for row in found], np.float32)


def _columns(rows: list[Row]) -> tuple[list | None, list | None]:
    """Texts and images; a column of nothing is NULL."""
    columns = ([text for text, _ in rows], [image for _, image in rows])
    texts, images = (
        column if any(one is not None for one in column) else None for column in columns
    )
    return texts, images


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of each row of the one with the same row of the other."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / lengths
