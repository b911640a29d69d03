"""Runs every SQL example of every document in psql, in order, and compares what they print.

Each document has an empty database of its own. The item bank's models are stand-ins of the same
dimensions with random weights (stand_ins.py).
"""

import os
import subprocess
from pathlib import Path

import documents
import psycopg
import pytest
import stand_ins
from conftest import setting
from psycopg import sql
from psycopg.conninfo import make_conninfo

DATABASE = "documents"
# Who reads these has run `make demo`, as they say, and has its tables beside those of the examples.
AFTER_DEMO = [documents.README, documents.KOREAN]
DEMO = """
CREATE EXTENSION itembank_embed CASCADE;
CREATE SCHEMA demo;
CREATE TABLE demo.items (id text PRIMARY KEY, question_text text);
INSERT INTO demo.items VALUES ('M-0001', '두 수의 합은?');
SELECT add_embedding('demo.items', 'embedding', 'multilingual-e5-small', '{question_text}');
"""


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
    """The URL of an empty database; roles that its examples make are taken away again."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("LOAD 'itembank_embed'")
        roles = "SELECT rolname FROM pg_roles"
        before = set(admin.execute(roles).fetchall())
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DATABASE}")
        for name, value in models.items():
            admin.execute(f"ALTER DATABASE {DATABASE} SET itembank_embed.{name} = '{value}'")
        yield make_conninfo(url, dbname=DATABASE)
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        for (role,) in set(admin.execute(roles).fetchall()) - before:
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


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


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.mark.parametrize(
    "name", [name for name in documents.FOR_USERS if "```sql" in documents.text(name)]
)
def test_examples(database, name):
    if name in AFTER_DEMO:
        psql(database, DEMO)
    found = [e for e in documents.examples(name) if not documents.NOT_RUN.match(e[0])]
    marker = "-- next example --"
    script = f"\n\\echo '{marker}'\n".join(example for example, _ in found)
    outputs = psql(database, script).split(marker + "\n")
    for (example, expected), output in zip(found, outputs, strict=True):
        if expected is not None:
            assert lines(output) == lines(expected), example


def test_nearly_all_examples_are_run_and_many_compared():
    found = [example for name in documents.FOR_USERS for example in documents.examples(name)]
    left_out = [example for example, _ in found if documents.NOT_RUN.match(example)]
    compared = [example for example, expected in found if expected is not None]
    assert len(found) > 40
    assert len(left_out) <= 3, left_out
    assert len(compared) > 15


@pytest.mark.parametrize("name", documents.FOR_USERS)
def test_what_looks_like_output_is_compared(name):
    """A ```text block that does not follow an example is a drawing: it says nothing of rows."""
    outputs = [m[2] for m in documents.FENCE.finditer(documents.text(name)) if m[1] == "text"]
    compared = [expected for _, expected in documents.examples(name) if expected is not None]
    assert [output for output in outputs if " rows)" in output or "row)" in output] == [
        output for output in outputs if output in compared
    ]
