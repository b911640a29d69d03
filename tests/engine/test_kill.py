"""`kill -9` of the engine under load: who notices, for how long, and what is left behind."""

import os
import random
import time
from dataclasses import dataclass

import pytest
from callers import Caller, Callers
from conftest import setting
from process import (
    anonymous,
    descriptors,
    engines,
    parent,
    postmaster,
    shared_files,
    shared_segments,
    wait_until,
    zombies,
)
from running_engine import (
    CONNECTION_FAILURE,
    ONE,
    REAL,
    TINY,
    another,
    data,
    kill,
    models,
    running,
    session,
    state,
)

pytestmark = pytest.mark.server

ROUNDS = int(os.environ.get("ITEMBANK_KILLS", "5"))
CLIENTS = 32
IDLE = 4
# From SIGKILL until the kernel has closed what a process of hundreds of megabytes had open.
DYING = 0.5
BACK = 2.0
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Holdings:
    """What the server's processes hold, without what changes by itself."""

    postmaster: int
    start: object
    descriptors: dict[int, int]
    files: set[str]
    segments: list[str]
    memory: dict[int, int]

    @classmethod
    def now(cls, admin, sessions: list[int], supervisor: int) -> "Holdings":
        """Of the postmaster, the supervisor and these sessions."""
        server = postmaster(data())
        start = admin.execute("SELECT pg_postmaster_start_time()").fetchone()
        everybody = [server, supervisor, *sessions]
        return cls(
            postmaster=server,
            start=start,
            descriptors={pid: len(descriptors(pid)) for pid in everybody},
            files=shared_files(),
            segments=shared_segments(everybody),
            memory={pid: anonymous(pid) for pid in everybody},
        )


def assert_nothing_leaked(before: Holdings, after: Holdings):
    """Sessions are at work: what they hold may differ a little, whatever the number of rounds."""
    for what in ("postmaster", "start", "segments"):
        assert getattr(after, what) == getattr(before, what), what
    assert after.files <= before.files
    opened = {pid: after.descriptors[pid] - count for pid, count in before.descriptors.items()}
    assert max(opened.values()) <= 2, opened
    growth = {pid: after.memory[pid] - before.memory[pid] for pid in before.memory}
    print("memory, kB:", sorted(bytes // 1024 for bytes in growth.values()))
    assert max(growth.values()) < MEGABYTE, growth


def quiet(callers: Callers):
    """Waits until every client has been served by the engine of now."""
    now = time.monotonic()
    wait_until(lambda: all(caller.served_since(now) for caller in callers), 30, "all are served")


def assert_one_kill_harms_calls_in_flight_alone(callers, idle, admin) -> tuple[float, int]:
    """Seconds until service is back beyond the load, and how many calls failed."""
    engine = running(admin)
    seen = [len(caller.outcomes) for caller in callers]
    moment = time.monotonic()
    kill(engine)
    wait_until(lambda: not engine.is_alive(), what="the engine is dead")
    dead = time.monotonic()
    first = [one.once() for one in idle]
    assert [one.error for one in first] == [None] * len(idle), "idle sessions notice nothing"
    quiet(callers)
    failed = 0
    for caller, before in zip(callers, seen, strict=True):
        outcomes = caller.outcomes[before:]
        errors = [one for one in outcomes if one.error]
        failed += len(errors)
        assert len(errors) <= 1, [str(one.error) for one in errors]
        for one in errors:
            assert one.began < moment + DYING, "the call was in flight"
            assert one.error.sqlstate == CONNECTION_FAILURE, one.error
            assert "Repeat" in one.error.diag.message_hint and one.error.diag.message_detail
    assert another(admin, engine).pid != engine.pid
    model = callers[0].call[1][0]
    load = models(admin)[model]["load_seconds"] or 0
    back = min(one.ended for caller in callers for one in caller.outcomes if one.began >= dead)
    return back - moment - load, failed


@pytest.mark.parametrize("model", [TINY, REAL])
def test_kill_under_load(url, model):
    text = "이차방정식의 두 근의 합과 곱"
    callers = Callers(Caller(url, ONE, (model, f"{text} {n}")) for n in range(CLIENTS))
    idle = Callers(Caller(url, ONE, (model, f"idle {n}")) for n in range(IDLE))
    beside = Callers([Caller(url, "SELECT 1", (), pause=0.001)])
    log = open(setting("ITEMBANK_TEST_LOG"), encoding="utf-8")  # noqa: SIM115
    with session(url) as admin, log, callers, beside:
        log.seek(0, os.SEEK_END)
        for one in idle:
            one.once()
        quiet(callers)
        # The first kill may make somebody take memory that is kept from then on.
        assert_one_kill_harms_calls_in_flight_alone(callers, idle, admin)
        supervisor = parent(running(admin).pid)
        sessions = [one.pid for one in (*callers, *idle, *beside)]
        restarts = state(admin)["restarts"]
        before = Holdings.now(admin, sessions, supervisor)
        rounds = []
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0, 0.7))
            rounds.append(assert_one_kill_harms_calls_in_flight_alone(callers, idle, admin))
        assert_nothing_leaked(before, Holdings.now(admin, sessions, supervisor))
        assert zombies(before.postmaster, supervisor) == []
        assert engines(data()) == [state(admin)["pid"]]
        assert state(admin)["restarts"] == restarts + ROUNDS
        assert beside.errors() == []
        written = log.read()
    for one in idle:
        one.stop()
    back, failed = zip(*rounds, strict=True)
    print("service back beyond the load, s:", [round(seconds, 2) for seconds in sorted(back)])
    print("calls that failed:", failed)
    assert max(back) < BACK and sum(failed) > 0
    for sign in ("terminated by signal", "PANIC", "panicked", "FATAL"):
        assert sign not in written, sign
