"""P5: what a connection costs in memory once it has embedded.

Sum of PSS of all processes of the server, the engine's included, at 64 connections that have all
embedded, minus that at 1, over 63: MB a connection. At most 2. Beside it the same growth for
connections that only said SELECT 1, which is PostgreSQL's own, and the parts of the first.

Method: ROUNDS times in turn, each with connections of its own; in every round what one connection
costs is measured after it has embedded EACH texts, so that its caches are warm. The model is loaded
before. MB are 10^6 bytes.

Variables: ROUNDS (5), CONNECTIONS (64), EACH (20), MODEL.
"""

import os
import time
from collections.abc import Callable

import psycopg
from engine_process import MODEL, connect
from measure import heading, in_turn, load, row
from server_processes import Memory, memory
from workloads import texts

ROUNDS = int(os.environ.get("ROUNDS", "5"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "64"))
EACH = int(os.environ.get("EACH", "20"))
SETTLE = 0.5  # seconds: what was closed is gone, what was freed is given back

Use = Callable[[psycopg.Connection], object]


def growth(use: Use) -> dict[str, float]:
    """MB a connection, from 1 to CONNECTIONS that are all used."""
    opened = []
    try:
        opened.append(used(use))
        first = settled()
        opened.extend(used(use) for _ in range(CONNECTIONS - 1))
        last = settled()
    finally:
        for connection in opened:
            connection.close()
    time.sleep(SETTLE)
    parts = {"all": "all", "engine": "engine", "sessions": "others"}
    added = CONNECTIONS - 1
    return {
        name: (getattr(last, part) - getattr(first, part)) / added / 1e6
        for name, part in parts.items()
    }


def used(use: Use) -> psycopg.Connection:
    """A new connection that has been of use."""
    connection = connect()
    use(connection)
    return connection


def settled() -> Memory:
    time.sleep(SETTLE)
    return memory()


def embed(connection: psycopg.Connection) -> None:
    """As a client that searches."""
    for text in texts("short", EACH):
        connection.execute("SELECT embed(%s, %s)", (MODEL, text), prepare=True)


def nothing(connection: psycopg.Connection) -> None:
    for _ in range(EACH):
        connection.execute("SELECT 1", prepare=True)


def main() -> None:
    with connect() as warm:
        embed(warm)
    works = {"embed": lambda: growth(embed), "nothing": lambda: growth(nothing)}
    found = in_turn(works, ROUNDS)
    size = memory()
    print(
        f"{MODEL}, 1 to {CONNECTIONS} connections, {ROUNDS} rounds, {load()};"
        f" engine {size.engine / 1e6:.0f} MB, the rest of an idle server {size.others / 1e6:.0f} MB"
    )
    heading()
    embedding, idle = found["embed"], found["nothing"]
    row("P5  MB a connection that has embedded", [one["all"] for one in embedding], most=2)
    row("    of which in the engine", [one["engine"] for one in embedding])
    row("    of which in the sessions' processes", [one["sessions"] for one in embedding])
    row("    MB a connection that only said SELECT 1", [one["all"] for one in idle])
    extra = [a["all"] - b["all"] for a, b in zip(embedding, idle, strict=True)]
    row("    the difference, which is ours", extra)


if __name__ == "__main__":
    main()
