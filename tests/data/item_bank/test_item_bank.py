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

from core import josa

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


# A formula and the particle behind it; "이" before another syllable is mostly the copula.
PARTICLE = re.compile(r"(\$[^$\n]+\$)(을|를|과|와|은|는|이|가|으로|로)(?![가-힣])")
PAIRS = {particle: pair for pair in ("을/를", "과/와", "은/는", "이/가", "으로/로")
         for particle in pair.split("/")}


@pytest.mark.parametrize("spoken", [
    "$x$와", "$-x^2+4x$와", "$3x-6$과", "$2x+10$과", "$x=3$을", "$x+5$를", "$(3,\\ -1)$을",
    "$C(0,\\ 2)$를", "$(0,\\ 6)$과", "$x^2$을", "$y=x^{10}$을", "$9^{\\frac{3}{2}}$을",
    "$\\frac{1}{2}$을", "$\\frac{2}{3}$를", "$\\frac{1}{8}$로", "$\\frac{3}{5}$으로", "$x-2$로",
    "$x+1$로", "$x-3$으로", "$30^\\circ$가", "$\\sqrt{27}$을", "$\\sqrt{45}$를",
    "$\\overline{BC}$를", "$\\left(4,\\ \\frac{1}{6}\\right)$을", "$f^{-1}(x)$를", "$S_n$은",
    "$m$을", "$\\beta$는",
])
def test_a_particle_fits_how_a_formula_is_read(spoken: str) -> None:
    formula, particle = PARTICLE.fullmatch(spoken).groups()
    assert josa(formula, PAIRS[particle]) == spoken


def test_every_particle_behind_a_formula_fits(items: list[dict[str, str]]) -> None:
    found = [(item["id"], match[1], match[2]) for item in items
             for match in PARTICLE.finditer(item["question_text"])]
    assert len(found) >= 70
    wrong = [(name, formula + particle) for name, formula, particle in found
             if josa(formula, PAIRS[particle]) != formula + particle]
    assert not wrong
