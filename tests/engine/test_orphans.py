"""Whatever ends, nothing is left behind: processes of a dead server, work of a dead session."""

import os
import signal
import subprocess
import threading
import time

import psycopg
import pytest
from cluster import Cluster
from conftest import setting
from process import parent, wait_until
from running_engine import LONG, MANY, ONE, REAL, TINY, another, running, session, state

pytestmark = pytest.mark.server

# A postmaster's death is seen at once, a run is broken off between two operators.
SOON = 5.0
WORK = (REAL, LONG, 1000)
# Postgres looks after a client that is gone only where it is told to.
LOOK = {"client_connection_check_interval": "100ms"}


@pytest.fixture(scope="module")
def cluster():
    """One server for the tests of this file, started again by each."""
    setting("ITEMBANK_TEST_URL")
    made = Cluster("orphans")
    yield made
    made.destroy()


@pytest.fixture
def server(cluster):
    """Running, with a loaded model and a session that keeps it busy."""
    cluster.start()
    running_work = threading.Thread(target=work_until_the_end, args=(cluster,), daemon=True)
    with cluster.connect() as admin:
        running(admin)
        admin.execute(ONE, (TINY, "a"))
        running_work.start()
        wait_until(lambda: state(admin)["queued"] > 0, 20, "rows wait")
    yield cluster
    running_work.join(10)
    assert not running_work.is_alive(), "a session is stuck"


def work_until_the_end(cluster):
    """A long array; the server's end is its end."""
    connection = cluster.connect()
    with pytest.raises(psycopg.Error):
        connection.execute(MANY, WORK)
    connection.close()


def assert_nothing_is_left(cluster, before):
    took = wait_until(lambda: not any(one.is_alive() for one in before), SOON, "all have ended")
    print(f"the last of {len(before)} processes had ended after {took:.2f} s")
    assert cluster.engines() == []
    cluster.start()
    with cluster.connect() as again:
        assert again.execute(ONE, (TINY, "a")).fetchone()
    cluster.pg_ctl("fast")
    assert cluster.engines() == []


def test_kill_of_the_postmaster(server):
    before = server.processes()
    assert len(before) > 5 and len(server.engines()) == 1
    server.kill()
    assert_nothing_is_left(server, before)


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_stop(server, mode):
    before = server.processes()
    began = time.monotonic()
    server.pg_ctl(mode)
    print(f"pg_ctl took {time.monotonic() - began:.2f} s")
    assert_nothing_is_left(server, before)


def test_smart_stop(cluster):
    """Waits for the sessions, and for nothing else."""
    cluster.start()
    with cluster.connect() as one:
        assert one.execute(ONE, (TINY, "a")).fetchone()
        before = cluster.processes()
        stop = threading.Thread(target=cluster.pg_ctl, args=("smart",))
        stop.start()
        time.sleep(0.5)
        assert one.execute(ONE, (TINY, "b")).fetchone(), "the engine serves the last session too"
    stop.join(20)
    assert not stop.is_alive()
    assert_nothing_is_left(cluster, before)


def assert_recovers(server, killed):
    """Postgres starts all of its processes again, and another engine serves."""
    with server.connect() as admin:
        engine = running(admin)
    os.kill(killed(engine), signal.SIGKILL)
    wait_until(lambda: not engine.is_alive(), SOON, "the engine went with its supervisor")
    wait_until(server.is_ready, 20, "the server has recovered")
    with server.connect() as again:
        assert running(again).pid != engine.pid
        assert again.execute(ONE, (TINY, "a")).fetchone()
    assert len(server.engines()) == 1
    before = server.processes()
    server.pg_ctl("fast")
    assert_nothing_is_left(server, before)


def test_kill_of_the_supervisor(server):
    assert_recovers(server, lambda engine: parent(engine.pid))


def test_kill_of_a_backend(server):
    query = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%array_fill%' AND state = 'active'"

    def worker(_):
        with server.connect() as admin:
            pids = admin.execute(query + " AND pid <> pg_backend_pid()").fetchall()
        return pids[0][0]

    assert_recovers(server, worker)


def test_end_of_the_supervisor(server):
    """By SIGTERM it goes in order, and Postgres starts another."""
    with server.connect() as admin:
        engine = running(admin)
        os.kill(parent(engine.pid), signal.SIGTERM)
        other = another(admin, engine)
        assert admin.execute(ONE, (TINY, "a")).fetchone()
        assert parent(other.pid) != 1 and len(server.engines()) == 1
        assert admin.execute("SELECT pg_postmaster_start_time() < now()").fetchone() == (True,)
    server.pg_ctl("fast")


def psql(url, query, **options):
    """A client that can be killed."""
    program = Cluster.program("psql")
    settings = " ".join(f"-c {name}={value}" for name, value in options.items())
    environment = {**os.environ, "PGOPTIONS": settings}
    command = [program, "-X", "-q", "-d", url, "-c", query]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)


def busy(admin, connections):
    """Whether one more session than before is connected, and has rows in the queue."""
    now = state(admin)
    return now["connections"] == connections + 1 and now["queued"] > 0


def idle(admin, connections):
    """Whether it is gone, with its rows."""
    now = state(admin)
    return now["connections"] == connections and now["queued"] == 0


@pytest.mark.parametrize("victim", ["client", "backend"])
def test_work_of_the_dead_is_dropped(url, victim):
    many = f"embed('{REAL}', array_fill('{LONG}'::text, ARRAY[1000]))"
    with session(url) as admin:
        running(admin)
        admin.execute(ONE, (REAL, "a"))
        wait_until(lambda: state(admin)["queued"] == 0, what="earlier work has ended")
        connections, canceled = state(admin)["connections"], state(admin)["canceled"]
        client = psql(url, f"SELECT count(e) FROM unnest({many}) AS e", **LOOK)
        wait_until(lambda: busy(admin, connections), 20, "its rows are queued")
        if victim == "client":
            client.kill()
        else:
            pids = admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'psql'"
            ).fetchall()
            os.kill(pids[0][0], signal.SIGTERM)
        took = wait_until(lambda: idle(admin, connections), SOON, "its rows are gone")
        client.wait(10)
        print(f"dropped after {took:.2f} s")
        assert state(admin)["canceled"] == canceled + 1
        began = time.monotonic()
        admin.execute(ONE, (REAL, "a"))
        assert time.monotonic() - began < 2, "the run was broken off"
