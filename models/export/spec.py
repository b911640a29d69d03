"""What a model is, apart from its weights: the facts that end up in model.toml."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

CATALOG = Path(__file__).resolve().parents[1] / "catalog.toml"


@dataclass(frozen=True)
class ModelSpec:
    """One model by name; the fields are the keys of a catalog entry.

    `layers`, `vocabulary`, `image_size` and `patch_size` only tell a catalog's model from others
    that look like it. `pooling` is None where the architecture has one of its own; any size from
    `matryoshka_from` up may be asked for; `prompts` may have an `instruction` beside the tasks.
    """

    name: str
    architecture: str
    dimensions: int
    max_tokens: int
    pooling: str | None = None
    normalize: bool = True
    matryoshka: list[int] = field(default_factory=list)
    matryoshka_from: int | None = None
    prompts: dict[str, str] = field(default_factory=lambda: {"query": "", "document": ""})
    license: str = "unknown"
    source: str = "unknown"
    layers: int | None = None
    vocabulary: int | None = None
    image_size: int | None = None
    patch_size: int | None = None


def read_catalog(path: Path = CATALOG) -> dict[str, ModelSpec]:
    """The known models by name."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: ModelSpec(name=name, **entry) for name, entry in entries.items()}
