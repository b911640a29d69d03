"""Texts of wanted lengths in tokens, in a table of the throw-away server where clients find them.

    bench_texts(mix text, n int, text text)      n from 1 on, without gaps

A length is of what the model reads: prompt and special tokens are part of it.
"""

import math
import os
import random
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psycopg
from engine_process import MODEL
from inputs import questions, text_of
from tokenizers import Tokenizer

LONGEST = 256
TEXTS = 400
# Embeds one text of a mix; the vector stays in the server, as it does in a search.
SCRIPT = r"""\set n random(1, {count})
SELECT vector_dims(embed('{model}', text)) FROM bench_texts WHERE mix = '{mix}' AND n = :n;
"""

# By name of the mix: the length of one text.
MIXES: dict[str, Callable[[random.Random], int]] = {
    # Queries: all alike.
    "short": lambda chance: 16,
    # 4 to 256 with as many from 4 to 8 as from 128 to 256, which is how lengths of texts spread.
    "mixed": lambda chance: round(math.exp(chance.uniform(math.log(4), math.log(LONGEST)))),
    # 4 to 256, all equally often: eight tokens of ten are in texts of more than 115.
    "uniform": lambda chance: chance.randint(4, LONGEST),
    "passages": lambda chance: chance.randint(128, LONGEST),
    # Searches beside passages that are stored.
    "bimodal": lambda chance: 16 if chance.random() < 0.8 else chance.randint(192, LONGEST),
}


@cache
def counter() -> Callable[[str], int]:
    """Tokens of a text as the model reads it."""
    directory = Path(os.environ["ITEMBANK_MODELS"]) / MODEL
    manifest = tomllib.loads((directory / "model.toml").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    prompt = manifest["prompts"]["document"]
    return lambda text: len(tokenizer.encode(prompt + text).ids)


def texts(mix: str, count: int = TEXTS) -> list[str]:
    """The same ones each time; lengths below the prompt's become one word."""
    chance = random.Random(mix)
    shortest = counter()("a")
    return [
        text_of(max(MIXES[mix](chance), shortest), counter(), seed) or questions()[seed][:1]
        for seed in range(count)
    ]


def store(connection: psycopg.Connection, mixes: list[str]) -> None:
    """Makes the table anew, with texts of these mixes."""
    connection.execute("DROP TABLE IF EXISTS bench_texts")
    connection.execute(
        "CREATE TABLE bench_texts (mix text, n int, text text NOT NULL, PRIMARY KEY (mix, n))"
    )
    for mix in mixes:
        rows = [(mix, n, text) for n, text in enumerate(texts(mix), start=1)]
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO bench_texts VALUES (%s, %s, %s)", rows)
    connection.execute("ANALYZE bench_texts")


def script(mix: str) -> str:
    """For pgbench: one text of the mix, another each time."""
    return SCRIPT.format(count=TEXTS, model=MODEL, mix=mix)
