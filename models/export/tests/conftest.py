"""Puts `export` and the tiny checkpoints on the path; exports into a temporary directory."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "models"), str(ROOT / "tests/fixtures")]


@pytest.fixture
def checkpoint(tmp_path):
    """A function: name of a tiny model → a folder with its checkpoint."""
    from tiny_checkpoints import write_checkpoint

    def write(name: str) -> Path:
        folder = tmp_path / "checkpoints" / name
        write_checkpoint(name, folder)
        return folder

    return write
