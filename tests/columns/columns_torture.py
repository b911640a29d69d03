"""The torture of an embedding column: writers, cancels, kills, crashes, and a check of every row.

    columns_torture.py MODE ROWS SECONDS     as dev/torture.sh runs it, beside a throw-away server

ROWS of the bank are copied in pieces while WRITERS insert, update, delete, copy, upsert, merge and
roll back, for SECONDS at least, and somebody calls backfill again and again. Meanwhile their
statements and the worker are canceled, their sessions and the worker terminated, the engine killed,
the server stopped as if the power had failed (at a quarter and at three quarters) and two of its
processes killed (a writer's and the worker). Then all is left alone until the list of what is to be
embedded is empty, and every row is checked: against what its writer was told, and by computing its
hash once more.
"""

import logging
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
from columns_bank import TABLE, TEMPLATE, content, item
from columns_checker import Column, Report, check
from columns_journal import compare
from columns_server import TINY, Cluster, queue_of, server_of, workers
from columns_troubles import Troubles
from columns_writers import Filler, Loader, Writer, becoming, copying

WRITERS = 8
SHARED = 64  # rows that all writers change
COLUMN = Column("bank", "question_text, choices", content, TINY, key="id, subject")
SIGNS = ("PANIC", "panicked", "TRAP:", "corrupt")


@dataclass
class Plan:
    """Of one run."""

    mode: str
    rows: int
    seconds: float
    piece: int = 2000  # rows of one COPY at most
    pace: float = 1  # between troubles; more is slower
    sample: int | None = 3000  # vectors that are made again
    patience: float = 300  # seconds until the list must be empty
    writers: int = WRITERS
    pause: float = 0.02  # between two transactions of a writer, at most


@dataclass
class Outcome:
    """What came of it; `faults` is what must be empty."""

    report: Report
    faults: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{name:<14}{value}" for name, value in self.facts.items()]
        return "\n".join([*lines, f"{'checked':<14}{self.report}", *self.faults[:20]])


def prepare(server: Cluster, plan: Plan) -> list:
    """The table, its column, and the rows that all writers change."""
    shared = [item(number) for number in range(SHARED)]
    with server.connect() as sql:
        sql.execute(TABLE)
        sql.execute(
            "SELECT add_embedding('bank', 'embedding', %s, inputs => %s, mode => %s)",
            (TINY, TEMPLATE, plan.mode),
        )
        copying(shared)(sql)
    return shared


def run(server: Cluster, plan: Plan) -> Outcome:
    """All of it."""
    shared = prepare(server, plan)
    embeds = plan.mode == "statement"
    writers = [Writer(n, server.url, shared, embeds, plan.pause) for n in range(plan.writers)]
    loader = Loader(server.url, SHARED, plan.rows, plan.piece, writers, embeds)
    everybody = [loader, *writers, Filler(server.url)]
    began = time.monotonic()
    with Troubles(server, plan.pace) as troubles:
        for thread in everybody:
            thread.start()
        crash(troubles, plan, began)
    loader.join(max(plan.patience, plan.seconds))
    loaded = time.monotonic() - began
    for thread in everybody:
        thread.stopping.set()
    for thread in everybody:
        thread.join(max(60, plan.patience))
    faults = [f"{one.name} is stuck" for one in everybody if one.is_alive()]
    faults += [f"{len(loader.left)} rows were not loaded"] * bool(loader.left)
    at_rest = time.monotonic()
    with server.connect() as sql:
        left = drained(sql, plan)
        took = time.monotonic() - at_rest
        report = check(sql, COLUMN, plan.sample)
        journals = [one.journal for one in (*writers, loader)]
        faults += left
        faults += compare(sql, journals, set(becoming(shared)))
    faults += [f"{len(rows)} rows {kind}: {rows[:3]}" for kind, rows in report.faults.items()]
    faults += [error for one in everybody for error in one.unplanned]
    faults += [f"a trouble failed: {error!r}" for error in troubles.failures]
    faults += signs(server)
    facts = {
        "run": f"{plan.mode}, {plan.rows} rows to load, {plan.writers} writers",
        "seconds": f"{loaded:.0f} until all was loaded, then {took:.1f} until all was embedded",
        "transactions": dict(sum((one.done for one in everybody), Counter())),
        "troubles": dict(troubles.done),
        "errors": dict(sum((one.errors for one in everybody), Counter())),
        "in doubt": f"{sum(one.unknown for one in journals)} transactions, of which"
        f" {sum(one.happened for one in journals)} had been committed",
    }
    return Outcome(report, faults, facts)


def crash(troubles: Troubles, plan: Plan, began: float) -> None:
    """At their times."""
    times = {
        0.25: troubles.stop_at_once,
        0.5: troubles.kill_backend,
        0.62: troubles.kill_worker,
        0.75: troubles.stop_at_once,
        1.0: lambda: None,
    }
    for part, work in times.items():
        time.sleep(max(0, began + part * plan.seconds - time.monotonic()))
        work()


def drained(sql: psycopg.Connection, plan: Plan) -> list[str]:
    """Waits until the list is empty; what is on it afterwards."""
    queue = queue_of(sql, "bank")
    deadline = time.monotonic() + plan.patience
    while time.monotonic() < deadline:
        if sql.execute(f"SELECT EXISTS (SELECT FROM {queue})").fetchone() == (False,):
            return []
        time.sleep(0.1)
    query = f"SELECT attempts, code, left(error, 200), count(*) FROM {queue} GROUP BY 1, 2, 3"
    left = sql.execute(query).fetchall()
    return [f"still on the list after {plan.patience} s, workers {workers(sql)}: {left}"]


def signs(server: Cluster) -> list[str]:
    """What no log may have."""
    text = server.log.read_text(encoding="utf-8", errors="replace")
    return [line for line in text.splitlines() if any(sign in line for sign in SIGNS)]


def main() -> None:
    # What it has to say of connections that are lost is what this is about.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    mode, rows, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    plan = Plan(mode, rows, seconds, piece=20_000 if mode == "queue" else 500)
    plan.patience = max(plan.patience, rows / 200)
    with server_of(f"torture-{mode}", log_min_error_statement="panic") as server:
        outcome = run(server, plan)
        print(outcome, flush=True)
        if outcome.faults:
            keep(server)
    print("all checks passed" if not outcome.faults else f"{len(outcome.faults)} faults")
    sys.exit(bool(outcome.faults))


def keep(server: Cluster) -> None:
    """The end of the server's log: the cluster goes."""
    with suppress(OSError):
        lines = server.log.read_text(errors="replace").splitlines()[-40:]
        print("\n".join(line[:200] for line in lines))


if __name__ == "__main__":
    main()
