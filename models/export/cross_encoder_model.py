"""A cross-encoder's checkpoint: what it says of itself, and the directory that it becomes."""

from dataclasses import replace
from pathlib import Path

from export.cross_encoder import Head, write_cross_encoder
from export.encoder_model import EncoderModel
from export.errors import ExportError
from export.family import Identity, Options
from export.sequence_classification import (
    ARCHITECTURE,
    check_cross_encoder,
    check_labels,
    derive_cross_encoder,
)
from export.source import Source
from export.spec import ModelSpec


class CrossEncoderModel(EncoderModel):
    """One encoder with a classification head: a graph, a tokenizer."""

    def __init__(self, source: Source):
        super().__init__(source)
        if not (source.folder / "config.json").exists():
            raise ExportError(f"{source.origin} is multilingual-e5-small, which is no reranker")
        check_labels(source.config)

    def identity(self) -> Identity:
        """What must agree with a catalog entry."""
        return {
            "architecture": ARCHITECTURE,
            "layers": self.config.layers,
            "hidden": self.config.hidden,
            "vocabulary": self.config.vocabulary,
        }

    def derive(self, name: str, options: Options) -> ModelSpec:
        """From config.json and tokenizer_config.json."""
        if options.prompts or options.pooling:
            what = "prompts" if options.prompts else "choice of pooling"
            raise ExportError(f"a cross-encoder has no {what}")
        spec = derive_cross_encoder(name, self.source.folder)
        return replace(spec, source=self.source.hub_id or spec.source)

    def check_folder(self, spec: ModelSpec) -> None:
        """Refuse files beside the weights that contradict `spec`."""
        check_cross_encoder(spec, self.source.config, self.source.folder)

    def write_graph(self, spec: ModelSpec, precision: str, path: Path) -> list[Path]:
        """The graph and its weights."""
        encoder = self.weights()
        head = Head.read(self.config, encoder, self.source.weights)
        return write_cross_encoder(self.config, encoder, head, spec.name, precision, path)
