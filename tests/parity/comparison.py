"""Recorded goldens against vectors through SQL: the one comparison of fixtures and of seeds.

An instance is a folder of goldens, a folder of model directories that the server can read, and
pictures: the committed one, or what dev/parity.sh has made of a seed (ITEMBANK_PARITY).
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
from conftest import ROOT, setting, vector

PICTURES = ROOT / "tests/fixtures/images"
# By precision: least cosine, largest difference of a number in a vector of length 1.
# The project promises 0.9999 and 1e-3 in fp32; what is measured is 1e-6.
TOLERANCES = {"fp32": (0.999999, 1e-5), "fp16": (0.999, 3e-2), "int8": (0.98, 0.2)}
# Largest difference of a row alone and in a mixed batch; half precision rounds with the shape.
MIXED = {"fp32": 1e-5, "fp16": 1e-3, "int8": 1e-5}
TOO_LONG = "54000"  # program_limit_exceeded
OPTIONS = ("task", "instruction", "dimensions")


@dataclass(frozen=True)
class Golden:
    """What was recorded of one checkpoint; `models`: the directories made of it → precision."""

    name: str
    family: str
    normalized: bool
    models: dict[str, str]
    cases: list[dict]


def drawn() -> Path | None:
    """The folder of a seed's run, with goldens/, models/ and images/."""
    place = os.environ.get("ITEMBANK_PARITY")
    return Path(place) if place else None


@cache
def goldens() -> dict[str, Golden]:
    """By the name of the checkpoint."""
    folder = (drawn() or Path(__file__).parent) / "goldens"
    read = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "cases" in content:
            content.pop("made_with")
            read[path.stem] = Golden(path.stem, **content)
    assert read, f"no goldens in {folder}"
    return read


def models() -> list[tuple[str, str]]:
    """(checkpoint, model) for every directory that has goldens."""
    return [(name, model) for name, golden in goldens().items() for model in golden.models]


def use_models(connection) -> None:
    """Point the server at the instance's model directories."""
    place = drawn()
    path = str(place / "models") if place else setting("ITEMBANK_FIXTURES")
    connection.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (path,))


def text_of(case: dict) -> str | None:
    """The text as long as the case says."""
    return case["text"] if case["text"] is None else case["text"] * case.get("times", 1)


@cache
def picture(name: str) -> bytes:
    """A drawn picture, or one of the fixtures."""
    place = drawn()
    own = place / "images" / name if place else None
    return (own if own and own.exists() else PICTURES / name).read_bytes()


def row_of(case: dict) -> tuple[str | None, bytes | None]:
    """The two inputs of a case."""
    return text_of(case), picture(case["image"]) if case.get("image") else None


def embed_alone(connection, model: str, case: dict) -> np.ndarray:
    """One case by the form for one row."""
    found = connection.execute(
        "SELECT embed(%s, %s, %s, task => %s, instruction => %s, dimensions => %s)::text",
        [model, *row_of(case), *options_of(case)],
    ).fetchone()
    return np.array(vector(found[0]))


def embed_batch(connection, model: str, cases: list[dict]) -> list[np.ndarray]:
    """Cases with the same options by the form for arrays, in one call."""
    texts, images = zip(*(row_of(case) for case in cases), strict=True)
    given = [*images] if any(images) else None
    rows = connection.execute(
        "SELECT e::text FROM unnest(embed(%s, %s::text[], %s::bytea[], task => %s,"
        " instruction => %s, dimensions => %s)) AS e",
        [model, [*texts], given, *options_of(cases[0])],
    ).fetchall()
    return [np.array(vector(row[0])) for row in rows]


def options_of(case: dict) -> list:
    """task, instruction, dimensions"""
    return [case.get("task", "document"), case.get("instruction"), case.get("dimensions")]


def batches(cases: list[dict]) -> list[list[dict]]:
    """The cases that can share a call, for each such set of options."""

    def key(case):
        return [str(option) for option in options_of(case)]

    return [[*group] for _, group in groupby(sorted(cases, key=key), key)]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def says(case: dict) -> str:
    """A case for a message."""
    return json.dumps({k: v for k, v in case.items() if k != "vector"}, ensure_ascii=False)
