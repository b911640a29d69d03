"""A session's memory after 10,000 calls of each main function, answered or failed: no growth.

Both what Postgres counts in its memory contexts and what the process has of the kernel: values of
Rust's are not in the former, and an error leaves a function without the usual way out.
"""

import sys
from pathlib import Path

import psycopg
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
from conftest import setting
from memory import session_memory

CALLS = 10_000
BLOCK = 100  # calls of one statement
WARM = 2_000  # calls before the first look: models, caches, the allocator
# Of the process; 8,000 calls that lose a kilobyte each would be more.
PROCESS = 6 * 1024 * 1024
# Of the memory contexts, when no statement runs.
CONTEXTS = 512 * 1024

ANSWERED = {
    "embed": "embed('tiny-bert', 'text ' || n)",
    "embed many": "embed('tiny-bert', ARRAY['text ' || n, NULL, 'b'])",
    "embed an image": "siglip_embed_image(image)",
    "embed text and image": "qwen_embed('text ' || n, image)",
    "count_tokens": "(SELECT tokens FROM count_tokens('tiny-bert', 'text ' || n))",
    "rerank": "(SELECT max(score) FROM rerank('q', ARRAY['text ' || n], model => 'tiny-cross-st'))",
    "rerank_score": "rerank_score('q', 'text ' || n, model => 'tiny-cross-st')",
    "embedding_hash": "embedding_hash('text ' || n, image)",
    "embed_query": "embed_query('kept_fresh', 'v', 'text ' || n)",
    "models": "(SELECT count(*) FROM models())",
    "engine_status": "(SELECT state FROM engine_status())",
    "cohen_kappa": "cohen_kappa(ARRAY[1, 2, n], ARRAY[1, 2, 3])",
    "evaluation_interval": "(SELECT low FROM evaluation_interval(ARRAY[0.5, 1, n], 100))",
    "recall_at_k": "(SELECT recall_at_k('q', r, 1, 5) FROM generate_series(1, 10) AS r)",
    "recall_curve_svg": "recall_curve_svg(ARRAY['m'], ARRAY[1], ARRAY[0.1], ARRAY[0.1], ARRAY[0.1],"
    " 'title ' || n)",
}
FAILED = {
    "no such model": "embed('no-model', 'text ' || n)",
    "no image": "siglip_embed_image(('\\xff' || lpad(to_hex(n), 8, '0'))::bytea)",
    "half an image": "siglip_embed_image(substr(image, 1, length(image) / 2))",
    "dimensions": "embed('tiny-bert', 'text ' || n, dimensions => 5)",
    "two dimensions": "embed('tiny-bert', ARRAY[['a', 'b'], ['c', n::text]])",
    "lengths": "embed('tiny-qwen3-vl', ARRAY['a', 'b'], ARRAY[image])",
    "ranks": "(SELECT recall_at_k('q', 1, 1, 5) FROM generate_series(1, 3))",
    "a statement": "evaluation_run_fails(n)",
}


@pytest.fixture(scope="module")
def session(url):
    """One that finds the tiny models, keeps no vectors, and has a picture and a table at hand."""
    with psycopg.connect(url, autocommit=True) as made:
        for name, value in {
            "model_path": setting("ITEMBANK_FIXTURES"),
            "cache_size": "0",
            "qwen_model": "tiny-qwen3-vl",
            "siglip_model": "tiny-siglip2",
        }.items():
            made.execute("SELECT set_config(%s, %s, false)", (f"itembank_embed.{name}", value))
        image = (Path(setting("ITEMBANK_IMAGES")) / "png-rgb8.png").read_bytes()
        made.execute("CREATE TEMP TABLE picture (image bytea)")
        made.execute("INSERT INTO picture VALUES (%s)", (image,))
        made.execute("CREATE TABLE kept_fresh (id int PRIMARY KEY, body text)")
        made.execute("SELECT add_embedding('kept_fresh', 'v', 'tiny-bert', 'body', index => false)")
        made.execute("""
            CREATE FUNCTION pg_temp.evaluation_run_fails(n int) RETURNS bigint LANGUAGE sql
            AS $$ SELECT count(*) FROM evaluation_run('SELECT ' || n || ' FROM nowhere') $$""")
        yield made
        made.execute("SELECT drop_embedding('kept_fresh', 'v')")
        made.execute("DROP TABLE kept_fresh")


def answered(session: psycopg.Connection, call: str, first: int, count: int) -> None:
    """So many calls, in statements of a block each."""
    for n in range(first, first + count, BLOCK):
        numbers = f"generate_series({n}, {n + BLOCK - 1}) AS n"
        rows = f"SELECT {call} AS x FROM {numbers}, picture OFFSET 0"
        session.execute(f"SELECT count(x) FROM ({rows}) AS s")


def failed(session: psycopg.Connection, call: str, first: int, count: int) -> None:
    """So many calls that fail, each in a subtransaction; fails where one does not."""
    call = call.replace("evaluation_run_fails", "pg_temp.evaluation_run_fails")
    for start in range(first, first + count, BLOCK):
        session.execute(f"""
            DO $do$
            DECLARE
                image bytea := (SELECT image FROM picture);
                x text;
            BEGIN
                FOR n IN {start} .. {start + BLOCK - 1} LOOP
                    BEGIN
                        x := {call};
                    EXCEPTION WHEN OTHERS THEN
                        CONTINUE;
                    END;
                    RAISE 'it did not fail';
                END LOOP;
            END $do$""")


def held(session: psycopg.Connection) -> tuple[int, int]:
    """Bytes of the memory contexts, and of the process."""
    contexts = session.execute("SELECT sum(total_bytes) FROM pg_backend_memory_contexts")
    return int(contexts.fetchone()[0]), session_memory(session).anonymous


def check(session: psycopg.Connection, run, call: str) -> None:
    run(session, call, 1, WARM)
    held(session)
    before = held(session)
    run(session, call, WARM + 1, CALLS - WARM)
    after = held(session)
    grown = [b - a for a, b in zip(before, after, strict=True)]
    assert grown[0] <= CONTEXTS, f"memory contexts grew by {grown[0]} bytes"
    assert grown[1] <= PROCESS, f"the process grew by {grown[1]} bytes"


@pytest.mark.parametrize("name", ANSWERED)
def test_answers(session, name):
    check(session, answered, ANSWERED[name])


@pytest.mark.parametrize("name", FAILED)
def test_errors(session, name):
    check(session, failed, FAILED[name])


def test_a_leak_is_seen(session):
    """Of a kilobyte a call, in a setting that only grows."""
    with pytest.raises(AssertionError, match="grew by"):
        check(session, leaking, "")


def leaking(session: psycopg.Connection, _call: str, first: int, count: int) -> None:
    for n in range(first, first + count, BLOCK):
        for name in range(n, n + BLOCK, 10):
            text = "x" * 10_000
            session.execute(f"SELECT set_config('leak.n{name}', '{text}', false)")
