"""Writes the sample item bank beside this file; ``--check`` only compares it with what is there.

    python tests/data/item_bank/generate.py           # writes items, queries and judgements
    python tests/data/item_bank/generate.py --check   # exit 1 and say where they differ
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import random
import sys
from pathlib import Path

from PIL import Image

import english  # noqa: F401  (the subject modules register their kinds when imported)
import korean  # noqa: F401
import maths_calculus  # noqa: F401
import maths_geometry  # noqa: F401
import maths_lower  # noqa: F401
import maths_upper  # noqa: F401
import science  # noqa: F401
import social  # noqa: F401
from core import KINDS, SEED, Item
from judgements import QUERIES, judge

HERE = Path(__file__).resolve().parent
PREFIX = {"수학": "M", "과학": "S", "국어": "K", "사회": "C", "역사": "H", "영어": "E"}
COLUMNS = ("id", "subject", "grade", "unit", "difficulty", "question_text", "choices", "answer",
           "image")


def build() -> list[Item]:
    """All items, shuffled within their subject so that an id says nothing about the template."""
    items = []
    for name, prefix in PREFIX.items():
        part = [item for kind in KINDS if kind.subject == name for item in kind.items()]
        random.Random(f"{SEED}:{name}").shuffle(part)
        items += [dataclasses.replace(item, id=f"{prefix}-{number:04d}")
                  for number, item in enumerate(part, 1)]
    return items


def text_array(values: tuple[str, ...]) -> str:
    """A PostgreSQL text[] literal."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def _csv(header: tuple[str, ...], rows: list[tuple]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def render() -> dict[str, str]:
    """The text of every generated file by its name."""
    items = build()
    rows = [
        (item.id, item.subject, item.grade, item.unit, item.difficulty, item.draft.text,
         text_array(item.draft.choices), item.draft.answer,
         f"\\x{item.draft.image.hex()}" if item.draft.image else "")
        for item in items
    ]
    queries = [(f"Q-{number:03d}", query.text, query.lang, query.note)
               for number, query in enumerate(QUERIES, 1)]
    return {
        "items.csv": _csv(COLUMNS, rows),
        "queries.csv": _csv(("query_id", "query_text", "language", "note"), queries),
        "judgements.csv": _csv(("query_id", "item_id", "relevance"), judge(items)),
    }


def _same_picture(left: str, right: str) -> bool:
    if left == right:
        return True
    if not (left and right):
        return False
    first, second = (
        Image.open(io.BytesIO(bytes.fromhex(value.removeprefix("\\x")))).convert("L")
        for value in (left, right)
    )
    return first.size == second.size and first.tobytes() == second.tobytes()


def compare(name: str, kept: str, made: str) -> list[str]:
    """One line for each row that differs: text exactly, images by their pixels."""
    csv.field_size_limit(10**7)
    old, new = (list(csv.reader(io.StringIO(text))) for text in (kept, made))
    found = [] if len(old) == len(new) else [f"{name}: {len(old)} rows kept, {len(new)} made"]
    images = name == "items.csv"
    for line, (before, after) in enumerate(zip(old, new, strict=False), 1):
        cut = len(COLUMNS) - 1 if images and line > 1 else None
        if before[:cut] != after[:cut]:
            found.append(f"{name} row {line}: kept {before[:cut]!r}, made {after[:cut]!r}")
        elif cut and not _same_picture(before[cut], after[cut]):
            found.append(f"{name} row {line}: the picture of {after[0]} differs")
    return found


def main() -> int:
    """Write the files, or with ``--check`` report the first differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args().check
    differences = []
    for name, made in render().items():
        path = HERE / name
        if not check:
            path.write_text(made, encoding="utf-8", newline="")
        elif not path.exists():
            differences.append(f"{name}: missing")
        else:
            differences += compare(name, path.read_bytes().decode("utf-8"), made)
    for line in differences[:20]:
        print(line, file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
