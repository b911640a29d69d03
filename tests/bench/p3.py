"""P3: 16 clients ask short queries of 16 tokens; one engine against a model in each session.

Throughput of the engine process / throughput of the best tuned set-up without one. Must reach 1.7.

Tuned means: of 1 and 2 threads a model, and 2, 4, 8 and 16 clients at a time (what a pooler before
the server would let through), the fastest by a run of each. Then it and the engine process in turn,
ROUNDS times, other texts each round, medians of the rounds and of their ratios. On a machine that
is not quiet, sixteen processes take more of it from others than one does: see the load. The
embedding cache is off; clients are pgbench's (clients.py), which count from when all are warm.

Variables: ROUNDS (5), SECONDS of a run (6), MODEL, TUNED (threads and sessions as in "1 16": what
was found to be best before, not looked for again).
"""

import os

from clients import rate
from engine_process import MODEL, connect, options
from measure import heading, in_turn, load, ratios, row
from workloads import script, store

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SECONDS", "6"))
TUNED = tuple(map(int, os.environ.get("TUNED", "").split()))
CLIENTS = 16
THREADS = (1, 2)
AT_A_TIME = (2, 4, 8, 16)
WARM_EACH = 0.7  # seconds of loading a session's model takes on this bench's smallest machine
TUNING_SECONDS = 4


class Sides:
    """The set-ups; each call takes the next seed, so that both sides of a round ask the same."""

    def __init__(self):
        self.seeds = {}

    def server(self) -> float:
        return rate(script("short"), CLIENTS, SECONDS, options("server"), seed=self.seed("server"))

    def sessions(self, threads: int, clients: int, seconds: float = SECONDS) -> float:
        seed, warm = self.seed((threads, clients)), 2 + WARM_EACH * clients
        settings = options("backend", intra_op_threads=threads)
        return rate(script("short"), clients, seconds, settings, seed=seed, warm=warm)

    def seed(self, side) -> int:
        self.seeds[side] = self.seeds.get(side, 0) + 1
        return self.seeds[side]


def tune(sides: Sides) -> tuple[int, int]:
    """The fastest set-up without an engine process."""
    found = {}
    for threads in THREADS:
        for clients in AT_A_TIME:
            found[threads, clients] = sides.sessions(threads, clients, TUNING_SECONDS)
            print(
                f"    {clients:>2} sessions, {threads} threads each:"
                f" {found[threads, clients]:.1f} queries/s"
            )
    return max(found, key=found.get)


def main() -> None:
    with connect() as connection:
        store(connection, ["short"])
        connection.execute("SELECT embed(%s, 'warm')", (MODEL,))
    sides = Sides()
    if not (best := TUNED):
        print(f"{MODEL}; a model in each session, which of them is fastest:")
        best = tune(sides)
    works = {"server": sides.server, "best": lambda: sides.sessions(*best)}
    found = in_turn(works, ROUNDS)
    print(f"{ROUNDS} rounds, {load()}")
    heading()
    row(f"    queries/s, engine process, {CLIENTS} clients", found["server"])
    row(f"    queries/s, {best[1]} sessions, {best[0]} threads each", found["best"])
    quotients = ratios(found["server"], found["best"])
    row("P3  engine process / best of a model in each session", quotients, least=1.7)


if __name__ == "__main__":
    main()
