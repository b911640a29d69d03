"""A server of a test's own, to be killed in every way; models are the throw-away server's."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psycopg
from conftest import setting
from process import (
    Process,
    as_server,
    engines,
    identity,
    pids,
    postmaster,
    wait_until,
    working_directory,
)
from running_engine import data, model_path

VARIABLES = ("TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")


class Cluster:
    """Its postmaster is a child of the tests' process. Reached by its socket alone."""

    def __init__(self, name: str):
        # A socket's path has to be short.
        self.run = Path(tempfile.mkdtemp(prefix="itembank-"))
        self.folder = data().parent / name
        self.data = self.folder / "data"
        self.server: subprocess.Popen | None = None
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for place in (self.run, self.folder):
            os.chown(place, identity().get("user", -1), identity().get("group", -1))
        as_server(
            *(self.program("initdb"), "-D", self.data, "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        )

    @staticmethod
    def program(name: str) -> Path:
        """One of PostgreSQL's."""
        return Path(setting("ITEMBANK_TEST_PGBIN")) / name

    @property
    def url(self) -> str:
        """The superuser's."""
        return f"postgresql://postgres@/postgres?host={self.run}"

    @property
    def log(self) -> Path:
        """Of all its starts."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Starts the postmaster and waits until it takes connections."""
        settings = {
            "unix_socket_directories": self.run,
            "listen_addresses": "",
            "fsync": "off",
            "shared_preload_libraries": "itembank_embed",
            "itembank_embed.model_path": model_path(),
            "itembank_embed.onnxruntime_path": setting("ITEMBANK_ORT"),
        }
        # Another build of the engine, which dev/sanitize.sh has here.
        if path := os.environ.get("ITEMBANK_ENGINE_PATH"):
            settings["itembank_embed.engine_path"] = path
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        with self.log.open("a") as log:
            self.server = subprocess.Popen(
                [self.program("postgres"), "-D", self.data, *arguments],
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                **identity(),
            )
        wait_until(self.is_ready, 30, f"the server starts: {self.log}")

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        assert self.server.poll() is None, f"the server has ended: {self.log}"
        with suppress(psycopg.OperationalError), psycopg.connect(self.url):
            return True
        return False

    def connect(self) -> psycopg.Connection:
        """A session that has the extension and remembers no vector."""
        connection = psycopg.connect(self.url, autocommit=True)
        connection.execute("SET client_min_messages = error")
        connection.execute("CREATE EXTENSION IF NOT EXISTS itembank_embed CASCADE")
        connection.execute("SET itembank_embed.cache_size = 0")
        return connection

    def processes(self) -> list[Process]:
        """The postmaster and all that work in its data directory, engines included."""
        ours = [pid for pid in pids() if working_directory(pid) == str(self.data)]
        return [Process.of(pid) for pid in ours]

    def engines(self) -> list[int]:
        """Of this server."""
        return engines(self.data)

    def pg_ctl(self, mode: str) -> None:
        """Stops it as an administrator would."""
        as_server(self.program("pg_ctl"), "stop", "-D", self.data, "-m", mode, "-t", "30")
        self.server.wait(10)

    def kill(self) -> None:
        """The postmaster alone."""
        assert postmaster(self.data) == self.server.pid
        self.server.kill()
        self.server.wait(10)

    def destroy(self) -> None:
        """Leaves nothing of it."""
        if self.server and self.server.poll() is None:
            self.server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.server.wait(5)
            self.server.kill()
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
