"""Memory as Linux counts it: of a program while it runs, and of a PostgreSQL session."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psycopg

SAMPLE_SECONDS = 0.05
ROLLUP = "/proc/self/smaps_rollup"


@dataclass(frozen=True)
class Finished:
    """What a program took: seconds of wall time, and peaks in bytes.

    `resident` is ru_maxrss, pages of mapped files included; `anonymous` is what no file stands
    behind, sampled 20 times a second. `code` is its exit status.
    """

    code: int
    seconds: float
    resident: int
    anonymous: int


def run_measured(command: list[str], on_line: Callable[[str], None]) -> Finished:
    """Run a program; each line of what it prints goes to `on_line`."""
    start = perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    peak = [0]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], anonymous_bytes(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        for line in process.stdout:
            on_line(line.rstrip("\n"))
        ended.set()
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    finally:
        ended.set()
        sampler.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = perf_counter() - start
    return Finished(process.returncode, seconds, usage.ru_maxrss * 1024, peak[0])


def anonymous_bytes(pid: int) -> int:
    """Memory of a process that no file stands behind; 0 where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return _kilobytes(text).get("RssAnon", 0)


@dataclass(frozen=True)
class Session:
    """Memory of one session, in bytes.

    `anonymous` is its own; `mapped` are pages of files (weights, libraries), which sessions share;
    `proportional` is PSS: what is shared, divided by those who share it.
    """

    anonymous: int
    mapped: int
    proportional: int


def session_memory(connection: psycopg.Connection) -> Session:
    """Of the backend behind a superuser's connection, which reads it of itself: nobody else may."""
    text = connection.execute("SELECT pg_read_file(%s)", (ROLLUP,)).fetchone()[0]
    found = _kilobytes(text)
    anonymous = found["Anonymous"]
    return Session(anonymous, found["Rss"] - anonymous, found["Pss"])


def _kilobytes(text: str) -> dict[str, int]:
    """`Name:  12 kB` lines, in bytes."""
    lines = re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)
    return {name: int(size) * 1024 for name, size in lines}


def gigabytes(size: float) -> str:
    """For tables: 10^9 bytes."""
    return f"{size / 1e9:.2f} GB"


def available() -> int:
    """Bytes that programs can still get without swapping."""
    return _kilobytes(Path("/proc/meminfo").read_text())["MemAvailable"]
