"""Who reaches the engine, and what it has of the server's."""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from conftest import setting
from fakes import RELEASE, frame, hello
from process import (
    as_user,
    children,
    descriptors,
    environment,
    identity,
    parent,
    postmaster,
    status,
    wait_until,
)
from running_engine import INSUFFICIENT_PRIVILEGE, ONE, TINY, folder, running, session, state

pytestmark = pytest.mark.server

# A user that no system has.
STRANGER = 65533
ALLOWED = {
    "PATH",
    "LANG",
    "HOME",
    "TZ",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "MALLOC_ARENA_MAX",
    "ORT_DISABLE_TELEMETRY",
}


@pytest.fixture
def calling(url):
    """A session that is connected to the engine."""
    with session(url) as connection:
        running(connection)
        connection.execute(ONE, (TINY, "a"))
        yield connection


def talk(said: bytes, user: dict | None = None, end: bool = False) -> bytes:
    """What the engine answers somebody, until it closes the connection; the server's user, usually.

    In a child of this process, since another user may not be allowed to run a Python.
    """
    path, who = str(folder() / "socket"), identity() if user is None else user
    answer, outgoing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            become(who)
            os.write(outgoing, conversation(path, said, end))
            code = 0
        except OSError as error:
            code = error.errno
        finally:
            os._exit(code)
    os.close(outgoing)
    with open(answer, "rb") as stream:
        got = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))
    return got


def become(who: dict) -> None:
    """Another user, for good."""
    if who:
        os.setgroups(who["extra_groups"])
        os.setresgid(*[who["group"]] * 3)
        os.setresuid(*[who["user"]] * 3)


def conversation(path: str, said: bytes, end: bool) -> bytes:
    """Says it, and hears until the other side has nothing more to say, or for some seconds."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(5)
        stream.connect(path)
        heard = b""
        with suppress(ConnectionResetError, BrokenPipeError):
            stream.sendall(said)
            if end:
                stream.shutdown(socket.SHUT_WR)
            while part := stream.recv(4096):
                heard += part
        return heard


def test_only_the_server_s_user_connects(calling):
    path = folder() / "socket"
    owner = identity().get("user", os.geteuid())
    for place, mode in ((folder(), 0o700), (path, 0o600)):
        found = place.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (mode, owner), place
    if os.geteuid() != 0:
        pytest.skip("only root can try as somebody else")
    with pytest.raises(PermissionError):
        talk(b"", as_user(STRANGER))


def test_root_comes_no_further_than_the_door(calling):
    """File modes do not stop root; credentials do."""
    if os.geteuid() != 0 or identity()["user"] == 0:
        pytest.skip("for root, with a server of another user")
    assert talk(hello(RELEASE), as_user(0)) == b""
    assert calling.execute(ONE, (TINY, "a")).fetchone()


GARBAGE = {
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "endless": b"\xff\xff\xff\xff" + b"x" * 10_000,
    "long greeting": (1 << 20).to_bytes(4, "little") + b"x" * 10_000,
    "empty frame": frame(b""),
    "no such message": frame(b"\x63"),
    "options first": frame(b"\1"),
    "question first": frame(b"\2\1\0\0"),
    "bytes after a greeting": frame(hello(RELEASE)[4:] + b"\0"),
    "random": bytes((n * 73 + 11) % 256 for n in range(5000)),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_ends_its_connection_alone(calling, name):
    engine, connections = running(calling), state(calling)["connections"]
    assert talk(GARBAGE[name], end=True) == b""
    assert calling.execute(ONE, (TINY, "a")).fetchone()
    assert running(calling) == engine
    wait_until(
        lambda: state(calling)["connections"] == connections, 5, "it is not counted any more"
    )


def test_another_version_is_told_so(calling):
    answer = talk(hello("9.9.9"))
    assert answer[4] == 1 and b"version" in answer and b"9.9.9" in answer and b"Restart" in answer
    answer = talk(hello(RELEASE, protocol=99))
    assert answer[4] == 1 and b"99" in answer


def test_a_greeting_in_pieces_and_an_end_in_the_middle(calling):
    engine, connections = running(calling), state(calling)["connections"]
    for said in (hello(RELEASE)[:3], hello(RELEASE)[:-2], b""):
        assert talk(said, end=True) == b""
    wait_until(lambda: state(calling)["connections"] == connections, 5, "they are not counted")
    assert running(calling) == engine


CALLS = [
    f"SELECT embed('{TINY}', 'a')",
    f"SELECT embed('{TINY}', ARRAY['a'])",
    f"SELECT rerank_score('a', 'b', model => '{TINY}')",
    f"SELECT count_tokens('{TINY}', 'a')",
    "SELECT models()",
    f"SELECT load_model('{TINY}')",
    f"SELECT unload_model('{TINY}')",
    "SELECT engine_status()",
    "SELECT engine_models()",
    "SELECT engine_reset_statistics()",
    "SELECT engine_summary()",
]


@pytest.mark.parametrize("call", CALLS)
def test_without_execute_the_engine_is_not_reached(url, calling, call):
    before = state(calling)
    with session(url) as other, other.transaction(force_rollback=True):
        other.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
        other.execute("CREATE ROLE outsider")
        other.execute("SET LOCAL ROLE outsider")
        with pytest.raises(psycopg.Error) as caught, other.transaction():
            other.execute(call)
        assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, caught.value
    after = state(calling)
    for count in ("requests", "failures", "canceled", "connections", "models"):
        assert after[count] == before[count], count


def test_what_changes_the_engine_is_the_superuser_s(url, calling):
    calls = ("load_model('tiny-bert')", "unload_model('tiny-bert')", "engine_reset_statistics()")
    calls += ("engine_status()", "engine_models()", "engine_summary()")
    with session(url) as other, other.transaction(force_rollback=True):
        other.execute("CREATE ROLE outsider")
        other.execute("SET LOCAL ROLE outsider")
        for call in calls:
            with pytest.raises(psycopg.Error) as caught, other.transaction():
                other.execute(f"SELECT {call}")
            assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, call
        # Who watches the server sees how the engine fares, and no file.
        other.execute("RESET ROLE; GRANT pg_monitor TO outsider; SET LOCAL ROLE outsider")
        assert state(other)["state"] == "running"
        shown = other.execute(
            "SELECT engine_summary() || (SELECT string_agg(e::text, '') FROM itembank_engine AS e)"
        ).fetchone()[0]
        assert setting("ITEMBANK_FIXTURES") not in shown, "files are not for every user to know"


def test_the_engine_has_nothing_of_the_server(calling):
    engine = running(calling).pid
    names = set(environment(engine))
    unknown = {name for name in names - ALLOWED if not name.startswith("NVIDIA_")}
    assert not unknown and names >= {"PATH", "HOME", "LANG"}
    server = postmaster(Path(setting("ITEMBANK_TEST_DATA")))
    supervisor = parent(engine)
    assert parent(supervisor) == server
    theirs = {target for pid in (server, calling.info.backend_pid) for target in kept(pid)}
    own = descriptors(engine)
    assert not theirs & kept(engine), "nothing is shared with a session or the postmaster"
    assert own[0].startswith("pipe:") and own[1] == own[2] and own[1].startswith("pipe:")
    data = str(folder().parent.parent)
    assert not [
        target for target in own.values() if target.startswith((data + "/base", data + "/pg_"))
    ]
    assert [own[0], own[1]] == [target for target in own.values() if target.startswith("pipe:")][:2]
    assert children(engine) == []


def kept(pid):
    """Pipes, sockets and files by name, without those that everybody has."""
    targets = descriptors(pid).values()
    return {one for one in targets if not one.startswith(("/dev/", "anon_inode:"))}


def test_the_engine_s_signals_are_not_the_server_s(calling):
    engine = running(calling).pid
    found = status(engine)
    assert int(found["SigBlk"], 16) == 0
    handled = int(found["SigCgt"], 16)
    for number in (1, 2, 3, 10, 12, 14, 15):
        assert not handled >> (number - 1) & 1, number
        assert not int(found["SigIgn"], 16) >> (number - 1) & 1, number
    score = int(Path(f"/proc/{engine}/oom_score_adj").read_text())
    assert score >= 500, "the kernel takes it before any process of Postgres"
    assert os.getpgid(engine) == engine, "a signal to the server's group is not for it"
