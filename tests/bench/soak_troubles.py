"""What happens to the soak's clients and to its engine: each trouble is a thread that comes again.

They say what they did, so that the checks can tell a planned error from another.
"""

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psycopg
from engine_process import MODEL, is_running, status
from server_processes import Memory, memory
from soak_questions import MANY, all_questions
from soak_sessions import NAME, open_session

CANCELS, TERMINATIONS, DISCONNECTS, SAMPLES = 0.5, 4, 2, 1  # seconds between two, about
PICK = """SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state = 'active'
          ORDER BY random() LIMIT 1"""


class Troubles:
    """Those of one phase; `kills` are times, `back` the seconds until the next vector."""

    def __init__(self, seconds_between_kills: float | None):
        self.kills: list[float] = []
        self.back: list[float] = []
        self.terminated: set[int] = set()
        self.samples: list[tuple[float, Memory]] = []
        self.counts = defaultdict(Counter)
        self.done = Counter()
        self.failures: list[BaseException] = []
        self.chance = random.Random(6)
        self.ended = threading.Event()
        every = [(self.cancel, CANCELS), (self.terminate, TERMINATIONS)]
        every += [(self.disconnect, DISCONNECTS), (self.sample, SAMPLES)]
        if seconds_between_kills:
            every.append((self.kill, seconds_between_kills))
        self.threads = [threading.Thread(target=self.repeat, args=one) for one in every]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def repeat(self, work: Callable[[psycopg.Connection], None], pause: float) -> None:
        """Until the end; the connection is not one of those that trouble comes to."""
        with open_session(name="trouble") as admin:
            while not self.ended.wait(pause * self.chance.uniform(0.5, 1.5)):
                try:
                    work(admin)
                except (psycopg.Error, OSError) as error:
                    self.failures.append(error)
                    return
                self.done[work.__name__] += 1

    def cancel(self, admin: psycopg.Connection) -> None:
        admin.execute(f"SELECT pg_cancel_backend(pid) FROM ({PICK}) AS one", (NAME,))

    def terminate(self, admin: psycopg.Connection) -> None:
        for (pid,) in admin.execute(PICK, (NAME,)).fetchall():
            self.terminated.add(pid)
            admin.execute("SELECT pg_terminate_backend(%s)", (pid,))

    def disconnect(self, _admin: psycopg.Connection) -> None:
        """A client that goes without a word: its socket is closed, or its process killed."""
        question = next(one for one in all_questions() if one.items > 32 and one.model == MODEL)
        counts = self.counts[question.model]
        counts["issued"] += 1
        counts["interrupted"] += 1
        counts["interrupted_items"] += question.items
        pause = self.chance.uniform(0.005, 0.3)
        if self.chance.random() < 0.5:
            close_socket(question.parameters[1], pause)
        else:
            kill_client(question.parameters[1], pause)

    def kill(self, admin: psycopg.Connection) -> None:
        """The engine; measured is how long a session then waits for its next vector."""
        pid = status(admin)["pid"]
        if pid is None:
            return
        self.kills.append(time.time())
        start = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        while is_running(pid):
            time.sleep(0.0005)
        with open_session(name="trouble") as fresh:
            fresh.execute("SELECT embed(%s, 'a')", (MODEL,))
        self.back.append(time.perf_counter() - start)

    def sample(self, _admin: psycopg.Connection) -> None:
        self.samples.append((time.time(), memory()))


def close_socket(texts: list[str], pause: float) -> None:
    """In the midst of a statement."""
    session = open_session(name="trouble")
    session.pgconn.send_query_params(
        MANY.replace("%s", "$1", 1).replace("%s", "$2").encode(),
        [MODEL.encode(), array(texts).encode()],
    )
    session.pgconn.flush()
    time.sleep(pause)
    with socket.socket(fileno=os.dup(session.pgconn.socket)) as stream:
        stream.shutdown(socket.SHUT_RDWR)
    session.close()


def kill_client(texts: list[str], pause: float) -> None:
    """psql, by SIGKILL."""
    program = Path(os.environ["ITEMBANK_TEST_PGBIN"]) / "psql"
    query = MANY.replace("%s", f"'{MODEL}'", 1).replace("%s", f"$array${array(texts)}$array$")
    command = [program, "-X", "-q", "-c", query, os.environ["ITEMBANK_TEST_URL"]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        time.sleep(pause)
        process.kill()


def array(texts: list[str]) -> str:
    """A literal of text[]."""
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in texts]
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"
