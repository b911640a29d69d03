"""The random checkpoints: as many parameters as they say, readable, the same in both forms."""

import json
import math

import numpy as np
import pytest
from model_shapes import SHAPES, ModelShape
from random_checkpoints import SPREAD, values_of, write_checkpoint
from safetensors import safe_open

# as transformers counts them
PARAMETERS = {
    "Qwen3-VL-Embedding-2B": 2_127_532_032,
    "KURE-v1": 566_705_152,
    "siglip2-base-patch16-224": 375_187_970,
    "ms-marco-MiniLM-L6-v2": 22_713_601,
}
TINY = ModelShape(
    "tiny", {"a.weight": (3, 5), "b.norm.weight": (7,)}, "none", {"config.json": {"layers": 1}}
)


def test_shapes_have_the_published_number_of_parameters():
    assert {name: shape.parameters for name, shape in SHAPES.items()} == PARAMETERS


@pytest.mark.parametrize("shard_bytes", [10**9, 50])
def test_a_checkpoint_is_read_by_safetensors(tmp_path, monkeypatch, shard_bytes):
    monkeypatch.setattr("random_checkpoints.SHARD_BYTES", shard_bytes)
    tokenizer = tmp_path / "t.json"
    tokenizer.write_text("{}")
    bits = {}
    for stored in ("fp32", "bf16"):
        folder = tmp_path / stored
        write_checkpoint(TINY, folder, tokenizer, stored, progress=lambda _: None)
        assert json.loads((folder / "config.json").read_text()) == {"layers": 1}
        files = sorted(folder.glob("*.safetensors"))
        assert len(files) == (1 if shard_bytes > 50 or stored == "bf16" else 2)
        for path in files:
            with safe_open(path, "np") as file:
                for name in file.keys():  # noqa: SIM118  it is no dict
                    assert tuple(file.get_slice(name).get_shape()) == TINY.tensors[name]
        data = b"".join(path.read_bytes()[-_data_bytes(path) :] for path in files)
        kind, shift = (np.uint32, 16) if stored == "fp32" else (np.uint16, 0)
        bits[stored] = np.frombuffer(data, kind) >> shift
    assert np.array_equal(bits["fp32"], bits["bf16"])
    index = tmp_path / "fp32" / "model.safetensors.index.json"
    assert index.exists() == (shard_bytes == 50)


def _data_bytes(path):
    content = path.read_bytes()
    return len(content) - 8 - int.from_bytes(content[:8], "little")


def test_values_are_bounded_bfloats():
    for name, center in (("x.weight", 0.0), ("x.norm1.weight", 1.0), ("x.norm1.bias", 0.0)):
        values = np.concatenate(list(values_of(name, 10_000)))
        # a bfloat16 near 1 is up to 1/128 below what it was cut from
        assert np.abs(values - center).max() <= SPREAD + 1 / 128
        assert not (values.view(np.uint32) & 0xFFFF).any()
        assert math.isclose(values.mean(), center, abs_tol=0.01)
