"""Whether a soak went as it must: one line a check."""

import os
import statistics
from collections import Counter
from contextlib import suppress
from pathlib import Path

from server_processes import descriptors, engines, postmaster, processes, shared_objects, zombies
from soak_questions import LARGEST_DIFFERENCE
from soak_sessions import ENGINE_LOST, TERMINATED
from verdict import Verdict

AROUND_A_KILL = 5  # seconds in which a call in flight may be told that the engine is gone
FLAT = 0.05
BACK = 2.0  # seconds beyond a model's load time that service may be away
PREPARING, PREPARERS = "prepare", "threads that prepare rows"
SIGNS = ("PANIC", "panicked", "crash of another server process", "server process (PID")


def unplanned(errors: list, kills: list[float], terminated: set[int]) -> list:
    """Errors that nobody meant to cause."""

    def planned(error) -> bool:
        when, sqlstate, _, pid = error
        if sqlstate == ENGINE_LOST:
            return any(0 <= when - kill <= AROUND_A_KILL for kill in kills)
        # None: the connection was lost before the server could say why.
        return sqlstate in (TERMINATED, None) and pid in terminated

    return [error for error in errors if not planned(error)]


def counters(verdict: Verdict, phase: str, clients: dict[str, Counter], engine: dict) -> None:
    """The engine's counts against those of the clients, model by model."""
    names = sorted(set(clients) | {name for name, one in engine.items() if one["requests"]})
    for name in names:
        ours = Counter(clients.get(name, {}))
        theirs = Counter({key: n for key, n in engine.get(name, {}).items() if isinstance(n, int)})
        broken = [rule for rule, holds in rules(ours, theirs).items() if not holds]
        facts = (
            f"{theirs['requests']} requests, {theirs['items']} rows, {theirs['failures']} failed,"
            f" {theirs['canceled']} cancelled of {ours['issued']} statements"
        )
        if broken:
            facts += f"; not so: {', '.join(broken)}; clients {dict(ours)}"
        verdict.check(f"{phase}: counters of {name}", not broken, facts)


def rules(ours: Counter, theirs: Counter) -> dict[str, bool]:
    """An interrupted statement may have reached the engine or not, and been answered or not."""
    open_ones, open_items = ours["interrupted"], ours["interrupted_items"]
    heard = theirs["requests"] + theirs["failures"] + theirs["canceled"]
    return {
        "requests": ours["answered"] <= theirs["requests"] <= ours["answered"] + open_ones,
        "rows": ours["items"] <= theirs["items"] <= ours["items"] + open_items,
        "failures": ours["failed"] <= theirs["failures"] <= ours["failed"] + open_ones,
        "cancelled": theirs["canceled"] <= open_ones,
        "all": ours["issued"] - open_ones <= heard <= ours["issued"],
        "nothing waits": theirs["queued"] == 0,
    }


def flat(verdict: Verdict, name: str, samples: list[float]) -> None:
    """Medians of the first and of the last third, in bytes."""
    third = len(samples) // 3
    if third < 3:
        print(f"    memory of {name}: only {len(samples)} samples, not judged")
        return
    first, last = statistics.median(samples[:third]), statistics.median(samples[-third:])
    growth = last / first - 1
    facts = f"{first / 1e6:.1f} → {last / 1e6:.1f} MB ({growth:+.1%}, {len(samples)} samples)"
    verdict.check(f"memory of {name} is flat", abs(growth) <= FLAT, facts)


def held() -> dict[str, int]:
    """What a leak would make more of, on a server at rest."""
    parents = {one.pid: one for one in processes()}
    engine = engines()
    supervisor = parents.get(engine[0].parent) if engine else None
    of_engine = threads(engine[0].pid) if engine else []
    return {
        "engines": len(engine),
        "zombies": len(zombies()),
        "descriptors of the engine": descriptors(engine[0].pid) if engine else 0,
        "threads of the engine": len(of_engine) - of_engine.count(PREPARING),
        PREPARERS: of_engine.count(PREPARING),
        "descriptors of the supervisor": descriptors(supervisor.pid) if supervisor else 0,
        "descriptors of the postmaster": descriptors(postmaster()),
        "shared memory objects": len(shared_objects()),
    }


def threads(pid: int) -> list[str]:
    """Names of a process's threads; one that ends meanwhile has none."""
    names = []
    for task in Path(f"/proc/{pid}/task").glob("*/comm"):
        with suppress(OSError):
            names.append(task.read_text().strip())
    return names


def leaks(verdict: Verdict, before: dict[str, int], after: dict[str, int]) -> None:
    """At rest, after the first phase and at the end."""
    for name, first in before.items():
        facts = f"{first} → {after[name]}"
        # A pool is as large as it once had to be, and at most as it may (prepare_threads).
        most = os.cpu_count() if name == PREPARERS else first
        verdict.check(f"{name} at rest", after[name] <= most, facts)


def log_is_clean(verdict: Verdict) -> None:
    """No process of the server's own died, and no thread panicked."""
    text = Path(os.environ["ITEMBANK_TEST_LOG"]).read_text(encoding="utf-8", errors="replace")
    found = [line for line in text.splitlines() if any(sign in line for sign in SIGNS)]
    verdict.check("the server's log", not found, found[0] if found else "no crash, no panic")


def agreement(verdict: Verdict, wrong: list, answers: int, exact: int) -> None:
    """Of all answers with the one of each question."""
    facts = f"{answers} answers, {exact} equal to the last digit"
    if wrong:
        facts += f"; {len(wrong)} off by more than {LARGEST_DIFFERENCE}, as {wrong[:3]}"
    verdict.check("every answer is the right one", not wrong and answers > 0, facts)
