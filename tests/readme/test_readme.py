"""Runs every SQL example of the READMEs in psql, in order, and compares what they print.

The item bank's models are stand-ins of the same dimensions with random weights (stand_ins.py).
"""

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest
import stand_ins
from conftest import ROOT, setting
from psycopg.conninfo import make_conninfo

BLOCKS = re.compile(r"^```sql\n(.*?)^```\n(?:^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def models(url, tmp_path_factory):
    """Settings that name the stand-ins, and find them before the developer's models."""
    place = Path(setting("ITEMBANK_TEST_DATA")).parent / "stand-ins"
    settings = stand_ins.write(place, tmp_path_factory.mktemp("checkpoints"))
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("LOAD 'itembank_embed'")
        others = admin.execute("SHOW itembank_embed.model_path").fetchone()[0]
    return {**settings, "model_path": f"{place}:{others}"}


@pytest.fixture
def database(url, models):
    """The URL of an empty database."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("LOAD 'itembank_embed'")
        admin.execute("DROP DATABASE IF EXISTS readme WITH (FORCE)")
        admin.execute("CREATE DATABASE readme")
        for name, value in models.items():
            admin.execute(f"ALTER DATABASE readme SET itembank_embed.{name} = '{value}'")
        yield make_conninfo(url, dbname="readme")
        admin.execute("DROP DATABASE readme WITH (FORCE)")


def psql(database: str, script: str) -> str:
    program = Path(setting("ITEMBANK_TEST_PGBIN")) / "psql"
    command = [program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", database]
    done = subprocess.run(
        command,
        input=script,
        check=False,
        capture_output=True,
        text=True,
        # Otherwise a psql with translations would print "(1개 행)".
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def examples(name: str) -> list[tuple[str, str | None]]:
    """(SQL, output or None) in order; README.md opens with one that needs the next one's table."""
    found = [(m[1], m[2]) for m in BLOCKS.finditer((ROOT / name).read_text())]
    return found[1:] + found[:1] if name == "README.md" else found


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_examples(database, name):
    found = examples(name)
    outputs_in_page = (ROOT / name).read_text().count("```text")
    assert sum(expected is not None for _, expected in found) == outputs_in_page > 0
    marker = "-- next example --"
    script = f"\n\\echo '{marker}'\n".join(sql for sql, _ in found)
    outputs = psql(database, script).split(marker + "\n")
    for (sql, expected), output in zip(found, outputs, strict=True):
        if expected is not None:
            assert lines(output) == lines(expected), sql
