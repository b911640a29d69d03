"""A soak: many clients at once, with everything that may happen to them, for MINUTES.

Clients (soak_client.py, a process each) embed texts one by one and in arrays, rerank, embed images,
ask for the engine's status, and send what must fail; some of their statements have a timeout.
Meanwhile sessions are cancelled and terminated, clients vanish, and the engine is killed
(soak_troubles.py).

Three phases: a sixth of the time to get warm, a third with an engine that is killed every 30 s (or
four times, where that is less), half without kills, in which memory is watched: kills would make it
young again. Memory is judged after a fifth of that phase.

Checked (soak_checks.py), a line each, exit status 1 where one fails: no error but the planned ones;
each answer is the one that a model in a session gives alone; the engine's counters agree with what
the clients counted; service is back soon after a kill; memory is flat; nothing is leaked.

Variables: MINUTES (2), CLIENTS (12).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import psycopg
import soak_checks as checks
from engine_process import MODEL, models, status
from measure import load
from soak_questions import all_questions
from soak_sessions import open_session
from soak_troubles import Troubles
from verdict import Verdict

MINUTES = float(os.environ.get("MINUTES", "2"))
CLIENTS = int(os.environ.get("CLIENTS", "12"))
KILL_EVERY = 30
SETTLE = 0.2  # share of the last phase before memory is judged
PATIENCE = 120  # seconds until all sessions have ended


class Clients:
    """All client processes."""

    def __init__(self, answers: Path):
        program = Path(__file__).with_name("soak_client.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.processes = [
            subprocess.Popen([sys.executable, program, str(seed), answers], **pipes)
            for seed in range(CLIENTS)
        ]

    def tell(self, word: str) -> None:
        for process in self.processes:
            process.stdin.write(word + "\n")
            process.stdin.flush()

    def counted(self) -> list[dict]:
        """After a stop."""
        return [json.loads(process.stdout.readline()) for process in self.processes]

    def close(self) -> None:
        for process in self.processes:
            process.stdin.close()
            process.wait()


class Phase:
    """What was seen in one: all clients' counts together, the troubles, the engine's own counts."""

    def __init__(self, clients: Clients, admin: psycopg.Connection, seconds: float, kills=None):
        admin.execute("SELECT engine_reset_statistics()")
        restarts = status(admin)["restarts"]
        self.began = time.time()
        clients.tell("run")
        with Troubles(kills) as self.troubles:
            time.sleep(seconds)
        clients.tell("stop")
        told = clients.counted()
        self.ended = time.time()
        self.engine = at_rest(admin)
        self.restarts = status(admin)["restarts"] - restarts
        self.counts = defaultdict(Counter)
        for counts in [*(one["counts"] for one in told), self.troubles.counts]:
            for model, numbers in counts.items():
                self.counts[model].update(numbers)
        self.errors = [error for one in told for error in one["errors"]]
        self.wrong = [wrong for one in told for wrong in one["wrong"]]
        self.exact = sum(one["exact"] for one in told)
        self.statements = sum(one["statements"] for one in told)

    def total(self, name: str) -> int:
        return sum(counts[name] for counts in self.counts.values())


def at_rest(admin: psycopg.Connection) -> dict[str, dict]:
    """Waits until only this session is left; then, the engine's counts by model."""
    deadline = time.monotonic() + PATIENCE
    alone = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    while time.monotonic() < deadline:
        now = status(admin)
        if admin.execute(alone).fetchone() == (1,) and now["connections"] == 1:
            break
        time.sleep(0.1)
    time.sleep(0.5)
    return models(admin)


def reference(place: Path) -> Path:
    """The answers of a model inside a session, one question after the other."""
    found = []
    with open_session("backend", name="reference") as session:
        for question in all_questions():
            answer = None
            if question.sqlstate is None:
                answer = session.execute(question.query, question.parameters).fetchone()[0]
            found.append(answer)
    file = place / "answers.json"
    file.write_text(json.dumps(found), encoding="utf-8")
    return file


def judge(verdict: Verdict, phases: dict[str, Phase]) -> None:
    """All phases together."""
    for name, phase in phases.items():
        troubles = phase.troubles
        wrong = checks.unplanned(phase.errors, troubles.kills, troubles.terminated)
        facts = (
            f"{phase.statements} statements, {phase.total('answered')} answered,"
            f" {phase.total('interrupted')} interrupted, {len(phase.errors)} lost;"
            f" {dict(troubles.done)}"
        )
        if wrong:
            facts += f"; {len(wrong)} unplanned, as {wrong[:2]}"
        verdict.check(f"{name}: no error but the planned ones", not wrong, facts)
        verdict.check(f"{name}: troubles came", not troubles.failures, str(troubles.failures[:1]))
        if troubles.kills:
            facts = f"{len(troubles.kills)} kills, {phase.restarts} restarts, back after"
            facts += f" {', '.join(f'{seconds:.2f}' for seconds in troubles.back[:8])} s"
            load_seconds = phase.engine[MODEL]["load_seconds"]
            facts += f"; a load takes {load_seconds:.2f} s"
            soon = max(troubles.back, default=0) <= checks.BACK + load_seconds
            good = soon and phase.restarts == len(troubles.kills)
            verdict.check(f"{name}: service comes back", good, facts)
        else:
            checks.counters(verdict, name, phase.counts, phase.engine)
    every = phases.values()
    wrong = [one for phase in every for one in phase.wrong]
    answers = sum(phase.total("answered") for phase in every)
    checks.agreement(verdict, wrong, answers, sum(phase.exact for phase in every))


def judge_memory(verdict: Verdict, phase: Phase) -> None:
    """Of the last phase, once it has settled."""
    from_then = phase.began + SETTLE * (phase.ended - phase.began)
    samples = [sample for when, sample in phase.troubles.samples if when >= from_then]
    checks.flat(verdict, "the engine", [one.engine for one in samples])
    checks.flat(verdict, "all processes", [one.all for one in samples])


def main() -> None:
    seconds = MINUTES * 60
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="itembank-soak-") as place:
        clients = Clients(reference(Path(place)))
        try:
            with open_session(name="admin") as admin:
                started = admin.execute("SELECT pg_postmaster_start_time()").fetchone()
                phases = {"warm": Phase(clients, admin, seconds / 6)}
                before = checks.held()
                kills = min(KILL_EVERY, seconds / 3 / 4)
                phases["kills"] = Phase(clients, admin, seconds / 3, kills)
                phases["steady"] = Phase(clients, admin, seconds / 2)
                after = checks.held()
                same = admin.execute("SELECT pg_postmaster_start_time()").fetchone() == started
        finally:
            clients.close()
    print(f"{MINUTES:g} minutes, {CLIENTS} clients, {load()}")
    judge(verdict, phases)
    judge_memory(verdict, phases["steady"])
    checks.leaks(verdict, before, after)
    verdict.check("the postmaster is the same", same, str(started[0]))
    checks.log_is_clean(verdict)
    verdict.end()


if __name__ == "__main__":
    main()
