"""Programs that are no engine, or one of another version, to be started in its place."""

import os
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import ROOT
from process import as_server
from running_engine import data

SYSTEM = "/usr/bin:/bin:/usr/local/bin"
# This build's.
RELEASE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]

# Binds the socket as told, says that it is ready, and says the same to everybody.
SPEAKER = """
import os, socket, sys, threading
path = sys.argv[sys.argv.index("--socket") + 1]
os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
if os.path.lexists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
print("ready", flush=True)
def accept():
    kept = []
    while True:
        connection, _ = listener.accept()
        connection.sendall(ANSWER)
        kept.append(connection)
threading.Thread(target=accept, daemon=True).start()
while heard := sys.stdin.buffer.read1():
    if heard.endswith(STOP):
        break
    print("pong", flush=True)
"""


@contextmanager
def program(name: str, lines: str) -> Iterator[Path]:
    """A script in a folder that the server can read."""
    place = data().parent / "programs"
    place.mkdir(exist_ok=True)
    script = place / name
    script.write_text(lines)
    script.chmod(0o755)
    try:
        yield script
    finally:
        shutil.rmtree(place)


def shell(*lines: str) -> str:
    """A script of the shell."""
    return "\n".join(["#!/bin/sh", *lines, ""])


def speaks(answer: bytes) -> str:
    """An engine that greets everybody with these bytes."""
    lines = SPEAKER.replace("ANSWER", repr(answer)).replace("STOP", repr(frame(b"\2")))
    return f"#!{python()} -I\n{lines}"


def python() -> str:
    """One that the server's user may run; a developer's own may lie in a closed folder."""
    found = (sys.executable, os.path.realpath(sys.executable), shutil.which("python3", path=SYSTEM))
    for path in filter(None, found):
        with suppress(AssertionError, OSError):
            as_server(path, "-I", "-c", "")
            return path
    pytest.skip("there is no Python that the server's user may run")


def frame(body: bytes) -> bytes:
    """As it goes over the socket: the length, then the message."""
    return len(body).to_bytes(4, "little") + body


def varint(number: int) -> bytes:
    """postcard's whole number."""
    low, more = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(more) if more else bytes([low])


def text(value: str) -> bytes:
    """postcard's string."""
    return varint(len(value.encode())) + value.encode()


def hello(release: str, protocol: int = 1) -> bytes:
    """A session's greeting."""
    return frame(varint(0) + varint(protocol) + text(release))


def refused(message: str, detail: str, hint: str) -> bytes:
    """An engine's refusal for a missing prerequisite."""
    return frame(varint(1) + varint(5) + text(message) + b"\1" + text(detail) + b"\1" + text(hint))
