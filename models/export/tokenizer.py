"""tokenizer.json: found, checked against the weights' vocabulary, and written compactly."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from export.errors import ExportError


def find_tokenizer(checkpoint: Path, directory: Path) -> Path:
    """tokenizer.json of the checkpoint, or the only one anywhere in the source directory."""
    if (checkpoint / "tokenizer.json").exists():
        return checkpoint / "tokenizer.json"
    found = sorted(directory.rglob("tokenizer.json"))
    if len(found) == 1:
        return found[0]
    problem = "several tokenizer.json" if found else "no tokenizer.json"
    raise ExportError(f"{directory} has {problem}; name one with --tokenizer FILE")


def write_tokenizer(source: Path, target: Path, pieces: list[str] | None, rows: int) -> Tokenizer:
    """Copy the file as `save_tokenizer` writes it.

    `pieces` is the vocabulary that the weights were stored with, `rows` the height of their table.
    """
    return save_tokenizer(read_tokenizer(source), source, target, rows, pieces)


def read_tokenizer(path: Path) -> dict:
    """The content of a tokenizer.json."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise ExportError(f"{path} is no tokenizer: it is no JSON object")
    return content


def save_tokenizer(
    content: dict, source: Path, target: Path, rows: int, pieces: list[str] | None = None
) -> Tokenizer:
    """Write without white space, truncation and padding: the host does both, by the manifest."""
    text = json.dumps(
        content | {"truncation": None, "padding": None}, ensure_ascii=False, separators=(",", ":")
    )
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises nothing more precise
        raise ExportError(f"{source} is no tokenizer: {error}") from error
    _check_vocabulary(tokenizer, source, pieces, rows)
    target.write_text(text, encoding="utf-8")
    return tokenizer


def _check_vocabulary(
    tokenizer: Tokenizer, source: Path, pieces: list[str] | None, rows: int
) -> None:
    ids = tokenizer.get_vocab()
    if (last := max(ids.values(), default=-1)) >= rows:
        raise ExportError(f"{source} has tokens up to {last}, the model only {rows} rows for them")
    for index, piece in enumerate(pieces or []):
        if ids.get(piece) != index:
            raise ExportError(
                f"{source} is of another model: {piece!r} is {ids.get(piece)}, not {index}"
            )
