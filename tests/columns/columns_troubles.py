"""What happens to the writers, to the worker, to the engine and to the server of a torture run."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import psycopg
from columns_server import Cluster, workers
from columns_writers import NAME

CANCELS, TERMINATIONS = 0.3, 1.5  # seconds between two, about; of writers
WORKER_CANCELS, WORKER_TERMINATIONS = 1.5, 4.0
KILLS = 5.0  # of the engine
LOOK = 0.02
ACTIVE = """
    SELECT pid FROM pg_stat_activity
    WHERE application_name = %s AND state <> 'idle' ORDER BY random() LIMIT 1"""


class Troubles:
    """From `__enter__` to `__exit__`; crashes of the server come when they are asked for."""

    def __init__(self, server: Cluster, pace: float = 1, seed: int = 7):
        self.server = server
        self.pace = pace
        self.chance = random.Random(seed)
        self.done = Counter()
        self.failures: list[BaseException] = []
        self.ended = threading.Event()
        # While the server is down on purpose there is nothing else to disturb.
        self.quiet = threading.Lock()
        every = {
            self.cancel_writer: CANCELS,
            self.terminate_writer: TERMINATIONS,
            self.cancel_worker: WORKER_CANCELS,
            self.terminate_worker: WORKER_TERMINATIONS,
            self.kill_engine: KILLS,
        }
        self.threads = [
            threading.Thread(target=self.repeat, args=one, daemon=True) for one in every.items()
        ]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def repeat(self, work: Callable[[psycopg.Connection], bool], pause: float) -> None:
        """Until the end; whoever was thrown out comes again."""
        admin = None
        while not self.ended.wait(pause * self.pace * self.chance.uniform(0.5, 1.5)):
            try:
                if admin is None or admin.closed:
                    admin = self.server.connect()
                with self.quiet:
                    self.done[work.__name__] += work(admin)
            except psycopg.OperationalError:
                admin = None
            except (psycopg.Error, AssertionError, OSError) as error:
                self.failures.append(error)
                return
        if admin:
            admin.close()

    def signal_to(self, admin: psycopg.Connection, query: str, call: str, *parameters) -> bool:
        found = admin.execute(query, parameters).fetchone()
        return bool(found) and admin.execute(f"SELECT {call}(%s)", found).fetchone()[0]

    def cancel_writer(self, admin: psycopg.Connection) -> bool:
        return self.signal_to(admin, ACTIVE, "pg_cancel_backend", NAME)

    def terminate_writer(self, admin: psycopg.Connection) -> bool:
        return self.signal_to(admin, ACTIVE, "pg_terminate_backend", NAME)

    def cancel_worker(self, admin: psycopg.Connection) -> bool:
        return self.to_worker(admin, "pg_cancel_backend")

    def terminate_worker(self, admin: psycopg.Connection) -> bool:
        return self.to_worker(admin, "pg_terminate_backend")

    def to_worker(self, admin: psycopg.Connection, call: str) -> bool:
        found = workers(admin)
        if not found:
            return False
        pid = self.chance.choice(found)
        return admin.execute(f"SELECT {call}(%s)", (pid,)).fetchone()[0]

    def kill_engine(self, _admin: psycopg.Connection) -> bool:
        engines = self.server.engines()
        for pid in engines:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(engines)

    def stop_at_once(self) -> None:
        """The server, as if the power had failed, and its start."""
        with self.quiet:
            self.server.pg_ctl("immediate")
            time.sleep(0.2)
            self.server.start()
            self.done["immediate_stop"] += 1

    def kill_backend(self) -> None:
        """A session's process: the postmaster throws everybody out and recovers."""
        with self.quiet, self.server.connect() as admin:
            deadline = time.monotonic() + 10
            while not (found := admin.execute(ACTIVE, (NAME,)).fetchone()):
                if time.monotonic() > deadline:
                    return
                time.sleep(LOOK)
            os.kill(found[0], signal.SIGKILL)
            self.done["backend_kill"] += 1
        self.wait_for_recovery()

    def kill_worker(self) -> None:
        """The same with the worker as its victim."""
        with self.quiet, self.server.connect() as admin:
            found = workers(admin)
            if not found:
                return
            os.kill(found[0], signal.SIGKILL)
            self.done["worker_kill"] += 1
        self.wait_for_recovery()

    def wait_for_recovery(self) -> None:
        time.sleep(0.2)
        deadline = time.monotonic() + 60
        while not self.server.is_ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server does not recover: {self.server.log}")
            time.sleep(LOOK)
