"""P8: how soon a session is free after a cancel, while a long batch of its own runs.

From `pg_cancel_backend`, sent over a second connection, until the first one has its error, by the
client's clock; and from the end of `statement_timeout` until the error. p99 in ms, at most 20.

Method: the session embeds an array of 1000 long texts, two other sessions do the same all the time;
each SAMPLES statement is ended after a random time, by cancel and by timeout in turn, ROUNDS rounds
of SAMPLES of each. The figure of a round is its p99; of all rounds, the p99 of all samples.

Variables: ROUNDS (5), SAMPLES (40), MODEL.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
from engine_process import MODEL, connect
from measure import heading, in_turn, load, row

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SAMPLES = int(os.environ.get("SAMPLES", "40"))
OTHERS = 2
STUCK = 30  # seconds after which a cancel counts as lost
EARLIEST, LATEST = 0.05, 0.4  # seconds after its start that a statement is ended
TEXT = "이차방정식의 두 근의 합과 곱을 구하시오. " * 20
QUERY = "SELECT count(e) FROM unnest(embed(%s, array_fill(%s::text, ARRAY[1000]))) AS e"


@contextmanager
def busy() -> Iterator[None]:
    """Others embed long arrays meanwhile."""
    ended = threading.Event()
    connections = [connect() for _ in range(OTHERS)]

    def work(connection: psycopg.Connection) -> None:
        while not ended.is_set():
            try:
                connection.execute(QUERY, (MODEL, TEXT))
            except psycopg.errors.QueryCanceled:
                return

    threads = [threading.Thread(target=work, args=(one,)) for one in connections]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for connection in connections:
            connection.cancel_safe()
        for thread in threads:
            thread.join()
        for connection in connections:
            connection.close()


class Sessions:
    """The one that is ended, and the one that ends it."""

    def __init__(self, session: psycopg.Connection, other: psycopg.Connection):
        self.session, self.other = session, other
        self.chance = random.Random(8)
        self.samples = {"cancel": [], "timeout": []}

    def cancels(self) -> float:
        return self._round("cancel", self._cancel)

    def timeouts(self) -> float:
        found = self._round("timeout", self._timeout)
        self.session.execute("SET statement_timeout = 0")
        return found

    def _round(self, kind: str, sample) -> float:
        found = [1000 * sample() for _ in range(SAMPLES)]
        self.samples[kind].extend(found)
        return float(np.percentile(found, 99))

    def _cancel(self) -> float:
        ended = []
        thread = threading.Thread(target=lambda: ended.append(self._until_ended()))
        thread.start()
        self._await_statement()
        time.sleep(self.chance.uniform(EARLIEST, LATEST))
        asked = time.perf_counter()
        self.other.execute("SELECT pg_cancel_backend(%s)", (self.session.info.backend_pid,))
        thread.join(STUCK)
        if thread.is_alive():
            raise AssertionError(f"a cancel had no effect for {STUCK} s")
        return ended[0] - asked

    def _await_statement(self) -> None:
        """A cancel that comes before the statement has begun is none."""
        query = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        while self.other.execute(query, (self.session.info.backend_pid,)).fetchone() != ("active",):
            time.sleep(0.001)

    def _timeout(self) -> float:
        timeout = round(1000 * self.chance.uniform(EARLIEST, LATEST))
        self.session.execute(f"SET statement_timeout = {timeout}")
        started = time.perf_counter()
        return self._until_ended() - started - timeout / 1000

    def _until_ended(self) -> float:
        try:
            self.session.execute(QUERY, (MODEL, TEXT))
        except psycopg.errors.QueryCanceled:
            return time.perf_counter()
        raise AssertionError("the statement was over before it was ended")


def main() -> None:
    with connect() as session, connect() as other:
        session.execute("SELECT embed(%s, 'warm')", (MODEL,))
        sessions = Sessions(session, other)
        with busy():
            works = {"cancel": sessions.cancels, "timeout": sessions.timeouts}
            found = in_turn(works, ROUNDS)
            busyness = load()
    print(f"{MODEL}, {ROUNDS} rounds of {SAMPLES} samples, {OTHERS} others busy, {busyness}")
    heading()
    for kind, name in (("cancel", "pg_cancel_backend"), ("timeout", "statement_timeout")):
        every = sessions.samples[kind]
        p99 = float(np.percentile(every, 99))
        row(f"    {name} to free, ms, p50 ({len(every)} samples)", [float(np.median(every))])
        row(f"    {name} to free, ms, p99 of each round", found[kind])
        row(f"P8  {name} to free, ms, p99 of all", [p99], most=20)
        row(f"    {name} to free, ms, the worst", [max(every)])


if __name__ == "__main__":
    main()
