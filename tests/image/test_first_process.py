"""The container's first process: it takes in whatever its parent leaves behind, so that this is
no concern of PostgreSQL's, and passes on signals and exit codes.
"""

import os
import signal
import time
from pathlib import Path

import pytest

pytest_plugins = ["image_fixtures"]

EMBED = "SELECT vector_dims(embed('multilingual-e5-small', 'x'))"
# All of them are started anew by a crash, and by nothing else.
PROCESSES = """SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_activity
               WHERE backend_type IN ('checkpointer', 'background writer', 'walwriter')"""


@pytest.fixture(scope="module")
def volumes(data_volume):
    return {"/var/lib/postgresql": data_volume("first-process")}


@pytest.fixture
def server(start, volumes):
    server = start("first-process", environment={"POSTGRES_PASSWORD": "a"}, volumes=volumes)
    server.wait_healthy()
    yield server
    server.stop()


def wait_for(what, seconds=60):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def the_process(container, *command: str) -> int:
    """The one that runs the command, by the number that it has outside."""
    line = b"".join(argument.encode() + b"\0" for argument in command)
    [found] = (number for number, has in container.processes("cmdline").items() if has == line)
    return found


def test_an_orphan_that_is_killed_is_no_crash(server):
    """As the engine is when its supervisor ends."""
    leave = "COPY said FROM PROGRAM 'sleep 1000 >/dev/null 2>&1 & echo begun'"
    server.psql(f"CREATE TEMP TABLE said (line text); {leave}", "postgres")
    before = server.psql(PROCESSES, "postgres")
    orphan = the_process(server, "sleep", "1000")
    os.kill(orphan, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{orphan}").exists())  # seen by its parent, too
    assert server.psql(PROCESSES, "postgres") == before
    assert "signal 9" not in server.log.read_text()


def test_a_crash_is_one(server):
    """The engine, which is killed where its supervisor ends, is not another."""
    server.log.write_text("")
    assert server.psql(EMBED, "postgres") == "384"
    writer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"
    before = server.psql(PROCESSES, "postgres")
    server.run(["bash", "-c", f"kill -KILL {server.psql(writer, 'postgres')}"])
    ask = ["psql", "--username=postgres", "-XAtqc", PROCESSES, "postgres"]
    wait_for(lambda: server.run(ask).stdout.strip() not in ("", before))
    assert server.psql(EMBED, "postgres") == "384"
    said = server.log.read_text()
    assert (said.count("signal 9"), said.count("reinitializing")) == (1, 1)


@pytest.mark.parametrize("left", ["its own", "1"])
def test_one_that_was_killed_starts_again(start, volumes, server, left):
    """Whichever number PostgreSQL had: that of an image before was 1, which is another's now."""
    assert server.stop(signal.SIGKILL) != 0
    [file] = volumes["/var/lib/postgresql"].glob("*/data/postmaster.pid")
    number, rest = file.read_text().split("\n", 1)
    assert int(number) > 1
    file.write_text(f"{number if left == 'its own' else left}\n{rest}")
    again = start("first-process", volumes=volumes)
    again.wait_healthy(60)
    assert again.stop(seconds=10) == 0


@pytest.mark.parametrize("code", [0, 7])
def test_exit_code_of_another_command(start, code):
    other = start(f"exit-{code}", command=["bash", "-c", f"exit {code}"])
    assert other.process.wait(60) == code


def test_exit_code_of_a_server_that_cannot_start(start, volumes, server):
    assert server.stop(seconds=10) == 0
    again = start("no-server", volumes=volumes, command=["postgres", "-c", "port=none"])
    assert again.process.wait(60) == 1
    assert 'invalid value for parameter "port"' in again.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_another_command(start, number):
    """With their default action, which a first process does not have."""
    other = start(f"other-{number.name}", command=["sh", "-c", "echo begun; exec sleep 1000"])
    wait_for(lambda: other.log.exists() and "begun" in other.log.read_text())
    assert other.stop(number, seconds=8) == 128 + number
