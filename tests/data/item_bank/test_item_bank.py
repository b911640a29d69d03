"""The kept files of the sample item bank are what the generator makes, and they are sound."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

HERE = Path(__file__).resolve().parent
csv.field_size_limit(10**7)


def _rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _choices(literal: str) -> list[str]:
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', literal)
    return [re.sub(r"\\(.)", r"\1", value) for value in quoted]


@pytest.fixture(scope="module")
def items() -> list[dict[str, str]]:
    return _rows("items.csv")


def test_check_passes() -> None:
    done = subprocess.run([sys.executable, str(HERE / "generate.py"), "--check"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_ids_are_unique_and_texts_differ(items: list[dict[str, str]]) -> None:
    assert len(items) >= 300
    assert len({item["id"] for item in items}) == len(items)
    faces = {(i["question_text"], i["choices"], i["image"]) for i in items}
    assert len(faces) == len(items)


def test_choices_are_distinct_and_one_is_right(items: list[dict[str, str]]) -> None:
    for item in items:
        choices = _choices(item["choices"])
        assert len(choices) in (0, 5), item["id"]
        assert len(set(choices)) == len(choices), item["id"]
        assert item["answer"].strip(), item["id"]
        if choices:
            assert item["answer"] in {"1", "2", "3", "4", "5"}, item["id"]


def test_pictures_decode(items: list[dict[str, str]]) -> None:
    sizes = []
    for item in items:
        if item["image"]:
            picture = Image.open(io.BytesIO(bytes.fromhex(item["image"].removeprefix("\\x"))))
            picture.load()
            assert picture.format == "PNG"
            sizes.append(picture.size)
    assert 0.28 <= len(sizes) / len(items) <= 0.4
    assert sum(width != height for width, height in sizes) > 0.9 * len(sizes)


def test_judgements_refer_to_what_is_there(items: list[dict[str, str]]) -> None:
    ids = {item["id"] for item in items}
    queries = {query["query_id"] for query in _rows("queries.csv")}
    rows = _rows("judgements.csv")
    used = {row["query_id"] for row in rows}
    assert len(used & ids) >= 60 and len(queries) >= 30 and queries <= used
    assert used <= ids | queries
    assert {row["item_id"] for row in rows} <= ids
    assert {row["relevance"] for row in rows} == {"0", "1", "2", "3"}
    assert all(row["query_id"] != row["item_id"] for row in rows)
    assert len({(row["query_id"], row["item_id"]) for row in rows}) == len(rows)


def test_files_stay_small() -> None:
    names = ("items.csv", "queries.csv", "judgements.csv")
    assert sum((HERE / name).stat().st_size for name in names) < 1_200_000
