"""The engine hangs, is out of memory, loads for long: each ends in a clear error or in recovery."""

import os
import threading
import time

import psycopg
import pytest
from callers import Caller, Callers
from conftest import fails
from process import status, wait_until
from running_engine import (
    CONNECTION_FAILURE,
    INSUFFICIENT_RESOURCES,
    LONG,
    MANY,
    ONE,
    QUERY_CANCELED,
    REAL,
    TINY,
    altered,
    another,
    is_loaded,
    kill,
    limited,
    running,
    session,
    state,
    stopped,
)

pytestmark = pytest.mark.server

HANG = 1.0
# The engine's pings come four times in that time, and a new one has to start and to load.
SOON = 5.0


@pytest.fixture
def calling(url):
    """A session that has used the engine before."""
    with session(url) as connection:
        running(connection)
        connection.execute(ONE, (TINY, "a"))
        yield connection


def until_failed(connection, sqlstate, query, parameters=()):
    """Seconds until it failed so."""
    began = time.monotonic()
    error = pytest.raises(psycopg.Error, connection.execute, query, parameters).value
    assert error.sqlstate == sqlstate, error
    return time.monotonic() - began


def test_a_hung_engine_is_replaced(calling, url):
    callers = Callers(Caller(url, ONE, (REAL, f"hang {n}")) for n in range(4))
    with altered(calling, engine_hang_timeout=1000), callers:
        engine = running(calling)
        wait_until(lambda: all(one.outcomes for one in callers), 20, "all have called once")
        moment = time.monotonic()
        with stopped(engine), session(url) as fresh:
            # Those that connect while it hangs are in no call yet.
            assert fresh.execute(ONE, (TINY, "b")).fetchone()
            another(calling, engine)
        wait_until(lambda: all(one.served_since(moment) for one in callers), 20, "all go on")
    late = [one for caller in callers for one in caller.outcomes if one.error]
    assert len(late) <= len(callers)
    for one in late:
        assert one.error.sqlstate == CONNECTION_FAILURE and one.seconds < HANG + SOON
    assert "no sign of life" in state(calling)["last_exit"]


def test_a_hung_engine_is_seen_and_keeps_nobody(calling, url):
    engine = running(calling)
    with session(url) as admin, stopped(engine):
        assert state(admin)["state"] == "unresponsive"
        assert "not answer" in admin.execute("SELECT engine_summary()").fetchone()[0]
        waits = []
        for query, parameters in ((ONE, (TINY, "a")), (MANY, (TINY, LONG, 200))):
            calling.execute("SET statement_timeout = 100")
            waits.append(until_failed(calling, QUERY_CANCELED, query, parameters))
            calling.execute("SET statement_timeout = 0")
            cancel = threading.Timer(0.1, calling.cancel)
            cancel.start()
            waits.append(until_failed(calling, QUERY_CANCELED, query, parameters))
            cancel.join()
        print("free after, s:", [round(seconds, 3) for seconds in waits])
        assert sorted(waits)[1] < 0.1 + 0.2 and max(waits) < 1
        with session(url) as victim:
            asking = threading.Thread(target=until_failed, args=(victim, "57P01", ONE, (TINY, "b")))
            asking.start()
            time.sleep(0.1)
            ended = "SELECT pg_terminate_backend(%s, 2000)"
            assert admin.execute(ended, (victim.info.backend_pid,)).fetchone() == (True,)
            asking.join(5)
    assert calling.execute(ONE, (TINY, "a")).fetchone()
    assert running(calling) == engine


@pytest.mark.parametrize("room", [8, 64])
def test_out_of_memory(calling, url, room):
    """A limit on its address space, a little above what it has, and a model to load."""
    engine = running(calling)
    # One that has held a model before may have enough left over.
    kill(engine)
    engine = another(calling, engine)
    calling.execute(ONE, (TINY, "a"))
    limit = int(status(engine.pid)["VmSize"].split()[0]) * 1024 + (room << 20)
    with limited(engine, "as", limit), pytest.raises(psycopg.Error) as caught:
        calling.execute(ONE, (REAL, "a"))
    error = caught.value
    print(error.sqlstate, error, error.diag.message_detail)
    assert error.sqlstate in (INSUFFICIENT_RESOURCES, CONNECTION_FAILURE), error
    assert error.diag.message_hint
    running(calling)
    assert calling.execute(MANY, (REAL, "a", 2)).fetchone() == (2,)


def test_no_threads_left(calling, url):
    """A session more gets an error, the others go on."""
    if os.geteuid() == 0 and os.environ["ITEMBANK_SERVER_USER"] == "root":
        pytest.skip("root has no limit on processes")
    engine = running(calling)
    with limited(engine, "nproc", 1):
        with session(url) as fresh:
            fails(fresh, INSUFFICIENT_RESOURCES, f"SELECT embed('{TINY}', 'b')")
        assert calling.execute(ONE, (TINY, "a")).fetchone()
    with session(url) as fresh:
        assert fresh.execute(ONE, (TINY, "b")).fetchone()
    assert running(calling) == engine


def test_no_descriptors_left(calling, url):
    """A session more waits for its turn, no longer than it may; then all is as before."""
    engine = running(calling)
    with limited(engine, "nofile", 4), session(url, engine_start_timeout=500) as fresh:
        assert until_failed(fresh, "55000", ONE, (TINY, "b")) < 0.5 + 0.5
    with session(url) as fresh:
        assert fresh.execute(ONE, (TINY, "b")).fetchone()
    assert running(calling) == engine


def test_a_slow_load_holds_up_nobody_and_can_be_cancelled(calling, url):
    calling.execute("SELECT unload_model(%s)", (REAL,))
    assert not is_loaded(calling, REAL)
    with session(url) as slow:
        slow.execute("SET statement_timeout = 40")
        assert until_failed(slow, QUERY_CANCELED, ONE, (REAL, "a")) < 0.04 + 0.3
        slow.execute("SET statement_timeout = 0")
        calling.execute("SELECT unload_model(%s)", (REAL,))
        other = Caller(url, ONE, (TINY, "b"), pause=0.01)
        with Callers([other]):
            other.once()
            began = time.monotonic()
            slow.execute(ONE, (REAL, "a"))
            ended = time.monotonic()
    beside = [one for one in other.outcomes if one.began > began and one.ended < ended]
    slowest = max(one.seconds for one in beside)
    print(f"load {ended - began:.2f} s, {len(beside)} calls beside it, {slowest:.3f} s at most")
    assert len(beside) > 5 and slowest < (ended - began) / 2 and not other.errors()


def test_load_and_unload(calling, url):
    load, unload = "SELECT load_model(%s)", "SELECT unload_model(%s)"
    calling.execute(unload, (REAL,))
    assert calling.execute(unload, (REAL,)).fetchone() == (False,)
    assert calling.execute(load, (REAL,)).fetchone() == (True,)
    assert is_loaded(calling, REAL)
    assert calling.execute(load, (REAL,)).fetchone() == (False,)
    memory = state(calling)["memory"]
    assert calling.execute(unload, (REAL,)).fetchone() == (True,)
    assert not is_loaded(calling, REAL)
    # Its tables and weights take more than twice that.
    given_back = memory - (100 << 20)
    wait_until(lambda: state(calling)["memory"] < given_back, 5, "its memory is given back")
    fails(calling, "42704", "SELECT load_model('no-such-model')")
    assert calling.execute("SELECT unload_model('no-such-model')").fetchone() == (False,)


def test_loads_do_not_pile_up(calling):
    """An allocator keeps some of what a model took, but not more and more of it."""
    engine, memory = running(calling), []
    for _ in range(5):
        calling.execute("SELECT load_model(%s)", (REAL,))
        memory.append(state(calling)["memory"])
        calling.execute("SELECT unload_model(%s)", (REAL,))
    print("loaded, MB:", [one >> 20 for one in memory])
    assert max(memory) < 2.5 * memory[0]
    assert running(calling) == engine


def test_unloading_waits_for_calls_and_fails_none(calling, url):
    callers = Callers(Caller(url, MANY, (TINY, f"some text {n}", 200)) for n in range(3))
    with callers:
        wait_until(lambda: all(one.outcomes for one in callers), 20, "all have called once")
        for _ in range(10):
            calling.execute("SELECT unload_model(%s)", (TINY,))
    assert callers.errors() == []
