"""What a model is, apart from its weights: the facts that end up in model.toml."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

CATALOG = Path(__file__).resolve().parents[1] / "catalog.toml"


@dataclass(frozen=True)
class ModelSpec:
    """One model by name; the fields are the keys of a catalog entry.

    A model gives vectors, of `dimensions`, or scores: then it has an `activation` instead, and what
    speaks of vectors does not count. `pooling` is None where the architecture has one of its own;
    any size from `matryoshka_from` up may be asked for; `prompts` are by task, `pair` for a
    reranker's, and may have an `instruction` beside them. `layers`, `hidden`, `vocabulary`,
    `image_size` and `patch_size` only tell a catalog's model from others that look like it.
    """

    name: str
    architecture: str
    max_tokens: int
    dimensions: int | None = None
    activation: str | None = None
    pooling: str | None = None
    normalize: bool = True
    matryoshka: list[int] = field(default_factory=list)
    matryoshka_from: int | None = None
    prompts: dict[str, str] = field(default_factory=lambda: {"query": "", "document": ""})
    license: str = "unknown"
    source: str = "unknown"
    layers: int | None = None
    hidden: int | None = None
    vocabulary: int | None = None
    image_size: int | None = None
    patch_size: int | None = None

    @property
    def is_reranker(self) -> bool:
        """Whether it gives scores."""
        return self.activation is not None


def read_catalog(path: Path = CATALOG) -> dict[str, ModelSpec]:
    """The known models by name."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: ModelSpec(name=name, **entry) for name, entry in entries.items()}
