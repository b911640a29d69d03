"""model.toml: what a model directory says about itself. Keys are documented in models/README.md."""

import hashlib
import json
from pathlib import Path

from export.spec import ModelSpec

MANIFEST_VERSION = 1
CHUNK = 1 << 20

Value = str | int | bool | list[int]


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def render(
    spec: ModelSpec, precision: str, tables: dict[str, dict[str, Value]], files: list[Path]
) -> str:
    """The manifest; `tables` are what the architecture adds: [text], [image]."""
    gives_vectors = not spec.is_reranker
    top = {
        "manifest_version": MANIFEST_VERSION,
        "name": spec.name,
        "architecture": spec.architecture,
        "source": spec.source,
        "license": spec.license,
        "precision": precision,
        "dimensions": spec.dimensions,
        "max_tokens": spec.max_tokens,
        "activation": spec.activation,
        "pooling": spec.pooling,
        "normalize": spec.normalize if gives_vectors else None,
        "matryoshka": spec.matryoshka if gives_vectors else None,
        "matryoshka_from": spec.matryoshka_from,
        # true for every precision written here: none quantises activations by batch
        "batch_invariant": True,
    }
    tables = {
        **({"prompts": spec.prompts} if spec.prompts else {}),
        **tables,
        "files": {path.name: sha256(path) for path in files},
    }
    lines = [f"{key} = {_value(value)}" for key, value in top.items() if value is not None]
    for name, entries in tables.items():
        lines += ["", f"[{name}]"]
        lines += [f"{_key(key)} = {_value(value)}" for key, value in entries.items()]
    return "\n".join(lines) + "\n"


def _value(value: Value) -> str:
    """A TOML value; JSON's strings, numbers and flat lists are spelled the same."""
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.isidentifier() else _value(key)
