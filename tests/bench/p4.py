"""P4: 16 clients ask texts of different lengths; batching against one row at a time.

Throughput with `itembank_embed.batching` on / off, 16 clients of pgbench (clients.py). Must reach
1.15 for lengths of 4 to 256 tokens mixed (workloads.py: as many of each octave), and never be below
0.97 for others: passages, searches beside passages, lengths of one frequency, short queries.

Method: on and off in turn, ROUNDS times, the same texts in the same order on both sides of a round;
medians of the rounds and of their ratios. The setting is changed by ALTER SYSTEM and a reload, and
the engine's own statistics tell that it follows. The embedding cache is off.

Variables: ROUNDS (5), SECONDS of a run (6), MIXES (all), MODEL.
"""

import os
from functools import partial

import psycopg
from clients import rate
from engine_process import MODEL, connect, options, set_batching, status
from measure import heading, in_turn, load, ratios, row
from workloads import script, store

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = float(os.environ.get("SECONDS", "6"))
LEAST = {"mixed": 1.15, "uniform": 0.97, "passages": 0.97, "bimodal": 0.97, "short": 0.97}
MIXES = os.environ.get("MIXES", " ".join(LEAST)).split()
CLIENTS = 16


class Side:
    """The engine with batching on or off."""

    def __init__(self, admin: psycopg.Connection, mix: str, on: bool):
        self.admin, self.mix, self.on = admin, mix, on
        self.seed = 0

    def rate(self) -> float:
        """Texts a second; another seed each time, the same on both sides."""
        self.seed += 1
        set_batching(self.admin, self.on)
        self.admin.execute("SELECT engine_reset_statistics()")
        found = rate(script(self.mix), CLIENTS, SECONDS, options("server"), seed=self.seed)
        seen = status(self.admin)
        if not self.on and seen["batches"] != seen["items"]:
            raise AssertionError(f"batching is off, and the engine counted {seen}")
        self.size = seen["items"] / seen["batches"]
        return found


def measure(admin: psycopg.Connection, mix: str) -> None:
    """One mix."""
    on, off = (partial(Side, admin, mix)(on=on) for on in (True, False))
    found = in_turn({"on": on.rate, "off": off.rate}, ROUNDS)
    row(f"    texts/s, {mix}, batching on ({on.size:.1f} rows a batch)", found["on"])
    row(f"    texts/s, {mix}, batching off", found["off"])
    row(f"P4  {mix}: batching on / off", ratios(found["on"], found["off"]), least=LEAST[mix])


def main() -> None:
    with connect() as admin:
        store(admin, MIXES)
        admin.execute("SELECT embed(%s, 'warm')", (MODEL,))
        print(f"{MODEL}, {CLIENTS} clients, {ROUNDS} rounds")
        heading()
        for mix in MIXES:
            measure(admin, mix)
        set_batching(admin, True)
        print(load())


if __name__ == "__main__":
    main()
