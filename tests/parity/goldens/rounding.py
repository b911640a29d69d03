"""How golden vectors are written: 7 significant digits, which is what a float32 holds."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np


def rounded(vectors: np.ndarray) -> list[list[float]]:
    """[rows, dimensions] as JSON numbers."""
    return [[float(f"{value:.7g}") for value in row] for row in vectors]


def versions(*packages: str) -> dict[str, str]:
    """What made the goldens."""
    return {package: version(package) for package in packages}


def write(path: Path, content: dict) -> None:
    """JSON with a line for each top-level key."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}"
        for key, value in content.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"wrote {path.name}, {path.stat().st_size:,} bytes")
