"""What one writer knows of its rows: those that it was told are committed, no others.

A transaction whose end is not known, since the connection was lost in it, is looked up afterwards:
it has happened as a whole or not at all.
"""

from collections import deque

import psycopg
from columns_bank import COLUMNS, Item, Key

# By key, the row that the key has afterwards; None: no row.
Changes = dict[Key, Item | None]


class Journal:
    """Rows that nobody else writes."""

    def __init__(self):
        self.rows: dict[Key, Item] = {}
        self.open: Changes | None = None
        self.adopted: deque[Item] = deque()
        self.unknown = 0  # transactions that had to be looked up
        self.happened = 0  # those of them that had been committed
        self.faults: list[str] = []

    def adopt(self, items: list[Item]) -> None:
        """Rows that somebody else has committed and leaves to this writer; from any thread."""
        self.adopted.extend(items)

    def take(self) -> None:
        """What was adopted meanwhile."""
        while self.adopted:
            item = self.adopted.popleft()
            self.rows[item.key] = item

    def apply(self, changes: Changes) -> None:
        """They are committed."""
        for key, item in changes.items():
            if item is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = item

    def settle(self, sql: psycopg.Connection) -> None:
        """Finds out how the transaction in doubt has ended."""
        if self.open is None:
            return
        changes = self.open
        keys = list(changes)
        query = f"""
            SELECT {COLUMNS} FROM bank
            WHERE (id, subject) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""
        found = sql.execute(query, [list(column) for column in zip(*keys, strict=True)]).fetchall()
        self.open = None
        self.unknown += 1
        now = {item.key: item for item in map(Item.of, found)}
        before = {key: self.rows[key] for key in keys if key in self.rows}
        after = {key: item for key, item in changes.items() if item is not None}
        if now == after:
            self.happened += before != after
            self.apply(changes)
        elif now != before:
            self.faults.append(f"half a transaction: {before} → {after}, found {now}")
            self.apply({key: now.get(key) for key in keys})


def compare(sql: psycopg.Connection, journals: list[Journal], shared: set[Key]) -> list[str]:
    """The table against what all writers know; of `shared` rows only that they are there once."""
    expected: dict[Key, Item] = {}
    faults = [fault for journal in journals for fault in journal.faults]
    for journal in journals:
        journal.take()
        twice = expected.keys() & journal.rows.keys()
        faults += [f"in two journals: {key}" for key in twice]
        expected.update(journal.rows)
    seen: set[Key] = set()
    with sql.transaction(), sql.cursor("all") as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(f"SELECT {COLUMNS} FROM bank"):
            item = Item.of(row)
            if item.key in seen:
                faults.append(f"doubled: {item.key}")
            seen.add(item.key)
            if item.key not in shared and expected.get(item.key) != item:
                faults.append(f"differs: {expected.get(item.key)}, found {item}")
    lost = (expected.keys() | shared) - seen
    return faults + [f"lost: {key}" for key in lost]
