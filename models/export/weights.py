"""Weights by their Hugging Face names, whatever files they lie in."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from export.blocks import Blocks, quantize
from export.errors import ExportError
from export.jsonfile import read_object
from export.tensorfile import TensorFile

INDEX = "model.safetensors.index.json"


class Weights(Protocol):
    """What a graph is built from; names are those of the `transformers` state dict.

    `stored_bits`: of a source whose matrices are stored in blocks already, else None.
    """

    stored_bits: int | None

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape in torch layout."""

    def dense(self, name: str) -> np.ndarray:
        """float32 in torch layout (a linear layer is [outputs, inputs])."""

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """The same in slices of some rows each."""

    def layers(self, stem: str) -> int:
        """How many layers there are tensors of: one more than the largest N in `stem`N."""

    def blocks(self, name: str, bits: int) -> Blocks:
        """In blocks of `bits` each: as stored where the source is quantised so, else rounded."""

    def block_rows(self, name: str, bits: int) -> Iterator[Blocks]:
        """The same in slices of some rows each."""


class SafetensorsWeights:
    """The tensors of one checkpoint folder, below a prefix; each is read when it is asked for."""

    stored_bits = None

    def __init__(self, folder: Path):
        self._file_of: dict[str, TensorFile] = {}
        for path in _files(folder):
            file = TensorFile(path)
            self._file_of.update(dict.fromkeys(file.names(), file))
        self._prefix = ""

    def has(self, prefixes: tuple[str, ...], name: str) -> bool:
        """Whether there is a tensor `name` under one of `prefixes`."""
        return any(prefix + name in self._file_of for prefix in prefixes)

    def below(self, prefixes: tuple[str, ...], probe: str, what: str) -> "SafetensorsWeights":
        """The same weights under the first of `prefixes` that has a tensor `probe`.

        A model class stores its parts under names of its own; `what` is the part looked for.
        """
        for prefix in prefixes:
            if prefix + probe in self._file_of:
                part = object.__new__(SafetensorsWeights)
                part._file_of, part._prefix = self._file_of, prefix
                return part
        raise ExportError(f"the checkpoint holds no {what} (no tensor {probe})")

    def shape(self, name: str) -> tuple[int, ...]:
        """In torch layout."""
        return self._file(name).shape(self._prefix + name)

    def dense(self, name: str) -> np.ndarray:
        """float32 in torch layout."""
        return self._file(name).read(self._prefix + name)

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """float32 in torch layout, some rows at a time."""
        return self._file(name).rows(self._prefix + name)

    def layers(self, stem: str) -> int:
        """One more than the largest N in `stem`N."""
        pattern = re.compile(re.escape(self._prefix + stem) + r"(\d+)\.")
        found = (pattern.match(name) for name in self._file_of)
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    def blocks(self, name: str, bits: int) -> Blocks:
        """Rounded to nearest; loses precision."""
        return quantize(self.dense(name), bits)

    def block_rows(self, name: str, bits: int) -> Iterator[Blocks]:
        """Rounded to nearest, some rows at a time."""
        return (quantize(part, bits) for part in self.rows(name))

    def _file(self, name: str) -> TensorFile:
        stored = self._prefix + name
        if stored not in self._file_of:
            raise ExportError(f"the checkpoint has no tensor {stored}")
        return self._file_of[stored]


def _files(folder: Path) -> list[Path]:
    """The files that the index names, or else every *.safetensors."""
    index = folder / INDEX
    if not index.exists():
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise ExportError(
                f"{folder} has no *.safetensors file (a pytorch_model.bin has to be converted)"
            )
        return files
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not all(_is_name(place) for place in places.values()):
        raise ExportError(f"{index} has no weight_map from tensors to files beside it")
    files = [folder / name for name in sorted(set(places.values()))]
    if missing := [path.name for path in files if not path.exists()]:
        raise ExportError(f"{folder} lacks {', '.join(missing)}, which {INDEX} names")
    return files


def _is_name(place: object) -> bool:
    return isinstance(place, str) and Path(place).name == place
