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


def write_tokenizer(source: Path, target: Path, pieces: list[str] | None, rows: int) -> None:
    """Copy without white space, truncation and padding: the host does both, by the manifest.

    `pieces` is the vocabulary that the weights were stored with, `rows` the height of their table.
    """
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"cannot read {source}: {error}") from error
    content["truncation"] = None
    content["padding"] = None
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises nothing more precise
        raise ExportError(f"{source} is no tokenizer: {error}") from error
    _check_vocabulary(tokenizer, source, pieces, rows)
    target.write_text(text, encoding="utf-8")


def _check_vocabulary(
    tokenizer: Tokenizer, source: Path, pieces: list[str] | None, rows: int
) -> None:
    size = tokenizer.get_vocab_size()
    if size > rows:
        raise ExportError(f"{source} has {size} tokens, the model only {rows} rows for them")
    ids = tokenizer.get_vocab()
    for index, piece in enumerate(pieces or []):
        if ids.get(piece) != index:
            raise ExportError(
                f"{source} is of another model: {piece!r} is {ids.get(piece)}, not {index}"
            )
