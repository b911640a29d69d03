"""JSON files of a checkpoint; what is no JSON is an ExportError."""

import json
from pathlib import Path

from export.errors import ExportError


def read_object(path: Path) -> dict:
    """The file's JSON object, or {} where there is no file."""
    content = read_json(path, {})
    if not isinstance(content, dict):
        raise ExportError(f"{path} is no JSON object")
    return content


def read_json(path: Path, missing: dict | list) -> object:
    """The file's content, or `missing` where there is no file."""
    if not path.exists():
        return missing
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ExportError(f"cannot read {path}: {error}") from error
