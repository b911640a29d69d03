"""Sessions that call the engine without a pause, each in a thread, and what they got."""

import threading
import time
from dataclasses import dataclass
from typing import Self

import psycopg
from running_engine import session


@dataclass(frozen=True)
class Outcome:
    """Of one call: when, and the error or the row."""

    began: float
    ended: float
    error: psycopg.Error | None
    row: tuple | None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began


class Caller(threading.Thread):
    """Calls from `start` to `stop`; `pause` seconds lie between two calls."""

    def __init__(self, url: str, query: str, parameters: tuple, pause: float = 0, **settings):
        super().__init__(daemon=True)
        self.connection = session(url, **settings)
        self.pid = self.connection.info.backend_pid
        self.call = (query, parameters)
        self.pause = pause
        self.outcomes: list[Outcome] = []
        self.stopping = threading.Event()

    def once(self) -> Outcome:
        """One call, from whatever thread."""
        began, error, row = time.monotonic(), None, None
        try:
            row = self.connection.execute(*self.call).fetchone()
        except psycopg.Error as caught:
            error = caught
        outcome = Outcome(began, time.monotonic(), error, row)
        self.outcomes.append(outcome)
        return outcome

    def run(self):
        while not self.stopping.is_set() and not self.connection.closed:
            self.once()
            if self.pause:
                self.stopping.wait(self.pause)

    def stop(self) -> None:
        """After the call under way."""
        self.stopping.set()
        if self.ident:
            self.join(60)
            assert not self.is_alive(), "a session is stuck"
        self.connection.close()

    def errors(self) -> list[psycopg.Error]:
        """Of all calls so far."""
        return [outcome.error for outcome in self.outcomes if outcome.error]

    def served_since(self, moment: float) -> bool:
        """Whether a call that began then or later got its row."""
        return any(one.began >= moment and not one.error for one in reversed(self.outcomes[-50:]))


class Callers(list[Caller]):
    """Several, stopped together."""

    def __enter__(self) -> Self:
        for caller in self:
            caller.start()
        return self

    def __exit__(self, *_) -> None:
        for caller in self:
            caller.stopping.set()
        for caller in self:
            caller.stop()

    def errors(self) -> list[psycopg.Error]:
        """Of all."""
        return [error for caller in self for error in caller.errors()]
