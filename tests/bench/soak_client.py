"""One client of the soak: asks, compares, counts. A process of its own, led by lines on its input.

    soak_client.py SEED ANSWERS.json     `run` begins; `stop` ends, and gives counts as a JSON line

It knows what it did itself; whether an error was planned is for the soak to say.
"""

import json
import random
import select
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import psycopg
from soak_questions import LARGEST_DIFFERENCE, Question, all_questions, difference
from soak_sessions import CANCELED, open_session

TIMEOUTS = 0.12  # share of statements that have one
SHORTEST, LONGEST = 3, 150  # ms
STATUS = 0.04  # share of statements that ask how the engine fares
RECONNECTS = 0.01
STATUS_QUERIES = [
    "SELECT state FROM engine_status()",
    "SELECT count(*) FROM itembank_engine",
    "SELECT engine_summary()",
]


class Client:
    """Its counts are by model; errors are (when, SQLSTATE, message, process of the backend)."""

    def __init__(self, seed: int, answers: list):
        self.chance = random.Random(seed)
        self.answers = answers
        self.questions = all_questions()
        self.weights = [question.weight for question in self.questions]
        self.session = None
        self.reset()

    def reset(self) -> None:
        self.counts = defaultdict(Counter)
        self.errors, self.wrong = [], []
        self.exact = self.statements = 0

    def step(self) -> None:
        """One statement, or what goes with it."""
        self.statements += 1
        if self.session is None or self.session.closed or self.chance.random() < RECONNECTS:
            self.close()
            self.session = open_session()
        if self.chance.random() < STATUS:
            self.attempt(lambda: self.session.execute(self.chance.choice(STATUS_QUERIES)))
            return
        if self.chance.random() < TIMEOUTS:
            timeout = self.chance.randint(SHORTEST, LONGEST)
            if self.attempt(lambda: self.session.execute(f"SET statement_timeout = {timeout}")):
                self.ask()
                if not self.session.closed:
                    self.attempt(lambda: self.session.execute("SET statement_timeout = 0"))
            return
        self.ask()

    def ask(self) -> None:
        """A question of the set, counted whatever comes of it."""
        number = self.chance.choices(range(len(self.questions)), self.weights)[0]
        question = self.questions[number]
        counts = self.counts[question.model]
        counts["issued"] += 1
        found = []

        def work() -> None:
            found.extend(self.session.execute(question.query, question.parameters).fetchone())

        if self.attempt(work, question):
            counts["answered"] += 1
            counts["items"] += question.items
            self.compare(number, found[0])

    def attempt(self, work, question: Question | None = None) -> bool:
        """Whether it went well."""
        pid = self.session.info.backend_pid if not self.session.closed else 0
        try:
            work()
            return True
        except psycopg.Error as error:
            counts = self.counts[question.model] if question else Counter()
            if question and question.sqlstate and error.sqlstate == question.sqlstate:
                counts["failed"] += 1
                return False
            counts["interrupted"] += 1
            counts["interrupted_items"] += question.items if question else 0
            if error.sqlstate != CANCELED:
                self.errors.append((time.time(), error.sqlstate, str(error), pid))
            return False

    def compare(self, number: int, answer) -> None:
        """With the one answer that there is."""
        off = difference(answer, self.answers[number])
        self.exact += off == 0
        if off > LARGEST_DIFFERENCE:
            self.wrong.append((number, off))

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None


def main() -> None:
    seed, file = sys.argv[1:]
    client = Client(int(seed), json.loads(Path(file).read_text(encoding="utf-8")))
    for line in sys.stdin:
        if line.strip() != "run":
            continue
        client.reset()
        while not select.select([sys.stdin], [], [], 0)[0]:
            client.step()
        client.close()
        sys.stdin.readline()  # stop
        kept = ("counts", "errors", "wrong", "exact", "statements")
        print(json.dumps({name: getattr(client, name) for name in kept}), flush=True)


if __name__ == "__main__":
    main()
