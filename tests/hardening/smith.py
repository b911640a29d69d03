"""Random statements against the extension, by sqlsmith and by calls of our own; then a look around.

    smith.py SQLSMITH SECONDS SEED      on the server of dev/sqlsmith.sh, with sample.sql's database

Two sqlsmiths and two callers at once: of each, one as an ordinary role that owns some tables, and
one as a superuser. sqlsmith draws functions from focus.pg_proc; meant.py and values.py know what an
argument is meant to be, and what else may come.

Checked, a line each: our functions were reached and did answer; no process of the server's died, no
thread panicked; no internal error (XX...); the engine is the same; nothing is locked or left open;
what nobody may change is unchanged; memory is bounded; vectors are those of before.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psycopg
import server_log
from server_processes import engines, is_engine, processes, proportional, zombies
from verdict import Verdict

HERE = Path(__file__).parent
ROLES = ("author", "chief")
EVERY = 2  # seconds between two looks at memory
PATIENCE = 60  # seconds until all sessions have ended
ENGINE_GROWTH = 64_000_000  # bytes from the second third of the time to the last
BACKEND_LIMIT = 1_500_000_000  # bytes of one session, models of its own included
LEAST_STATEMENTS = 20  # with our functions that were answered, and that failed
LEAST_REACHED = 0.9  # share of our functions that were called; of them …
LEAST_ANSWERED = 0.6  # … share that answered at least once
KEPT = "SELECT relname FROM pg_class WHERE relnamespace = 'kept'::regnamespace AND relkind = 'r'"
DIGEST = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM kept.{} AS t"
ANSWERS = """
    SELECT embed(m, '두 수의 합')::text
    FROM unnest(ARRAY['tiny-bert', 'tiny-cls', 'tiny-st']) AS m"""
ACTIVE = "SELECT query FROM pg_stat_activity WHERE application_name = 'calls' AND state = 'active'"
RETURNED = """
    SELECT count(*), coalesce(sum(s.calls), 0)
    FROM pg_stat_user_functions AS s JOIN focus.ours AS o ON o.oid = s.funcid"""
LOCKS = """
    SELECT count(*) FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a USING (pid)
    WHERE l.pid IS DISTINCT FROM pg_backend_pid()
      AND a.backend_type IS DISTINCT FROM 'autovacuum worker'
      AND coalesce(a.backend_type, '') NOT LIKE 'itembank%'"""
OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()"""


def url_of(role: str) -> str:
    """The same server as another role, whose password is the superuser's."""
    return os.environ["ITEMBANK_TEST_URL"].replace("://postgres", f"://{role}", 1)


class Clients:
    """sqlsmith and our own callers, one of each a role."""

    def __init__(self, sqlsmith: str, seed: int, logs: Path):
        self.smiths, self.callers = [], []
        for n, role in enumerate(ROLES):
            print(f"    sqlsmith as {role}: --seed={seed + n}; calls as {role}: {seed + 10 + n}")
            command = [
                sqlsmith,
                f"--target={url_of(role)}",
                f"--seed={seed + n}",
                "--exclude-catalog",
                "--verbose",
            ]
            with (logs / f"sqlsmith-{role}.log").open("wb") as log:
                self.smiths.append(subprocess.Popen(command, stdout=log, stderr=log))
            command = [sys.executable, HERE / "calls.py", url_of(role), str(seed + 10 + n)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.callers.append(subprocess.Popen(command, **pipes))

    def running(self) -> bool:
        return all(one.poll() is None for one in [*self.smiths, *self.callers])

    def stop(self) -> list[dict]:
        """What the callers counted."""
        for smith in self.smiths:
            smith.terminate()
        told = []
        for caller in self.callers:
            try:
                told.append(json.loads(caller.communicate("", timeout=PATIENCE)[0] or "{}"))
            except subprocess.TimeoutExpired:
                told.append({"stuck": True})
        for smith in self.smiths:
            smith.wait()
        return told

    def kill(self) -> None:
        for one in [*self.smiths, *self.callers]:
            if one.poll() is None:
                one.kill()
                one.wait()


class Memory:
    """Looked at now and then: the engine's, and the largest session's."""

    def __init__(self):
        self.engine: list[int] = []
        self.largest = 0

    def look(self) -> None:
        everybody = processes()
        self.engine.append(sum(proportional(one.pid) for one in everybody if is_engine(one)))
        others = [proportional(one.pid) for one in everybody if not is_engine(one)]
        self.largest = max(self.largest, *others)


def at_rest(admin: psycopg.Connection) -> None:
    """Waits until only this session is left."""
    deadline = time.monotonic() + PATIENCE
    while admin.execute(OTHERS).fetchone() != (0,) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)


def state(admin: psycopg.Connection) -> dict:
    """What has to be the same before and after."""
    return {
        "tables that nobody may change": {
            name: admin.execute(DIGEST.format(name)).fetchone()
            for (name,) in admin.execute(KEPT).fetchall()
        },
        "vectors": admin.execute(ANSWERS).fetchall(),
        "the postmaster": admin.execute("SELECT pg_postmaster_start_time()").fetchone(),
        "the engine": [one.pid for one in engines()],
    }


def run(sqlsmith: str, seconds: float, seed: int, verdict: Verdict) -> None:
    logs = Path(os.environ["ITEMBANK_TEST_DATA"]).parent
    memory = Memory()
    with psycopg.connect(os.environ["ITEMBANK_TEST_URL"], autocommit=True) as admin:
        before = state(admin)
        admin.execute("SELECT pg_stat_reset()")
        clients = Clients(sqlsmith, seed, logs)
        try:
            until = time.monotonic() + seconds
            while clients.running() and time.monotonic() < until:
                time.sleep(EVERY)
                memory.look()
            verdict.check("all clients went on to the end", clients.running(), f"{seconds:g} s")
            told = clients.stop()
            stuck = any("stuck" in one for one in told)
            facts = str(admin.execute(ACTIVE).fetchall())[:600] if stuck else ""
            verdict.check("every call came to an end", not stuck, facts)
        finally:
            clients.kill()
    # A session of its own: the former may be gone with the server.
    with psycopg.connect(os.environ["ITEMBANK_TEST_URL"], autocommit=True) as admin:
        at_rest(admin)
        judge_calls(verdict, admin, told)
        judge_server(verdict, admin, before)
    judge_memory(verdict, memory)


def judge_calls(verdict: Verdict, admin: psycopg.Connection, told: list[dict]) -> None:
    """Who asked what, and what came of it."""
    names = admin.execute("SELECT DISTINCT name FROM focus.ours").fetchall()
    found = server_log.read([name.rpartition(".")[2].strip('"') for (name,) in names])
    for client, one in sorted(found.clients.items()):
        ours = one.answered_ours + one.failed_ours
        facts = (
            f"{one.answered + one.states.total()} statements, {ours} with our functions, of them"
            f" {one.answered_ours} answered; errors {dict(one.states.most_common(12))}"
        )
        reached = min(one.answered_ours, one.failed_ours) >= LEAST_STATEMENTS
        verdict.check(f"{client} reached our functions", reached, facts)
    verdict.check("both kinds of clients spoke", len(found.clients) == 2, ", ".join(found.clients))
    judge_functions(verdict, admin, told)
    verdict.check("no process died", not found.deaths, "; ".join(found.deaths[:3]) or "none")
    for fault, count in found.internal.most_common():
        print(f"        {count} x {fault}\n          {found.examples[fault][:3000]}")
    verdict.check("no internal error", not found.internal, f"{len(found.internal)} kinds")


def judge_functions(verdict: Verdict, admin: psycopg.Connection, told: list[dict]) -> None:
    """Each of them, by what the callers counted and by what the server did."""
    tried, answered = Counter(), Counter()
    for one in told:
        tried.update(one.get("tried", {}))
        answered.update(one.get("answered", {}))
    every = set().union(*(one.get("functions", []) for one in told))
    called = len([name for name in every if tried[name]]) / max(len(every), 1)
    facts = f"{called:.0%} of {len(every)}, {tried.total()} calls"
    verdict.check("every function was called", called >= LEAST_REACHED, facts)
    # An `internal` is nothing that SQL can have; a trigger function wants a trigger.
    visible = {name for name in every if "internal" not in name}
    silent = sorted(name for name in visible if not answered[name])
    share = 1 - len(silent) / max(len(visible), 1)
    short = ", ".join(name.partition(".")[2].partition("(")[0] for name in silent)
    facts = f"{share:.0%}, {answered.total()} answers; never: {short}"
    verdict.check("functions answered, too", share >= LEAST_ANSWERED, facts)
    functions, returned = admin.execute(RETURNED).fetchone()
    facts = f"{returned} calls of {functions} functions returned, as the server counts"
    verdict.check("our functions returned", returned > 0, facts)


def judge_server(verdict: Verdict, admin: psycopg.Connection, before: dict) -> None:
    after = state(admin)
    for name, was in before.items():
        facts = "the same" if after[name] == was else f"{was} → {after[name]}"
        verdict.check(name, after[name] == was, facts[:300])
    locks, others = (admin.execute(query).fetchone()[0] for query in (LOCKS, OTHERS))
    verdict.check("nothing is locked", locks == 0, f"{locks} locks, {others} sessions left")
    prepared = admin.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone()[0]
    verdict.check("no transaction is left", prepared == 0, str(prepared))
    verdict.check("no zombies", not zombies(), str(zombies()))


def judge_memory(verdict: Verdict, memory: Memory) -> None:
    """A leak of every call would go on to the end; what the largest batch took may stay."""
    third = len(memory.engine) // 3
    if third and max(memory.engine):
        first, middle, last = (
            statistics.median(memory.engine[n * third : (n + 1) * third]) for n in range(3)
        )
        facts = " → ".join(f"{part / 1e6:.0f}" for part in (first, middle, last)) + " MB"
        verdict.check("the engine's memory is bounded", last <= middle + ENGINE_GROWTH, facts)
    facts = f"{memory.largest / 1e6:.0f} MB at most"
    verdict.check("a session's memory is bounded", 0 < memory.largest <= BACKEND_LIMIT, facts)


if __name__ == "__main__":
    outcome = Verdict()
    run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), outcome)
    outcome.end()
