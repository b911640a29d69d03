"""What the soak's clients ask: a small set of statements, each with one right answer."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine_process import MODEL
from inputs import questions, whole_items

IMAGES = Path(__file__).resolve().parents[1] / "fixtures" / "images"
PICTURES = ["png-rgb8.png", "jpeg-420.jpg", "bmp-24.bmp", "gif-still.gif"]
LARGEST_DIFFERENCE = 1e-5

ONE = "SELECT embed(%s, %s, %s::bytea)::text"
MANY = "SELECT array_agg(e::text) FROM unnest(embed(%s, %s::text[])) AS e"
SCORES = "SELECT array_agg(score ORDER BY index) FROM rerank(%s, %s::text[], model => %s)"


@dataclass(frozen=True)
class Question:
    """A statement of one request, `items` rows to one model; asked as often as `weight` says."""

    model: str
    query: str
    parameters: tuple
    items: int
    weight: float
    # What it must fail with, where it is a bad one.
    sqlstate: str | None = None


@cache
def all_questions() -> list[Question]:
    """The same ones in every process."""
    shorts, wholes = questions()[:80], list(whole_items().values())[:24]
    found = [one(MODEL, text, 2) for text in [*shorts[:16], *wholes[:8]]]
    found += [many(MODEL, shorts[n : n + 2 + 3 * n], 2) for n in range(6)]
    # Beyond what counts as interactive.
    found += [many(MODEL, shorts, 1), many(MODEL, wholes, 1)]
    found += [one("tiny-bert", text, 1) for text in shorts[:8]]
    found += [many("tiny-bert", shorts[:20], 2), many("tiny-bert", shorts[:50], 1)]
    found += [scores(MODEL, shorts[n], shorts[n + 1 : n + 9], 1) for n in range(3)]
    found += [scores("tiny-cross-bert", shorts[n], shorts[n + 1 : n + 17], 1) for n in range(4)]
    for name in PICTURES:
        picture = (IMAGES / name).read_bytes()
        found.append(Question("tiny-siglip", ONE, ("tiny-siglip", None, picture), 1, 1))
        found.append(Question("tiny-qwen3-vl", ONE, ("tiny-qwen3-vl", shorts[0], picture), 1, 1))
    bad = ("tiny-siglip", None, b"this is no image")
    return [*found, Question("tiny-siglip", ONE, bad, 1, 2, sqlstate="22P03")]


def one(model: str, text: str, weight: float) -> Question:
    return Question(model, ONE, (model, text, None), 1, weight)


def many(model: str, texts: list[str], weight: float) -> Question:
    return Question(model, MANY, (model, texts), len(texts), weight)


def scores(model: str, query: str, candidates: list[str], weight: float) -> Question:
    return Question(model, SCORES, (query, candidates, model), len(candidates), weight)


def numbers(answer) -> list[float]:
    """A vector's text, several of them, or scores: as numbers one behind the other."""
    if isinstance(answer, str):
        return [float(number) for number in answer.strip("[]").split(",")]
    if isinstance(answer, list):
        return [number for part in answer for number in numbers(part)]
    return [float(answer)]


def difference(answer, expected) -> float:
    """The largest of any number; infinite where their counts differ."""
    if answer == expected:
        return 0.0
    a, b = numbers(answer), numbers(expected)
    if len(a) != len(b):
        return float("inf")
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
