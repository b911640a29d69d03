"""Processes as Linux shows them: those of the throw-away server, and its engine among them.

What only their owner may look at is read as the server's user, since root in a container may not.
"""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ENGINE = "itembank-engine"


def wait_until(true: Callable[[], object], timeout: float = 10, what: str = "") -> float:
    """Seconds until it is true; fails where it is not in time."""
    start = time.monotonic()
    while not true():
        passed = time.monotonic() - start
        assert passed < timeout, f"not within {timeout} s: {what or true}"
        time.sleep(0.005)
    return time.monotonic() - start


def identity() -> dict:
    """For `subprocess`: the server's user, where that is not ours."""
    name = os.environ["ITEMBANK_SERVER_USER"]
    return {} if os.geteuid() else as_user(name)


def as_user(name: str | int) -> dict:
    """For `subprocess`: another user and nothing of ours; only root can."""
    import pwd

    found = pwd.getpwnam(name) if isinstance(name, str) else None
    user, group = (found.pw_uid, found.pw_gid) if found else (name, name)
    return {"user": user, "group": group, "extra_groups": []}


def as_server(*command: object, **more) -> str:
    """Output of a program that runs as the server's user."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        **identity(),
        **more,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def stat(pid: int) -> list[str] | None:
    """Fields of `/proc/PID/stat` from the state on; None where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def threads(pid: int) -> list[str]:
    """The state of each thread, as one letter."""
    try:
        tasks = [Path(f"/proc/{pid}/task/{task}/stat") for task in os.listdir(f"/proc/{pid}/task")]
        return [task.read_text().rpartition(")")[2].split()[0] for task in tasks]
    except (FileNotFoundError, ProcessLookupError):
        # One of them has just ended: the next look will tell.
        return ["R"] if stat(pid) else []


def parent(pid: int) -> int:
    """The process that started it, or took it over."""
    return int(stat(pid)[1])


@dataclass(frozen=True)
class Process:
    """One process, told from a later one of the same number."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The one that has this number now."""
        return cls(pid, stat(pid)[19])

    def is_alive(self) -> bool:
        """Whether any of its threads runs: until the last has ended, its files are open."""
        now = stat(self.pid)
        return (
            bool(now)
            and now[19] == self.began
            and any(one not in "ZX" for one in threads(self.pid))
        )


def pids() -> list[int]:
    """Of all processes."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def children(pid: int) -> list[int]:
    """Processes that it has started, zombies included."""
    return [child for child in pids() if (now := stat(child)) and int(now[1]) == pid]


def zombies(*parents: int) -> list[int]:
    """Ended children that their parent has not asked about."""
    return [
        child
        for pid in parents
        for child in children(pid)
        if (now := stat(child)) and now[0] == "Z"
    ]


def engines(data: Path) -> list[int]:
    """Engine processes of the server that has this data directory."""
    return [pid for pid in pids() if name(pid) == ENGINE and working_directory(pid) == str(data)]


def name(pid: int) -> str:
    """Of its program."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def working_directory(pid: int) -> str:
    """Empty where it has ended."""
    try:
        return as_server("readlink", f"/proc/{pid}/cwd").strip()
    except AssertionError:
        return ""


def postmaster(data: Path) -> int:
    """The server's first process."""
    return int((data / "postmaster.pid").read_text().split()[0])


def descriptors(pid: int) -> dict[int, str]:
    """Open files by number, as `/proc` names them."""
    # One may be closed while it is looked at.
    find = f"find /proc/{pid}/fd -type l -printf '%f %l\\n' 2>/dev/null || true"
    listing = as_server("sh", "-c", find)
    lines = (line.split(" ", 1) for line in listing.splitlines())
    return {int(number): target for number, target in lines}


def environment(pid: int) -> dict[str, str]:
    """Variables that it was started with."""
    entries = as_server("cat", f"/proc/{pid}/environ").split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def status(pid: int) -> dict[str, str]:
    """`/proc/PID/status`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def anonymous(pid: int) -> int:
    """Bytes of memory that no file stands behind."""
    return int(status(pid)["RssAnon"].split()[0]) * 1024


def shared_segments(creators: Sequence[int]) -> list[str]:
    """Numbers of the System V shared memory that these processes made."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [words[1] for words in map(str.split, lines) if int(words[4]) in creators]


def shared_files() -> set[str]:
    """Shared memory of the server's user by name, without that of PostgreSQL itself."""
    owner = identity().get("user", os.geteuid())
    files = [entry for entry in os.scandir("/dev/shm") if not entry.name.startswith("PostgreSQL.")]
    return {entry.name for entry in files if entry.stat(follow_symlinks=False).st_uid == owner}
