"""Rows for embedding columns: the sample item bank times its subjects, most of them varied.

    bank (id, subject, question_text, choices, difficulty), key (id, subject)

Most are told apart by their number and subject; each thirteenth has its item's very text, as others
do. Some have no question, some no choices, some neither.
"""

import csv
import json
import random
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

ITEMS = Path(__file__).resolve().parents[1] / "data" / "item_bank" / "items.csv"
SUBJECTS = ("수학", "과학", "사회", "영어", "국어", "역사")
TEMPLATE = r"문제: {question_text}\n선택지: {choices}"
COLUMNS = "id, subject, question_text, choices, difficulty"
TABLE = """
    CREATE TABLE bank (
        id            text,
        subject       text,
        question_text text,
        choices       text[],
        difficulty    int NOT NULL,
        PRIMARY KEY (id, subject)
    )"""

Key = tuple[str, str]


@dataclass(frozen=True)
class Item:
    """A row as its writer knows it."""

    id: str
    subject: str
    question_text: str | None
    choices: tuple[str, ...] | None
    difficulty: int

    @property
    def key(self) -> Key:
        return (self.id, self.subject)

    @property
    def row(self) -> tuple:
        """As psycopg takes it."""
        choices = None if self.choices is None else list(self.choices)
        return (self.id, self.subject, self.question_text, choices, self.difficulty)

    @classmethod
    def of(cls, row: tuple) -> "Item":
        """From what psycopg gives."""
        choices = None if row[3] is None else tuple(row[3])
        return cls(row[0], row[1], row[2], choices, row[4])

    def content(self) -> str | None:
        """What TEMPLATE makes of it."""
        return content(self.question_text, self.choices)

    def but(self, **changes) -> "Item":
        """The same with other values."""
        return replace(self, **changes)


def content(question: str | None, choices) -> str | None:
    """What TEMPLATE says, told once more: a line with nothing to say is left out."""
    lines = []
    if question is not None:
        lines.append(f"문제: {question}")
    if choices:
        lines.append("선택지: " + "\n".join(choices))
    return "\n".join(lines) if lines else None


@cache
def _items() -> list[dict]:
    with ITEMS.open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def _choices(literal: str) -> tuple[str, ...]:
    """A text[] literal of PostgreSQL; the bank quotes each element, with JSON's escapes."""
    return tuple(json.loads(f"[{literal[1:-1]}]"))


def item(number: int) -> Item:
    """Row `number` of the bank, from 0 on; as many as are wanted."""
    rest, subject = divmod(number, len(SUBJECTS))
    variant, place = divmod(rest, len(_items()))
    source = _items()[place]
    question, choices = source["question_text"], _choices(source["choices"])
    if number % 13:
        question = f"{question} [{variant} {SUBJECTS[subject]}]"
    if number % 97 == 1:
        question = None
    if number % 89 == 2 or number % 97 == 1 and number % 2:
        choices = None
    identifier = f"{source['id']}/{variant}"
    return Item(identifier, SUBJECTS[subject], question, choices, number % 5 + 1)


def other_question(chance: random.Random, name: object) -> str | None:
    """A text that no row has, but for one in five: those are of a few."""
    source = chance.choice(_items())["question_text"]
    if chance.random() < 0.02:
        return None
    if chance.random() < 0.2:
        return f"{chance.choice(_items()[:20])['question_text']} (같은 글)"
    return f"{source} ({name})"
