"""A back-fill in a session of its own, and somebody who watches its progress."""

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import psycopg
from columns_server import progress

# What others may hold beside a writer of any row.
HARMLESS = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
LOCKS = """
    SELECT l.locktype, l.mode FROM pg_locks AS l
    WHERE l.pid = %s AND l.locktype IN ('relation', 'tuple', 'page')
      AND l.relation IN (SELECT oid FROM pg_class WHERE relname LIKE 'items%%')"""


class Call(threading.Thread):
    """CALL backfill; `error` says how it ended."""

    def __init__(self, url: str, call: str, path: str = "public"):
        super().__init__(daemon=True)
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute(f"SET search_path = {path}, public")
        self.pid = self.connection.info.backend_pid
        self.call = call
        self.notices: list[str] = []
        self.connection.add_notice_handler(lambda note: self.notices.append(note.message_primary))
        self.error: psycopg.Error | None = None
        self.ended = 0.0

    def run(self) -> None:
        try:
            self.connection.execute(self.call)
        except psycopg.Error as error:
            self.error = error
        self.ended = time.monotonic()
        self.connection.close()

    def done(self, timeout: float = 120) -> psycopg.Error | None:
        """Waits for the end."""
        self.join(timeout)
        assert not self.is_alive(), "the back-fill does not end"
        return self.error


@dataclass(frozen=True)
class Seen:
    """`itembank_progress` at a moment."""

    at: float
    row: dict


class Watch(threading.Thread):
    """Looks at a column's progress again and again."""

    def __init__(self, url: str, table: str, path: str = "public", pause: float = 0.02):
        super().__init__(daemon=True)
        self.url = url
        self.table = table
        self.path = path
        self.pause = pause
        self.seen: list[Seen] = []
        self.ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        self.join(20)

    def run(self) -> None:
        try:
            with psycopg.connect(self.url, autocommit=True) as sql:
                sql.execute(f"SET search_path = {self.path}, public")
                while not self.ended.wait(self.pause):
                    self.look(sql)
                self.look(sql)
        except psycopg.OperationalError:
            pass  # the server's end, which some of the tests are about

    def look(self, sql: psycopg.Connection) -> None:
        """Once more."""
        row = progress(sql, self.table)
        if row and row["done"] is not None:
            self.seen.append(Seen(time.monotonic(), row))

    def reaches(self, percent: float, timeout: float = 120) -> dict:
        """Waits until it is so far."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.seen and (row := self.seen[-1].row)["percent"] >= percent:
                return row
            time.sleep(0.002)
        raise AssertionError(f"never at {percent} %: {self.seen[-1:]}")

    def assert_never_back(self) -> None:
        """Neither `done` nor `percent`, but where the whole has grown; nor more done than it."""
        assert self.seen
        for before, after in pairwise(one.row for one in self.seen):
            assert before["done"] <= after["done"] <= after["total"], (before, after)
            grown = after["total"] > before["total"]
            assert grown or before["percent"] <= after["percent"], (before, after)

    def assert_of_one_size(self) -> None:
        """Nothing has been added to the whole, so that `percent` never went back either."""
        assert len({one.row["total"] for one in self.seen}) == 1

    def estimates(self, ended: float, since: float = 20) -> list[tuple[float, float, float]]:
        """Percent, what was said to remain and what did, in seconds."""
        return [
            (float(one.row["percent"]), one.row["eta"].total_seconds(), ended - one.at)
            for one in self.seen
            if one.row["percent"] >= since and one.row["eta"] is not None and one.at < ended
        ]


def locks(sql: psycopg.Connection, pid: int) -> set[tuple[str, str]]:
    """Of a session, on the table, its work list and its indexes."""
    return set(sql.execute(LOCKS, (pid,)).fetchall())
