"""Writers of the bank: every way in which rows come, change and go, each told to a journal."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import psycopg
from columns_bank import COLUMNS, SUBJECTS, Item, item, other_question
from columns_journal import Changes, Journal

NAME = "writer"  # application_name of those that trouble comes to
# Canceled, terminated, server going down, coming up.
PLANNED = {"57014", "57P01", "57P02", "57P03", None}
GONE = PLANNED - {"57014"}
# What a statement that embeds is told around an engine's end.
OF_ENGINE = {"08006", "55000"}
MATCH = "bank.id = v.id AND bank.subject = v.subject"


class Writer(threading.Thread):
    """Works until `stopping`; connects again whenever it is thrown out."""

    def __init__(
        self, number: int, url: str, shared: list[Item], embeds: bool, pause: float = 0.01
    ):
        super().__init__(daemon=True, name=f"writer {number}")
        self.number = number
        self.url = url
        self.shared = shared
        self.pause = pause
        self.allowed = PLANNED | (OF_ENGINE if embeds else set())
        self.chance = random.Random(number)
        self.journal = Journal()
        self.connection: psycopg.Connection | None = None
        self.stopping = threading.Event()
        self.counter = 0
        self.done = Counter()
        self.errors = Counter()
        self.unplanned: list[str] = []

    def run(self) -> None:
        operations = [getattr(self, name) for name in OPERATIONS]
        while not self.stopping.is_set():
            work = self.chance.choices(operations, list(OPERATIONS.values()))[0]
            self.attempt(work)
            self.stopping.wait(self.chance.uniform(0, self.pause))
        while self.journal.open is not None or self.journal.adopted:
            self.attempt(lambda: None)
        if self.connection:
            self.connection.close()

    def attempt(self, work: Callable[[], None]) -> bool:
        """Whether it went through; an error that nobody meant to cause is kept."""
        try:
            self.connect()
            self.journal.settle(self.connection)
            self.journal.take()
            work()
            if work.__name__ != "<lambda>":
                self.done[work.__name__] += 1
            return True
        except psycopg.Error as error:
            self.failed(error)
            return False

    def connect(self) -> None:
        if self.connection is not None and not self.connection.closed:
            return
        self.connection = psycopg.connect(
            self.url, autocommit=True, application_name=NAME, connect_timeout=5
        )

    def failed(self, error: psycopg.Error) -> None:
        self.errors[error.sqlstate] += 1
        planned = error.sqlstate in self.allowed
        # Without an SQLSTATE it is either a connection that is gone, or a mistake of this file.
        if not planned or not (error.sqlstate or isinstance(error, psycopg.OperationalError)):
            self.unplanned.append(f"{error.sqlstate}: {error}")
        try:
            if self.connection is not None and not self.lost(error):
                self.connection.execute("ROLLBACK")
                return
        except psycopg.Error:
            pass
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        time.sleep(0.05)

    def lost(self, error: psycopg.Error) -> bool:
        """Whether the session has ended: what it would have said of its statement is not known."""
        return error.sqlstate in GONE or self.connection.closed

    def commit(self, changes: Changes, *steps: Callable[[psycopg.Connection], object]) -> None:
        """All steps in one transaction, a single one without BEGIN."""
        if len(steps) > 1:
            self.connection.execute("BEGIN")
            for step in steps:
                step(self.connection)
            steps = (lambda sql: sql.execute("COMMIT"),)
        # Only from here on may it come to pass.
        self.journal.open = changes or None
        try:
            steps[0](self.connection)
        except psycopg.Error as error:
            if not self.lost(error):
                # It answered with an error: what it was asked for has not happened.
                self.journal.open = None
            raise
        self.journal.open = None
        self.journal.apply(changes)

    def some(self, most: int) -> list[Item]:
        """Rows of this writer's."""
        rows = list(self.journal.rows.values())
        return self.chance.sample(rows, min(len(rows), self.chance.randint(1, most)))

    def new(self, most: int) -> list[Item]:
        """Rows that are nowhere yet."""
        found = []
        for _ in range(self.chance.randint(1, most)):
            self.counter += 1
            source = item(self.chance.randrange(3000))
            name = f"w{self.number}-{self.counter}"
            subject = self.chance.choice(SUBJECTS)
            found.append(source.but(id=name, subject=subject, question_text=self.question()))
        return found

    def question(self) -> str | None:
        self.counter += 1
        return other_question(self.chance, f"{self.number}.{self.counter}")

    def changed(self, items: list[Item]) -> list[Item]:
        """The same rows with other questions, some without choices."""
        return [
            one.but(
                question_text=self.question(),
                choices=None if self.chance.random() < 0.05 else one.choices,
            )
            for one in items
        ]

    # What they do: the names are those of OPERATIONS.

    def insert(self) -> None:
        rows = self.new(20)
        self.commit(becoming(rows), inserting(rows))

    def copy(self) -> None:
        rows = self.new(100)
        self.commit(becoming(rows), copying(rows))

    def update(self) -> None:
        rows = self.changed(self.some(20))
        self.commit(becoming(rows), updating(rows))

    def update_of_many(self) -> None:
        rows = self.changed(self.some(400))
        self.commit(becoming(rows), updating(rows))

    def update_elsewhere(self) -> None:
        """Nothing that is embedded."""
        rows = [one.but(difficulty=self.chance.randint(1, 5)) for one in self.some(20)]
        self.commit(becoming(rows), updating(rows, "difficulty = v.difficulty"))

    def rename(self) -> None:
        """Other keys; the contents stay."""
        rows = self.some(5)
        if not rows:
            return
        self.counter += 1
        stems = [one.id.split("~")[0] for one in rows]
        names = [f"{one}~{self.number}.{self.counter}.{n}" for n, one in enumerate(stems)]
        renamed = [one.but(id=name) for one, name in zip(rows, names, strict=True)]
        values, parameters = values_of(rows)
        values = values.replace("(%s, %s,", "(%s, %s, %s,")
        for place, name in enumerate(names):
            parameters.insert(place * 6, name)
        query = f"UPDATE bank SET id = v.new FROM {values} AS v (new, {COLUMNS}) WHERE {MATCH}"
        changes = {**dict.fromkeys([one.key for one in rows]), **becoming(renamed)}
        self.commit(changes, lambda sql: sql.execute(query, parameters))

    def delete(self) -> None:
        rows = self.some(10)
        self.commit(dict.fromkeys([one.key for one in rows]), deleting(rows))

    def upsert(self) -> None:
        rows = [*self.new(5), *self.changed(self.some(10))]
        values, parameters = values_of(rows)
        query = f"""
            INSERT INTO bank ({COLUMNS}) SELECT * FROM {values} AS v
            ON CONFLICT (id, subject) DO UPDATE SET
                question_text = excluded.question_text, choices = excluded.choices,
                difficulty = excluded.difficulty"""
        self.commit(becoming(rows), lambda sql: sql.execute(query, parameters))

    def merge(self) -> None:
        """Some go, some change, some are new."""
        rows = self.some(10)
        gone, kept = rows[::3], [one for n, one in enumerate(rows) if n % 3]
        rows = [*[one.but(difficulty=0) for one in gone], *self.changed(kept), *self.new(5)]
        values, parameters = values_of(rows)
        query = f"""
            MERGE INTO bank USING {values} AS v ({COLUMNS}) ON {MATCH}
            WHEN MATCHED AND v.difficulty = 0 THEN DELETE
            WHEN MATCHED THEN UPDATE SET question_text = v.question_text, choices = v.choices
            WHEN NOT MATCHED THEN INSERT ({COLUMNS})
                VALUES (v.id, v.subject, v.question_text, v.choices, v.difficulty)"""
        changes = {one.key: one if one.difficulty else None for one in rows}
        self.commit(changes, lambda sql: sql.execute(query, parameters))

    def roll_back(self) -> None:
        rows, new = self.some(10), self.new(10)
        steps = (updating(self.changed(rows)), inserting(new), deleting(rows[:3]))
        self.commit({}, *steps, lambda sql: sql.execute("ROLLBACK AND CHAIN"))

    def savepoints(self) -> None:
        first, second, third = self.new(5), self.changed(self.some(10)), self.changed(self.some(5))
        self.commit(
            {**becoming(first), **becoming(third)},
            inserting(first),
            lambda sql: sql.execute("SAVEPOINT one"),
            updating(second),
            lambda sql: sql.execute("ROLLBACK TO one"),
            updating(third),
            lambda sql: sql.execute("RELEASE one"),
        )

    def there_and_back(self) -> None:
        rows = self.some(5)
        self.commit({}, updating(self.changed(rows)), updating(rows))

    def insert_and_change(self) -> None:
        """A row's life within one transaction."""
        rows = self.new(6)
        kept = self.changed(rows[2:])
        gone = dict.fromkeys([one.key for one in rows[:2]])
        changes = {**gone, **becoming(kept)}
        self.commit(changes, inserting(rows), updating(kept), deleting(rows[:2]))

    def carry_over(self) -> None:
        """A row's copy, with all that belongs to its vector."""
        for one in self.some(1):
            self.counter += 1
            copy = one.but(id=f"c{self.number}-{self.counter}")
            others = COLUMNS.removeprefix("id, ")
            carried = "embedding, embedding_hash, embedding_fingerprint"
            query = f"""
                INSERT INTO bank ({COLUMNS}, {carried})
                SELECT %s, {others}, {carried} FROM bank WHERE id = %s AND subject = %s"""
            parameters = (copy.id, *one.key)
            self.commit({copy.key: copy}, lambda sql: sql.execute(query, parameters))  # noqa: B023

    def update_shared(self) -> None:
        """One row that all writers change: nobody knows whose content stays."""
        one = self.changed([self.chance.choice(self.shared)])
        self.commit({}, updating(one))


# By name, how often.
OPERATIONS = {
    "insert": 8,
    "copy": 4,
    "update": 14,
    "update_of_many": 1,
    "update_elsewhere": 8,
    "rename": 6,
    "delete": 7,
    "upsert": 8,
    "merge": 8,
    "roll_back": 4,
    "savepoints": 6,
    "there_and_back": 3,
    "insert_and_change": 4,
    "carry_over": 5,
    "update_shared": 8,
}


class Loader(Writer):
    """Copies the bank in pieces, and leaves each to the writers once it is committed."""

    def __init__(self, url: str, first: int, last: int, piece: int, writers: list[Writer], embeds):
        super().__init__(-1, url, [], embeds)
        self.left = range(first, last)
        self.piece = piece
        self.writers = writers

    def run(self) -> None:
        while self.left and not self.stopping.is_set():
            self.attempt(self.load)
        while self.journal.open is not None:
            self.attempt(lambda: None)
        self.hand_over()
        if self.connection:
            self.connection.close()

    def load(self) -> None:
        """One COPY."""
        self.hand_over()
        rows = [item(number) for number in self.left[: self.chance.randint(1, self.piece)]]
        self.commit(becoming(rows), copying(rows))
        self.hand_over()

    def hand_over(self) -> None:
        """All that is known to be committed."""
        rows = list(self.journal.rows.values())
        self.left = self.left[len(rows) :]
        for place, writer in enumerate(self.writers):
            writer.journal.adopt(rows[place :: len(self.writers)])
        self.journal.rows.clear()


class Filler(Writer):
    """Calls backfill again and again, and so takes from the list beside the worker."""

    def __init__(self, url: str):
        super().__init__(-2, url, [], embeds=True)

    def run(self) -> None:
        while not self.stopping.wait(self.chance.uniform(0, 0.5)):
            self.attempt(self.fill)
        if self.connection:
            self.connection.close()

    def fill(self) -> None:
        """Until nothing of it is left."""
        self.connection.execute("CALL backfill('bank', 'embedding')")


def becoming(rows: list[Item]) -> Changes:
    return {one.key: one for one in rows}


def values_of(rows: list[Item]) -> tuple[str, list]:
    """(VALUES …) with types, which an all-NULL column would not have."""
    row = "(%s, %s, %s, %s, %s)"
    first = "(%s, %s, %s::text, %s::text[], %s::int)"
    values = ", ".join([first, *[row] * (len(rows) - 1)])
    return f"(VALUES {values})", [value for one in rows for value in one.row]


def inserting(rows: list[Item]) -> Callable:
    values, parameters = values_of(rows)
    query = f"INSERT INTO bank ({COLUMNS}) SELECT * FROM {values} AS v"
    return lambda sql: sql.execute(query, parameters)


def updating(rows: list[Item], what: str = "question_text = v.question_text, choices = v.choices"):
    if not rows:
        return lambda sql: None
    values, parameters = values_of(rows)
    query = f"UPDATE bank SET {what} FROM {values} AS v ({COLUMNS}) WHERE {MATCH}"
    return lambda sql: sql.execute(query, parameters)


def deleting(rows: list[Item]) -> Callable:
    keys = [[one.id for one in rows], [one.subject for one in rows]]
    query = """
        DELETE FROM bank
        WHERE (id, subject) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""
    return lambda sql: sql.execute(query, keys)


def copying(rows: list[Item]) -> Callable:
    def work(sql: psycopg.Connection) -> None:
        with sql.cursor() as cursor, cursor.copy(f"COPY bank ({COLUMNS}) FROM STDIN") as stream:
            for one in rows:
                stream.write_row(one.row)

    return work
