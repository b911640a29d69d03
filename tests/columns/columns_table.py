"""A table of a test's own with an embedding column, in a schema that goes with the test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from columns_checker import Column, Report, assert_fresh
from columns_server import TINY, inferences, queue_of, settled

ITEMS = "id int PRIMARY KEY, question text, other int"


@contextmanager
def schema(place: str, name: str) -> Iterator[psycopg.Connection]:
    """A session in an empty schema of a database."""
    with psycopg.connect(place, autocommit=True) as sql:
        sql.execute("SET client_min_messages = warning")
        sql.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}")
        sql.execute(f"SET search_path = {name}, public")
        yield sql
    # Whatever state the session was left in.
    with psycopg.connect(place, autocommit=True) as sql:
        sql.execute("SET client_min_messages = warning")
        sql.execute(f"DROP SCHEMA {name} CASCADE")


class Kept:
    """The table, and how it is filled: `mode` is that of add_embedding."""

    def __init__(self, sql: psycopg.Connection, mode: str):
        self.sql = sql
        self.mode = mode
        self.column = Column("items", "question", lambda question: question, TINY)

    def make(self, columns: str = ITEMS, table: str = "items", **more) -> "Kept":
        """CREATE TABLE and add_embedding; a table that is made otherwise has no `columns`."""
        if columns:
            self.sql.execute(f"CREATE TABLE {table} ({columns})")
        self.column = replace(self.column, table=table)
        return self.add(**more)

    def add(
        self,
        inputs: str = "question",
        *,
        reads: str | None = None,
        content: Callable | None = None,
        key: str = "id",
        target: str = "embedding",
        **options,
    ) -> "Kept":
        """add_embedding; `reads` and `content` say the same as `inputs`, for the checker."""
        self.column = replace(
            self.column,
            inputs=reads or inputs,
            content=content or (lambda text: text),
            key=key,
            target=target,
            model=options.pop("model", TINY),
            dimensions=options.get("dimensions"),
            type=options.get("type", "vector"),
        )
        named = {"inputs": inputs, "mode": self.mode, "index": False, **options}
        arguments = ", ".join(f"{name} => %s" for name in named)
        self.sql.execute(
            f"SELECT add_embedding(%s, %s, %s, {arguments})",
            (self.column.table, target, self.column.model, *named.values()),
        )
        return self

    def at(self, table: str, **more) -> "Kept":
        """The same, where the table or the column has another name now."""
        self.column = replace(self.column, table=table, **more)
        return self

    def settle(self) -> None:
        """Until nothing is to be done."""
        if self.mode != "statement":
            settled(self.sql, self.column.table, self.column.target)

    def fresh(self, rows: int | None = None) -> Report:
        """Asserts that all is as it must be, and that there are so many rows."""
        self.settle()
        report = assert_fresh(self.sql, self.column)
        assert rows is None or report.rows == rows, str(report)
        assert self.entries() == []
        return report

    def entries(self) -> list[tuple]:
        """Of the work list."""
        queue = queue_of(self.sql, self.column.table, self.column.target)
        return self.sql.execute(f"SELECT * FROM {queue} ORDER BY id").fetchall()

    def inferences(self, *statements: str) -> int:
        """How many rows the model ran for these, all work done."""
        before = inferences(self.sql, self.column.model)
        for statement in statements:
            self.sql.execute(statement)
        self.settle()
        return inferences(self.sql, self.column.model) - before

    def versions(self, statement: str, parameters: tuple | None = None) -> int:
        """Row versions that a statement has written, ours among them."""
        with self.sql.transaction():
            before = self.written()
            self.sql.execute(statement, parameters)
            return self.written() - before

    def written(self) -> int:
        """By this transaction, into the table and its partitions."""
        query = """
            SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0)::int FROM pg_stat_xact_all_tables
            WHERE relid IN (SELECT %s::regclass UNION SELECT relid FROM pg_partition_tree(%s))"""
        return self.sql.execute(query, (self.column.table, self.column.table)).fetchone()[0]
