"""Interactive queries beside a back-fill: `SELECT embed(…)` of one short text, idle and meanwhile.

The p95 during a back-fill must be at most twice that on an idle server. CALLS of each in a round,
ROUNDS times in turn; back-filled are whole items of the sample item bank, by CALL backfill in a
session of its own and by the background worker. How many rows/s it embeds beside the calls is shown
with it: it may be slower, but has to go on.

Variables: ROUNDS (5), CALLS (60), PAUSE (0.15 s between two calls), MODEL.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import psycopg
from engine_process import MODEL, connect
from inputs import questions, whole_items
from measure import heading, load, ratios, row, seconds

ROUNDS = int(os.environ.get("ROUNDS", "5"))
CALLS = int(os.environ.get("CALLS", "60"))
ROWS = 3000  # more than are embedded while CALLS are measured
# Seconds between two calls, some people's together. Whoever calls without a pause leaves a
# back-fill little more than the one run in forty that the engine keeps for it.
PAUSE = float(os.environ.get("PAUSE", "0.15"))


def make_table(sql: psycopg.Connection, mode: str) -> None:
    """Of different whole items, not embedded; in mode queue the worker begins at once."""
    items = list(whole_items().values())
    sql.execute("DROP TABLE IF EXISTS bench_items CASCADE")
    sql.execute("CREATE TABLE bench_items (id int PRIMARY KEY, text text NOT NULL)")
    with sql.cursor() as cursor, cursor.copy("COPY bench_items (id, text) FROM STDIN") as rows:
        for number in range(ROWS):
            rows.write_row((number, f"{items[number % len(items)]} {number}"))
    sql.execute(
        "SELECT add_embedding('bench_items', 'embedding', %s, inputs => 'text', mode => %s)",
        (MODEL, mode),
    )


@contextmanager
def nothing(_: psycopg.Connection) -> Iterator[None]:
    """An idle server."""
    yield


@contextmanager
def call(sql: psycopg.Connection) -> Iterator[None]:
    """CALL backfill until the end of the block."""
    make_table(sql, "manual")
    with connect() as other:
        thread = threading.Thread(target=until_canceled, args=(other,))
        thread.start()
        begun(sql)
        try:
            yield
            if not thread.is_alive():
                raise AssertionError("the back-fill was over before the calls were")
        finally:
            sql.execute("SELECT pg_cancel_backend(%s)", (other.info.backend_pid,))
            thread.join()


def until_canceled(sql: psycopg.Connection) -> None:
    with suppress(psycopg.errors.QueryCanceled):
        sql.execute("CALL backfill('bench_items')")


@contextmanager
def worker(sql: psycopg.Connection) -> Iterator[None]:
    """The background worker until the end of the block."""
    make_table(sql, "queue")
    begun(sql)
    yield
    if sql.execute("SELECT count(embedding) FROM bench_items").fetchone() == (ROWS,):
        raise AssertionError("the back-fill was over before the calls were")
    sql.execute("DROP TABLE bench_items CASCADE")


def begun(sql: psycopg.Connection) -> None:
    """Waits for the first batch."""
    deadline = time.monotonic() + 60
    while sql.execute("SELECT count(embedding) FROM bench_items").fetchone() == (0,):
        if time.monotonic() > deadline:
            raise TimeoutError("nothing is embedded")
        time.sleep(0.05)


def embedded(sql: psycopg.Connection) -> int:
    """Rows that have a vector by now."""
    if sql.execute("SELECT to_regclass('bench_items')").fetchone() == (None,):
        return 0
    return sql.execute("SELECT count(embedding) FROM bench_items").fetchone()[0]


def latencies(sql: psycopg.Connection, within: Callable) -> tuple[np.ndarray, float]:
    """Milliseconds of CALLS texts, another each time; rows/s that were embedded meanwhile."""
    texts = [f"{text[:24]} {time.time_ns() % 10**6}" for text in questions()]
    query = "SELECT embed(%s, %s)"
    with connect() as client, within(sql):
        for number in range(5):
            client.execute(query, (MODEL, texts[-1 - number]))
        found = []
        rows, began = embedded(sql), time.perf_counter()
        for number in range(CALLS):
            time.sleep(PAUSE)
            parameters = (MODEL, texts[number % len(texts)])
            found.append(seconds(lambda: client.execute(query, parameters).fetchone()))  # noqa: B023
        rate = (embedded(sql) - rows) / (time.perf_counter() - began)
    return np.array(found) * 1000, rate


def main() -> None:
    conditions = {"idle": nothing, "call": call, "worker": worker}
    found = {(name, part): [] for name in conditions for part in (50, 95, "rows")}
    with connect() as sql:
        sql.execute("SET client_min_messages = warning")
        for number in range(ROUNDS + 1):
            for name, within in conditions.items():
                values, rate = latencies(sql, within)
                if number == 0:
                    continue
                for part in (50, 95):
                    found[name, part].append(float(np.percentile(values, part)))
                found[name, "rows"].append(rate)
        sql.execute("DROP TABLE IF EXISTS bench_items CASCADE")
    print(f"{MODEL}, {CALLS} calls in each of {ROUNDS} rounds, {load()}")
    heading()
    for name in conditions:
        for part in (50, 95):
            row(f"    p{part} of SELECT embed(…), ms: {name}", found[name, part])
    for name in ("call", "worker"):
        row(f"    rows/s of the back-fill beside the calls: {name}", found[name, "rows"])
    for name in ("call", "worker"):
        row(f"    p50 {name} / idle", ratios(found[name, 50], found["idle", 50]))
        row(f"    p95 {name} / idle", ratios(found[name, 95], found["idle", 95]), most=2.0)


if __name__ == "__main__":
    main()
