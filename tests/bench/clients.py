"""pgbench as the clients: how many statements a second, once all of them are warm.

Each client's first statement loads what its session needs, which may take seconds: counting begins
when the last client has ended its first, and ends with the first client to stop.
"""

import os
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

THREADS = 2  # of pgbench itself
TRIES = 4


def rate(
    script: str, clients: int, seconds: float, options: str, *, seed: int = 1, warm: float = 1
) -> float:
    """Statements a second of so many clients over about `seconds`.

    `warm` are seconds that they may need before: where they need more, all is done again with more.
    `options` as libpq takes them.
    """
    for _ in range(TRIES):
        ends = _statements(script, clients, round(seconds + warm), options, seed)
        begin = max(times[0] for times in ends.values())
        end = min(times[-1] for times in ends.values())
        if end - begin >= seconds / 2:
            within = sum(begin < time <= end for times in ends.values() for time in times)
            return within / (end - begin)
        warm = 2 * warm + seconds
    raise AssertionError(f"{clients} clients are never warm together for {seconds / 2} s")


def _statements(
    script: str, clients: int, seconds: int, options: str, seed: int
) -> dict[int, list[float]]:
    """When each client's statements ended, in seconds."""
    with tempfile.TemporaryDirectory(prefix="itembank-pgbench-") as place:
        file = Path(place) / "script.sql"
        file.write_text(script, encoding="utf-8")
        _run(file, clients, seconds, options, seed)
        ends = _ends(Path(place))
    if len(ends) != clients:
        raise AssertionError(f"{len(ends)} of {clients} clients ended a statement")
    return ends


def _run(script: Path, clients: int, seconds: int, options: str, seed: int) -> None:
    program = Path(os.environ["ITEMBANK_TEST_PGBIN"]) / "pgbench"
    command = [program, "-n", "-f", script, "-M", "prepared", "-c", clients]
    command += ["-j", min(THREADS, clients), "-T", seconds, f"--random-seed={seed}"]
    command += ["-l", f"--log-prefix={script.parent}/log", os.environ["ITEMBANK_TEST_URL"]]
    environment = {**os.environ, "PGOPTIONS": options}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or "failed" in done.stderr:
        raise AssertionError(f"pgbench: {done.stderr[-2000:]}")


def _ends(place: Path) -> dict[int, list[float]]:
    """From pgbench's logs."""
    ends = defaultdict(list)
    for file in place.glob("log*"):
        # client, number, microseconds, script, seconds, microseconds
        for client, *_, second, micro in np.loadtxt(file, usecols=range(6), ndmin=2):
            ends[int(client)].append(second + micro / 1e6)
    return {client: sorted(times) for client, times in ends.items()}
