"""Random calls of every function of the extension, by one session, until its input ends.

    calls.py URL SEED     at the end: counts as a JSON line

What sqlsmith does not draw or has no arguments for: functions that return sets, procedures,
aggregates with rows that mean something, parts that only the extension's own functions call.
"""

import json
import random
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import psycopg
from values import Values

IMAGES = Path(__file__).resolve().parents[1] / "fixtures" / "images"
LARGEST_IMAGE = 3000  # bytes: statements are logged
FUNCTIONS = """
    SELECT o.name, p.prokind, p.proretset, r.typname, p.pronargdefaults,
           ARRAY(SELECT CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN e.typname || '[]'
                             ELSE t.typname END
                 FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place)
                     JOIN pg_catalog.pg_type AS t ON t.oid = a.type
                     LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem
                 ORDER BY a.place),
           ARRAY(SELECT coalesce(n.name, '')
                 FROM unnest(p.proargnames, p.proargmodes) WITH ORDINALITY AS n (name, mode, place)
                 WHERE coalesce(n.mode, 'i') IN ('i', 'b', 'v') ORDER BY n.place)
    FROM focus.ours AS o JOIN pg_catalog.pg_proc AS p ON p.oid = o.oid
        JOIN pg_catalog.pg_type AS r ON r.oid = p.prorettype
    ORDER BY o.name, p.oid"""
# Columns of kept.items, and of kept.runs for aggregates.
COLUMNS = {
    "text": "i.question_text",
    "bytea": "i.image",
    "text[]": "i.choices",
    "bytea[]": "i.images",
    "int4": "i.grade",
    "vector": "i.embedding",
    "vector[]": "i.vectors",
    "name[]": "i.tags",
}
RUN_COLUMNS = {"query_id": "r.query_id", "rank": "r.rank", "relevance": "r.relevance"}
TIMEOUT = "SET statement_timeout = '5s'; SET lock_timeout = '2s'; SET client_min_messages = error"
SETTINGS = [
    "SET statement_timeout = {ms}",
    "SET itembank_embed.cache_size = 0",
    "SET itembank_embed.cache_size = '1MB'",
    "SET itembank_embed.engine = 'backend'",
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off",
    "SET search_path = ''",
    "SET client_min_messages = debug1",
    "SET work_mem = '64kB'",
    f"RESET ALL; {TIMEOUT}",
    f"RESET ALL; {TIMEOUT}",
]


@dataclass(frozen=True)
class Function:
    """A function, aggregate or procedure; arguments as (name, type)."""

    name: str
    kind: str
    returns_set: bool
    result: str
    defaults: int
    arguments: tuple[tuple[str, str], ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(kind for _, kind in self.arguments)})"


class Caller:
    """One session, and what came of its calls."""

    def __init__(self, url: str, seed: int):
        self.url = url
        self.chance = random.Random(seed)
        files = sorted(IMAGES.glob("*.*"))
        images = [file.read_bytes() for file in files if file.suffix != ".json"]
        self.values = Values(self.chance, [one for one in images if len(one) <= LARGEST_IMAGE])
        self.tried: Counter = Counter()
        self.answered: Counter = Counter()
        self.states: dict[str, Counter] = defaultdict(Counter)
        self.lost = 0
        self.session = self.open()
        self.functions = [
            Function(
                *found[:5], tuple(zip(found[6] or [""] * len(found[5]), found[5], strict=True))
            )
            for found in self.session.execute(FUNCTIONS).fetchall()
        ]

    def open(self) -> psycopg.Connection:
        session = psycopg.connect(self.url, autocommit=True, application_name="calls")
        session.execute(TIMEOUT)
        return session

    def turn(self) -> None:
        """One call, alone or in a transaction with others."""
        if self.chance.random() < 0.02:
            self.run(self.chance.choice(SETTINGS).format(ms=self.chance.randint(1, 300)))
            return
        function = self.chance.choice(self.functions)
        if function.kind == "p" or self.chance.random() < 0.6:
            self.call(function)
            return
        self.run("BEGIN")
        for one in [function, *self.chance.choices(self.functions, k=self.chance.randint(0, 3))]:
            self.run("SAVEPOINT s")
            if not self.call(one):
                self.run("ROLLBACK TO SAVEPOINT s")
        self.run(self.chance.choice(["COMMIT", "ROLLBACK", "ROLLBACK"]))

    def call(self, function: Function) -> bool:
        self.tried[function.signature] += 1
        state = self.run(self.statement(function))
        self.states[function.signature][state] += 1
        self.answered[function.signature] += state == "00000"
        return state == "00000"

    def run(self, statement: str) -> str:
        """Its SQLSTATE; a session that is gone is opened again."""
        try:
            self.session.execute(statement)
        except psycopg.Error as error:
            if not self.session.closed and not self.session.broken:
                return error.sqlstate or "?????"
            self.lost += 1
            self.session = self.open()
            return error.sqlstate or "lost"
        return "00000"

    def statement(self, function: Function) -> str:
        """A call in one of the places that a call can stand in."""
        self.values.begin()
        arguments = list(function.arguments)
        if self.chance.random() < 0.5:
            arguments = arguments[: len(arguments) - self.chance.randint(0, function.defaults)]
        if function.kind == "a":
            return self.aggregate(function, arguments)
        rows = self.chance.random() < 0.3 and function.kind in "fw"
        given = []
        for name, kind in arguments:
            column = COLUMNS.get(kind)
            by_column = rows and column and name != "model" and self.chance.random() < 0.7
            given.append(column if by_column else self.values.of(kind, name))
        call = f"{function.name}({', '.join(given)})"
        if function.kind == "p":
            return f"CALL {call}"
        if function.kind == "w":
            call += " OVER (ORDER BY i.id)" if rows else " OVER ()"
        if function.result in ("internal", "trigger", "event_trigger"):
            call = f"({call}) IS NULL" if function.result == "internal" else call
        if rows:
            return f"SELECT {call} FROM (SELECT * FROM kept.items ORDER BY id LIMIT 4) AS i"
        if function.kind == "w":
            return f"SELECT {call}"
        if function.returns_set or self.chance.random() < 0.1:
            return (
                f"SELECT * FROM {call} AS f" if function.result != "internal" else f"SELECT {call}"
            )
        return f"{self.chance.choice(['', '', '', 'EXPLAIN '])}SELECT {call}"

    def aggregate(self, function: Function, arguments: list[tuple[str, str]]) -> str:
        meant = self.chance.random() < 0.7
        given = [
            RUN_COLUMNS[name] if meant and name in RUN_COLUMNS else self.values.of(kind, name)
            for name, kind in arguments
        ]
        inside = self.chance.choice(["", "", "", "DISTINCT "]) + ", ".join(given)
        behind = self.chance.choice(
            ["", "", " FILTER (WHERE r.rank < 5)", " OVER (PARTITION BY r.query_id)"]
        )
        group = "" if "OVER" in behind else self.chance.choice(["", " GROUP BY r.query_id"])
        return f"SELECT {function.name}({inside}){behind} FROM kept.runs AS r{group}"

    def counts(self) -> dict:
        return {
            "tried": self.tried,
            "answered": self.answered,
            "states": {name: dict(states) for name, states in self.states.items()},
            "functions": [function.signature for function in self.functions],
            "lost": self.lost,
        }


def main() -> None:
    caller = Caller(sys.argv[1], int(sys.argv[2]))
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    while not over.is_set():
        caller.turn()
    caller.session.close()
    print(json.dumps(caller.counts()), flush=True)


if __name__ == "__main__":
    main()
