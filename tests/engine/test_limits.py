"""Memory, queue, models at start, and settings that change while the engine runs."""

import time

import psycopg
import pytest
from callers import Caller, Callers
from conftest import fails
from process import wait_until
from running_engine import (
    INSUFFICIENT_RESOURCES,
    LONG,
    MANY,
    ONE,
    REAL,
    TINY,
    alter,
    altered,
    is_loaded,
    models,
    other_engine,
    running,
    session,
    state,
)

pytestmark = pytest.mark.server

SMALL = ("tiny-bert", "tiny-cls", "tiny-last")


@pytest.fixture
def calling(url):
    """A session, an engine that runs."""
    with session(url) as connection:
        running(connection)
        yield connection


def test_the_least_recently_used_model_goes_for_another(calling):
    for model in (REAL, *SMALL):
        calling.execute("SELECT unload_model(%s)", (model,))
    for model in SMALL:
        calling.execute(ONE, (model, "a"))
    # Room for any two of them.
    size = sum(models(calling)[model]["bytes"] for model in SMALL)
    with altered(calling, memory_limit=f"{(size - 1) // 1024}kB"):
        wait_until(lambda: not is_loaded(calling, SMALL[0]), 5, "the oldest goes")
        assert is_loaded(calling, SMALL[1]) and is_loaded(calling, SMALL[2])
        calling.execute(ONE, (SMALL[1], "a"))
        calling.execute(ONE, (SMALL[0], "a"))
        wait_until(lambda: not is_loaded(calling, SMALL[2]), 5, "the oldest goes")
        assert is_loaded(calling, SMALL[0]) and is_loaded(calling, SMALL[1])
        error = fails(calling, INSUFFICIENT_RESOURCES, f"SELECT embed('{REAL}', 'a')")
        assert "memory_limit" in error.diag.message_hint
        assert is_loaded(calling, SMALL[0]), "nobody goes for one that never fits"
    calling.execute(ONE, (REAL, "a"))


def test_two_models_that_fit_one_at_a_time_serve_both(calling, url):
    """They take turns; slow, but nobody fails."""
    for model in (REAL, *SMALL):
        calling.execute("SELECT unload_model(%s)", (model,))
    calling.execute(ONE, (SMALL[0], "a"))
    size = models(calling)[SMALL[0]]["bytes"]
    callers = Callers(Caller(url, ONE, (model, f"{n}")) for model in SMALL[:2] for n in range(4))
    with altered(calling, memory_limit=f"{size * 3 // 2 // 1024}kB"), callers:
        wait_until(lambda: all(len(one.outcomes) >= 5 for one in callers), 40, "all have called")
    assert callers.errors() == []


def test_too_many_requests_are_refused(calling, url):
    calling.execute(ONE, (REAL, "a"))
    with altered(calling, max_queue=2):
        arrays = Callers(Caller(url, MANY, (REAL, LONG, 500)) for _ in range(2))
        with arrays:
            wait_until(lambda: refused(calling), 10, "there is no room for a third")
            error = fails(calling, INSUFFICIENT_RESOURCES, f"SELECT embed('{REAL}', 'a')")
            assert "max_queue" in error.diag.message_hint and REAL in str(error)
            assert calling.execute(ONE, (TINY, "a")).fetchone(), "another model has its own queue"
            for one in arrays:
                one.stopping.set()
                one.connection.cancel()
        wait_until(lambda: not refused(calling), 5, "there is room again")


def refused(connection):
    """Whether a call is, by the setting of now."""
    try:
        connection.execute(ONE, (REAL, "a"))
    except psycopg.Error as error:
        return error.sqlstate == INSUFFICIENT_RESOURCES
    return False


def test_models_are_loaded_at_start(calling):
    with other_engine(calling, preload_models=f" {REAL}, no-such-model ") as engine:
        wait_until(lambda: is_loaded(calling, REAL), 20, "it is loaded though nobody asked for it")
        found = models(calling)[REAL]
        assert found["requests"] == 0 and found["load_seconds"] > 0
        settings = {"model_path": None, "intra_op_threads": None}
        for name in settings:
            calling.execute(f"RESET itembank_embed.{name}")
        began = time.monotonic()
        calling.execute(ONE, (REAL, "a"))
        assert time.monotonic() - began < found["load_seconds"], "the first call finds it loaded"
        assert running(calling) == engine


def test_a_reload_reaches_the_engine_that_runs(calling):
    """Whatever can be changed in a running engine is."""
    engine = running(calling)
    calling.execute("SELECT unload_model(%s)", (REAL,))
    changes = {
        "preload_models": REAL,
        "prepare_threads": 1,
        "fixed_cost_tokens": 10,
        "batching": "off",
        "max_queue": 5,
    }
    with altered(calling, **changes):
        wait_until(lambda: is_loaded(calling, REAL), 20, "it is loaded though nobody asked for it")
        assert running(calling) == engine
        assert calling.execute(MANY, (TINY, "a", 300)).fetchone() == (300,)
    assert running(calling) == engine


def test_settings_of_a_session_hold_for_it_alone(url):
    with session(url) as plain, session(url, max_input_bytes=5) as strict:
        assert plain.execute(ONE, (TINY, "longer")).fetchone()
        fails(strict, "54000", f"SELECT embed('{TINY}', 'longer')")
        strict.execute("SET itembank_embed.max_input_bytes = 100")
        assert strict.execute(ONE, (TINY, "longer")).fetchone()


def test_other_threads_are_another_load(url):
    """Of the same model, for whoever asks so; both are counted under one name."""
    with session(url) as two, session(url, intra_op_threads=1) as one:
        two.execute("SELECT unload_model(%s)", (TINY,))
        assert two.execute(ONE, (TINY, "a")).fetchone() == one.execute(ONE, (TINY, "a")).fetchone()
        two.execute("SET itembank_embed.intra_op_threads = 2")
        two.execute(ONE, (TINY, "a"))
        assert models(two)[TINY]["loaded"]
        assert two.execute("SELECT unload_model(%s)", (TINY,)).fetchone() == (True,)
        assert not models(two)[TINY]["loaded"] and one.execute(ONE, (TINY, "b")).fetchone()


def test_a_mistake_in_a_setting_keeps_the_engine(calling):
    engine = running(calling)
    with pytest.raises(psycopg.Error):
        alter(calling, max_queue=0)
    assert running(calling) == engine and state(calling)["state"] == "running"
