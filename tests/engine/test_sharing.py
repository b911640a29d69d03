"""Many sessions, one engine: one load of a model, the same vectors as each would get alone."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from callers import Caller, Callers
from conftest import ROOT
from process import descriptors, wait_until
from running_engine import MANY, ONE, REAL, TINY, models, running, session, state

pytestmark = pytest.mark.server

TEXTS = [f"{'가나다 ' * (n % 9)}text number {n}" for n in range(40)]
PICTURES = [ROOT / "tests/fixtures/images" / name for name in ("png-rgb8.png", "bmp-24.bmp")]
ALL = "SELECT e::text FROM unnest(embed(%s, %s::text[])) AS e"


def numbers(rows) -> np.ndarray:
    """pgvector's text form as float64 [rows, dimensions]; a score is a vector of one."""
    return np.array([np.fromstring(str(row[0]).strip("[]"), sep=",") for row in rows])


def test_one_load_for_all(url):
    with session(url) as one, session(url) as other:
        one.execute("SELECT unload_model(%s)", (REAL,))
        one.execute(ONE, (REAL, "a"))
        memory, open_files = state(one)["memory"], len(descriptors(running(one).pid))
        began = time.monotonic()
        other.execute(ONE, (REAL, "b"))
        assert time.monotonic() - began < models(one)[REAL]["load_seconds"]
        assert models(one)[REAL]["bytes"] == models(other)[REAL]["bytes"]
        assert state(one)["memory"] - memory < 16 << 20
        assert len(descriptors(running(one).pid)) - open_files <= 2, "a socket and an eventfd"


def test_together_as_alone(url):
    """Whoever the batch mates are: up to the order in which a kernel sums for so many rows."""
    with session(url) as alone:
        expected = numbers([alone.execute(ONE, (TINY, text)).fetchone() for text in TEXTS])
    barrier = threading.Barrier(8)

    def ask(number):
        furthest = 0.0
        with session(url) as connection:
            barrier.wait(20)
            for _ in range(5):
                places = [(place * 7 + number * 5) % len(TEXTS) for place in range(len(TEXTS))]
                rows = [connection.execute(ONE, (TINY, TEXTS[at])).fetchone() for at in places]
                furthest = max(furthest, np.abs(numbers(rows) - expected[places]).max())
            rows = connection.execute(ALL, (TINY, TEXTS)).fetchall()
        return max(furthest, np.abs(numbers(rows) - expected).max())

    with ThreadPoolExecutor(8) as pool:
        furthest = max(pool.map(ask, range(8)))
    print(f"furthest apart: {furthest:.1e}")
    assert furthest <= 1e-6


def cases():
    """Queries of every family, with their parameters."""
    pictures = [path.read_bytes() for path in PICTURES]
    image = "SELECT e::text FROM unnest(embed(%s, %s::text[], %s::bytea[])) AS e"
    rerank = "SELECT score FROM rerank(%s, %s::text[], model => %s) ORDER BY index"
    text = "숙제 문제 하나"
    return {
        "text": (ALL, (TINY, TEXTS)),
        "text, real": (ALL, (REAL, TEXTS)),
        "text, last token": (ALL, ("tiny-last", TEXTS)),
        "derived": (ALL, ("tiny-st", TEXTS)),
        "siglip text": (ALL, ("tiny-siglip", TEXTS)),
        "siglip image": (image, ("tiny-siglip", [None, None], pictures)),
        "qwen text": (ALL, ("tiny-qwen3-vl", TEXTS)),
        "qwen image": (image, ("tiny-qwen3-vl", [None, text], pictures)),
        "qwen int8": (ALL, ("tiny-qwen3-vl-p14-int8", TEXTS)),
        "cross encoder": (rerank, (text, TEXTS, "tiny-cross-bert")),
        "late interaction": (rerank, (text, TEXTS, REAL)),
        "qwen reranker": (rerank, (text, TEXTS[:5], "tiny-qwen3-vl-reranker")),
    }


@pytest.mark.parametrize("name", cases())
def test_both_engines_give_the_same(url, name):
    query, parameters = cases()[name]
    with session(url, engine="server") as server, session(url, engine="backend") as backend:
        theirs = numbers(server.execute(query, parameters).fetchall())
        own = numbers(backend.execute(query, parameters).fetchall())
    assert theirs.shape == own.shape and theirs.size
    difference = float(np.abs(theirs - own).max())
    print(f"{name}: {difference:.1e}")
    assert difference <= 1e-6


def test_an_interactive_call_beside_an_array_of_5000(url):
    """It waits for the run under way, not for the array."""
    text = "query: an interactive call of about sixteen tokens, no more"
    with session(url) as single, session(url) as admin:
        running(single)
        latency(single, text)
        idle = statistics.median(latency(single, text) for _ in range(20))
        array = Caller(url, MANY, (REAL, f"{text} and some words that make it longer", 5000))
        with Callers([array]):
            wait_until(lambda: state(admin)["queued"] > 0, 20, "the array's rows are queued")
            admin.execute("SELECT engine_reset_statistics()")
            busy = [latency(single, text) for _ in range(20)]
            run = models(admin)[REAL]["run_p95_ms"] / 1000  # of those that were not broken off
            assert not array.outcomes, "the array was under way all the time"
            array.stopping.set()
            array.connection.cancel()
    median = statistics.median(busy)
    print(f"alone {idle:.4f} s, beside it {median:.4f} s (most {max(busy):.4f}), a run {run:.4f} s")
    # The array takes some thousand times as long as one call alone.
    assert median < 3 * idle + 2 * run and max(busy) < 100 * idle


def latency(connection, text):
    """Seconds of one call."""
    began = time.monotonic()
    connection.execute(ONE, (REAL, text))
    return time.monotonic() - began


def test_the_engine_maps_a_model_once(url):
    """However many sessions ask for it."""
    with (
        session(url) as admin,
        Callers(Caller(url, ONE, (REAL, f"{n}")) for n in range(8)) as eight,
    ):
        wait_until(lambda: all(one.outcomes for one in eight), 30, "all have called")
        engine = running(admin).pid
        assert [one["name"] for one in models(admin).values() if one["loaded"]].count(REAL) == 1
        for one in eight:
            maps = Path(f"/proc/{one.pid}/maps").read_text()
            assert ".onnx" not in maps and "onnxruntime" not in maps, "a session holds no model"
        assert "onnxruntime" in Path(f"/proc/{engine}/maps").read_text()
