"""The processes of the throw-away server, the engine's among them: memory, descriptors, zombies.

Read from /proc, which gives them to root and to the server's own user.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ENGINE = "itembank-engin"  # /proc cuts names after 15 letters


@dataclass(frozen=True)
class Process:
    """One of them, as it was when it was looked at."""

    pid: int
    parent: int
    name: str
    state: str


@dataclass(frozen=True)
class Memory:
    """PSS in bytes: what is shared, divided by those who share it; so that sums mean something."""

    engine: int
    others: int
    processes: int

    @property
    def all(self) -> int:
        return self.engine + self.others


def postmaster() -> int:
    """Its process."""
    file = Path(os.environ["ITEMBANK_TEST_DATA"]) / "postmaster.pid"
    return int(file.read_text().split()[0])


def processes() -> list[Process]:
    """The postmaster, and all that come from it."""
    by_parent: dict[int, list[Process]] = {}
    found, next_ones = [], []
    for process in filter(None, map(_process, _pids())):
        by_parent.setdefault(process.parent, []).append(process)
        if process.pid == postmaster():
            next_ones.append(process)
    while next_ones:
        process = next_ones.pop()
        found.append(process)
        next_ones.extend(by_parent.get(process.pid, []))
    return found


def engines() -> list[Process]:
    """Those that run an engine; one, but around a restart."""
    return [process for process in processes() if is_engine(process) and process.state not in "ZX"]


def is_engine(process: Process) -> bool:
    return process.name.startswith(ENGINE)


def memory() -> Memory:
    """Of all of them; who ends meanwhile does not count."""
    engine = others = count = 0
    for process in processes():
        size = proportional(process.pid)
        count += size > 0
        if is_engine(process):
            engine += size
        else:
            others += size
    return Memory(engine, others, count)


def proportional(pid: int) -> int:
    """PSS of one process; 0 where there is none any more."""
    text = _read(f"/proc/{pid}/smaps_rollup")
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def descriptors(pid: int) -> int:
    """How many a process has open."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        return len(_as_server("ls", f"/proc/{pid}/fd").split())
    except OSError:
        return 0


def zombies() -> list[Process]:
    """Ended, and nobody has asked how."""
    return [process for process in processes() if process.state == "Z"]


def shared_objects() -> set[str]:
    """Objects of shared memory that any of them has mapped, deleted ones included."""
    maps = "".join(_read(f"/proc/{process.pid}/maps") for process in processes())
    return set(re.findall(r" (/dev/shm/.*|/SYSV.*|/dev/zero.*)$", maps, re.MULTILINE))


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent, *_ = rest.split()
    return Process(pid, int(parent), name, state)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except PermissionError:
        return _as_server("cat", path)
    except OSError:
        return ""


def _as_server(*command: str) -> str:
    """For a root that may not look at the processes of others."""
    user = os.environ["ITEMBANK_SERVER_USER"]
    become = ["setpriv", f"--reuid={user}", "--clear-groups", *command]
    return subprocess.run(become, capture_output=True, text=True, check=False).stdout
