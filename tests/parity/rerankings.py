"""Recorded rerankings, and the three forms of SQL that score the same pairs.

A golden is one file of goldens/rerank: queries, each with candidates and their scores by PyTorch. A
side, query or candidate, is a text, or null, or an object of `text`, `image` and `times`.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from comparison import drawn, picture

# The largest difference of a score; the project promises 1e-3 in fp32.
TOLERANCES = {"fp32": 1e-5, "fp16": 3e-2, "int8": 0.2}
# The largest difference of a pair's score in the three forms; half precision rounds with the shape.
FORMS = {"fp32": 1e-5, "fp16": 5e-3, "int8": 1e-5}
# Candidates whose recorded scores are nearer than this have no order. In other precisions than
# fp32, those that are nearer than what the scores may be off.
NEXT_TO = 1e-4
# Why the reference has no score, and what SQL says of it.
SQLSTATES = {"overrun": "54000", "no tokens": "22023"}

Side = str | dict | None


@dataclass(frozen=True)
class Golden:
    """What was recorded of one checkpoint; `models`: the directories made of it → precision."""

    name: str
    family: str
    models: dict[str, str]
    rerankings: list[dict]


@cache
def goldens() -> dict[str, Golden]:
    """By the name of the checkpoint."""
    folder = (drawn() or Path(__file__).parent) / "goldens/rerank"
    read = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("made_with")
        read[path.stem] = Golden(path.stem, **content)
    assert read, f"no goldens in {folder}"
    return read


def models() -> list[tuple[str, str]]:
    """(checkpoint, model) for every directory that has goldens."""
    return [(name, model) for name, golden in goldens().items() for model in golden.models]


def both(side: Side) -> tuple[str | None, bytes | None]:
    """Text and image of a side."""
    if not isinstance(side, dict):
        return side, None
    text = side.get("text")
    image = picture(side["image"]) if "image" in side else None
    return text and text * side.get("times", 1), image


def arguments(model: str, asked: dict) -> tuple[list, list, list]:
    """What all forms take: query, its image, instruction and model; texts; images."""
    texts, images = zip(*map(both, asked["candidates"]), strict=True)
    query = [*both(asked["query"]), asked.get("instruction"), model]
    return query, [*texts], [*images] if any(images) else [None] * len(texts)


def rerank(connection, model: str, asked: dict) -> list[tuple[int, str | None, float | None]]:
    """The rows of the form for arrays: index, candidate, score."""
    (query, image, instruction, model), texts, images = arguments(model, asked)
    return connection.execute(
        "SELECT * FROM rerank(%s, %s::text[], %s, %s::bytea[], %s, %s)",
        [query, texts, image, images if any(images) else None, instruction, model],
    ).fetchall()


def rerank_score(connection, model: str, asked: dict) -> list[float | None]:
    """A score a candidate by the form for one pair."""
    (query, image, instruction, model), texts, images = arguments(model, asked)
    scores = []
    for text, candidate_image in zip(texts, images, strict=True):
        row = connection.execute(
            "SELECT rerank_score(%s, %s, %s, %s, %s, %s)",
            [query, text, image, candidate_image, instruction, model],
        ).fetchone()
        scores.append(row[0])
    return scores


def rerank_batch(connection, model: str, asked: dict) -> list[float | None]:
    """A score a candidate by the window function."""
    (query, image, instruction, model), texts, images = arguments(model, asked)
    rows = connection.execute(
        "SELECT rerank_batch(%s, text, %s, image, %s, %s) OVER ()"
        " FROM unnest(%s::text[], %s::bytea[]) WITH ORDINALITY AS candidates (text, image, place)"
        " ORDER BY place",
        [query, image, instruction, model, texts, images],
    ).fetchall()
    return [row[0] for row in rows]


def numbers(scores: list[float | None]) -> np.ndarray:
    """NaN for NULL."""
    return np.array([np.nan if score is None else score for score in scores], float)


def furthest(some: list[float | None], others: list[float | None]) -> float:
    """The largest difference, relative to scores above 1; infinite where one of two has none."""
    a, b = numbers(some), numbers(others)
    if (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    return float(np.nanmax(np.abs(a - b) / np.fmax(1, np.abs(b)), initial=0))


def misplaced(order: list[int], asked: dict, near: float) -> list[tuple[int, int]]:
    """Pairs of candidates, from 0, that `order` has the wrong way round.

    By the recorded scores, with NULL behind all others; scores nearer than `near` may have either
    order, but not those of the same candidate, or two NULLs, which keep theirs.
    """
    scores = numbers(asked["scores"])
    place = {index: rank for rank, index in enumerate(order)}
    wrong = []
    for first in range(len(scores)):
        for second in range(first + 1, len(scores)):
            ahead = _ahead(asked["candidates"], scores, first, second, near)
            if ahead is not None and ahead != (place[first] < place[second]):
                wrong.append((first, second))
    return wrong


def _ahead(candidates: list[Side], scores: np.ndarray, first: int, second: int, near: float):
    """Whether `first` belongs before `second`, which was given later; None where it may."""
    without = np.isnan(scores[[first, second]])
    if without.any():
        return without.all() or not without[0]
    if candidates[first] == candidates[second]:
        return True
    gap = scores[first] - scores[second]
    return None if abs(gap) < near else gap > 0


def says(asked: dict) -> str:
    """A reranking for a message."""
    told = {key: value for key, value in asked.items() if key != "scores"}
    return json.dumps(told, ensure_ascii=False)[:300]
