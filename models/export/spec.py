"""What a model is, apart from its weights: the facts that end up in model.toml."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

CATALOG = Path(__file__).resolve().parents[1] / "catalog.toml"


@dataclass(frozen=True)
class ModelSpec:
    """One model by name; the fields are the keys of a catalog entry.

    `layers` and `vocabulary` only tell a catalog's model from others that look like it.
    """

    name: str
    architecture: str
    dimensions: int
    max_tokens: int
    pooling: str
    normalize: bool = True
    matryoshka: list[int] = field(default_factory=list)
    prompts: dict[str, str] = field(default_factory=lambda: {"query": "", "document": ""})
    license: str = "unknown"
    source: str = "unknown"
    layers: int | None = None
    vocabulary: int | None = None


def read_catalog(path: Path = CATALOG) -> dict[str, ModelSpec]:
    """The known models by name."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: ModelSpec(name=name, **entry) for name, entry in entries.items()}
