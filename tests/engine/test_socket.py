"""The engine's socket is removed, replaced, or cannot be made."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
from callers import Caller, Callers
from conftest import fails
from process import wait_until
from running_engine import (
    NOT_IN_PREREQUISITE_STATE,
    ONE,
    TINY,
    another,
    folder,
    kill,
    running,
    session,
)

pytestmark = pytest.mark.server

# The engine looks after its socket once a second.
BACK = 2.0


@pytest.fixture
def calling(url):
    """A session that is connected to the engine."""
    with session(url) as connection:
        running(connection)
        connection.execute(ONE, (TINY, "a"))
        yield connection
        running(connection)


def assert_comes_back(calling, url, same_engine):
    """A new session is served soon; one that is connected notices nothing."""
    engine = running(calling)
    with Callers([Caller(url, ONE, (TINY, "b"), pause=0.01)]) as old:
        wait_until(lambda: old[0].outcomes, what="it is connected")
        yield
        began = time.monotonic()
        with session(url) as fresh:
            assert fresh.execute(ONE, (TINY, "c")).fetchone()
        back = time.monotonic() - began
        print(f"a new session is served after {back:.2f} s")
        assert back < BACK
    if same_engine:
        assert old.errors() == [] and running(calling) == engine
    assert calling.execute(ONE, (TINY, "a")).fetchone()


comes_back = contextmanager(assert_comes_back)


def test_removed(calling, url):
    with comes_back(calling, url, same_engine=True):
        (folder() / "socket").unlink()


def test_removed_with_its_directory(calling, url):
    with comes_back(calling, url, same_engine=True):
        shutil.rmtree(folder())
    assert folder().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["file", "fifo", "link"])
def test_something_else_in_its_place(calling, url, kind):
    """The engine takes it for another's, and leaves; the next one clears up."""
    socket = folder() / "socket"
    with comes_back(calling, url, same_engine=False):
        socket.unlink()
        if kind == "file":
            socket.write_text("nothing")
        elif kind == "fifo":
            os.mkfifo(socket)
        else:
            socket.symlink_to("/dev/null")
    assert socket.is_socket() and not socket.is_symlink()


def test_a_directory_in_its_place_is_an_error_until_it_is_gone(calling):
    engine = running(calling)
    socket = folder() / "socket"
    calling.execute("SET itembank_embed.engine_start_timeout = '1500ms'")
    socket.unlink()
    socket.mkdir()
    try:
        wait_until(lambda: not engine.is_alive(), 5, "the engine leaves")
        error = fails(calling, NOT_IN_PREREQUISITE_STATE, f"SELECT embed('{TINY}', 'a')")
        assert "exited with code" in error.diag.message_detail
    finally:
        socket.rmdir()
    calling.execute("SELECT pg_reload_conf()")
    running(calling)
    assert calling.execute(ONE, (TINY, "a")).fetchone()


@contextmanager
def full_disk():
    """A file system without room for a single file, over the socket's directory."""
    options = "size=4k,nr_inodes=1,mode=0700"
    owner = folder().stat()
    options += f",uid={owner.st_uid},gid={owner.st_gid}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "itembank-test", folder()]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system can be mounted by root alone, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder()], check=True)


def test_full_disk(calling, url):
    """One that runs goes on; one that starts says what is wrong, and comes when there is room."""
    engine = running(calling)
    calling.execute("SET itembank_embed.engine_start_timeout = '1500ms'")
    with full_disk():
        assert calling.execute(ONE, (TINY, "a")).fetchone()
        kill(engine)
        wait_until(lambda: not engine.is_alive(), what="the engine is dead")
        error = fails(calling, NOT_IN_PREREQUISITE_STATE, f"SELECT embed('{TINY}', 'a')")
        assert "exited with code" in error.diag.message_detail
        assert str(folder()) not in str(error)
    calling.execute("SELECT pg_reload_conf()")
    another(calling, engine)
    assert calling.execute(ONE, (TINY, "a")).fetchone()
