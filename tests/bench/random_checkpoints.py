"""Checkpoint folders in the Hugging Face layout: real shapes, random weights.

    python tests/bench/random_checkpoints.py KURE-v1 FOLDER --tokenizer FILE [--stored bf16|fp32]

For what depends on a model's size and not on what it has learnt: time, memory, file sizes. Vectors
of such a model mean nothing. A tensor's name gives its values, each of them a bfloat16 whatever
they are stored as: norms are 1 ± 0.035, all else is uniform in ±0.035, which about keeps the size
of activations where layers are 1000 to 2000 wide. Written in slices: memory stays below 200 MB.
"""

import argparse
import json
import math
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from model_shapes import SHAPES, ModelShape, Shapes

SPREAD = 0.035
SEED = 1
STORED = {"bf16": ("BF16", 2), "fp32": ("F32", 4)}
SHARD_BYTES = 2_000_000_000
SLICE_VALUES = 8 << 20
INDEX = "model.safetensors.index.json"


def write_checkpoint(
    shape: ModelShape,
    folder: Path,
    tokenizer: Path,
    stored: str = "bf16",
    progress: Callable[[str], None] = print,
) -> None:
    """Write `folder`, which appears when it is complete and is left alone where it exists."""
    if folder.exists():
        return
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in shape.files.items():
        (partial / name).parent.mkdir(exist_ok=True)
        (partial / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(tokenizer, partial / "tokenizer.json")
    _write_shards(shape.tensors, partial, stored, progress)
    partial.rename(folder)


def _write_shards(
    tensors: Shapes, folder: Path, stored: str, progress: Callable[[str], None]
) -> None:
    """*.safetensors of at most SHARD_BYTES, and the index that tells which tensor is where."""
    size = STORED[stored][1]
    shards, filled = [{}], 0
    for name, shape in tensors.items():
        bytes_here = math.prod(shape) * size
        if shards[-1] and filled + bytes_here > SHARD_BYTES:
            shards.append({})
            filled = 0
        shards[-1][name] = shape
        filled += bytes_here
    places = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        name = name if len(shards) > 1 else "model.safetensors"
        progress(f"{name}: {len(shard)} tensors")
        with (folder / name).open("wb") as file:
            _write_tensors(shard, file, stored)
        places |= dict.fromkeys(shard, name)
    if len(shards) > 1:
        total = sum(math.prod(shape) for shape in tensors.values()) * size
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _write_tensors(tensors: Shapes, file: BinaryIO, stored: str) -> None:
    """The safetensors format: length of the header, the header (JSON), the data."""
    kind, size = STORED[stored]
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors.items():
        end = offset + math.prod(shape) * size
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for name, shape in tensors.items():
        for values in values_of(name, math.prod(shape)):
            # a bfloat16 is the upper half of a float32, of which the lower one is zero here
            data = values.view(np.uint16)[1::2].tobytes() if stored == "bf16" else values.data
            file.write(data)


def values_of(name: str, count: int) -> Iterator[np.ndarray]:
    """The values of the tensor `name` in order, float32 with nothing below a bfloat16's digits."""
    seed = np.random.SeedSequence([SEED, zlib.crc32(name.encode())])
    random = np.random.Generator(np.random.SFC64(seed))
    center = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
    for start in range(0, count, SLICE_VALUES):
        values = random.random(min(SLICE_VALUES, count - start), dtype=np.float32)
        values *= 2 * SPREAD
        values += center - SPREAD
        values.view(np.uint32)[...] &= np.uint32(0xFFFF0000)
        yield values


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=list(SHAPES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="FILE")
    parser.add_argument("--stored", choices=list(STORED), default="bf16")
    options = parser.parse_args()
    if options.folder.exists():
        print(f"error: {options.folder} exists", file=sys.stderr)
        return 1
    shape = SHAPES[options.name]
    write_checkpoint(shape, options.folder, options.tokenizer, options.stored)
    print(f"wrote {options.folder}: {shape.parameters:,} parameters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
