"""What the benches embed: questions and figures of the sample item bank, drawings of any size."""

import csv
import io
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

# A text and an image (bytes of a file); either may be None.
Row = tuple[str | None, bytes | None]

ITEMS = Path(__file__).resolve().parents[1] / "data" / "item_bank" / "items.csv"


@cache
def questions() -> list[str]:
    """Each item's text, without its choices."""
    return [item["question_text"] for item in _items()]


@cache
def whole_items() -> dict[str, str]:
    """By id, each item's text and below it its choices, one a line."""
    return {
        item["id"]: "\n".join([item["question_text"], *_choices(item["choices"])])
        for item in _items()
    }


def _choices(literal: str) -> list[str]:
    """A text[] literal of PostgreSQL; the bank quotes each element, with JSON's escapes."""
    return json.loads(f"[{literal[1:-1]}]")


@cache
def figures() -> list[bytes]:
    """The items' figures: small PNG files of line drawings."""
    # bytea in hexadecimal: \x89504e47…
    return [bytes.fromhex(item["image"][2:]) for item in _items() if item["image"]]


@cache
def _items() -> list[dict[str, str]]:
    with ITEMS.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def drawing(width: int, height: int, seed: int) -> bytes:
    """A PNG file with axes, lines and circles, as items have them; another one for each seed."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    draw.line((width // 10, 0, width // 10, height), fill="black", width=2)
    draw.line((0, height * 9 // 10, width, height * 9 // 10), fill="black", width=2)
    for _ in range(8):
        ends = [chance.randrange(side) for side in (width, height, width, height)]
        draw.line(ends, fill=(chance.randrange(200), 0, 0), width=3)
        x, y, radius = ends[0], ends[1], 5 + chance.randrange(width // 6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline="blue", width=2)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def text_of(tokens: int, count: Callable[[str], int], seed: int) -> str:
    """A beginning of questions in a row that is `tokens` long, or as near below as can be."""
    source = questions()
    text = " ".join(source[(seed * 7 + n) % len(source)] for n in range(1 + tokens // 8))
    short, long = 0, len(text)
    while short < long:
        middle = (short + long + 1) // 2
        if count(text[:middle]) <= tokens:
            short = middle
        else:
            long = middle - 1
    return text[:short]
