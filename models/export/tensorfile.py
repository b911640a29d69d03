"""One *.safetensors file: its tensors by name, as float32, whole or row by row.

Read by position and not mapped, so that a checkpoint larger than memory leaves nothing behind but
the tensor in hand; bfloat16, which numpy has no type for, is the upper half of a float32. Layout
(the safetensors format): 8 bytes length of the header, the header (JSON: name → dtype, shape,
data_offsets), the data.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.errors import ExportError

STORED = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
LENGTH_BYTES = 8
# Larger headers are refused by the format's own library, too.
MAX_HEADER = 100_000_000
SLICE_BYTES = 32 << 20


@dataclass(frozen=True)
class Stored:
    """Where a tensor lies: `start` counts from the beginning of the file."""

    kind: str
    shape: tuple[int, ...]
    start: int

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        return math.prod(self.shape) * STORED[self.kind].itemsize


class TensorFile:
    """The tensors of one file; nothing but the header is read before a tensor is asked for."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._tensors = _read_header(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ExportError(f"cannot read {path}: {error}") from error

    def names(self) -> list[str]:
        """The names of its tensors."""
        return list(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Its shape."""
        return self._tensors[name].shape

    def read(self, name: str) -> np.ndarray:
        """The whole tensor, float32."""
        tensor = self._tensor(name)
        return self._read(tensor, tensor.start, tensor.bytes).reshape(tensor.shape)

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """The tensor, float32, in slices of some rows; for tables that memory should not hold."""
        tensor = self._tensor(name)
        row_bytes = max(1, tensor.bytes // max(1, tensor.shape[0]))
        step = max(1, SLICE_BYTES // row_bytes)
        for first in range(0, tensor.shape[0], step):
            count = min(step, tensor.shape[0] - first)
            values = self._read(tensor, tensor.start + first * row_bytes, count * row_bytes)
            yield values.reshape(count, *tensor.shape[1:])

    def _tensor(self, name: str) -> Stored:
        tensor = self._tensors[name]
        if tensor.kind not in STORED:
            kinds = ", ".join(STORED)
            raise ExportError(f"{self.path}: {name} is stored as {tensor.kind}, not as {kinds}")
        return tensor

    def _read(self, tensor: Stored, start: int, size: int) -> np.ndarray:
        kind = STORED[tensor.kind]
        with self.path.open("rb") as file:
            values = np.fromfile(file, kind, size // kind.itemsize, offset=start)
        if values.nbytes != size:
            raise ExportError(f"cannot read {self.path}: it has become shorter")
        if tensor.kind == "BF16":
            return _float_of_bfloat(values)
        return values.astype(np.float32, copy=False)


def _float_of_bfloat(values: np.ndarray) -> np.ndarray:
    wide = values.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def _read_header(path: Path) -> dict[str, Stored]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if not 2 <= length <= min(MAX_HEADER, size - LENGTH_BYTES):
            raise ValueError("it is no safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise TypeError("its header is no JSON object")
    data = LENGTH_BYTES + length
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        tensor = Stored(entry["dtype"], tuple(entry["shape"]), data + start)
        if not 0 <= start <= end <= size - data:
            raise ValueError(f"{name} ends behind the file's end")
        if tensor.kind in STORED and tensor.bytes != end - start:
            raise ValueError(f"{name} has {end - start} bytes for a shape of {tensor.shape}")
        tensors[name] = tensor
    return tensors
