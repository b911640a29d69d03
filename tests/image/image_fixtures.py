"""The fixtures that the tests of the image share, which each of its files loads by this name: as
there are no packages here, a second conftest.py would be taken for that of all tests.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from container import Container, Image


@pytest.fixture(scope="session")
def image() -> Image:
    return Image()


@pytest.fixture(scope="session")
def compose() -> Callable[[str], dict]:
    """What Docker Compose reads: the service of compose.json or compose.gpu.json."""

    def service(name: str) -> dict:
        file = Path(os.environ["ITEMBANK_COMPOSE"]) / name
        return json.loads(file.read_text())["services"]["itembank"]

    return service


@pytest.fixture(scope="session")
def service(compose) -> dict:
    """The service of compose.yaml."""
    return compose("compose.json")


@pytest.fixture(scope="session")
def place() -> Path:
    return Path(os.environ["ITEMBANK_IMAGE_TEST"])


@pytest.fixture(scope="session")
def data_volume(image, place) -> Callable[[str], Path]:
    """An empty volume for the data as Docker makes it: with the image's owner and mode."""

    def make(name: str) -> Path:
        volume = place / name
        volume.mkdir()
        shutil.copystat(image.root / "var/lib/postgresql", volume)
        os.chown(volume, 999, 999)
        return volume

    return make


@pytest.fixture(scope="session")
def start(image, place):
    """Starts a container; whatever a test leaves running is killed at the end."""
    started = []

    def start(name: str, **options) -> Container:
        started.append(Container(image, place / f"{name}.log", **options))
        return started[-1]

    yield start
    for container in started:
        container.stop(signal.SIGKILL)
