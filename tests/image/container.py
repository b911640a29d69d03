"""A container of the image without a container engine: name spaces of its own (processes, mounts,
network, IPC) around a chroot into the image's root file system, with the user, the environment, the
entry point and the signals of its configuration. What Docker would limit besides (capabilities,
cgroups) is not.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

# What Docker mounts: a /proc of the name space, a /dev without disks, a limited /dev/shm.
MOUNTS = """
set -eu
root=$1 log=$2 shared=$3; shift 3
ip link set lo up
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm"; mount -t tmpfs -o mode=1777,size=$shared shm "$root/dev/shm"
while [ "$1" != -- ]; do mount --bind "$1" "$root/$2"; shift 2; done; shift
exec "$@" >>"$log" 2>&1 </dev/null
"""
PSQL = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1")
SPACES = ("--mount", "--pid", "--net", "--ipc", "--uts")


def children(process: int) -> list[int]:
    """The numbers of a process's children."""
    return [*map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())]


class Image:
    """The image as `make image-test` laid it out."""

    def __init__(self) -> None:
        self.root = Path(os.environ["ITEMBANK_IMAGE_ROOT"])
        self.config = json.loads(Path(os.environ["ITEMBANK_IMAGE"]).read_text())["Docker"]["config"]

    def inside(self, command: list[str], environment: dict[str, str]) -> list[str]:
        """The command line that runs one as the image's user, in the image's environment."""
        variables = [
            *self.config["Env"],
            *(f"{name}={value}" for name, value in environment.items()),
        ]
        user = self.config["User"]
        become = ["chroot", f"--userspec={user}:{user}", self.root, "env", "-i"]
        return [*map(str, become), *variables, *command]


class Container:
    """One run of the image: `command` instead of its own, volumes as {place in it: folder}."""

    def __init__(self, image: Image, log: Path, **options) -> None:
        self.image, self.log = image, log
        self.environment = options.get("environment", {})
        shared = options.get("shm_size", 64 << 20)  # Docker's default
        main = [*image.config["Entrypoint"], *options.get("command", image.config["Cmd"])]
        volumes = options.get("volumes", {}).items()
        binds = [str(x) for place, folder in volumes for x in (folder, place)]
        apart = ["unshare", *SPACES, "--propagation=private", "--fork", "--kill-child"]
        arguments = [str(image.root), str(log), str(shared), *binds, "--"]
        inside = image.inside(main, self.environment)
        self.process = subprocess.Popen([*apart, "sh", "-c", MOUNTS, "sh", *arguments, *inside])

    @property
    def pid(self) -> int:
        """The number that the container's first process has outside."""
        parent = self.process.pid
        return children(parent)[0]

    @property
    def server(self) -> int:
        """The number that PostgreSQL, or the command instead of it, has outside."""
        return children(self.pid)[0]

    def processes(self, file: str) -> dict[int, bytes]:
        """What /proc has in this file of each of its processes, by their numbers outside."""
        space = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # one that has ended meanwhile
                if os.readlink(process / "ns/pid") == space:
                    found[int(process.name)] = (process / file).read_bytes()
        return found

    def run(self, command: list[str], **environment) -> subprocess.CompletedProcess:
        """As `docker exec`."""
        enter = ["nsenter", "--target", str(self.pid), *SPACES, "--"]
        inside = self.image.inside(command, self.environment | environment)
        return subprocess.run(
            enter + inside, capture_output=True, text=True, timeout=300, check=False
        )

    def psql(self, sql: str, database="itembank", *options: str, **environment) -> str:
        """What psql prints, unaligned, without headers; an error fails the test."""
        as_superuser = ("--username=postgres", *options)
        done = self.run([*PSQL, *as_superuser, "-d", database, "-c", sql], **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def wait_healthy(self, seconds=600) -> None:
        """Until the image's own health check succeeds."""
        until = time.monotonic() + seconds
        while self.health() != 0:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.5)

    def health(self) -> int:
        """The exit code of the health check; 1 as long as there is nothing to ask."""
        kind, *command = self.image.config["Healthcheck"]["Test"]
        if kind == "CMD-SHELL":
            command = ["/bin/sh", "-c", *command]
        try:
            return self.run(command).returncode
        except (OSError, IndexError):
            return 1

    def stop(self, number: str | int | None = None, seconds=60) -> int:
        """As `docker stop`, by the image's own signal or another; the exit code."""
        if self.process.poll() is None:
            number = number or self.image.config.get("StopSignal") or "SIGTERM"
            number = number if isinstance(number, int) else signal.Signals[number]
            os.kill(self.pid, number)
        return self.process.wait(seconds)
