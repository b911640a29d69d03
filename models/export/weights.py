"""Weights by their Hugging Face names, whatever file they lie in."""

import re
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError, safe_open

from export.errors import ExportError
from export.q4 import BLOCK, Q4, quantize

# A task model stores its encoder under a prefix; the bare model has none.
ENCODER_PREFIXES = ("", "bert.", "roberta.", "model.")


class Weights(Protocol):
    """What a graph is built from; names are those of the `transformers` state dict."""

    def dense(self, name: str) -> np.ndarray:
        """float32 in torch layout (a linear layer is [outputs, inputs])."""

    def layers(self) -> int:
        """How many encoder layers there are tensors of."""

    def q4(self, name: str) -> Q4:
        """4-bit blocks: as stored where the source is 4-bit, else rounded to nearest."""


class SafetensorsWeights:
    """`*.safetensors` of one checkpoint; tensors are read one by one, when they are asked for."""

    def __init__(self, folder: Path):
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise ExportError(
                f"{folder} has no *.safetensors file (a pytorch_model.bin has to be converted)"
            )
        self._file_of: dict[str, object] = {}
        for path in files:
            try:
                tensors = safe_open(path, framework="numpy")
            except (SafetensorError, OSError) as error:
                raise ExportError(f"cannot read {path}: {error}") from error
            self._file_of.update(dict.fromkeys(tensors.keys(), tensors))
        self._prefix = self._encoder_prefix(folder)

    def _encoder_prefix(self, folder: Path) -> str:
        for prefix in ENCODER_PREFIXES:
            if f"{prefix}embeddings.word_embeddings.weight" in self._file_of:
                return prefix
        raise ExportError(f"{folder} holds no BERT-type encoder (no embeddings.word_embeddings)")

    def dense(self, name: str) -> np.ndarray:
        """float32 in torch layout."""
        stored = self._prefix + name
        if stored not in self._file_of:
            raise ExportError(f"the checkpoint has no tensor {stored}")
        return self._file_of[stored].get_tensor(stored).astype(np.float32, copy=False)

    def layers(self) -> int:
        """How many encoder layers there are tensors of."""
        pattern = re.compile(re.escape(self._prefix) + r"encoder\.layer\.(\d+)\.")
        found = (pattern.match(name) for name in self._file_of)
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    def q4(self, name: str) -> Q4:
        """Rounded to nearest; loses precision."""
        weight = self.dense(name)
        if weight.shape[1] % BLOCK:
            raise ExportError(f"q4 needs a multiple of {BLOCK} inputs; {name} is {weight.shape}")
        return quantize(weight)
