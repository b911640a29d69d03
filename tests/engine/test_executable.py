"""What is started as the engine is missing, no engine, another version, or never ready."""

import time

import psycopg
import pytest
from conftest import fails
from fakes import frame, program, refused, shell, speaks
from process import wait_until
from running_engine import (
    NOT_IN_PREREQUISITE_STATE,
    ONE,
    TINY,
    alter,
    altered,
    running,
    session,
    state,
)

pytestmark = pytest.mark.server

CALL = f"SELECT embed('{TINY}', 'a')"
# Longer than the start of a broken engine takes, much shorter than the default.
PATIENCE = 1.5


def assert_refused_in_time(connection):
    """The error of a call while there is no engine."""
    began = time.monotonic()
    error = fails(connection, NOT_IN_PREREQUISITE_STATE, CALL)
    assert time.monotonic() - began < PATIENCE + 1
    return error


def assert_works(connection):
    """With the same session."""
    assert connection.execute(ONE, (TINY, "a")).fetchone()[0].startswith("[")


@pytest.fixture
def caller(url):
    """A session that has used the engine before."""
    with session(url) as connection:
        running(connection)
        assert_works(connection)
        connection.execute(f"SET itembank_embed.engine_start_timeout = {int(PATIENCE * 1000)}")
        yield connection
        connection.execute("RESET itembank_embed.engine_start_timeout")
        assert_works(connection)


def replaced(connection, path):
    """Makes the server start this program instead, and waits until the real engine has gone."""
    before = running(connection)
    alter(connection, engine_path=str(path))
    wait_until(lambda: not before.is_alive(), what="the real engine has ended")


def test_missing(caller):
    with altered(caller, engine_path=None):
        replaced(caller, "/no/such/program")
        error = assert_refused_in_time(caller)
        assert "no such file" in error.diag.message_detail.lower()
        assert "/no/such" not in str(error), "a file of the server is not for every user to know"
        assert state(caller)["state"] == "stopped"


def test_not_executable(caller):
    with program("text", "no program") as path, altered(caller, engine_path=None):
        path.chmod(0o644)
        replaced(caller, path)
        error = assert_refused_in_time(caller)
        assert "permission denied" in error.diag.message_detail.lower()


def test_exits_at_once(caller):
    lines = shell("echo WARNING: this one does not want to", "exit 3")
    with program("exits", lines) as path, altered(caller, engine_path=None):
        replaced(caller, path)
        wait_until(lambda: "code 3" in (state(caller)["last_exit"] or ""), what="its code is known")
        error = assert_refused_in_time(caller)
        assert "exited with code 3" in error.diag.message_detail


def test_never_ready(caller):
    with (
        program("sleeps", shell("exec sleep 1000")) as path,
        altered(caller, engine_path=None, engine_hang_timeout=None),
    ):
        replaced(caller, path)
        error = assert_refused_in_time(caller)
        assert "starting" in error.diag.message_detail, error.diag.message_detail
        alter(caller, engine_hang_timeout=1000)
        gone = "no sign of life"
        wait_until(lambda: gone in (state(caller)["last_exit"] or ""), 5, "it is killed")


def test_another_version(caller):
    answer = refused("engine and extension differ", "The engine is 9.9.9.", "Restart the server.")
    with program("other", speaks(answer)) as path, altered(caller, engine_path=None):
        replaced(caller, path)
        error = assert_refused_in_time(caller)
        assert "9.9.9" in error.diag.message_detail


@pytest.mark.parametrize(
    "answer", [frame(b"\7\7\7"), b"\xff\xff\xff\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
def test_speaks_another_language(caller, answer):
    with program("babble", speaks(answer)) as path, altered(caller, engine_path=None):
        replaced(caller, path)
        wait_until(lambda: state_is(caller, "running"), what="it says that it is ready")
        error = pytest.raises(psycopg.Error, caller.execute, CALL).value
        assert error.sqlstate in ("XX000", "54000"), error
        assert error.diag.message_detail and error.diag.message_hint


def state_is(connection, wanted):
    """Whatever `engine_status()` makes of an engine that cannot be understood."""
    try:
        return state(connection)["state"] in (wanted, "unresponsive")
    except psycopg.Error as error:
        return error.sqlstate in ("XX000", "54000")


def test_says_nothing(caller):
    with (
        program("mute", speaks(b"")) as path,
        altered(caller, engine_path=None),
    ):
        replaced(caller, path)
        error = assert_refused_in_time(caller)
        assert "does not answer" in error.diag.message_detail
        assert state(caller)["state"] == "unresponsive"
